package augment

import (
	"encoding/binary"
	"math/rand/v2"

	"trainer/data"
)

// Places in an image are whole numbers of 2^−fine pixels, and their steps from pixel to
// pixel of 2^−finer pixels.
const (
	fine, finer = 8, 16
	one         = 1 << fine
)

// warp distorts images of one size. It is used from one goroutine.
type warp struct {
	options    Options
	rows, cols int
	border     int // of the padded image, in pixels
	stride     int // of the padded image
	padded     []uint8
}

func newWarp(s *data.Set, o Options) *warp {
	w := &warp{options: o, rows: s.Rows, cols: s.Cols}
	w.border = o.reach(s) + 2
	w.stride = s.Cols + 2*w.border
	w.padded = make([]uint8, w.stride*(s.Rows+2*w.border))
	return w
}

// reach returns how far from its pixel, in whole pixels, the place can be that a pixel
// has its value from.
func (o Options) reach(s *data.Set) int {
	sin, cos := turn(o.Rotate)
	k := 1 / (1 - o.Scale)
	half := float64(max(s.Rows, s.Cols)) / 2
	return int((k*((1+o.Shear)*(sin+cos))-1)*half + k*sin*half + o.Shift + mostElastic*o.Elastic + 1)
}

// pad copies an image into the middle of the padded one, whose border has the nearest
// pixel of the image.
func (w *warp) pad(image []uint8) {
	for i := range w.rows {
		row := w.padded[(w.border+i)*w.stride:][:w.stride]
		copy(row[w.border:], image[i*w.cols:(i+1)*w.cols])
		left, right := row[w.border], row[w.border+w.cols-1]
		for k := range w.border {
			row[k] = left
			row[w.border+w.cols+k] = right
		}
	}
	first := w.padded[w.border*w.stride:][:w.stride]
	last := w.padded[(w.border+w.rows-1)*w.stride:][:w.stride]
	for k := range w.border {
		copy(w.padded[k*w.stride:], first)
		copy(w.padded[(w.border+w.rows+k)*w.stride:], last)
	}
}

// affine is the part of a distortion that keeps lines straight. Pixel (x, y), counted
// from the middle of the image, has its value from the place
//
//	x' = xx·x + xy·y + dx
//	y' = yx·x + yy·y + dy
type affine struct{ xx, xy, yx, yy, dx, dy float64 }

// draw draws an affine distortion: turn · shear · scale, and then the shift.
func (o Options) draw(r *rand.Rand) affine {
	sin, cos := turn(even(r, o.Rotate))
	k := 1 / (1 + even(r, o.Scale))
	lean := even(r, o.Shear)
	return affine{
		xx: float64(k * cos), xy: float64(k * (float64(cos*lean) - sin)),
		yx: float64(k * sin), yy: float64(k * (float64(sin*lean) + cos)),
		dx: even(r, o.Shift), dy: even(r, o.Shift),
	}
}

// turn returns the sine and the cosine of an angle in degrees, at most 45: the series
// up to the thirteenth power, whose next term is below 2^−40. Package math may round
// otherwise on another platform.
func turn(degrees float64) (sin, cos float64) {
	const radians = 3.141592653589793 / 180
	a := degrees * radians
	term, sin, cos := 1.0, 0.0, 1.0
	for n := 1; n <= 13; n++ {
		term = float64(term*a) / float64(n)
		switch n % 4 {
		case 1:
			sin += term
		case 2:
			cos -= term
		case 3:
			sin -= term
		case 0:
			cos += term
		}
	}
	return sin, cos
}

// distort writes a distorted image to dst.
func (w *warp) distort(dst, image []uint8, f *field, r *rand.Rand) {
	a := w.options.draw(r)
	shiftsX, shiftsY, from := f.window(r)
	w.pad(image)
	const unit = 1 << finer
	fixed := func(v float64) int { return int(v * unit) }
	xx, xy, yx, yy := fixed(a.xx), fixed(a.xy), fixed(a.yx), fixed(a.yy)
	midX, midY := (w.cols-1)*unit/2, (w.rows-1)*unit/2
	// The place of pixel (0, 0), in the padded image.
	startX := midX + fixed(a.dx) + w.border*unit - (xx*(w.cols-1)+xy*(w.rows-1))/2
	startY := midY + fixed(a.dy) + w.border*unit - (yx*(w.cols-1)+yy*(w.rows-1))/2
	stride, padded := w.stride, w.padded
	clear(dst)
	for i := range w.rows {
		x, y := startX+i*xy, startY+i*yy
		row := dst[i*w.cols:][:w.cols]
		dx := shiftsX[from+i*f.stride:][:len(row)]
		dy := shiftsY[from+i*f.stride:][:len(row)]
		for j := range row {
			sx := x>>(finer-fine) + int(dx[j])
			sy := y>>(finer-fine) + int(dy[j])
			x += xx
			y += yx
			at := (sy>>fine)*stride + sx>>fine
			top, bottom := binary.LittleEndian.Uint16(padded[at:]), binary.LittleEndian.Uint16(padded[at+stride:])
			if top|bottom == 0 {
				continue // row[j] is 0
			}
			p, q := sx&(one-1), sy&(one-1)
			a, b, c, d := int(top&0xff), int(top>>8), int(bottom&0xff), int(bottom>>8)
			upper := a<<fine + (b-a)*p
			lower := c<<fine + (d-c)*p
			row[j] = uint8((upper<<fine + (lower-upper)*q + 1<<(2*fine-1)) >> (2 * fine))
		}
	}
}
