package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// elements are random elements of a test. With small integers every sum is exact
// in any order, so its error bound is zero.
type elements[T Float] struct {
	next func() T
	u    float64 // unit roundoff, or zero
}

func elementsOf[T Float](u float64) []elements[T] {
	rng := rand.New(rand.NewPCG(1, 2))
	return []elements[T]{
		{func() T { return T(rng.IntN(17) - 8) }, 0},
		{func() T { return T(rng.NormFloat64()) }, u},
	}
}

// bound is the relative error bound of a sum whose terms are rounded at most n
// times (see testLinear), compared with a reference in float64.
func (e elements[T]) bound(n, reference int) float64 {
	if e.u == 0 {
		return 0
	}
	return float64(n)*e.u + float64(reference)*u64
}

// TestTile compares Tile with plain loops in float64.
func TestTile(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testTile(t, Float32(), u32) })
	t.Run("float64", func(t *testing.T) { testTile(t, Float64(), u64) })
}

func testTile[T Float](t *testing.T, sets []Set[T], u float64) {
	for _, s := range sets {
		t.Run(s.Name, func(t *testing.T) {
			for _, e := range elementsOf[T](u) {
				for _, k := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 63, BlockDepth} {
					for offset := range lanes[T]() {
						in := inputs[T]{offset: offset, next: e.next}
						n := s.TileCols + offset%5
						a, b := in.vector(k*s.TileRows), in.vector(k*s.TileCols)
						c, intact := in.output((s.TileRows-1)*n + s.TileCols)
						copy(c, in.vector(len(c)))
						want := newReference(c)
						for i := range s.TileRows {
							for j := range s.TileCols {
								for k := range k {
									want.add(i*n+j, float64(a[k*s.TileRows+i]), float64(b[k*s.TileCols+j]))
								}
							}
						}
						s.Tile(c, n, a, b)
						what := fmt.Sprintf("k = %d, n = %d, offset %d", k, n, offset)
						want.require(t, what, floats(c), e.bound(k+2, k+2))
						if !intact() {
							t.Fatalf("%s: wrote outside", what)
						}
					}
				}
			}
		})
	}
}

// TestPack checks that Pack and PackTransposed copy every element to its place.
func TestPack(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testPack(t, Float32()) })
	t.Run("float64", func(t *testing.T) { testPack(t, Float64()) })
}

func testPack[T Float](t *testing.T, sets []Set[T]) {
	for _, s := range sets {
		t.Run(s.Name, func(t *testing.T) {
			next := T(0)
			for _, w := range []int{s.TileRows, s.TileCols} {
				for k := range 70 {
					in := inputs[T]{offset: k % lanes[T](), next: func() T { next++; return next }}
					gap := k % 3
					check := func(name string, f func(p []T, w int, x []T, n int), x []T, n int, at func(i, k int) int) {
						p, intact := in.output(w * k)
						f(p, w, x, n)
						for q, v := range p {
							if want := x[at(q%w, q/w)]; v != want {
								t.Fatalf("%s: w = %d, k = %d, n = %d: element %d is %g, want %g", name, w, k, n, q, v, want)
							}
						}
						if !intact() {
							t.Fatalf("%s: w = %d, k = %d, n = %d: wrote outside", name, w, k, n)
						}
					}
					n := w + gap
					check("Pack", s.Pack, in.vector(max(0, (k-1)*n+w)), n, func(i, k int) int { return k*n + i })
					n = k + gap
					check("PackTransposed", s.PackTransposed, in.vector((w-1)*n+k), n, func(i, k int) int { return i*n + k })
				}
			}
		})
	}
}

// layout is a way to store a matrix.
type layout struct {
	transposed bool // by columns
	step       int  // from an element to the next in a row, or in a column
	gap        int  // elements between two rows, or two columns
}

// layouts are those of A and B: each way to pack, with and without gaps.
var layouts = []layout{{false, 1, 0}, {true, 1, 3}, {false, 1, 5}, {true, 1, 0}, {false, 2, 1}}

// matrix returns a rows×cols matrix of random elements. The elements around and
// between them are NaN.
func (in inputs[T]) matrix(l layout, rows, cols int) Matrix[T] {
	if l.transposed {
		l.transposed = false
		return in.matrix(l, cols, rows).Transposed()
	}
	m := Matrix[T]{Rows: rows, Cols: cols, RowStride: cols*l.step + l.gap, ColStride: l.step}
	if rows > 0 && cols > 0 {
		m.Data, _ = in.guarded((rows-1)*m.RowStride+(cols-1)*m.ColStride+1, T(math.NaN()))
	}
	for i := range rows {
		for j := range cols {
			m.Data[i*m.RowStride+j*m.ColStride] = in.next()
		}
	}
	return m
}

func (m Matrix[T]) at(i, j int) T { return m.Data[i*m.RowStride+j*m.ColStride] }

// elementsByRow returns the elements without what is between the rows.
func (m Matrix[T]) elementsByRow() []T {
	var out []T
	for i := range m.Rows {
		out = append(out, m.Data[i*m.RowStride:][:m.Cols]...)
	}
	return out
}

// sides returns the sizes 1, 2 and those next to one, two and three tiles.
func sides(tile int) []int {
	n := []int{1, 2}
	for _, m := range []int{tile, 2 * tile, 3 * tile} {
		n = append(n, m-1, m, m+1)
	}
	slices.Sort(n)
	return slices.Compact(n)
}

// TestProduct compares Product with plain loops in float64.
func TestProduct(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testProduct(t, Float32(), u32) })
	t.Run("float64", func(t *testing.T) { testProduct(t, Float64(), u64) })
}

func testProduct[T Float](t *testing.T, sets []Set[T], u float64) {
	type size struct{ m, n, k int }
	for _, s := range sets {
		t.Run(s.Name, func(t *testing.T) {
			depths := []int{1, 7, 16, 33, 0, BlockDepth - 1, BlockDepth, 2*BlockDepth + 1}
			sizes := []size{{0, 5, 3}, {5, 0, 3}}
			for _, m := range sides(s.TileRows) {
				for _, n := range sides(s.TileCols) {
					sizes = append(sizes, size{m, n, depths[len(sizes)%len(depths)]})
				}
			}
			// More than one block of rows, of columns and of terms.
			elem := alignment / lanes[T]()
			rows, cols := blockA/elem/BlockDepth, blockB/elem/BlockDepth
			sizes = append(sizes, size{rows + 3, 5, BlockDepth + 2}, size{3, cols + 5, 9}, size{rows + 1, cols + 1, 3})
			w := new(Workspace[T])
			for _, e := range elementsOf[T](u) {
				for i, c := range sizes {
					in := inputs[T]{offset: i % lanes[T](), next: e.next}
					a := in.matrix(layouts[i%len(layouts)], c.m, c.k)
					b := in.matrix(layouts[i/len(layouts)%len(layouts)], c.k, c.n)
					const gap, between = 2, 7777
					stride := c.n + gap
					data, intact := in.output(max(0, c.m*stride-gap))
					for i := range data {
						data[i] = between
						if i%stride < c.n {
							data[i] = in.next()
						}
					}
					sum := ByRows(data, c.m, c.n, stride)
					want := newReference(sum.elementsByRow())
					for i := range c.m {
						for j := range c.n {
							for k := range c.k {
								want.add(i*c.n+j, float64(a.at(i, k)), float64(b.at(k, j)))
							}
						}
					}
					s.Product(w, sum, a, b)
					what := fmt.Sprintf("%+v, A %s, B %s", c, a.shape(), b.shape())
					// A term is rounded as a product, at most BlockDepth times
					// in the sum of its block, and once for each block.
					terms := min(c.k, BlockDepth) + c.k/BlockDepth + 2
					want.require(t, what, floats(sum.elementsByRow()), e.bound(terms, c.k+2))
					for i, v := range data {
						if i%stride >= c.n && v != between {
							t.Fatalf("%s: wrote between the rows", what)
						}
					}
					if !intact() {
						t.Fatalf("%s: wrote outside", what)
					}
				}
			}
		})
	}
}

// TestProductBlocks checks that Product sums the terms of a block before it adds
// them to C: one by one, C would swallow them.
func TestProductBlocks(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testProductBlocks(t, Float32(), u32) })
	t.Run("float64", func(t *testing.T) { testProductBlocks(t, Float64(), u64) })
}

func testProductBlocks[T Float](t *testing.T, sets []Set[T], u float64) {
	for _, s := range sets {
		m, n, k := s.TileRows+1, s.TileCols+1, 4*BlockDepth
		ones := make([]T, k)
		for i := range ones {
			ones[i] = 1
		}
		// The spacing of the numbers from 2/u is 4.
		c := make([]T, m*n)
		for i := range c {
			c[i] = T(2 / u)
		}
		s.Product(new(Workspace[T]), ByRows(c, m, n, n), ByRows(ones, m, k, 0), ByRows(ones, k, n, 0))
		for i, v := range c {
			if want := T(2/u + float64(k)); v != want {
				t.Fatalf("%s: element %d is %g, want %g", s.Name, i, v, want)
			}
		}
	}
}

// TestProductSplit checks that an element has the same bits however C is divided
// and A and B are stored.
func TestProductSplit(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testProductSplit(t, Float32()) })
	t.Run("float64", func(t *testing.T) { testProductSplit(t, Float64()) })
}

func testProductSplit[T Float](t *testing.T, sets []Set[T]) {
	for _, s := range sets {
		t.Run(s.Name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 4))
			in := inputs[T]{next: func() T { return T(rng.NormFloat64()) }}
			m, n := 3*s.TileRows+1, 3*s.TileCols+1
			for _, k := range []int{5, 100, BlockDepth + 50, 3*BlockDepth + 1} {
				start := in.matrix(layouts[0], m, n)
				a, b := in.matrix(layouts[0], m, k), in.matrix(layouts[0], k, n)
				w := new(Workspace[T])
				// product computes C in parts of the given size.
				product := func(a, b Matrix[T], rows, cols int) []T {
					c := start
					c.Data = slices.Clone(start.Data)
					for i := 0; i < m; i += rows {
						for j := 0; j < n; j += cols {
							rows, cols := min(rows, m-i), min(cols, n-j)
							s.Product(w, c.Block(i, j, rows, cols), a.Block(i, 0, rows, k), b.Block(0, j, k, cols))
						}
					}
					return c.Data
				}
				want := product(a, b, m, n)
				require := func(what string, got []T) {
					t.Helper()
					for i := range want {
						if got[i] != want[i] {
							t.Fatalf("k = %d, %s: element (%d, %d) is %g, want %g", k, what, i/n, i%n, got[i], want[i])
						}
					}
				}
				for _, rows := range append(sides(s.TileRows), m) {
					for _, cols := range []int{1, s.TileCols - 1, s.TileCols, s.TileCols + 1, n} {
						require(fmt.Sprintf("parts of %d×%d", rows, cols), product(a, b, rows, cols))
					}
				}
				for _, l := range layouts {
					x, y := in.matrix(l, m, k), in.matrix(l, k, n)
					for i := range m {
						for j := range k {
							x.Data[i*x.RowStride+j*x.ColStride] = a.at(i, j)
						}
					}
					for i := range k {
						for j := range n {
							y.Data[i*y.RowStride+j*y.ColStride] = b.at(i, j)
						}
					}
					require(fmt.Sprintf("%+v", l), product(x, y, m, n))
				}
			}
		})
	}
}

// TestProductAllocations checks that products do not allocate once the workspace
// has grown.
func TestProductAllocations(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testProductAllocations(t, Float32()) })
	t.Run("float64", func(t *testing.T) { testProductAllocations(t, Float64()) })
}

func testProductAllocations[T Float](t *testing.T, sets []Set[T]) {
	for _, s := range sets {
		w := new(Workspace[T])
		data := Aligned[T](70 * 70)
		c, x := ByRows(Aligned[T](70*70), 70, 70, 70), ByRows(data, 70, 70, 70)
		// The first call grows the workspace; AllocsPerRun does not count it.
		if n := testing.AllocsPerRun(3, func() {
			s.Product(w, c, x, x.Transposed())
			s.Product(w, c.Block(0, 0, 13, 17), x.Block(0, 0, 13, 70), x.Block(0, 0, 70, 17))
		}); n != 0 {
			t.Errorf("%s: %v allocations", s.Name, n)
		}
	}
}

// BenchmarkProduct measures the products of wide layers on one core, with a batch
// of 128 images.
func BenchmarkProduct(b *testing.B) {
	b.Run("float32", func(b *testing.B) { benchmarkProduct(b, Float32()) })
	b.Run("float64", func(b *testing.B) { benchmarkProduct(b, Float64()) })
}

func benchmarkProduct[T Float](b *testing.B, sets []Set[T]) {
	for _, s := range sets {
		for _, p := range []struct {
			name    string
			m, k, n int
			ta, tb  bool // A, B are stored by columns
		}{
			{"1024", 1024, 1024, 1024, false, false},
			{"Forward784", 128, 784, 1000, false, false},
			{"Forward1000", 128, 1000, 1000, false, false},
			{"Forward1000T", 128, 1000, 1000, false, true},
			{"Gradient1000", 1000, 128, 1000, true, false},
		} {
			b.Run(s.Name+"/"+p.name, func(b *testing.B) {
				rng := rand.New(rand.NewPCG(1, 2))
				operand := func(rows, cols int, transposed bool) Matrix[T] {
					if transposed {
						rows, cols = cols, rows
					}
					m := ByRows(Large[T](rows*Pad[T](cols)), rows, cols, Pad[T](cols))
					for i := range m.Data {
						m.Data[i] = T(rng.NormFloat64())
					}
					if transposed {
						return m.Transposed()
					}
					return m
				}
				x, y, c := operand(p.m, p.k, p.ta), operand(p.k, p.n, p.tb), operand(p.m, p.n, false)
				w := new(Workspace[T])
				best := time.Duration(math.MaxInt64)
				for b.Loop() {
					// On a shared computer the fastest call is the most
					// reliable measure.
					begin := time.Now()
					s.Product(w, c, x, y)
					best = min(best, time.Since(begin))
				}
				b.ReportMetric(2*float64(p.m)*float64(p.n)*float64(p.k)/float64(best.Nanoseconds()), "best-GFLOP/s")
			})
		}
	}
}
