package kernel

import "fmt"

// A matrix product has three levels:
//
//   - Tile multiplies a packed panel of A by one of B. A tile of C is in registers.
//   - Product packs the panels. A block of A stays in the second-level cache. A
//     panel of B stays in the first-level cache while all panels of the block of A
//     are multiplied by it.
//   - The caller divides C among its cores by rows, by columns, or both.
//
// See Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication, ACM
// Transactions on Mathematical Software 34(3), 2008.

// BlockDepth is the largest number of terms that Product sums before it adds the
// sum to an element of C. A panel of B has BlockDepth rows of at most 128 bytes.
const BlockDepth = 256

// The largest packed blocks of A and of B in bytes.
const (
	blockA = 256 << 10
	blockB = 1 << 20
)

// Matrix is a view of a matrix. Element (i, j) is
// Data[i·RowStride + j·ColStride].
type Matrix[T Float] struct {
	Data                 []T
	Rows, Cols           int
	RowStride, ColStride int
}

// ByRows returns a rows×cols matrix that is stored by rows with the row stride n.
func ByRows[T Float](data []T, rows, cols, n int) Matrix[T] {
	return Matrix[T]{Data: data, Rows: rows, Cols: cols, RowStride: n, ColStride: 1}
}

// Transposed returns the transpose of m, a view of the same elements.
func (m Matrix[T]) Transposed() Matrix[T] {
	return Matrix[T]{Data: m.Data, Rows: m.Cols, Cols: m.Rows, RowStride: m.ColStride, ColStride: m.RowStride}
}

// Block returns a view of the rows×cols elements from (i, j).
func (m Matrix[T]) Block(i, j, rows, cols int) Matrix[T] {
	if i < 0 || j < 0 || rows < 0 || cols < 0 || i+rows > m.Rows || j+cols > m.Cols {
		panic(fmt.Sprintf("BUG: kernel: Block: %d×%d from (%d, %d) of %d×%d", rows, cols, i, j, m.Rows, m.Cols))
	}
	if rows == 0 || cols == 0 {
		return Matrix[T]{Rows: rows, Cols: cols, RowStride: m.RowStride, ColStride: m.ColStride}
	}
	m.Data = m.Data[i*m.RowStride+j*m.ColStride:]
	m.Rows, m.Cols = rows, cols
	return m
}

// inside reports whether all elements of m are in its data.
func (m Matrix[T]) inside() bool {
	if m.Rows < 0 || m.Cols < 0 || m.RowStride < 0 || m.ColStride < 0 {
		return false
	}
	return m.Rows == 0 || m.Cols == 0 || (m.Rows-1)*m.RowStride+(m.Cols-1)*m.ColStride < len(m.Data)
}

// Workspace is the memory of Product: the packed blocks and a tile. The zero value
// is ready to use. It grows to the largest blocks of the products that use it, at
// most about 1.3 MB. It is for one product at a time.
type Workspace[T Float] struct{ a, b, tile []T }

// Product adds the product of a and b to c: C += A·B, where C is m×n, A is m×k and
// B is k×n. C must be stored by rows (ColStride 1) and must not overlap A or B. A
// and B may have any strides. Product does not write between the rows of C.
//
// The k terms of an element are divided into ⌈k/BlockDepth⌉ blocks of nearly equal
// length. The terms of a block are summed in ascending order, from zero, and the
// sum is added to C. So the bits of an element depend only on its row of A, its
// column of B and its value before, not on its position, on the shape of C or on
// the strides.
func (s *Set[T]) Product(w *Workspace[T], c, a, b Matrix[T]) {
	if a.Rows != c.Rows || b.Cols != c.Cols || a.Cols != b.Rows || c.ColStride != 1 || c.RowStride < c.Cols && c.Rows > 1 ||
		!c.inside() || !a.inside() || !b.inside() {
		panic(fmt.Sprintf("BUG: kernel: Product: C %s, A %s, B %s", c.shape(), a.shape(), b.shape()))
	}
	if c.Rows == 0 || c.Cols == 0 || a.Cols == 0 {
		return
	}
	depth := blockDepth(a.Cols)
	rows := blockSize(c.Rows, s.TileRows, blockA/alignment*lanes[T]()/BlockDepth)
	cols := s.TileCols
	if rows < c.Rows {
		// Each block of rows needs the panels of B. One block needs a panel
		// once, so the panel is packed into the same memory as the one before
		// and is still in the first-level cache.
		cols = blockSize(c.Cols, s.TileCols, blockB/alignment*lanes[T]()/BlockDepth)
	}
	w.grow(rows*depth, cols*depth, s.TileRows*s.TileCols)
	for k := 0; k < a.Cols; k += depth {
		depth := min(depth, a.Cols-k)
		for j := 0; j < c.Cols; j += cols {
			cols := min(cols, c.Cols-j)
			s.panels(w.b, b.Block(k, j, depth, cols).Transposed(), s.TileCols)
			for i := 0; i < c.Rows; i += rows {
				if j == 0 || rows < c.Rows {
					s.panels(w.a, a.Block(i, k, min(rows, c.Rows-i), depth), s.TileRows)
				}
				s.multiply(w, c.Block(i, j, min(rows, c.Rows-i), cols), depth)
			}
		}
	}
}

func (m Matrix[T]) shape() string {
	return fmt.Sprintf("%d×%d (strides %d, %d; %d elements)", m.Rows, m.Cols, m.RowStride, m.ColStride, len(m.Data))
}

// blockDepth divides k terms into the fewest blocks and returns the length of all
// but the last. It is a multiple of 4, because the tiles take four terms per
// iteration.
func blockDepth(k int) int {
	blocks := (k + BlockDepth - 1) / BlockDepth
	return roundUp((k+blocks-1)/blocks, 4)
}

// blockSize divides n rows or columns into the fewest blocks of at most the given
// size and returns the length of all but the last, a multiple of tile.
func blockSize(n, tile, most int) int {
	blocks := (n + most - 1) / most
	return roundUp((n+blocks-1)/blocks, tile)
}

func roundUp(n, unit int) int { return (n + unit - 1) / unit * unit }

func (w *Workspace[T]) grow(a, b, tile int) {
	for _, p := range []struct {
		s *[]T
		n int
	}{{&w.a, a}, {&w.b, b}, {&w.tile, tile}} {
		if len(*p.s) < p.n {
			*p.s = Aligned[T](p.n)
		}
	}
}

// panels packs x into panels of w rows: row i, column k goes to
// p[(i/w)·w·x.Cols + k·w + i%w]. The rows that the last panel lacks are zero.
func (s *Set[T]) panels(p []T, x Matrix[T], w int) {
	for i := 0; i < x.Rows; i += w {
		p, x := p[i*x.Cols:][:w*x.Cols], x.Block(i, 0, min(w, x.Rows-i), x.Cols)
		switch {
		case x.Rows == w && x.RowStride == 1:
			s.Pack(p, w, x.Data, x.ColStride)
		case x.Rows == w && x.ColStride == 1:
			s.PackTransposed(p, w, x.Data, x.RowStride)
		default:
			for k := range x.Cols {
				q := p[k*w:][:w]
				for i := range x.Rows {
					q[i] = x.Data[i*x.RowStride+k*x.ColStride]
				}
				clear(q[x.Rows:])
			}
		}
	}
}

// multiply adds the product of the packed blocks to c. A tile that is only partly
// in c is computed in the workspace, by the same kernel.
func (s *Set[T]) multiply(w *Workspace[T], c Matrix[T], depth int) {
	for j := 0; j < c.Cols; j += s.TileCols {
		b := w.b[j*depth:][:s.TileCols*depth]
		for i := 0; i < c.Rows; i += s.TileRows {
			a := w.a[i*depth:][:s.TileRows*depth]
			rows, cols := min(s.TileRows, c.Rows-i), min(s.TileCols, c.Cols-j)
			to := c.Data[i*c.RowStride+j:]
			if rows == s.TileRows && cols == s.TileCols {
				s.Tile(to, c.RowStride, a, b)
				continue
			}
			for r := range rows {
				copy(w.tile[r*s.TileCols:][:cols], to[r*c.RowStride:])
			}
			s.Tile(w.tile, s.TileCols, a, b)
			for r := range rows {
				copy(to[r*c.RowStride:][:cols], w.tile[r*s.TileCols:])
			}
		}
	}
}
