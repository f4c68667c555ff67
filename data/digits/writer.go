package digits

// writer is a person's hand: what all images of a writer share. Lengths are
// in glyph units, the pen in pixels of the finished image.
type writer struct {
	habits   [Classes]habit // for each digit
	slant    float64        // shear: x moves by slant for each unit of height
	tilt     float64        // rotation, tangent of the angle
	width    float64        // factor on x
	round    float64        // 0: corners stay sharp, 1: they are passed smoothly
	slop     float64        // factor on all variation from image to image
	pen      float64        // radius
	pressure float64        // relative variation of the radius along a stroke
	nib      float64        // relative difference between down and across strokes
	warp     warp
}

// habit is the way in which a writer forms a digit: the writer's own pose, and
// another pose towards which it varies.
type habit struct{ own, other pose }

// newHabit draws a random habit for a digit.
func newHabit(r random, digit int) habit {
	forms := glyphs[digit]
	u, k := r.unit(), 0
	for k < len(forms)-1 && u >= forms[k].share {
		u -= forms[k].share
		k++
	}
	p := forms[k].poses
	own := mix(p[r.below(len(p))], p[r.below(len(p))], r.between(-0.2, 1.2))
	own.scatter(r, 2.8)
	return habit{own, p[r.below(len(p))]}
}

// pose returns a random pose for one image.
func (h habit) pose(r random, slop float64) pose {
	p := mix(h.own, h.other, r.spread(0, mul(0.2, slop)))
	p.scatter(r, mul(1.8, slop))
	return p
}

// newWriter draws writer n of a split.
func newWriter(streams Streams, split Split, n int) *writer {
	r := random{streams("digits/"+string(split)+"/writer", uint64(n))}
	w := &writer{
		slant:    r.spread(0.09, 0.19),
		tilt:     r.spread(0, 0.06),
		width:    r.spread(1, 0.11),
		round:    r.between(0, 0.8),
		slop:     r.between(0.6, 1.3),
		pen:      max(0.8, r.spread(1.26, 0.20)),
		pressure: r.between(0.05, 0.2),
		nib:      r.spread(0, 0.10),
	}
	if r.chance(0.08) { // sloppy
		w.slop = r.between(1.4, 2.2)
		w.slant = r.spread(0.15, 0.32)
	}
	w.warp.vary(r, 0.04)
	for d := range w.habits {
		w.habits[d] = newHabit(r, d)
	}
	return w
}

// vary returns the writer's handwriting in one image.
func (w *writer) vary(r random) *writer {
	v := *w
	if r.chance(0.06) { // careless
		v.slop = mul(1.8, v.slop)
	}
	v.slant = r.spread(w.slant, mul(0.10, v.slop))
	v.tilt = r.spread(w.tilt, mul(0.07, v.slop))
	v.width = mul(w.width, r.spread(1, mul(0.08, v.slop)))
	v.pen = max(0.7, mul(w.pen, r.spread(1, 0.13)))
	v.nib = r.spread(w.nib, 0.05)
	v.warp.vary(r, mul(0.04, v.slop))
	return &v
}
