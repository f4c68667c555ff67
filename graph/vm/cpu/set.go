package cpu

import (
	"encoding/binary"
	"math"
	"math/bits"
	"sync"
	"unsafe"

	"trainer/data"
	"trainer/graph/vm/cpu/kernel"
)

// rows is a resident set. An image is stored as the entries of its inputs that are not
// zero (see package kernel); or as all its values, if few inputs of the set are zero.
// Skipping a zero changes no sum if the weights are finite. In a scale in which no
// pixel is a zero input, or more than one are, the rows are dense.
type rows[T kernel.Float] struct {
	set    *data.Set // nil for inputs that come from no image
	labels []uint8
	target [][]T // by label, padded; empty for rows without labels
	inputs int
	dense  []T   // N × inputs; nil when sparse
	start  []int // of image i in entries; len N+1
	entry  []uint32
	table  []T // of the values of the entries

	// splits say how many entries of an image come before each part of the inputs
	// but the first: inputParts-1 for each image.
	splits []uint16
}

// inputParts is the number of parts of the inputs. Cores can share them, and the
// weights of a few of them stay in a near cache.
const inputParts = 16

// inputEdges returns the bounds of the parts.
func inputEdges(inputs int) []int {
	edges := make([]int, inputParts+1)
	for p := range edges {
		edges[p] = inputs * p / inputParts
	}
	return edges
}

// denseFrom is the share of pixels that are not zero above which dense rows are
// faster than sparse ones. It comes from BenchmarkDensity.
const denseFrom = 0.9

// newRows makes a set resident for a network with this number of outputs, using at most
// cores cores.
func newRows[T kernel.Float](set *data.Set, outputs, cores int) *rows[T] {
	n := set.Len()
	s := &rows[T]{set: set, labels: set.Labels, inputs: set.Inputs(), start: make([]int, n+1)}
	for label := range min(outputs, math.MaxUint8+1) {
		y := kernel.Aligned[T](kernel.Pad[T](outputs))
		data.Target(y[:outputs], set, uint8(label))
		s.target = append(s.target, y)
	}
	values := data.TableOf[T](set.Scale)
	zero, one := zeroPixel(&values)
	zeros := uint64(zero) * 0x0101010101010101
	parallel(n, cores, func(from, to int) {
		for i := from; i < to; i++ {
			image := set.Image(i)
			count := bits.OnesCount64(others(lastWord(image, zeros), zeros))
			for ; len(image) >= 8; image = image[8:] {
				count += bits.OnesCount64(others(binary.LittleEndian.Uint64(image), zeros))
			}
			s.start[i+1] = count
		}
	})
	for i := range n {
		s.start[i+1] += s.start[i]
	}
	if !one || float64(s.start[n]) > denseFrom*float64(len(set.Pixels)) {
		s.dense = kernel.Large[T](len(set.Pixels))
		parallel(len(set.Pixels), cores, func(from, to int) {
			for k := from; k < to; k++ {
				s.dense[k] = values[set.Pixels[k]]
			}
		})
		return s
	}
	s.table = values[:]
	s.entry = kernel.Large[uint32](s.start[n])
	s.splits = make([]uint16, n*(inputParts-1))
	edges := inputEdges(s.inputs)
	parallel(n, cores, func(from, to int) {
		for i := from; i < to; i++ {
			image := set.Image(i)
			entries, splits := s.entry[s.start[i]:s.start[i+1]], s.splits[i*(inputParts-1):][:inputParts-1]
			k, p, last := 0, 1, lastWord(image, zeros)
			for j := 0; j < len(image); j += 8 {
				word := last
				if j+8 <= len(image) {
					word = binary.LittleEndian.Uint64(image[j:])
				}
				word = others(word, zeros)
				for ; p < inputParts && edges[p] < j+8; p++ {
					splits[p-1] = uint16(k + bits.OnesCount64(word&(1<<(8*(edges[p]-j))-1)))
				}
				for ; word != 0; word &= word - 1 {
					at := j + bits.TrailingZeros64(word)/8
					entries[k] = kernel.Entry(uint16(at), uint16(image[at]))
					k++
				}
			}
		}
	})
	return s
}

// zeroPixel returns the pixel that is a zero input, and whether it is the only one.
func zeroPixel[T kernel.Float](values *[256]T) (zero uint8, one bool) {
	count := 0
	for p, v := range values {
		if v == 0 {
			zero = uint8(p)
			count++
		}
	}
	return zero, count == 1
}

// others returns the highest bit of each byte of a word that is not the byte of zeros.
// Most pixels are zero inputs, many together: a word says it of eight.
func others(word, zeros uint64) uint64 {
	const low = 0x7f7f7f7f7f7f7f7f
	word ^= zeros
	return (word&low + low | word) &^ low
}

// lastWord returns the pixels after the last whole word of an image, and zeros.
func lastWord(image []uint8, zeros uint64) uint64 {
	var word [8]uint8
	binary.LittleEndian.PutUint64(word[:], zeros)
	copy(word[:], image[len(image)&^7:])
	return binary.LittleEndian.Uint64(word[:])
}

// inputRows returns rows of x that come from no image, without labels. The table has a value
// for each entry until it is full. The rows are dense if a later value is not in it.
func inputRows[T kernel.Float](x []float64, inputs int) *rows[T] {
	s, edges := &rows[T]{inputs: inputs, start: []int{0}}, inputEdges(inputs)
	few := len(x) / 4 // what images have, so that nothing has to grow for them
	s.entry, s.table = make([]uint32, 0, few), make([]T, 0, few)
	var places map[T]uint16 // of the values in the table
	for rest := x; len(rest) > 0; rest = rest[inputs:] {
		first := len(s.entry)
		for p, end := range edges[1:] {
			for j := edges[p]; j < end; j++ {
				t := T(rest[j])
				if t == 0 {
					continue
				}
				place, known := uint16(len(s.table)), false
				if len(s.table) > math.MaxUint16 {
					if places == nil {
						places = map[T]uint16{}
						for k, v := range s.table {
							places[v] = uint16(k)
						}
					}
					if place, known = places[t]; !known {
						return denseRows[T](x, inputs)
					}
				}
				if !known {
					s.table = append(s.table, t)
				}
				s.entry = append(s.entry, kernel.Entry(uint16(j), place))
			}
			if p < inputParts-1 {
				s.splits = append(s.splits, uint16(len(s.entry)-first))
			}
		}
		s.start = append(s.start, len(s.entry))
	}
	return s
}

// denseRows returns the same as dense rows.
func denseRows[T kernel.Float](x []float64, inputs int) *rows[T] {
	s := &rows[T]{inputs: inputs, start: make([]int, len(x)/inputs+1), dense: make([]T, len(x))}
	for k, v := range x {
		s.dense[k] = T(v)
	}
	return s
}

func (s *rows[T]) len() int { return len(s.start) - 1 }

// load makes image i the input of sample r of a plan.
func (s *rows[T]) load(pl *plan[T], r, i int) {
	to := &pl.samples[r]
	if s.dense != nil {
		to.dense, to.entries = s.dense[i*s.inputs:(i+1)*s.inputs], nil
		return
	}
	a, b := s.start[i], s.start[i+1]
	to.dense, to.entries = nil, s.entry[a:b:b]
	if len(pl.samples) == 1 {
		return
	}
	pl.bounds[0][r], pl.bounds[inputParts][r] = a, b
	for p, k := range s.splits[i*(inputParts-1):][:inputParts-1] {
		pl.bounds[p+1][r] = a + int(k)
	}
}

// begin prepares a plan for samples of this set.
func (s *rows[T]) begin(pl *plan[T]) {
	pl.entries, pl.table, pl.sparse = s.entry, s.table, s.dense == nil
	pl.distrust()
}

// prefetch asks for the memory of image i, which is needed next, and for where the
// entries of the one after it are. In a shuffled order the processor cannot guess it.
func (s *rows[T]) prefetch(k *kernel.Set[T], i, after int) {
	if s.dense == nil {
		k.Prefetch(s.entry[s.start[i]:s.start[i+1]])
		k.Prefetch(unsafe.Slice((*uint32)(unsafe.Pointer(&s.start[after])), 1))
	}
}

// residents are the sets of a machine. Its snapshot looks for one in another goroutine.
type residents[T kernel.Float] struct {
	mu   sync.Mutex
	rows map[*data.Set]*rows[T]
}

// get returns the rows of a set, or nil.
func (r *residents[T]) get(set *data.Set) *rows[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rows[set]
}

// put keeps the rows of a set, or forgets them if they are nil.
func (r *residents[T]) put(set *data.Set, rows *rows[T]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rows == nil {
		delete(r.rows, set)
		return
	}
	r.rows[set] = rows
}

func (r *residents[T]) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.rows)
}

// parallel divides 0..n-1 into one range per core, and calls do for each in parallel.
func parallel(n, cores int, do func(from, to int)) {
	cores = max(1, min(cores, n))
	var wait sync.WaitGroup
	for c := 1; c < cores; c++ {
		wait.Go(func() { do(n*c/cores, n*(c+1)/cores) })
	}
	do(0, n/cores)
	wait.Wait()
}
