package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"trainer/data"
)

// sample is an image, as a sparse row of pixels, and its label.
type sample struct {
	x     []uint32
	label int
}

// strokes returns images similar to those of MNIST. About 150 of the 784 pixels
// are not zero; they lie along a few strokes.
func strokes(rng *rand.Rand, n int) []sample {
	samples := make([]sample, n)
	for i := range samples {
		var ink [784]uint8
		for range 2 + rng.IntN(3) {
			x, y := 6+16*rng.Float64(), 6+16*rng.Float64()
			angle := 2 * math.Pi * rng.Float64()
			for range 14 {
				for dy := -1; dy <= 1; dy++ {
					for dx := -1; dx <= 1; dx++ {
						p, q := int(x)+dx, int(y)+dy
						if p >= 0 && p < 28 && q >= 0 && q < 28 {
							ink[q*28+p] = uint8(rng.IntN(256))
						}
					}
				}
				angle += 0.6 * (rng.Float64() - 0.5)
				x, y = x+1.2*math.Cos(angle), y+1.2*math.Sin(angle)
			}
		}
		for j, v := range ink {
			if v > 0 {
				samples[i].x = append(samples[i].x, Entry(uint16(j), uint16(v)))
			}
		}
		samples[i].label = rng.IntN(10)
	}
	return samples
}

// mnist returns the first n training images of MNIST from the folder that
// TRAINER_DATA names, or nil if it is not set.
func mnist(tb testing.TB, n int) []sample {
	dir := os.Getenv(data.EnvDir)
	if dir == "" {
		return nil
	}
	d, err := (&data.Finder{Dir: dir}).MNIST(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	samples := make([]sample, n)
	for i := range samples {
		for j, v := range d.Train.Image(i) {
			if v > 0 {
				samples[i].x = append(samples[i].x, Entry(uint16(j), uint16(v)))
			}
		}
		samples[i].label = int(d.Train.Labels[i])
	}
	return samples
}

// network is 784-50-10 in the layout that the kernels need: a row of w2 and tail has the
// weights of one input (W² transposed, in split rows), and a row of w3 has those of one
// output.
type network[T Float] struct {
	s                      Set[T]
	n1, n2, n3             int
	table                  []T // of the values of pixels
	w2, tail               []T
	n, rest                int // columns of w2 and of tail
	b2, w3, b3             []T
	a2, d2, a3, d3, target []T
}

func newNetwork[T Float](s Set[T], seed uint64) *network[T] {
	table := data.TableOf[T](data.Scale{})
	n := &network[T]{s: s, n1: 784, n2: 50, n3: 10, table: table[:]}
	p2, p3 := Pad[T](n.n2), Pad[T](n.n3)
	n.n, n.rest, _ = s.Split(n.n2)
	n.w2, n.tail, n.b2 = Aligned[T](n.n1*n.n), Aligned[T](n.n1*n.rest), Aligned[T](p2)
	n.w3, n.b3 = Aligned[T](n.n3*p2), Aligned[T](p3)
	n.a2, n.d2 = Aligned[T](p2), Aligned[T](p2)
	n.a3, n.d3 = Aligned[T](p3), Aligned[T](p3)
	n.target = Aligned[T](n.n3 * p3) // one-hot rows
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range n.n1 {
		for j := range n.n2 {
			*n.weight(i, j) = T(rng.NormFloat64() / math.Sqrt(50))
		}
	}
	for i := range n.n3 {
		for j := range n.n2 {
			n.w3[i*p2+j] = T(rng.NormFloat64() / math.Sqrt(50))
		}
		n.target[i*p3+i] = 1
	}
	return n
}

// weight returns the weight of W² from input i to hidden node j.
func (n *network[T]) weight(i, j int) *T {
	if j < n.n {
		return &n.w2[i*n.n+j]
	}
	return &n.tail[i*n.rest+j-n.n]
}

// step takes a training step for one sample, by A.62 to A.65.
func (n *network[T]) step(x sample, rate T) {
	s := &n.s
	y := n.target[x.label*len(n.b3):][:len(n.b3)]
	w := Width[T](n.n2)
	split := n.n + n.rest
	s.SplitDot(n.a2[:split], n.b2[:split], n.w2, n.tail, x.x, n.table)
	s.Sigmoid(n.a2, n.a2, n.n2)
	s.MatVec(n.a3[:n.n3], n.b3[:n.n3], n.w3, n.a2)
	s.Sigmoid(n.a3, n.a3, n.n3)
	s.SigmoidOutputDelta(n.d3, n.a3, y, -rate)
	s.VecMat(n.d2[:w], n.w3, n.d3[:n.n3])
	s.SigmoidDelta(n.d2, n.d2, n.a2)
	s.Rank1(n.w3, n.d3[:n.n3], n.a2[:w])
	s.Axpy(n.b3, n.d3, 1)
	s.SplitAxpy(n.w2, n.tail, n.d2[:split], x.x, n.table)
	s.Axpy(n.b2, n.d2, 1)
}

// plainStep is step in plain float64 loops, straight from the equations. w2 is
// 784×50 and w3 is 10×50, without padding.
func plainStep(w2, b2, w3, b3 []float64, x []uint32, table []float64, label int, rate float64) {
	a2, a3 := make([]float64, 50), make([]float64, 10)
	for j := range a2 {
		z := b2[j]
		for _, e := range x {
			z += table[e>>16] * w2[int(uint16(e))*50+j]
		}
		a2[j] = 1 / (1 + math.Exp(-z))
	}
	d3, d2 := make([]float64, 10), make([]float64, 50)
	for i := range a3 {
		z := b3[i]
		for j := range a2 {
			z += w3[i*50+j] * a2[j]
		}
		a3[i] = 1 / (1 + math.Exp(-z))
		y := 0.0
		if i == label {
			y = 1
		}
		d3[i] = (a3[i] - y) * a3[i] * (1 - a3[i])
	}
	for j := range d2 {
		for i := range d3 {
			d2[j] += w3[i*50+j] * d3[i]
		}
		d2[j] *= a2[j] * (1 - a2[j])
		for i := range d3 {
			w3[i*50+j] -= rate * d3[i] * a2[j]
		}
		for _, e := range x {
			w2[int(uint16(e))*50+j] -= rate * d2[j] * table[e>>16]
		}
		b2[j] -= rate * d2[j]
	}
	for i := range d3 {
		b3[i] -= rate * d3[i]
	}
}

// unpad returns rows of cols columns without their padding. It fails the test if
// the padding is not zero.
func unpad[T Float](t *testing.T, name string, w []T, cols int) []float64 {
	t.Helper()
	var out []float64
	n := Pad[T](cols)
	for i, v := range w {
		switch {
		case i%n < cols:
			out = append(out, float64(v))
		case v != 0:
			t.Fatalf("%s: padding [%d][%d] is %g, want 0", name, i/n, i%n, v)
		}
	}
	return out
}

// weights returns W² by input, without padding. It fails the test if the padding is not
// zero.
func (n *network[T]) weights(t *testing.T) []float64 {
	t.Helper()
	var out []float64
	for i := range n.n1 {
		for j := range n.n + n.rest {
			switch v := *n.weight(i, j); {
			case j < n.n2:
				out = append(out, float64(v))
			case v != 0:
				t.Fatalf("W2: padding [%d][%d] is %g, want 0", i, j, v)
			}
		}
	}
	return out
}

// TestStep trains 784-50-10 on 50 samples and compares the parameters with those of
// plain loops.
func TestStep(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testStep(t, Float32(), 0x1p-24) })
	t.Run("float64", func(t *testing.T) { testStep(t, Float64(), 0x1p-53) })
}

func testStep[T Float](t *testing.T, sets []Set[T], u float64) {
	for _, s := range sets {
		t.Run(s.Name, func(t *testing.T) {
			n := newNetwork(s, 7)
			w2, b2 := n.weights(t), unpad(t, "b2", n.b2, 50)
			w3, b3 := unpad(t, "W3", n.w3, 50), unpad(t, "b3", n.b3, 10)
			const steps = 50
			table := floats(n.table)
			for _, x := range strokes(rand.New(rand.NewPCG(3, 4)), steps) {
				n.step(x, 0.5)
				plainStep(w2, b2, w3, b3, x.x, table, x.label, 0.5)
			}
			// A step rounds each weight once; weights are below 2. It adds an
			// update below ½, whose relative error is a few times that of z.
			// z has 150 terms below 1, so its error is below 150u. The factor
			// 2 is for later steps, which start from the errors of earlier
			// ones.
			bound := 2 * steps * (2 + 150/2) * u
			for _, c := range []struct {
				name      string
				got, want []float64
			}{
				{"W2", n.weights(t), w2}, {"b2", unpad(t, "b2", n.b2, 50), b2},
				{"W3", unpad(t, "W3", n.w3, 50), w3}, {"b3", unpad(t, "b3", n.b3, 10), b3},
			} {
				for i := range c.want {
					if d := math.Abs(c.got[i] - c.want[i]); !(d <= bound) {
						t.Fatalf("%s[%d] is %g, want %g: error %.2g, bound %.2g", c.name, i, c.got[i], c.want[i], d, bound)
					}
				}
			}
		})
	}
}

// BenchmarkStep measures a training step of 784-50-10 for one sample, from the
// sparse row to the updated weights.
func BenchmarkStep(b *testing.B) {
	b.Run("float32", func(b *testing.B) { benchmarkStep(b, Float32()) })
	b.Run("float64", func(b *testing.B) { benchmarkStep(b, Float64()) })
}

// benchmarkSamples returns 2,000 images, those of MNIST if TRAINER_DATA is set, and
// their name.
func benchmarkSamples(b *testing.B) (string, []sample) {
	const n = 2000
	name, samples := "mnist", mnist(b, n)
	if samples == nil {
		name, samples = "strokes", strokes(rand.New(rand.NewPCG(1, 2)), n)
	}
	// One array for all samples, as in the CPU machine.
	var all []uint32
	for _, s := range samples {
		all = append(all, s.x...)
	}
	for i, s := range samples {
		n := len(s.x)
		samples[i].x, all = all[:n:n], all[n:]
	}
	return name, samples
}

func benchmarkStep[T Float](b *testing.B, sets []Set[T]) {
	name, samples := benchmarkSamples(b)
	pixels := 0
	for _, x := range samples {
		pixels += len(x.x)
	}
	for _, s := range sets {
		b.Run(fmt.Sprintf("%s/%s", s.Name, name), func(b *testing.B) {
			n := newNetwork(s, 1)
			best, begin, i := time.Duration(math.MaxInt64), time.Now(), 0
			for b.Loop() {
				x := samples[i]
				if i++; i == len(samples) {
					// On a shared computer the fastest pass over all samples is
					// the most reliable measure.
					best, begin, i = min(best, time.Since(begin)), time.Now(), 0
				}
				s.Prefetch(samples[i].x)
				n.step(x, 0.1)
			}
			if best < math.MaxInt64 {
				b.ReportMetric(float64(best.Nanoseconds())/float64(len(samples)), "best-ns/sample")
			}
			b.ReportMetric(float64(pixels)/float64(len(samples)), "pixels/sample")
		})
	}
}

// BenchmarkKernel measures each kernel at the sizes of 784-50-10.
func BenchmarkKernel(b *testing.B) {
	b.Run("float32", func(b *testing.B) { benchmarkKernel(b, Float32()) })
	b.Run("float64", func(b *testing.B) { benchmarkKernel(b, Float64()) })
}

func benchmarkKernel[T Float](b *testing.B, sets []Set[T]) {
	_, samples := benchmarkSamples(b)
	for _, s := range sets {
		n := newNetwork(s, 1)
		n.step(samples[0], 0.1)
		y := n.target[:len(n.b3)]
		z2, z3 := Aligned[T](len(n.b2)), Aligned[T](len(n.b3))
		// The updates add zeros, so that the weights do not change.
		zero := Aligned[T](len(n.b2))
		w, split, whole := Width[T](n.n2), n.n+n.rest, Aligned[T](n.n1*Pad[T](n.n2))
		for i := range whole { // memory that nobody has written would be one page of zeros
			whole[i] = 1
		}
		for _, k := range []struct {
			name string
			f    func(x sample)
		}{
			{"SparseDot", func(x sample) { s.SparseDot(z2[:w], n.b2[:w], whole, x.x, n.table) }},
			{"SparseAxpy", func(x sample) { s.SparseAxpy(whole, zero[:w], x.x, n.table) }},
			{"SplitDot", func(x sample) { s.SplitDot(z2[:split], n.b2[:split], n.w2, n.tail, x.x, n.table) }},
			{"SplitAxpy", func(x sample) { s.SplitAxpy(n.w2, n.tail, zero[:split], x.x, n.table) }},
			{"Sigmoid50", func(sample) { s.Sigmoid(z2, n.b2, n.n2) }},
			{"Sigmoid10", func(sample) { s.Sigmoid(z3, n.b3, n.n3) }},
			{"Tanh50", func(sample) { s.Tanh(z2, n.b2, n.n2) }},
			{"MatVec", func(sample) { s.MatVec(z3[:n.n3], n.b3[:n.n3], n.w3, n.a2) }},
			{"VecMat", func(sample) { s.VecMat(z2[:w], n.w3, n.d3[:n.n3]) }},
			{"Rank1", func(sample) { s.Rank1(n.w3, zero[:n.n3], n.a2[:w]) }},
			{"Axpy50", func(sample) { s.Axpy(n.b2, zero, 1) }},
			{"Axpy10", func(sample) { s.Axpy(n.b3, zero[:len(n.b3)], 1) }},
			{"SigmoidDelta", func(sample) { s.SigmoidDelta(z2, n.d2, n.a2) }},
			{"SigmoidOutputDelta", func(sample) { s.SigmoidOutputDelta(z3, n.a3, y, 1) }},
		} {
			b.Run(s.Name+"/"+k.name, func(b *testing.B) {
				i := 0
				for b.Loop() {
					k.f(samples[i])
					if i++; i == len(samples) {
						i = 0
					}
				}
			})
		}
	}
}
