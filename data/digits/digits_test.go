package digits_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"trainer/data"
	"trainer/data/digits"
)

const side = digits.Side

// checksum returns the SHA-256 of a data set: for each split its labels, then
// its pixels.
func checksum(d *data.Dataset) string {
	h := sha256.New()
	for _, s := range []*data.Set{d.Train, d.Test} {
		h.Write(s.Labels)
		h.Write(s.Pixels)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// sample is the set that the tests of its statistics share.
var sample = sync.OnceValue(func() *data.Dataset { return data.GenerateDigits(1, 6000, 2000) })

// TestGolden pins the bytes of the digits. The results of runs depend on them, so a
// change of any byte must be intended. The hashes were computed on amd64; they are
// the same on 386 and on arm64.
func TestGolden(t *testing.T) {
	tests := []struct {
		name        string
		seed        uint64
		train, test int
		want        string
		long        bool
	}{
		{"small", 1, 150, 50, "cda657d5dc91a285bff09605427fcf1a3f3f54a9b906c7914a93573eca813040", false},
		{"other seed", 2, 150, 50, "706151887507b700d68d610958973ef0ce1f40062d98e9b386413fea0d16c196", false},
		{"full", 1, 60000, 10000, "d9c2bf89c239cfee281cba6ec7f6a111b870e7032a653bb63f60c637d7ec1fda", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.long && testing.Short() {
				t.Skip("70,000 images: left out with -short")
			}
			if got := checksum(data.GenerateDigits(tt.seed, tt.train, tt.test)); got != tt.want {
				t.Errorf("SHA-256 of the digits: got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSetsAreConsistent(t *testing.T) {
	d := data.GenerateDigits(3, 40, 30)
	for _, s := range []*data.Set{d.Train, d.Test} {
		if err := s.Check(); err != nil {
			t.Error(err)
		}
		if s.Rows != 28 || s.Cols != 28 || s.Classes != 10 {
			t.Errorf("%s: %d×%d pixels, %d classes; want 28×28, 10", s.Name, s.Rows, s.Cols, s.Classes)
		}
	}
	if d.Train.Len() != 40 || d.Test.Len() != 30 {
		t.Errorf("%d + %d images, want 40 + 30", d.Train.Len(), d.Test.Len())
	}
	if empty := data.GenerateDigits(3, 0, 0); empty.Train.Len() != 0 || empty.Test.Len() != 0 {
		t.Error("GenerateDigits(3, 0, 0) has images")
	}
}

// TestImageIsIndependent checks that an image depends only on seed, split and
// number.
func TestImageIsIndependent(t *testing.T) {
	one := func(procs, n int) *data.Dataset {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		return data.GenerateDigits(7, n, n)
	}
	want := one(1, 60)
	for _, procs := range []int{2, 3, 8} {
		if got := one(procs, 60); checksum(got) != checksum(want) {
			t.Errorf("GOMAXPROCS=%d: other images than with 1", procs)
		}
	}
	streams := func(purpose string, n uint64) *rand.Rand { return data.Stream(7, purpose, n) }
	prefix := one(2, 25)
	for i := range 25 {
		if !bytes.Equal(prefix.Train.Image(i), want.Train.Image(i)) {
			t.Errorf("image %d differs between a set of 25 and one of 60", i)
		}
		for split, set := range map[digits.Split]*data.Set{digits.Train: want.Train, digits.Test: want.Test} {
			pixels, label := digits.Image(streams, split, i)
			if label != set.Labels[i] || !bytes.Equal(pixels, set.Image(i)) {
				t.Errorf("Image(%q, %d) is not the set's image", split, i)
			}
		}
	}
	seen := map[string]bool{}
	for _, s := range []*data.Set{want.Train, want.Test, data.GenerateDigits(8, 60, 0).Train} {
		for i := range s.Len() {
			seen[string(s.Image(i))] = true
		}
	}
	if len(seen) != 180 {
		t.Errorf("%d different images among 180 of two splits and two seeds", len(seen))
	}
}

// TestNormalised checks the normalisation of MNIST: the ink fits into 20×20 pixels,
// and its centre of mass is in the middle (LeCun et al. 1998, "Gradient-based
// learning applied to document recognition", section III.A). In all 60,000 training
// images of MNIST, the larger side of the ink measures 20 pixels, and the centre of
// mass is within 0.5 of pixel 14.
func TestNormalised(t *testing.T) {
	s := sample().Train
	for n := range s.Len() {
		image := s.Image(n)
		left, right, top, bottom := side, -1, side, -1
		var mass, mx, my float64
		for i, p := range image {
			if p == 0 {
				continue
			}
			x, y := i%side, i/side
			left, right, top, bottom = min(left, x), max(right, x), min(top, y), max(bottom, y)
			mass += float64(p)
			mx += float64(p) * float64(x)
			my += float64(p) * float64(y)
		}
		if mass == 0 {
			t.Fatalf("image %d is blank", n)
		}
		width, height := right-left+1, bottom-top+1
		if max(width, height) != 20 {
			t.Fatalf("image %d: ink of %d×%d pixels, want 20 for the larger side", n, width, height)
		}
		if x, y := mx/mass, my/mass; math.Abs(x-side/2) > 0.5 || math.Abs(y-side/2) > 0.5 {
			t.Fatalf("image %d: centre of mass at (%.2f, %.2f), want (14, 14) within half a pixel", n, x, y)
		}
	}
}

// TestStatisticsAreLikeMNIST compares statistics with those of the training images
// of MNIST, where x = pixel / 255: mean 0.1307 and standard deviation 0.3081 (the
// constants with which many programs normalise MNIST), 19.12 % of the pixels not 0,
// and among these the fractions of full ink (252 to 255) and of faint edges (1 to
// 63).
func TestStatisticsAreLikeMNIST(t *testing.T) {
	s := sample().Train
	var sum, squares, ink, full, faint float64
	for _, p := range s.Pixels {
		x := float64(p) / 255
		sum += x
		squares += x * x
		switch {
		case p == 0:
			continue
		case p >= 252:
			full++
		case p < 64:
			faint++
		}
		ink++
	}
	n := float64(len(s.Pixels))
	mean := sum / n
	for _, f := range []struct {
		name             string
		got, want, bound float64
	}{
		{"mean", mean, 0.1307, 0.03},
		{"standard deviation", math.Sqrt(squares/n - mean*mean), 0.3081, 0.03},
		{"share of pixels with ink", ink / n, 0.1912, 0.03},
		{"share of full ink", full / ink, 0.365, 0.15},
		{"share of faint edges", faint / ink, 0.182, 0.15},
	} {
		if math.Abs(f.got/f.want-1) > f.bound {
			t.Errorf("%s: got %.4f, want MNIST's %.4f within %.0f %%", f.name, f.got, f.want, 100*f.bound)
		}
	}
}

// TestLabelsAreBalanced checks the counts of the labels. Labels have equal
// probabilities, so in n images each count has mean n/10 and standard deviation
// √(n·0.1·0.9). The test allows four standard deviations.
func TestLabelsAreBalanced(t *testing.T) {
	for _, s := range []*data.Set{sample().Train, sample().Test} {
		n := float64(s.Len())
		var count [10]float64
		for _, l := range s.Labels {
			count[l]++
		}
		for digit, c := range count {
			if bound := 4 * math.Sqrt(n*0.09); math.Abs(c-n/10) > bound {
				t.Errorf("%s: %.0f of %.0f labels are %d, want %.0f ± %.0f", s.Name, c, n, digit, n/10, bound)
			}
		}
	}
}

// TestNearestMeanAccuracy measures how hard the digits are: the fraction of test
// images whose nearest class mean is that of their label. For MNIST it is 0.820
// (measured on its 60,000 + 10,000 images), for the same number of built-in digits
// 0.80. With a much larger fraction a network would have nothing to learn; with a
// much smaller one nobody could read the digits.
func TestNearestMeanAccuracy(t *testing.T) {
	d := sample()
	var means [10][side * side]float64
	var count [10]float64
	for i, l := range d.Train.Labels {
		count[l]++
		for j, p := range d.Train.Image(i) {
			means[l][j] += float64(p)
		}
	}
	for l := range means {
		for j := range means[l] {
			means[l][j] /= count[l]
		}
	}
	correct := 0
	for i, l := range d.Test.Labels {
		best, nearest := math.Inf(1), 0
		for k := range means {
			distance := 0.0
			for j, p := range d.Test.Image(i) {
				e := float64(p) - means[k][j]
				distance += e * e
			}
			if distance < best {
				best, nearest = distance, k
			}
		}
		if nearest == int(l) {
			correct++
		}
	}
	if got := float64(correct) / float64(d.Test.Len()); got < 0.77 || got > 0.85 {
		t.Errorf("nearest class mean is right for %.3f of the test images, want 0.77 to 0.85", got)
	}
}

func BenchmarkGenerate(b *testing.B) {
	const n = 5000
	for b.Loop() {
		data.GenerateDigits(1, n, 0)
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "images/s")
}

// TestLines: the lines of an image lie under its ink, with the image's label. Those
// of another image do not.
func TestLines(t *testing.T) {
	streams := func(purpose string, n uint64) *rand.Rand { return data.Stream(1, purpose, n) }
	covered := func(lines [][]digits.Point, pixels []uint8) float64 {
		lo, hi := digits.Point{X: 9, Y: 9}, digits.Point{X: -9, Y: -9}
		for _, line := range lines {
			for _, p := range line {
				lo = digits.Point{X: min(lo.X, p.X), Y: min(lo.Y, p.Y)}
				hi = digits.Point{X: max(hi.X, p.X), Y: max(hi.Y, p.Y)}
			}
		}
		// The box of the ink, without the width of a stroke.
		left, right, top, bottom := side, 0, side, 0
		for at, v := range pixels {
			if v > 127 {
				left, right = min(left, at%side), max(right, at%side)
				top, bottom = min(top, at/side), max(bottom, at/side)
			}
		}
		inked, all := 0, 0
		for _, line := range lines {
			for _, p := range line {
				x := float64(left) + 1 + (p.X-lo.X)/(hi.X-lo.X+1e-9)*float64(right-left-1)
				y := float64(top) + 1 + (p.Y-lo.Y)/(hi.Y-lo.Y+1e-9)*float64(bottom-top-1)
				all++
				if pixels[int(y)*side+int(x)] > 0 {
					inked++
				}
			}
		}
		return float64(inked) / float64(all)
	}
	const n = 200
	own, other := 0.0, 0.0
	for i := range n {
		lines, label := digits.Lines(streams, digits.Test, i)
		pixels, want := digits.Image(streams, digits.Test, i)
		if label != want {
			t.Fatalf("lines of image %d are those of a %d, want %d", i, label, want)
		}
		next, _ := digits.Image(streams, digits.Test, i+1)
		own += covered(lines, pixels) / n
		other += covered(lines, next) / n
	}
	if own < 0.97 || other > 0.8 {
		t.Errorf("%.3f of the points of the lines have ink, and %.3f in another image", own, other)
	}
	t.Logf("%.3f of the points have ink, %.3f in another image", own, other)
}
