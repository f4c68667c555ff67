package photo_test

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"

	"trainer/data"
	"trainer/data/photo"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/machines"
)

// pasted returns how many images are pasted.
func pasted() int {
	if testing.Short() {
		return 40
	}
	return 200
}

// TestPastedDigits pastes built-in digits into pictures; TestPastedMNIST does the
// same with MNIST.
func TestPastedDigits(t *testing.T) {
	d := data.GenerateDigits(1, 12000, pasted()/2)
	testPasted(t, d.Train, d.Test, 8)
}

func TestPastedMNIST(t *testing.T) {
	dir := os.Getenv("TRAINER_DATA")
	if dir == "" {
		t.Skip("TRAINER_DATA names no folder with MNIST")
	}
	d, _, err := data.Open(context.Background(), data.Spec{Kind: data.MNIST, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	testPasted(t, d.Train, d.Test.Slice(0, pasted()), 2)
}

// testPasted trains a network for some epochs. It then compares its answers for the
// images of a set with those for the same images pasted into pictures. At least 96 %
// must be the same.
func testPasted(t *testing.T, train, test *data.Set, epochs int) {
	t.Helper()
	m := trained(t, train, epochs)
	images := make([][]uint8, test.Len())
	names := make([]string, test.Len())
	var wg sync.WaitGroup
	for worker := range 2 {
		wg.Go(func() {
			for i := worker; i < test.Len(); i += 2 {
				r := rand.New(rand.NewPCG(uint64(i), 1))
				var file []byte
				file, names[i] = encode(r, paste(r, test.Image(i), test.Rows, test.Cols))
				var err error
				if images[i], err = photo.Read(bytes.NewReader(file), names[i], photo.Options{Rows: test.Rows, Cols: test.Cols}); err != nil {
					t.Errorf("image %d: %v", i, err)
					images[i] = make([]uint8, test.Inputs())
				}
			}
		})
	}
	wg.Wait()
	same := 0
	for i, pixels := range images {
		want, got := answer(t, m, test.Image(i)), answer(t, m, pixels)
		if want == got {
			same++
			continue
		}
		t.Logf("image %d, label %d, %s: %d, and %d of the original", i, test.Labels[i], names[i], got, want)
	}
	if want := (96*test.Len() + 99) / 100; same < want {
		t.Errorf("%d of %d have the answer of the original, want at least %d", same, test.Len(), want)
	}
	t.Logf("%d of %d have the answer of the original", same, test.Len())
}

// trained returns a machine with a network of 50 hidden nodes that was trained on
// a set, one sample a step.
func trained(t *testing.T, set *data.Set, epochs int) vm.VM {
	t.Helper()
	n := model.Network{Layers: []int{set.Inputs(), 50, set.Classes}, Bias: true}
	m, _, err := machines.Open(n, machines.Options{Device: machines.CPU})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	if err := m.SetParameters(model.Normal(n, model.HiddenRule(n), data.Stream(1, "initialisation", 0))); err != nil {
		t.Fatal(err)
	}
	for range epochs {
		if err := m.Train(context.Background(), vm.Pass{Set: set, Batch: 1, Rate: 0.3}); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// answer returns the class that m takes an image for.
func answer(t *testing.T, m vm.VM, pixels []uint8) int {
	t.Helper()
	x := make([]float64, len(pixels))
	for i, p := range pixels {
		x[i] = data.InputOf[float64](p)
	}
	a, err := m.Predict(x)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Index(a, slices.Max(a))
}

// paste returns a picture with an image on grey noise: 60 to 900 pixels high, at a
// random place, dark on light or light on dark.
func paste(r *rand.Rand, pixels []uint8, rows, cols int) *image.Gray {
	height := 60 + r.IntN(841)
	width := height * cols / rows
	picture := image.NewGray(image.Rect(0, 0, width+r.IntN(width/2), height+r.IntN(height/2)))
	left, top := r.IntN(picture.Rect.Dx()-width+1), r.IntN(picture.Rect.Dy()-height+1)
	paper, ink := 200+40*r.Float64(), 20+60*r.Float64()
	if r.IntN(2) == 0 {
		paper, ink = ink, paper
	}
	noise := 10 + r.Uint32N(30) // the range of the noise, in grey levels
	// Bilinear between the centres of the image's pixels; paper around it.
	at := func(i, j int) float64 {
		if i < 0 || j < 0 || i >= rows || j >= cols {
			return 0
		}
		return float64(pixels[i*cols+j]) / 255
	}
	place := func(pixel, from, size, n int) (before int, part float64) {
		x := (float64(pixel-from)+0.5)*float64(n)/float64(size) - 0.5
		return int(math.Floor(x)), x - math.Floor(x)
	}
	across := make([]float64, rows+2) // the rows -1 to rows of a column of the picture
	for x := range picture.Rect.Dx() {
		j, q := place(x, left, width, cols)
		for i := range across {
			across[i] = (1-q)*at(i-1, j) + q*at(i-1, j+1)
		}
		for y := range picture.Rect.Dy() {
			grey := paper + float64(r.Uint32N(noise)) - float64(noise)/2
			if i, p := place(y, top, height, rows); i >= -1 && i < rows {
				grey += ((1-p)*across[i+1] + p*across[i+2]) * (ink - paper)
			}
			picture.Pix[y*picture.Stride+x] = uint8(min(max(grey, 0), 255))
		}
	}
	return picture
}

// encode returns a picture as a PNG or JPEG file, and a name for it.
func encode(r *rand.Rand, picture image.Image) (file []byte, name string) {
	var b bytes.Buffer
	var err error
	if r.IntN(2) == 0 {
		name = "a.png"
		err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, picture)
	} else {
		name = "a.jpeg"
		err = jpeg.Encode(&b, picture, &jpeg.Options{Quality: 60 + r.IntN(40)})
	}
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return b.Bytes(), name
}
