package draw

import (
	"cmp"
	"slices"
)

// The layout follows Sugiyama's method, in four steps:
//
//  1. Assign a layer to each node, so that every edge points down.
//  2. Add a bend to each edge in every layer that the edge crosses.
//  3. Order each layer so that few edges cross.
//  4. Choose x so that edges are as straight as possible.

// vertex is a node's box or an edge's bend.
type vertex struct {
	node     int // index of the node, or -1 for a bend
	width    float64
	x        float64 // of the middle
	layer    int
	pos      int   // position in the layer, counted from the left
	up, down []int // neighbours in the layers above and below
}

// layout holds the state of a drawing.
type layout struct {
	vertices []vertex
	layers   [][]int // the vertices of each layer, from left to right
	routes   [][]int // the vertices of each edge, from top to bottom; edges are in the order of net.in
}

// The smallest gap between neighbours in a layer, in pixels.
const (
	boxGap  = 22.0
	bendGap = 14.0
)

// newLayout places one box per node; widths holds their widths.
func newLayout(n *net, widths []float64) *layout {
	l := &layout{}
	layer := layerOf(n)
	for v, w := range widths {
		l.vertices = append(l.vertices, vertex{node: v, width: w, layer: layer[v]})
	}
	for v, in := range n.in {
		for _, u := range in {
			l.addEdge(u, v)
		}
	}
	for i, s := range l.vertices {
		for len(l.layers) <= s.layer {
			l.layers = append(l.layers, nil)
		}
		l.layers[s.layer] = append(l.layers[s.layer], i)
	}
	l.setPositions()
	l.reorder()
	l.place()
	return l
}

// layerOf returns the layer of each node. A node is below all its operands: its
// layer is the length of the longest path that leads to it. A node with at least
// as many users as operands is then moved down as far as its users allow, which
// makes edges shorter: a weight is just above the product that reads it.
func layerOf(n *net) []int {
	layer := make([]int, len(n.in))
	for _, v := range n.order {
		for _, u := range n.in[v] {
			layer[v] = max(layer[v], layer[u]+1)
		}
	}
	for _, v := range slices.Backward(n.order) {
		if len(n.out[v]) < max(len(n.in[v]), 1) {
			continue // moving it down would lengthen more edges than it shortens
		}
		lowest := layer[n.out[v][0]] - 1
		for _, u := range n.out[v] {
			lowest = min(lowest, layer[u]-1)
		}
		layer[v] = lowest
	}
	return layer
}

// addEdge joins two nodes, with a bend in each layer between them.
func (l *layout) addEdge(from, to int) {
	route := []int{from}
	for layer := l.vertices[from].layer + 1; layer < l.vertices[to].layer; layer++ {
		l.vertices = append(l.vertices, vertex{node: -1, layer: layer})
		route = append(route, len(l.vertices)-1)
	}
	route = append(route, to)
	for i := range len(route) - 1 {
		a, b := route[i], route[i+1]
		l.vertices[a].down = append(l.vertices[a].down, b)
		l.vertices[b].up = append(l.vertices[b].up, a)
	}
	l.routes = append(l.routes, route)
}

func (l *layout) setPositions() {
	for _, layer := range l.layers {
		for pos, s := range layer {
			l.vertices[s].pos = pos
		}
	}
}

// reorder sorts the vertices of each layer by the mean position of their
// neighbours above, then by that of their neighbours below, and then swaps
// adjacent vertices whose edges cross. It repeats this and keeps the order with
// the fewest crossings.
func (l *layout) reorder() {
	const sweeps = 30
	best, fewest := l.copyLayers(), l.crossings()
	for range sweeps {
		for _, layer := range l.layers {
			l.sortLayer(layer, func(s *vertex) []int { return s.up })
		}
		for _, layer := range slices.Backward(l.layers) {
			l.sortLayer(layer, func(s *vertex) []int { return s.down })
		}
		l.swapNeighbours()
		if c := l.crossings(); c < fewest {
			best, fewest = l.copyLayers(), c
		}
	}
	l.layers = best
	l.setPositions()
}

func (l *layout) copyLayers() [][]int {
	layers := make([][]int, len(l.layers))
	for i, layer := range l.layers {
		layers[i] = slices.Clone(layer)
	}
	return layers
}

func (l *layout) sortLayer(layer []int, neighbours func(*vertex) []int) {
	key := make(map[int]float64, len(layer))
	for _, s := range layer {
		near := neighbours(&l.vertices[s])
		key[s] = float64(l.vertices[s].pos) // a vertex without neighbours keeps its position
		if len(near) > 0 {
			sum := 0
			for _, t := range near {
				sum += l.vertices[t].pos
			}
			key[s] = float64(sum) / float64(len(near))
		}
	}
	slices.SortStableFunc(layer, func(a, b int) int { return cmp.Compare(key[a], key[b]) })
	for pos, s := range layer {
		l.vertices[s].pos = pos
	}
}

// swapNeighbours swaps adjacent vertices as long as a swap reduces the number of
// crossings.
func (l *layout) swapNeighbours() {
	for swapped := true; swapped; {
		swapped = false
		for _, layer := range l.layers {
			for i := range len(layer) - 1 {
				a, b := &l.vertices[layer[i]], &l.vertices[layer[i+1]]
				now := l.inversions(a.up, b.up) + l.inversions(a.down, b.down)
				then := l.inversions(b.up, a.up) + l.inversions(b.down, a.down)
				if then < now {
					layer[i], layer[i+1] = layer[i+1], layer[i]
					a.pos, b.pos = b.pos, a.pos
					swapped = true
				}
			}
		}
	}
}

// inversions counts the pairs (s, t), s in left and t in right, in which s is
// to the right of t.
func (l *layout) inversions(left, right []int) int {
	count := 0
	for _, s := range left {
		for _, t := range right {
			if l.vertices[s].pos > l.vertices[t].pos {
				count++
			}
		}
	}
	return count
}

// crossings counts the pairs of edges that cross between two layers.
func (l *layout) crossings() int {
	count := 0
	for _, layer := range l.layers {
		var ends []int // lower ends of the edges, in the order of their upper ends
		for _, s := range layer {
			var own []int
			for _, t := range l.vertices[s].down {
				own = append(own, l.vertices[t].pos)
			}
			slices.Sort(own)
			for _, e := range own {
				for _, before := range ends {
					if before > e {
						count++
					}
				}
			}
			ends = append(ends, own...)
		}
	}
	return count
}

// place sets the x of each vertex: near the middle of its neighbours, in the
// order of the layer, and without overlap. The left side of the leftmost vertex
// is at 0.
func (l *layout) place() {
	for _, layer := range l.layers {
		x := 0.0
		for i, s := range layer {
			if i > 0 {
				x += l.gap(layer[i-1], s)
			}
			l.vertices[s].x = x
		}
	}
	const sweeps = 200
	for i := range sweeps {
		both := i >= sweeps/2 // the first half pulls one way, to spread the vertices; the second half both ways
		for _, layer := range l.layers {
			l.pull(layer, true, both)
		}
		for _, layer := range slices.Backward(l.layers) {
			l.pull(layer, both, true)
		}
	}
	l.placeIsolated()
	left := 0.0
	for i, s := range l.vertices {
		if edge := s.x - s.width/2; i == 0 || edge < left {
			left = edge
		}
	}
	for i := range l.vertices {
		l.vertices[i].x -= left
	}
}

// placeIsolated moves vertices without edges next to the vertices beside them:
// no edge pulls them.
func (l *layout) placeIsolated() {
	isolated := func(s int) bool { return len(l.vertices[s].up)+len(l.vertices[s].down) == 0 }
	for _, layer := range l.layers {
		for i, s := range layer {
			if i > 0 && isolated(s) {
				l.vertices[s].x = l.vertices[layer[i-1]].x + l.gap(layer[i-1], s)
			}
		}
		// Isolated vertices at the left end go beside the first one that has an
		// edge.
		for i := len(layer) - 2; i >= 0; i-- {
			if !slices.ContainsFunc(layer[:i+1], func(s int) bool { return !isolated(s) }) {
				l.vertices[layer[i]].x = l.vertices[layer[i+1]].x - l.gap(layer[i], layer[i+1])
			}
		}
	}
}

// gap returns the smallest distance between the middles of the neighbours a and b.
func (l *layout) gap(a, b int) float64 {
	space := boxGap
	if l.vertices[a].node < 0 || l.vertices[b].node < 0 {
		space = bendGap
	}
	return (l.vertices[a].width+l.vertices[b].width)/2 + space
}

// pull moves the vertices of a layer towards their targets. It minimises the
// weighted sum of squared distances to the targets, subject to the gaps. With
// the gaps subtracted this is isotonic regression, which the pool adjacent
// violators algorithm solves.
func (l *layout) pull(layer []int, up, down bool) {
	type block struct {
		sum, weight float64
		size        int
	}
	var blocks []block
	offsets := make([]float64, len(layer)) // distance of each vertex from the first one when all gaps are smallest
	for i, s := range layer {
		if i > 0 {
			offsets[i] = offsets[i-1] + l.gap(layer[i-1], s)
		}
		target, weight := l.target(s, up, down)
		b := block{weight * (target - offsets[i]), weight, 1}
		for len(blocks) > 0 {
			last := blocks[len(blocks)-1]
			if last.sum*b.weight <= b.sum*last.weight { // mean of last ≤ mean of b
				break
			}
			b = block{last.sum + b.sum, last.weight + b.weight, last.size + b.size}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	i := 0
	for _, b := range blocks {
		for range b.size {
			l.vertices[layer[i]].x = b.sum/b.weight + offsets[i]
			i++
		}
	}
}

// target returns the weighted mean x of a vertex's neighbours, above if up and
// below if down, and the total weight. An edge between two bends has a large weight, which makes long edges
// straight.
func (l *layout) target(s int, up, down bool) (x, weight float64) {
	own := &l.vertices[s]
	var near []int
	if up {
		near = append(near, own.up...)
	}
	if down {
		near = append(near, own.down...)
	}
	const stay = 0.01
	sum, weight := stay*own.x, stay
	for _, t := range near {
		w := 1.0
		if own.node < 0 {
			w = 2
			if l.vertices[t].node < 0 {
				w = 8
			}
		}
		sum += w * l.vertices[t].x
		weight += w
	}
	return sum / weight, weight
}
