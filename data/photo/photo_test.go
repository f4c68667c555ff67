package photo_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trainer/data"
	"trainer/data/photo"
)

var mnistSize = photo.Options{Rows: 28, Cols: 28}

// digit returns a built-in digit: 3, 7, 4, … as the seed has them.
func digit(i int) []uint8 {
	return data.GenerateDigits(1, 0, i+1).Test.Image(i)
}

// picture is a picture of a digit on paper.
type picture struct {
	rows, cols       int
	top, left, scale int // where the digit is, and how many pixels one of its pixels has
	ink              float64
	// paper is the luminance of the paper at a place, from 0 to 1. The ink takes
	// a share of it, as ink on paper in the shade does.
	paper func(i, j int) float64
}

func (p picture) draw(pixels []uint8) *image.Gray {
	r := rand.New(rand.NewPCG(3, 4))
	img := image.NewGray(image.Rect(0, 0, p.cols, p.rows))
	for i := range p.rows {
		for j := range p.cols {
			v := p.paper(i, j)
			y, x := (i-p.top)/p.scale, (j-p.left)/p.scale
			if i >= p.top && j >= p.left && y < 28 && x < 28 {
				v *= 1 - p.ink*float64(pixels[y*28+x])/255
			}
			img.SetGray(j, i, color.Gray{uint8(min(max(255*v+8*r.Float64()-4, 0), 255))})
		}
	}
	return img
}

// alike returns the correlation of two images of 28×28, 1 for equal ones. One of
// them may be shifted by a pixel, since a centre of mass is rounded to a pixel.
func alike(a, b []uint8) float64 {
	best := -1.0
	for _, shift := range []int{0, 1, -1, 28, -28, 29, 27, -27, -29} {
		best = max(best, correlation(a[max(0, shift):len(a)+min(0, shift)], b[max(0, -shift):len(b)+min(0, -shift)]))
	}
	return best
}

func correlation(a, b []uint8) float64 {
	mean := func(v []uint8) float64 {
		sum := 0.0
		for _, x := range v {
			sum += float64(x)
		}
		return sum / float64(len(v))
	}
	ma, mb := mean(a), mean(b)
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i])-ma, float64(b[i])-mb
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}

// TestPhotos: what is in a photo of paper beside the ink does not change the image.
func TestPhotos(t *testing.T) {
	shadow := func(i, j int) float64 { // a hard edge, tilted
		if 2*j+i > 1100 {
			return 0.45
		}
		return 0.9
	}
	ruled := func(i, j int) float64 { // tilted by one degree
		if (i+j/57)%48 < 3 {
			return 0.68
		}
		return 0.9
	}
	for name, paper := range map[string]func(i, j int) float64{
		"plain":  func(_, _ int) float64 { return 0.9 },
		"shadow": shadow,
		"ruled":  ruled,
		"both":   func(i, j int) float64 { return shadow(i, j) * ruled(i, j) },
		"dim": func(i, j int) float64 { // light from one corner, four times as bright there
			return 0.9 - 0.7*float64(i+j)/1400
		},
		"vignette": func(i, j int) float64 {
			y, x := float64(i-300)/500, float64(j-400)/500
			return 0.9 - 0.45*(y*y+x*x)
		},
		"table": func(i, j int) float64 { // the paper's edge is in the picture
			if j < 90 || i > 540 {
				return 0.2
			}
			return 0.9
		},
		"squared": func(i, j int) float64 {
			if i%40 < 2 || j%40 < 2 {
				return 0.7
			}
			return 0.9
		},
	} {
		for k := range 6 {
			want := digit(k)
			p := picture{rows: 600, cols: 800, top: 120, left: 270, scale: 10, ink: 0.75, paper: paper}
			got, err := photo.Normalise(p.draw(want), mnistSize)
			if err != nil {
				t.Errorf("%s, digit %d: %v", name, k, err)
				continue
			}
			if r := alike(got, want); r < 0.9 {
				t.Errorf("%s, digit %d: correlation %.3f with the original\n%s", name, k, r, show(want, got))
			}
		}
	}
}

// show draws images side by side.
func show(images ...[]uint8) string {
	var b strings.Builder
	for i := range 28 {
		for _, img := range images {
			for _, v := range img[i*28 : i*28+28] {
				b.WriteByte(" .:-=+*#%@"[int(v)*10/256])
			}
			b.WriteByte('|')
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// TestThinPen: a line of a ballpoint becomes as wide as those of MNIST.
func TestThinPen(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 400, 400))
	for i := range img.Pix {
		img.Pix[i] = 230
	}
	for k := range 300 { // a 7
		for d := range 3 {
			img.SetGray(100+k*2/3, 50+d, color.Gray{40})
			img.SetGray(300-k/3+d, 50+k, color.Gray{40})
		}
	}
	got, err := photo.Normalise(img, mnistSize)
	if err != nil {
		t.Fatal(err)
	}
	mass := 0
	for _, v := range got[14*28 : 15*28] {
		mass += int(v)
	}
	if mass < 255 || mass > 3*255 {
		t.Errorf("the stroke is %.1f pixels wide, want 1 to 3\n%s", float64(mass)/255, show(got))
	}
}

// TestColours: any colours, and transparency.
func TestColours(t *testing.T) {
	want := digit(2)
	draw := func(paper, ink color.NRGBA) image.Image {
		img := image.NewNRGBA(image.Rect(7, 9, 7+28*4, 9+28*4)) // bounds need not begin at 0
		for i := range 28 * 4 {
			for j := range 28 * 4 {
				v := float64(want[i/4*28+j/4]) / 255
				mix := func(p, q uint8) uint8 { return uint8(float64(p)*(1-v) + float64(q)*v) }
				img.SetNRGBA(7+j, 9+i, color.NRGBA{mix(paper.R, ink.R), mix(paper.G, ink.G), mix(paper.B, ink.B), mix(paper.A, ink.A)})
			}
		}
		return img
	}
	for name, img := range map[string]image.Image{
		"black on white":       draw(color.NRGBA{255, 255, 255, 255}, color.NRGBA{0, 0, 0, 255}),
		"white on black":       draw(color.NRGBA{0, 0, 0, 255}, color.NRGBA{255, 255, 255, 255}),
		"blue on yellow":       draw(color.NRGBA{255, 240, 80, 255}, color.NRGBA{10, 30, 160, 255}),
		"yellow on blue":       draw(color.NRGBA{10, 30, 160, 255}, color.NRGBA{255, 240, 80, 255}),
		"black on transparent": draw(color.NRGBA{0, 0, 0, 0}, color.NRGBA{0, 0, 0, 255}),
		"faint":                draw(color.NRGBA{200, 200, 200, 255}, color.NRGBA{170, 170, 170, 255}),
	} {
		got, err := photo.Normalise(img, mnistSize)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if r := alike(got, want); r < 0.9 {
			t.Errorf("%s: correlation %.3f with the original\n%s", name, r, show(want, got))
		}
	}
}

// TestFit: the ink fits just into 20×20 pixels, and its centre of mass is at pixel
// 14; in other sizes in proportion.
func TestFit(t *testing.T) {
	for _, o := range []photo.Options{mnistSize, {Rows: 14, Cols: 14}, {Rows: 56, Cols: 28}, {Rows: 1, Cols: 1}, {Rows: 8, Cols: 8}} {
		p := picture{rows: 500, cols: 400, top: 31, left: 95, scale: 9, ink: 0.8, paper: func(_, _ int) float64 { return 0.95 }}
		got, err := photo.Normalise(p.draw(digit(0)), o)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != o.Rows*o.Cols {
			t.Fatalf("%d pixels, want %d×%d", len(got), o.Rows, o.Cols)
		}
		top, left, bottom, right := o.Rows, o.Cols, 0, 0
		var mass, x, y float64
		for k, v := range got {
			i, j := k/o.Cols, k%o.Cols
			if v > 0 {
				top, left, bottom, right = min(top, i), min(left, j), max(bottom, i+1), max(right, j+1)
			}
			mass, x, y = mass+float64(v), x+float64(v)*float64(j), y+float64(v)*float64(i)
		}
		boxRows, boxCols := max((o.Rows*20+14)/28, 1), max((o.Cols*20+14)/28, 1)
		if h, w := bottom-top, right-left; h > boxRows || w > boxCols || h != boxRows && w != boxCols {
			t.Errorf("%d×%d: the ink has %d×%d pixels, want it to fit into %d×%d", o.Rows, o.Cols, h, w, boxRows, boxCols)
		}
		if o.Rows < 14 {
			continue
		}
		if dx, dy := x/mass-float64(o.Cols/2), y/mass-float64(o.Rows/2); math.Abs(dx) > 0.51 || math.Abs(dy) > 0.51 {
			t.Errorf("%d×%d: centre of mass (%.2f, %.2f) off", o.Rows, o.Cols, dy, dx)
		}
	}
}

// TestBlank: pictures without ink are refused, whatever their light.
func TestBlank(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, grey := range map[string]func(i, j int) int{
		"white":    func(_, _ int) int { return 255 },
		"black":    func(_, _ int) int { return 0 },
		"noise":    func(_, _ int) int { return 150 + r.IntN(60) },
		"normal":   func(_, _ int) int { return 128 + int(20*r.NormFloat64()) },
		"gradient": func(i, j int) int { return 40 + (i+j)*200/700 },
	} {
		for _, side := range []int{1, 28, 350} {
			img := image.NewGray(image.Rect(0, 0, side, side))
			for k := range img.Pix {
				img.Pix[k] = uint8(min(max(grey(k/side, k%side), 0), 255))
			}
			if got, err := photo.Normalise(img, mnistSize); !errors.Is(err, photo.ErrBlank) {
				t.Errorf("%s, %d pixels a side: %v, want %v", name, side, err, photo.ErrBlank)
				if err == nil {
					t.Log("\n" + show(got))
				}
			}
		}
	}
	speck := image.NewGray(image.Rect(0, 0, 200, 200))
	speck.Pix[100*200+100], speck.Pix[100*200+101] = 255, 255
	if _, err := photo.Normalise(speck, mnistSize); !errors.Is(err, photo.ErrSmall) {
		t.Errorf("a speck: %v, want %v", err, photo.ErrSmall)
	}
}

func TestRaw(t *testing.T) {
	want := digit(1)
	img := &image.Gray{Pix: want, Stride: 28, Rect: image.Rect(0, 0, 28, 28)}
	got, err := photo.Normalise(img, photo.Options{Rows: 28, Cols: 28, Raw: true})
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("not as it is: %v\n%s", err, show(want, got))
	}
	if _, err := photo.Normalise(img, photo.Options{Rows: 20, Cols: 28, Raw: true}); err == nil || !strings.Contains(err.Error(), "28×28 pixels, want 20×28") {
		t.Errorf("another size: %v", err)
	}
	if _, err := photo.Normalise(img, photo.Options{}); err == nil {
		t.Error("an image of 0×0: no error")
	}
}

// TestFormats: PNG, JPEG and GIF give the same image, with and without EXIF
// orientation.
func TestFormats(t *testing.T) {
	want := digit(3)
	img := picture{rows: 300, cols: 340, top: 10, left: 30, scale: 10, ink: 0.8, paper: func(_, _ int) float64 { return 0.9 }}.draw(want)
	files := map[string][]byte{}
	add := func(name string, encode func(io.Writer) error) {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		files[name] = b.Bytes()
	}
	add("a.png", func(w io.Writer) error { return png.Encode(w, img) })
	add("a.gif", func(w io.Writer) error { return gif.Encode(w, img, nil) })
	add("a.jpeg", func(w io.Writer) error { return jpeg.Encode(w, img, nil) })
	for orientation := 1; orientation <= 8; orientation++ {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, stored(img, orientation), &jpeg.Options{Quality: 95}); err != nil {
			t.Fatal(err)
		}
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			files["a-"+string(rune('0'+orientation))+order.String()+".jpeg"] = withExif(b.Bytes(), order, orientation)
		}
	}
	for name, file := range files {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := photo.ReadFile(path, mnistSize)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if r := alike(got, want); r < 0.9 {
			t.Errorf("%s: correlation %.3f with the original\n%s", name, r, show(want, got))
		}
	}
}

// stored returns img as a camera stores it with an EXIF orientation: the pixel at
// row i, column j of the result belongs at the place that the standard says.
func stored(img *image.Gray, orientation int) image.Image {
	h, w := img.Rect.Dy(), img.Rect.Dx()
	rows, cols := h, w
	if orientation >= 5 {
		rows, cols = w, h
	}
	out := image.NewGray(image.Rect(0, 0, cols, rows))
	for i := range rows {
		for j := range cols {
			y, x := i, j // where the first row is the top and the first column the left
			switch orientation {
			case 2: // top, right
				x = w - 1 - j
			case 3: // bottom, right
				y, x = h-1-i, w-1-j
			case 4: // bottom, left
				y = h - 1 - i
			case 5: // left, top
				y, x = j, i
			case 6: // right, top
				y, x = j, w-1-i
			case 7: // right, bottom
				y, x = h-1-j, w-1-i
			case 8: // left, bottom
				y, x = h-1-j, i
			}
			out.SetGray(j, i, img.GrayAt(x, y))
		}
	}
	return out
}

// withExif puts EXIF data with an orientation into a JPEG file.
func withExif(file []byte, order binary.AppendByteOrder, orientation int) []byte {
	tiff := []byte("II*\x00")
	if order == binary.BigEndian {
		tiff = []byte("MM\x00*")
	}
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 1)
	tiff = order.AppendUint16(tiff, 0x112)
	tiff = order.AppendUint16(tiff, 3)
	tiff = order.AppendUint32(tiff, 1)
	tiff = order.AppendUint16(tiff, uint16(orientation))
	tiff = order.AppendUint16(tiff, 0)
	segment := append([]byte("Exif\x00\x00"), tiff...)
	out := append([]byte{}, file[:2]...)
	out = append(out, 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(segment)+2))
	return append(append(out, segment...), file[2:]...)
}

// TestRefused: what is no picture, or too large a one, is refused by name before it
// is decoded.
func TestRefused(t *testing.T) {
	var small bytes.Buffer
	if err := png.Encode(&small, image.NewGray(image.Rect(0, 0, 50, 50))); err != nil {
		t.Fatal(err)
	}
	var photoFile bytes.Buffer
	if err := jpeg.Encode(&photoFile, image.NewGray(image.Rect(0, 0, 50, 50)), nil); err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(photoFile.Bytes(), []byte("\xff\xda"))
	if at < 0 {
		t.Fatal("no scan in the JPEG")
	}
	scan := photoFile.Bytes()[at:]
	for name, tt := range map[string]struct {
		file []byte
		want string
	}{
		"empty.png":  {nil, "empty file"},
		"text.png":   {[]byte("hello"), "want PNG, JPEG or GIF"},
		"page.png":   {[]byte("<!doctype html>"), "SVG or HTML"},
		"phone.heic": {[]byte("\x00\x00\x00\x18ftypheic"), "HEIC"},
		"web.webp":   {[]byte("RIFF\x10\x00\x00\x00WEBPVP8 "), "WebP"},
		"cut.png":    {small.Bytes()[:small.Len()/2], "damaged"},
		"head.png":   {small.Bytes()[:20], "damaged"},
		"cut.jpeg":   {photoFile.Bytes()[:photoFile.Len()/2], "damaged"},
		"bomb.png":   {pngOf(100_000, 100_000, 8, 0), "100000×100000 pixels, want at most 134 million"},
		"deep.png":   {pngOf(10_000, 10_000, 16, 6), "10000×10000 pixels, want at most 67 million"},
		"scans.jpeg": {append(photoFile.Bytes(), bytes.Repeat(scan, 200)...), "201 scans"},
		"blank.png":  {small.Bytes(), "blank"},
	} {
		_, err := photo.Read(bytes.NewReader(tt.file), name, mnistSize)
		if err == nil || !strings.HasPrefix(err.Error(), name+": ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if _, err := photo.Read(endless{}, "endless", mnistSize); err == nil || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Errorf("endless: %v", err)
	}
	dir := t.TempDir()
	if _, err := photo.ReadFile(dir, mnistSize); err == nil || !strings.Contains(err.Error(), dir+": is a folder, not a file") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := photo.ReadFile(filepath.Join(dir, "none.png"), mnistSize); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "none.png") {
		t.Errorf("a missing file: %v", err)
	}
}

// pngOf returns a PNG file without pixels that says it has so many.
func pngOf(width, height uint32, depth, kind uint8) []byte {
	head := append([]byte("IHDR"), 0, 0, 0, 0, 0, 0, 0, 0, depth, kind, 0, 0, 0)
	binary.BigEndian.PutUint32(head[4:], width)
	binary.BigEndian.PutUint32(head[8:], height)
	file := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d")
	file = append(file, head...)
	return binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(head))
}

// endless is a stream without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// FuzzRead: no file makes it panic, and what it returns has the size that was
// asked for.
func FuzzRead(f *testing.F) {
	img := picture{rows: 60, cols: 60, scale: 2, ink: 0.8, paper: func(_, _ int) float64 { return 0.9 }}.draw(digit(0))
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		f.Fatal(err)
	}
	f.Add(withExif(b.Bytes(), binary.BigEndian, 6))
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00II*\x00\xff\xff\xff\xff"))
	f.Add([]byte("\xff\xd8\xff\xff\xff\xff"))
	b.Reset()
	if err := gif.Encode(&b, img, nil); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		pixels, err := photo.Read(bytes.NewReader(file), "fuzzed", mnistSize)
		if (err == nil) != (len(pixels) == 28*28) {
			t.Errorf("%d pixels, %v", len(pixels), err)
		}
	})
}
