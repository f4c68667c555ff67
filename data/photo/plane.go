package photo

import (
	"image"
	"slices"
)

// workSide is the largest height and width of a picture that is searched for ink.
// A larger one is reduced first.
const workSide = 640

// plane is a picture with one number for each pixel, row by row.
type plane struct {
	rows, cols int
	v          []float32
}

func newPlane(rows, cols int) plane { return plane{rows, cols, make([]float32, rows*cols)} }

func (p plane) row(i int) []float32 { return p.v[i*p.cols : (i+1)*p.cols] }

// luminance returns the luminance of a picture, from 0 (black) to 1 (white), on
// white where the picture is transparent. If the picture has more than side pixels
// in height or width, each pixel of the result is the mean of k×k pixels.
func luminance(img image.Image, side int) plane {
	b := img.Bounds()
	k := 1 + (max(b.Dx(), b.Dy())-1)/side
	p := newPlane(1+(b.Dy()-1)/k, 1+(b.Dx()-1)/k)
	line := make([]float32, b.Dx())
	read := lineReader(img)
	for y := range b.Dy() {
		read(y, line)
		row := p.row(y / k)
		for j := range row {
			pixels := line[j*k : min((j+1)*k, len(line))]
			sum := float32(0)
			for _, v := range pixels {
				sum += v
			}
			row[j] += sum / float32(len(pixels))
		}
	}
	if k == 1 {
		return p
	}
	for i := range p.rows {
		lines := float32(min(k, b.Dy()-i*k))
		for j, v := range p.row(i) {
			p.row(i)[j] = v / lines
		}
	}
	return p
}

// lineReader returns a function that reads the luminance of line y, counted from 0.
func lineReader(img image.Image) func(y int, line []float32) {
	b := img.Bounds()
	of := func(samples []uint8, line []float32) {
		for x := range line {
			line[x] = float32(samples[x]) / 255
		}
	}
	switch img := img.(type) {
	case *image.Gray:
		return func(y int, line []float32) { of(img.Pix[img.PixOffset(b.Min.X, b.Min.Y+y):], line) }
	case *image.YCbCr: // Y is the luminance
		return func(y int, line []float32) { of(img.Y[img.YOffset(b.Min.X, b.Min.Y+y):], line) }
	case image.RGBA64Image:
		return func(y int, line []float32) {
			for x := range line {
				c := img.RGBA64At(b.Min.X+x, b.Min.Y+y)
				line[x] = onWhite(uint32(c.R), uint32(c.G), uint32(c.B), uint32(c.A))
			}
		}
	}
	return func(y int, line []float32) {
		for x := range line {
			line[x] = onWhite(img.At(b.Min.X+x, b.Min.Y+y).RGBA())
		}
	}
}

// onWhite returns the luminance of a colour on white. The arguments are those of
// color.Color.RGBA. The weights are those of JPEG (ITU-R BT.601).
func onWhite(r, g, b, a uint32) float32 {
	y := 0.299*float32(r) + 0.587*float32(g) + 0.114*float32(b)
	return min((y+float32(0xffff-a))/0xffff, 1)
}

// turned returns p upright. orientation is that of EXIF: it says where the first
// row and the first column of p belong.
func (p plane) turned(orientation int) plane {
	if orientation >= 5 { // the first row is a side
		t := newPlane(p.cols, p.rows)
		for i := range p.rows {
			for j, v := range p.row(i) {
				t.v[j*t.cols+i] = v
			}
		}
		p = t
	}
	if orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7 {
		for i := range p.rows {
			slices.Reverse(p.row(i))
		}
	}
	if orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8 {
		for i := range p.rows / 2 {
			above, below := p.row(i), p.row(p.rows-1-i)
			for j := range above {
				above[j], below[j] = below[j], above[j]
			}
		}
	}
	return p
}

// bytes returns the values, from 0 to 1, as numbers from 0 to 255.
func (p plane) bytes() []uint8 {
	b := make([]uint8, len(p.v))
	for i, v := range p.v {
		b[i] = uint8(255*v + 0.5)
	}
	return b
}

// scaled returns p with another number of rows and columns. A pixel of the result
// is the mean of the area that it covers in p.
func (p plane) scaled(rows, cols int) plane {
	across := newPlane(p.rows, cols)
	columns := shares(p.cols, cols)
	for i := range p.rows {
		from, to := p.row(i), across.row(i)
		for j, s := range columns {
			to[j] = s.mean(func(k int) float32 { return from[k] })
		}
	}
	q := newPlane(rows, cols)
	for i, s := range shares(p.rows, rows) {
		to := q.row(i)
		for j := range to {
			to[j] = s.mean(func(k int) float32 { return across.v[k*cols+j] })
		}
	}
	return q
}

// share is the part of a line that a pixel covers: the pixels first, first+1, …
// with weights that sum to 1.
type share struct {
	first   int
	weights []float32
}

// shares divides a line of n pixels into m equal parts.
func shares(n, m int) []share {
	all := make([]share, m)
	for k := range all {
		// In units of 1/m pixel, part k begins at k·n and pixel i at i·m.
		begin, end := k*n, (k+1)*n
		s := share{first: begin / m}
		for i := s.first; i*m < end; i++ {
			s.weights = append(s.weights, float32(min(end, (i+1)*m)-max(begin, i*m))/float32(n))
		}
		all[k] = s
	}
	return all
}

func (s share) mean(at func(k int) float32) float32 {
	sum := float32(0)
	for k, w := range s.weights {
		sum += w * at(s.first+k)
	}
	return sum
}

// lines calls f with each row and then with each column, and stores what f has
// written to out. in and out have equal lengths.
func (p plane) lines(f func(in, out []float32)) plane {
	q := newPlane(p.rows, p.cols)
	for i := range p.rows {
		f(p.row(i), q.row(i))
	}
	in, out := make([]float32, p.rows), make([]float32, p.rows)
	for j := range p.cols {
		for i := range in {
			in[i] = q.v[i*q.cols+j]
		}
		f(in, out)
		for i, v := range out {
			q.v[i*q.cols+j] = v
		}
	}
	return q
}

// blurred returns the mean of the pixels at most radius away, in rows and in
// columns. Near the border it is the mean of those that exist.
func (p plane) blurred(radius int) plane {
	if radius < 1 {
		return p
	}
	return p.lines(func(in, out []float32) {
		sum, from, to := 0.0, 0, 0 // of in[from:to]
		for k := range out {
			for ; to < min(k+radius+1, len(in)); to++ {
				sum += float64(in[to])
			}
			for ; from < k-radius; from++ {
				sum -= float64(in[from])
			}
			out[k] = float32(sum / float64(to-from))
		}
	})
}

// dilated returns the largest value of the pixels at most radius away.
func (p plane) dilated(radius int) plane { return p.extreme(radius, 1) }

// closed returns p without dark parts that are narrower than 2·radius+1 pixels.
func (p plane) closed(radius int) plane { return p.extreme(radius, 1).extreme(radius, -1) }

// extreme returns the largest value for sign 1, the smallest for −1, of the pixels
// at most radius away.
func (p plane) extreme(radius int, sign float32) plane {
	if radius < 1 {
		return p
	}
	return p.lines(func(in, out []float32) {
		// at has the indices in the window that can still become the extreme, their
		// values falling.
		var at []int
		next := 0
		for k := range out {
			for ; next < min(k+radius+1, len(in)); next++ {
				for len(at) > 0 && sign*in[at[len(at)-1]] <= sign*in[next] {
					at = at[:len(at)-1]
				}
				at = append(at, next)
			}
			if at[0] < k-radius {
				at = at[1:]
			}
			out[k] = in[at[0]]
		}
	})
}
