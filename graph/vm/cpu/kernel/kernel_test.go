package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// The unit roundoffs of float32 and float64.
const (
	u32 = 0x1p-24
	u64 = 0x1p-53
)

// inputs makes vectors that are surrounded by guard elements. The guards of an
// input are NaN, so that a read outside the vector changes the result.
type inputs[T Float] struct {
	offset int // elements past an aligned address
	next   func() T
}

func (in inputs[T]) vector(n int) []T {
	v, _ := in.guarded(n, T(math.NaN()))
	for i := range v {
		v[i] = in.next()
	}
	return v
}

// output makes a vector that is surrounded by guard elements, and a function that
// reports whether the guards are unchanged.
func (in inputs[T]) output(n int) ([]T, func() bool) {
	const guard = -987654
	v, all := in.guarded(n, guard)
	return v, func() bool {
		first := lanes[T]() + in.offset
		for i, x := range all {
			if (i < first || i >= first+n) && x != guard {
				return false
			}
		}
		return true
	}
}

// guarded returns a slice v of n elements in a larger array all, which is filled
// with guard.
func (in inputs[T]) guarded(n int, guard T) (v, all []T) {
	m := lanes[T]()
	all = Aligned[T](n + 3*m)
	for i := range all {
		all[i] = guard
	}
	return all[m+in.offset:][:n], all
}

// reference accumulates the sums of a linear kernel in float64, as in the comment
// of the kernel. magnitude has the sums of the absolute values of the terms, which
// the error bound needs.
type reference struct{ sum, magnitude []float64 }

func newReference[T Float](start []T) reference {
	p := reference{make([]float64, len(start)), make([]float64, len(start))}
	for i, v := range start {
		p.sum[i], p.magnitude[i] = float64(v), math.Abs(float64(v))
	}
	return p
}

func (p reference) add(at int, x, y float64) {
	p.sum[at] += x * y
	p.magnitude[at] += math.Abs(x * y)
}

// require fails the test if the difference between an element of got and its sum
// is larger than bound times the magnitude of the terms.
func (p reference) require(t *testing.T, what string, got []float64, bound float64) {
	t.Helper()
	for i, v := range got {
		if d := math.Abs(v - p.sum[i]); !(d <= bound*p.magnitude[i]) {
			t.Fatalf("%s [%d]: got %g, want %g: off by %.3g, bound %.3g", what, i, v, p.sum[i], d, bound*p.magnitude[i])
		}
	}
}

func floats[T Float](v []T) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// entries makes a sparse row of these inputs. The values are in the table in reverse, with
// one between each two that no entry has.
func (in inputs[T]) entries(idx []uint16) (x []uint32, table []T) {
	x, table = make([]uint32, len(idx)), in.vector(2*len(idx))
	for k, i := range idx {
		x[k] = Entry(i, uint16(2*(len(idx)-k)-1))
	}
	return x, table
}

// valueOf returns the value of an entry as the comments of the kernels say.
func valueOf[T Float](e uint32, table []T) float64 { return float64(table[e/65536]) }

// linear is a kernel that only multiplies and adds. run calls it at one size. It
// returns the result, the reference, the number of terms of each sum, and whether
// the guards are intact and a call in place gave the same result.
type linear[T Float] struct {
	name string
	run  func(s Set[T], in inputs[T], n, rows int, idx []uint16) (got []T, want reference, terms int, intact bool)
}

// sparseRanges returns rows of n entries: parts, all of them, and none.
func sparseRanges(n int) (lo, hi []int) {
	return []int{0, n / 3, 0, n, n / 2}, []int{n / 2, n, n, n, n - n/4}
}

func linearKernels[T Float]() []linear[T] {
	return []linear[T]{
		{"SparseDot", func(s Set[T], in inputs[T], n, rows int, idx []uint16) ([]T, reference, int, bool) {
			b, w := in.vector(n), in.vector(rows*Pad[T](n))
			x, table := in.entries(idx)
			z, intact := in.output(n)
			want := newReference(b)
			for k, i := range idx {
				for j := range n {
					want.add(j, valueOf(x[k], table), float64(w[int(i)*Pad[T](n)+j]))
				}
			}
			s.SparseDot(z, b, w, x, table)
			// The call in place must give the same result.
			s.SparseDot(b, b, w, x, table)
			return z, want, len(idx), intact() && slices.Equal(z, b)
		}},
		{"SparseAxpy", func(s Set[T], in inputs[T], n, rows int, idx []uint16) ([]T, reference, int, bool) {
			w, intact := in.output(rows * Pad[T](n))
			copy(w, in.vector(rows*Pad[T](n)))
			g := in.vector(n)
			x, table := in.entries(idx)
			want := newReference(w)
			for k, i := range idx {
				for j := range n {
					want.add(int(i)*Pad[T](n)+j, valueOf(x[k], table), float64(g[j]))
				}
			}
			s.SparseAxpy(w, g, x, table)
			return w, want, 1, intact()
		}},
		{"SparseMatMul", func(s Set[T], in inputs[T], n, rows int, idx []uint16) ([]T, reference, int, bool) {
			lo, hi := sparseRanges(len(idx))
			stride := Pad[T](n) + Pad[T](1) // a column block of a wider matrix
			z, intact := in.output(len(lo) * stride)
			copy(z, in.vector(len(lo)*stride))
			w := in.vector(rows * stride)
			x, table := in.entries(idx)
			want := newReference(z)
			for r := range lo {
				for k := lo[r]; k < hi[r]; k++ {
					for j := range n {
						want.add(r*stride+j, valueOf(x[k], table), float64(w[int(idx[k])*stride+j]))
					}
				}
			}
			s.SparseMatMul(z, w, stride, n, lo, hi, x, table)
			return z, want, len(idx) + 1, intact()
		}},
		{"SparseOuter", func(s Set[T], in inputs[T], n, rows int, idx []uint16) ([]T, reference, int, bool) {
			lo, hi := sparseRanges(len(idx))
			stride, dStride := Pad[T](n)+Pad[T](1), Pad[T](n)+2*Pad[T](1)
			first := 0
			if len(idx) > 0 {
				first = int(idx[0])
			}
			w, intact := in.output((rows - first) * stride)
			copy(w, in.vector(len(w)))
			d := in.vector(len(lo) * dStride)
			x, table := in.entries(idx)
			touched, wantTouched := make([]uint8, rows-first), make([]uint8, rows-first)
			want := newReference(w)
			for r := range lo {
				for k := lo[r]; k < hi[r]; k++ {
					wantTouched[int(idx[k])-first] = 1
					for j := range n {
						want.add((int(idx[k])-first)*stride+j, valueOf(x[k], table), float64(d[r*dStride+j]))
					}
				}
			}
			s.SparseOuter(w, d, touched, first, stride, dStride, n, lo, hi, x, table)
			return w, want, len(lo), intact() && (n == 0 || slices.Equal(touched, wantTouched))
		}},
		{"DrainRows", func(s Set[T], in inputs[T], n, rows int, idx []uint16) ([]T, reference, int, bool) {
			wStride, stride := Pad[T](n)+Pad[T](1), Pad[T](n)+2*Pad[T](1)
			w, intact := in.output(rows * wStride)
			copy(w, in.vector(len(w)))
			sum := in.vector(rows * stride)
			touched := make([]uint8, rows)
			for _, i := range idx {
				touched[i] = 1
			}
			want, left := newReference(w), slices.Clone(sum)
			for i, t := range touched {
				for j := range n {
					if t != 0 {
						want.add(i*wStride+j, 1, float64(sum[i*stride+j]))
						left[i*stride+j] = 0
					}
				}
			}
			s.DrainRows(w, sum, touched, wStride, stride, n)
			return w, want, 1, intact() && slices.Equal(sum, left) && slices.Max(append(touched, 0)) == 0
		}},
		{"MatVec", func(s Set[T], in inputs[T], n, rows int, _ []uint16) ([]T, reference, int, bool) {
			b, w, a := in.vector(rows), in.vector(rows*n), in.vector(n)
			z, intact := in.output(rows)
			want := newReference(b)
			for i := range rows {
				for j := range n {
					want.add(i, float64(w[i*n+j]), float64(a[j]))
				}
			}
			s.MatVec(z, b, w, a)
			s.MatVec(b, b, w, a)
			return z, want, n, intact() && slices.Equal(z, b)
		}},
		{"VecMat", func(s Set[T], in inputs[T], n, rows int, _ []uint16) ([]T, reference, int, bool) {
			w, d := in.vector(rows*Pad[T](n)), in.vector(rows)
			g, intact := in.output(n)
			want := newReference(make([]T, n))
			for i := range rows {
				for j := range n {
					want.add(j, float64(d[i]), float64(w[i*Pad[T](n)+j]))
				}
			}
			s.VecMat(g, w, d)
			return g, want, rows, intact()
		}},
		{"Rank1", func(s Set[T], in inputs[T], n, rows int, _ []uint16) ([]T, reference, int, bool) {
			w, intact := in.output(rows * Pad[T](n))
			copy(w, in.vector(rows*Pad[T](n)))
			d, a := in.vector(rows), in.vector(n)
			want := newReference(w)
			for i := range rows {
				for j := range n {
					want.add(i*Pad[T](n)+j, float64(d[i]), float64(a[j]))
				}
			}
			s.Rank1(w, d, a)
			return w, want, 1, intact()
		}},
		{"Axpy", func(s Set[T], in inputs[T], n, _ int, _ []uint16) ([]T, reference, int, bool) {
			y, intact := in.output(n)
			copy(y, in.vector(n))
			x, alpha := in.vector(n), in.next()
			want := newReference(y)
			for j := range n {
				want.add(j, float64(alpha), float64(x[j]))
			}
			s.Axpy(y, x, alpha)
			return y, want, 1, intact()
		}},
		{"Drain", func(s Set[T], in inputs[T], n, _ int, _ []uint16) ([]T, reference, int, bool) {
			y, intact := in.output(n)
			x, alsoIntact := in.output(n)
			copy(y, in.vector(n))
			copy(x, in.vector(n))
			want := newReference(y)
			for j := range n {
				want.add(j, 1, float64(x[j]))
			}
			s.Drain(y, x)
			zero := !slices.ContainsFunc(x, func(v T) bool { return v != 0 })
			return y, want, 1, intact() && alsoIntact() && zero
		}},
	}
}

// pixels returns n indices of rows, in ascending order and spread over all rows.
func pixels(n, rows int) []uint16 {
	idx := make([]uint16, n)
	for k := range idx {
		idx[k] = uint16(k * rows / n)
	}
	return idx
}

// TestLinear compares the kernels that only multiply and add with plain loops
// in float64.
func TestLinear(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testLinear(t, append(Float32(), others32()...), u32) })
	t.Run("float64", func(t *testing.T) { testLinear(t, append(Float64(), others64()...), u64) })
}

func testLinear[T Float](t *testing.T, sets []Set[T], u float64) {
	unit := lanes[T]()
	type size struct{ n, rows, nonzero int }
	sizes := []size{{0, 3, 2}, {0, 0, 0}, {4 * unit, 784, 150}, {4 * unit, 784, 784}, {7 * unit, 784, 149}, {33 * unit, 12, 5}}
	for rows := range 71 {
		sizes = append(sizes, size{(1 + rows%9) * unit, rows, rows / 2}, size{(1 + rows*5%17) * unit, rows, rows})
	}
	for units := 1; units <= 26; units++ {
		for rows := range 6 {
			sizes = append(sizes, size{units * unit, rows + 4*(units%4), rows})
		}
	}
	for half := range 40 { // vectors of Width elements
		sizes = append(sizes, size{half * unit / 2, 7 + half%3, half % 6})
	}
	for _, s := range sets {
		for _, k := range linearKernels[T]() {
			t.Run(s.Name+"/"+k.name, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(1, 2))
				// With small integers every sum is exact in any order.
				integers := func() T { return T(rng.IntN(17) - 8) }
				reals := func() T { return T(rng.NormFloat64()) }
				for i, c := range sizes {
					if testing.Short() && i%5 != 0 {
						continue
					}
					if k.name == "MatVec" || k.name == "Axpy" || k.name == "Drain" {
						c.n = Pad[T](c.n)
					}
					idx := pixels(c.nonzero, c.rows)
					in := inputs[T]{offset: i % (unit + 1), next: integers}
					got, want, _, intact := k.run(s, in, c.n, c.rows, idx)
					what := fmt.Sprintf("%+v, offset %d", c, in.offset)
					want.require(t, what, floats(got), 0)
					if !intact {
						t.Fatalf("%s: wrote outside, or differs in place", what)
					}
					in.next = reals
					got, want, terms, intact := k.run(s, in, c.n, c.rows, idx)
					// Each product and each addition rounds once, so a term is
					// rounded at most terms + 1 times (Higham, Accuracy and
					// Stability of Numerical Algorithms, 2002, section 3.1).
					// The reference in float64 has the same bound with 2^−53.
					want.require(t, what, floats(got), float64(terms+2)*(u+u64))
					if !intact {
						t.Fatalf("%s: wrote outside, or differs in place", what)
					}
				}
			})
		}
	}
}

// TestAlignment checks that a kernel gives the same bits at every alignment.
func TestAlignment(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testAlignment(t, append(Float32(), others32()...)) })
	t.Run("float64", func(t *testing.T) { testAlignment(t, append(Float64(), others64()...)) })
}

func testAlignment[T Float](t *testing.T, sets []Set[T]) {
	for _, s := range sets {
		for _, k := range linearKernels[T]() {
			var first []T
			for offset := range lanes[T]() {
				rng := rand.New(rand.NewPCG(5, 6))
				in := inputs[T]{offset: offset, next: func() T { return T(rng.NormFloat64()) }}
				got, _, _, _ := k.run(s, in, 5*lanes[T](), 23, pixels(11, 23))
				if offset == 0 {
					first = got
				} else if !slices.Equal(got, first) {
					t.Errorf("%s/%s: different bits at offset %d", s.Name, k.name, offset)
				}
			}
		}
	}
}

// TestDeltas compares the element-wise kernels with their formulas.
func TestDeltas(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testDeltas(t, Float32(), u32) })
	t.Run("float64", func(t *testing.T) { testDeltas(t, Float64(), u64) })
}

func testDeltas[T Float](t *testing.T, sets []Set[T], u float64) {
	for _, s := range sets {
		for _, k := range []struct {
			name string
			run  func(d, g, a, y []T, alpha T)
			want func(g, a, y, alpha float64) float64
		}{
			{"SigmoidDelta", func(d, g, a, _ []T, _ T) { s.SigmoidDelta(d, g, a) },
				func(g, a, _, _ float64) float64 { return g * a * (1 - a) }},
			{"TanhDelta", func(d, g, a, _ []T, _ T) { s.TanhDelta(d, g, a) },
				func(g, a, _, _ float64) float64 { return g * (1 - a*a) }},
			{"SigmoidOutputDelta", func(d, _, a, y []T, alpha T) { s.SigmoidOutputDelta(d, a, y, alpha) },
				func(_, a, y, alpha float64) float64 { return alpha * (a - y) * a * (1 - a) }},
			{"TanhOutputDelta", func(d, _, a, y []T, alpha T) { s.TanhOutputDelta(d, a, y, alpha) },
				func(_, a, y, alpha float64) float64 { return alpha * (a - y) * (1 - a*a) }},
		} {
			t.Run(s.Name+"/"+k.name, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(3, 4))
				for i := range 200 {
					n := i % 20 * lanes[T]()
					in := inputs[T]{offset: i % lanes[T](), next: func() T { return T(rng.NormFloat64()) }}
					g, y, alpha := in.vector(n), in.vector(n), in.next()
					in.next = func() T { return T(rng.Float64()) }
					a := in.vector(n)
					for j := range a {
						if j%3 == 0 { // as in padding
							a[j], y[j], g[j] = 0, 0, 0
						}
					}
					d, intact := in.output(n)
					k.run(d, g, a, y, alpha)
					if !intact() {
						t.Fatalf("n = %d: wrote outside", n)
					}
					for j := range d {
						want := k.want(float64(g[j]), float64(a[j]), float64(y[j]), float64(alpha))
						// There are at most five roundings. The error of 1 − a² is
						// relative to 1, so it is divided by 1 − a².
						v := float64(a[j])
						bound := 5*(u+u64)*math.Abs(want) + (u+u64)*math.Abs(want)/(1-v*v)
						if diff := math.Abs(float64(d[j]) - want); !(diff <= bound) {
							t.Fatalf("n = %d [%d]: got %g, want %g: off by %.3g, bound %.3g", n, j, d[j], want, diff, bound)
						}
						if want == 0 && d[j] != 0 {
							t.Fatalf("n = %d [%d]: padding became %g", n, j, d[j])
						}
					}
					// Two of the kernels may work in place.
					if k.name == "SigmoidDelta" || k.name == "TanhDelta" {
						k.run(g, g, a, y, alpha)
						if !slices.Equal(g, d) {
							t.Fatalf("n = %d: differs in place", n)
						}
					}
				}
			})
		}
	}
}

// TestChecks checks that a kernel panics if the lengths of its arguments do not
// match.
func TestChecks(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testChecks(t, Float32()) })
	t.Run("float64", func(t *testing.T) { testChecks(t, Float64()) })
}

func testChecks[T Float](t *testing.T, sets []Set[T]) {
	v := func(n int) []T { return make([]T, n) }
	n := lanes[T]()
	square := func(n int) Matrix[T] { return ByRows(v(n*n), n, n, n) }
	for _, s := range sets {
		r, m := s.TileRows, s.TileCols
		product := func(c, a, b Matrix[T]) { s.Product(new(Workspace[T]), c, a, b) }
		for name, f := range map[string]func(){
			"SparseDot b":           func() { s.SparseDot(v(n), v(2*n), v(3*n), nil, nil) },
			"SparseDot not padded":  func() { s.SparseDot(v(n-1), v(n-1), v(3*n), nil, nil) },
			"SparseDot idx":         func() { s.SparseDot(v(n), v(n), v(3*n), []uint32{0, 3}, v(2)) },
			"SparseAxpy not padded": func() { s.SparseAxpy(v(3*n), v(n+1), nil, nil) },
			"SparseAxpy idx":        func() { s.SparseAxpy(v(3*n), v(n), []uint32{3}, v(1)) },
			"SplitDot b":            func() { s.SplitDot(v(n+n/4), v(n), v(n), v(n/4), nil, nil) },
			"SplitDot z":            func() { s.SplitDot(v(n+n/2), v(n+n/2), v(n), v(n/2), nil, nil) },
			"SplitDot no tail":      func() { s.SplitDot(v(n), v(n), v(n), nil, nil, nil) },
			"SplitDot only tail":    func() { s.SplitDot(v(n/4), v(n/4), nil, v(n/4), nil, nil) },
			"SplitDot long":         func() { s.SplitDot(v(s.SplitCols+n+n/4), v(s.SplitCols+n+n/4), nil, nil, nil, nil) },
			"SplitDot w":            func() { s.SplitDot(v(n+n/4), v(n+n/4), v(n), v(n), []uint32{1}, v(1)) },
			"SplitDot tail":         func() { s.SplitDot(v(n+n/4), v(n+n/4), v(3*n), v(n/4), []uint32{1}, v(1)) },
			"SplitAxpy g":           func() { s.SplitAxpy(v(n), v(n/4), v(n), nil, nil) },
			"SplitAxpy w":           func() { s.SplitAxpy(v(n), v(n), v(n+n/4), []uint32{1}, v(1)) },
			"SplitAxpy tail":        func() { s.SplitAxpy(v(3*n), v(n/4), v(n+n/4), []uint32{1}, v(1)) },
			"SparseMatMul rows":     func() { s.SparseMatMul(v(n), v(3*n), n, n, []int{0, 0}, []int{1, 1}, []uint32{0}, v(1)) },
			"SparseMatMul idx":      func() { s.SparseMatMul(v(n), v(3*n), n, n, []int{0}, []int{1}, []uint32{3}, v(1)) },
			"SparseMatMul hi":       func() { s.SparseMatMul(v(n), v(3*n), n, n, []int{0}, []int{2}, []uint32{0}, v(1)) },
			"SparseMatMul width":    func() { s.SparseMatMul(v(n), v(3*n), n, 2*n, nil, nil, nil, nil) },
			"SparseOuter first": func() {
				s.SparseOuter(v(3*n), v(n), make([]uint8, 3), 1, n, n, n, []int{0}, []int{1}, []uint32{0}, v(1))
			},
			"SparseOuter idx": func() {
				s.SparseOuter(v(3*n), v(n), make([]uint8, 3), 1, n, n, n, []int{0}, []int{1}, []uint32{4}, v(1))
			},
			"SparseOuter sum": func() {
				s.SparseOuter(v(2*n), v(n), make([]uint8, 3), 1, n, n, n, []int{0}, []int{1}, []uint32{1}, v(1))
			},
			"SparseOuter d": func() {
				s.SparseOuter(v(3*n), v(0), make([]uint8, 3), 1, n, n, n, []int{0}, []int{1}, []uint32{1}, v(1))
			},
			"SparseOuter m": func() {
				s.SparseOuter(v(3*n), v(2*n), make([]uint8, 3), 1, n, 2*n, 2*n, []int{0}, []int{1}, []uint32{1}, v(1))
			},
			"DrainRows w":          func() { s.DrainRows(v(2*n), v(3*n), make([]uint8, 3), n, n, n) },
			"DrainRows sum":        func() { s.DrainRows(v(3*n), v(2*n), make([]uint8, 3), n, n, n) },
			"DrainRows width":      func() { s.DrainRows(v(6*n), v(6*n), make([]uint8, 3), n, 2*n, 2*n) },
			"Drain":                func() { s.Drain(v(n), v(2*n)) },
			"MatVec b":             func() { s.MatVec(v(3), v(2), v(3*n), v(n)) },
			"MatVec w":             func() { s.MatVec(v(3), v(3), v(3*n-1), v(n)) },
			"MatVec not padded":    func() { s.MatVec(v(3), v(3), v(3), v(1)) },
			"VecMat w":             func() { s.VecMat(v(n), v(3*n+1), v(3)) },
			"VecMat not padded":    func() { s.VecMat(v(1), v(3), v(3)) },
			"Rank1 w":              func() { s.Rank1(v(2*n), v(3), v(n)) },
			"Rank1 not padded":     func() { s.Rank1(v(3), v(3), v(1)) },
			"Axpy x":               func() { s.Axpy(v(n), v(2*n), 1) },
			"Axpy not padded":      func() { s.Axpy(v(1), v(1), 1) },
			"Sigmoid z":            func() { s.Sigmoid(v(n), v(2*n), 1) },
			"Sigmoid n":            func() { s.Sigmoid(v(n), v(n), n+1) },
			"Sigmoid negative n":   func() { s.Sigmoid(v(n), v(n), -1) },
			"Tanh not padded":      func() { s.Tanh(v(1), v(1), 1) },
			"SigmoidDelta g":       func() { s.SigmoidDelta(v(n), v(0), v(n)) },
			"TanhDelta not padded": func() { s.TanhDelta(v(1), v(1), v(1)) },
			"SigmoidOutputDelta y": func() { s.SigmoidOutputDelta(v(n), v(n), v(0), 1) },
			"TanhOutputDelta a":    func() { s.TanhOutputDelta(v(n), v(0), v(n), 1) },
			"Tile a":               func() { s.Tile(v(r*m), m, v(3*r-1), v(3*m)) },
			"Tile b":               func() { s.Tile(v(r*m), m, v(3*r), v(2*m)) },
			"Tile c":               func() { s.Tile(v(r*m-1), m, v(3*r), v(3*m)) },
			"Tile n":               func() { s.Tile(v(r*m), m-1, v(3*r), v(3*m)) },
			"Pack w":               func() { s.Pack(v(3*(m+1)), m+1, v(4*m), m) },
			"Pack p":               func() { s.Pack(v(3*m-1), m, v(3*m), m) },
			"Pack x":               func() { s.Pack(v(3*m), m, v(3*m-1), m) },
			"Pack n":               func() { s.Pack(v(3*m), m, v(3*m), -1) },
			"PackTransposed w":     func() { s.PackTransposed(v(3*(m+1)), m+1, v(4*m), 3) },
			"PackTransposed p":     func() { s.PackTransposed(v(3*m-1), m, v(3*m), 3) },
			"PackTransposed x":     func() { s.PackTransposed(v(3*m), m, v(3*m-1), 3) },
			"PackTransposed n":     func() { s.PackTransposed(v(3*m), m, v(3*m), -1) },
			"Product C by columns": func() { product(square(4).Transposed(), square(4), square(4)) },
			"Product C overlaps":   func() { product(ByRows(v(16), 4, 4, 3), square(4), square(4)) },
			"Product C short":      func() { product(ByRows(v(15), 4, 4, 4), square(4), square(4)) },
			"Product A short":      func() { product(square(4), ByRows(v(15), 4, 4, 4), square(4)) },
			"Product B short":      func() { product(square(4), square(4), ByRows(v(15), 4, 4, 4)) },
			"Product B stride":     func() { product(square(4), square(4), ByRows(v(16), 4, 4, -1)) },
			"Product rows":         func() { product(square(4), ByRows(v(20), 5, 4, 4), square(4)) },
			"Product columns":      func() { product(square(4), square(4), ByRows(v(20), 4, 5, 5)) },
			"Product terms":        func() { product(square(4), square(4), ByRows(v(20), 5, 4, 4)) },
			"Block":                func() { square(4).Block(1, 1, 4, 1) },
		} {
			t.Run(s.Name+"/"+name, func(t *testing.T) {
				defer func() {
					want := "BUG: kernel: " + strings.Fields(name)[0] + ":"
					if r := fmt.Sprint(recover()); !strings.HasPrefix(r, want) {
						t.Errorf("panic %q, want %q …", r, want)
					}
				}()
				f()
			})
		}
	}
}

// TestSplit: split rows give the same bits as whole ones, and nothing else is written.
func TestSplit(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testSplit(t, append(Float32(), others32()...)) })
	t.Run("float64", func(t *testing.T) { testSplit(t, append(Float64(), others64()...)) })
}

func testSplit[T Float](t *testing.T, sets []Set[T]) {
	const inputCount = 190
	for _, s := range sets {
		split := 0
		for cols := range 200 {
			n, rest, ok := s.Split(cols)
			if !ok {
				continue
			}
			split++
			if testing.Short() && cols%5 != 0 {
				continue
			}
			for _, count := range []int{0, 1, 2, 3, 4, 49, inputCount} {
				rng := rand.New(rand.NewPCG(7, uint64(cols)))
				in := inputs[T]{offset: cols % 5, next: func() T { return T(rng.NormFloat64()) }}
				whole := in.vector(inputCount * Pad[T](cols))
				w, intactW := in.output(inputCount * n)
				tail, intactTail := in.output(inputCount * rest)
				put := func(from []T, w, tail []T) {
					for i := range inputCount {
						copy(w[i*n:][:n], from[i*Pad[T](cols):])
						copy(tail[i*rest:][:rest], from[i*Pad[T](cols)+n:])
					}
				}
				put(whole, w, tail)
				x, table := in.entries(pixels(count, inputCount))
				width := Width[T](cols)
				b := in.vector(width)
				want := make([]T, width)
				s.SparseDot(want, b, whole, x, table)
				got, intact := in.output(n + rest)
				s.SplitDot(got, b[:n+rest], w, tail, x, table)
				if !slices.Equal(got, want[:n+rest]) || !intact() {
					t.Fatalf("%s: SplitDot, %d columns, %d entries: other bits than SparseDot, or wrote outside", s.Name, cols, count)
				}
				if s.SplitDot(b[:n+rest], b[:n+rest], w, tail, x, table); !slices.Equal(b[:n+rest], got) {
					t.Fatalf("%s: SplitDot, %d columns, %d entries: differs in place", s.Name, cols, count)
				}
				g := in.vector(width)
				s.SparseAxpy(whole, g, x, table)
				s.SplitAxpy(w, tail, g[:n+rest], x, table)
				wantW, wantTail := make([]T, len(w)), make([]T, len(tail))
				put(whole, wantW, wantTail)
				if !slices.Equal(w, wantW) || !slices.Equal(tail, wantTail) || !intactW() || !intactTail() {
					t.Fatalf("%s: SplitAxpy, %d columns, %d entries: other bits than SparseAxpy, or wrote outside", s.Name, cols, count)
				}
			}
		}
		if want := s.SplitCols / 4; split != want {
			t.Errorf("%s: %d numbers of columns can be split, want %d", s.Name, split, want)
		}
	}
}

// TestPrefetch checks that Prefetch accepts rows of any length and does not change
// them.
func TestPrefetch(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testPrefetch(t, Float32()) })
	t.Run("float64", func(t *testing.T) { testPrefetch(t, Float64()) })
}

func testPrefetch[T Float](t *testing.T, sets []Set[T]) {
	for _, s := range sets {
		s.Prefetch(nil)
		for n := range 200 {
			x := make([]uint32, n)
			s.Prefetch(x)
			if !slices.Equal(x, make([]uint32, n)) {
				t.Fatalf("%s: %d pixels changed", s.Name, n)
			}
		}
	}
}

func TestAligned(t *testing.T) {
	for n := range 100 {
		a, b := Aligned[float32](n), Aligned[float64](n)
		if len(a) != n || len(b) != n || cap(a) != n || cap(b) != n {
			t.Fatalf("Aligned(%d): %d and %d elements", n, len(a), len(b))
		}
		for _, p := range []unsafe.Pointer{unsafe.Pointer(unsafe.SliceData(a)), unsafe.Pointer(unsafe.SliceData(b))} {
			if uintptr(p)%64 != 0 {
				t.Fatalf("Aligned(%d) is at %p", n, p)
			}
		}
	}
	for _, c := range []struct{ n, f32, f64 int }{{0, 0, 0}, {1, 16, 8}, {8, 16, 8}, {9, 16, 16}, {16, 16, 16}, {50, 64, 56}, {784, 784, 784}} {
		if w := Width[float32](c.n); w%8 != 0 || w < c.n || w > c.n+7 {
			t.Errorf("Width[float32](%d) is %d", c.n, w)
		}
		if w := Width[float64](c.n); w%4 != 0 || w < c.n || w > c.n+3 {
			t.Errorf("Width[float64](%d) is %d", c.n, w)
		}
		if a, b := Pad[float32](c.n), Pad[float64](c.n); a != c.f32 || b != c.f64 {
			t.Errorf("Pad(%d) is %d and %d, want %d and %d", c.n, a, b, c.f32, c.f64)
		}
	}
}

// TestSets checks that the last set is "go" and that all names are different.
func TestSets(t *testing.T) {
	var names []string
	for _, s := range Float32() {
		names = append(names, s.Name)
	}
	t.Log("sets on this machine:", strings.Join(names, ", "))
	for i, s := range Float64() {
		if s.Name != names[i] {
			t.Errorf("float64 set %d is %s, float32's is %s", i, s.Name, names[i])
		}
	}
	if names[len(names)-1] != "go" || len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
		t.Errorf("sets %v: want different names, the last one go", names)
	}
}

// TestSubnormal: no kernel makes numbers that are subnormal of larger ones, where the
// next product with them would take long. NaN stays NaN.
func TestSubnormal(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testSubnormal(t, Float32(), float32(0x1p-126)) })
	t.Run("float64", func(t *testing.T) { testSubnormal(t, Float64(), 0x1p-1022) })
}

func testSubnormal[T Float](t *testing.T, sets []Set[T], least T) {
	n := Pad[T](64)
	nan := T(math.NaN())
	for _, s := range sets {
		z, a, y, g, d := Aligned[T](n), Aligned[T](n), Aligned[T](n), Aligned[T](n), Aligned[T](n)
		for j := range z {
			z[j] = T(-j) * 20 // e^−z overflows
		}
		s.Sigmoid(a, z, n)
		for j, v := range a {
			if v < least {
				t.Errorf("%s: σ(%v) = %v is subnormal", s.Name, z[j], v)
			}
		}
		for name, do := range map[string]func(alpha T){
			"SigmoidDelta":       func(T) { s.SigmoidDelta(d, g, a) },
			"TanhDelta":          func(T) { s.TanhDelta(d, g, a) },
			"SigmoidOutputDelta": func(alpha T) { s.SigmoidOutputDelta(d, a, y, alpha) },
			"TanhOutputDelta":    func(alpha T) { s.TanhOutputDelta(d, a, y, alpha) },
		} {
			for j := range a {
				a[j], y[j], g[j] = 0.5, 0, least/T(math.Exp2(float64(j%6-4))) // 16·least to least/2
				if j%2 == 1 {
					g[j] = -g[j]
				}
			}
			g[5], y[5] = nan, nan
			for _, alpha := range []T{least, -4 * least, 64 * least} {
				do(alpha)
				zeros := 0
				for j, v := range d {
					switch {
					case j == 5 && !math.IsNaN(float64(v)):
						t.Errorf("%s: %s: NaN became %v", s.Name, name, v)
					case v != 0 && v > -least && v < least:
						t.Errorf("%s: %s: %v is subnormal", s.Name, name, v)
					case v == 0:
						zeros++
					}
				}
				if alpha == 64*least && zeros == len(d) && name != "SigmoidDelta" && name != "TanhDelta" {
					t.Errorf("%s: %s: all are zero", s.Name, name)
				}
			}
		}
	}
}
