package draw

import (
	"cmp"
	"slices"
)

// Sugiyama's method in four steps: a layer for each node, so that every edge
// goes down; a bend in each layer that an edge passes; an order in each layer
// with few crossings; places that make edges straight.

// spot is a place in a layer: of a node's box or of an edge's bend.
type spot struct {
	node     int // index of the node, or -1 for a bend
	width    float64
	x        float64 // of the middle
	layer    int
	pos      int   // in the layer, from the left
	up, down []int // spots in the layers above and below that are joined
}

// layout is a drawing in the making.
type layout struct {
	spots  []spot
	layers [][]int // spots from left to right
	routes [][]int // for each edge of the net, in the order of net.in: its spots from top to bottom
}

// The least space between neighbours in a layer, in pixels.
const (
	boxGap  = 22.0
	bendGap = 14.0
)

// newLayout places boxes of the given widths, one a node.
func newLayout(n *net, widths []float64) *layout {
	l := &layout{}
	layer := layerOf(n)
	for v, w := range widths {
		l.spots = append(l.spots, spot{node: v, width: w, layer: layer[v]})
	}
	for v, in := range n.in {
		for _, u := range in {
			l.addEdge(u, v)
		}
	}
	for i, s := range l.spots {
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

// layerOf gives each node a layer below those of its operands: the longest
// path decides. Then nodes with as many users as operands, or more, sink to
// their users, so that edges are short: a weight stands beside the product
// that reads it.
func layerOf(n *net) []int {
	layer := make([]int, len(n.in))
	for _, v := range n.order {
		for _, u := range n.in[v] {
			layer[v] = max(layer[v], layer[u]+1)
		}
	}
	for _, v := range slices.Backward(n.order) {
		if len(n.out[v]) < max(len(n.in[v]), 1) {
			continue // sinking would make more edges longer than shorter
		}
		lowest := layer[n.out[v][0]] - 1
		for _, u := range n.out[v] {
			lowest = min(lowest, layer[u]-1)
		}
		layer[v] = lowest
	}
	return layer
}

// addEdge joins two nodes, with a bend in every layer between.
func (l *layout) addEdge(from, to int) {
	route := []int{from}
	for layer := l.spots[from].layer + 1; layer < l.spots[to].layer; layer++ {
		l.spots = append(l.spots, spot{node: -1, layer: layer})
		route = append(route, len(l.spots)-1)
	}
	route = append(route, to)
	for i := range len(route) - 1 {
		a, b := route[i], route[i+1]
		l.spots[a].down = append(l.spots[a].down, b)
		l.spots[b].up = append(l.spots[b].up, a)
	}
	l.routes = append(l.routes, route)
}

func (l *layout) setPositions() {
	for _, layer := range l.layers {
		for pos, s := range layer {
			l.spots[s].pos = pos
		}
	}
}

// reorder sorts each layer by the mean position of its neighbours above, and
// then below, swaps neighbours that cross, over and over, and keeps the order
// with the fewest crossings.
func (l *layout) reorder() {
	const sweeps = 30
	best, fewest := l.copyLayers(), l.crossings()
	for range sweeps {
		for _, layer := range l.layers {
			l.sortLayer(layer, func(s *spot) []int { return s.up })
		}
		for _, layer := range slices.Backward(l.layers) {
			l.sortLayer(layer, func(s *spot) []int { return s.down })
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

func (l *layout) sortLayer(layer []int, neighbours func(*spot) []int) {
	key := make(map[int]float64, len(layer))
	for _, s := range layer {
		near := neighbours(&l.spots[s])
		key[s] = float64(l.spots[s].pos) // without neighbours: stay
		if len(near) > 0 {
			sum := 0
			for _, t := range near {
				sum += l.spots[t].pos
			}
			key[s] = float64(sum) / float64(len(near))
		}
	}
	slices.SortStableFunc(layer, func(a, b int) int { return cmp.Compare(key[a], key[b]) })
	for pos, s := range layer {
		l.spots[s].pos = pos
	}
}

// swapNeighbours swaps spots beside each other as long as that makes fewer
// crossings.
func (l *layout) swapNeighbours() {
	for swapped := true; swapped; {
		swapped = false
		for _, layer := range l.layers {
			for i := range len(layer) - 1 {
				a, b := &l.spots[layer[i]], &l.spots[layer[i+1]]
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

// inversions counts the pairs of a spot of left and a spot of right in which
// the first is further right.
func (l *layout) inversions(left, right []int) int {
	count := 0
	for _, s := range left {
		for _, t := range right {
			if l.spots[s].pos > l.spots[t].pos {
				count++
			}
		}
	}
	return count
}

// crossings counts the pairs of edges that cross between layers.
func (l *layout) crossings() int {
	count := 0
	for _, layer := range l.layers {
		var ends []int // lower positions, in the order of the upper ones
		for _, s := range layer {
			var own []int
			for _, t := range l.spots[s].down {
				own = append(own, l.spots[t].pos)
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

// place gives each spot its x: near the middle of its neighbours, in the order
// of its layer, and clear of the spots beside it. The leftmost edge is at 0.
func (l *layout) place() {
	for _, layer := range l.layers {
		x := 0.0
		for i, s := range layer {
			if i > 0 {
				x += l.gap(layer[i-1], s)
			}
			l.spots[s].x = x
		}
	}
	const sweeps = 200
	for i := range sweeps {
		both := i >= sweeps/2 // first to one side, to spread; then to both, to settle
		for _, layer := range l.layers {
			l.pull(layer, true, both)
		}
		for _, layer := range slices.Backward(l.layers) {
			l.pull(layer, both, true)
		}
	}
	l.tuckIn()
	left := 0.0
	for i, s := range l.spots {
		if edge := s.x - s.width/2; i == 0 || edge < left {
			left = edge
		}
	}
	for i := range l.spots {
		l.spots[i].x -= left
	}
}

// tuckIn moves spots without edges, which nothing pulls, beside their
// neighbours.
func (l *layout) tuckIn() {
	alone := func(s int) bool { return len(l.spots[s].up)+len(l.spots[s].down) == 0 }
	for _, layer := range l.layers {
		for i, s := range layer {
			if i > 0 && alone(s) {
				l.spots[s].x = l.spots[layer[i-1]].x + l.gap(layer[i-1], s)
			}
		}
		// Those at the left end have to wait for the first that has an edge.
		for i := len(layer) - 2; i >= 0; i-- {
			if !slices.ContainsFunc(layer[:i+1], func(s int) bool { return !alone(s) }) {
				l.spots[layer[i]].x = l.spots[layer[i+1]].x - l.gap(layer[i], layer[i+1])
			}
		}
	}
}

// gap returns the least distance between the middles of neighbours.
func (l *layout) gap(a, b int) float64 {
	space := boxGap
	if l.spots[a].node < 0 || l.spots[b].node < 0 {
		space = bendGap
	}
	return (l.spots[a].width+l.spots[b].width)/2 + space
}

// pull moves a layer's spots to where their neighbours want them: the places
// that minimise the weighted sum of squared distances from there, subject to
// the gaps. That is isotonic regression of the places less the gaps before
// them, which pooling adjacent violators solves.
func (l *layout) pull(layer []int, up, down bool) {
	type block struct {
		sum, weight float64
		size        int
	}
	var blocks []block
	offsets := make([]float64, len(layer)) // of each spot from the first, all gaps least
	for i, s := range layer {
		if i > 0 {
			offsets[i] = offsets[i-1] + l.gap(layer[i-1], s)
		}
		wish, weight := l.wish(s, up, down)
		b := block{weight * (wish - offsets[i]), weight, 1}
		for len(blocks) > 0 {
			last := blocks[len(blocks)-1]
			if last.sum*b.weight <= b.sum*last.weight { // last's mean ≤ b's mean
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
			l.spots[layer[i]].x = b.sum/b.weight + offsets[i]
			i++
		}
	}
}

// wish returns where a spot would like to be and how much. Edges between
// bends pull hard: long edges become straight.
func (l *layout) wish(s int, up, down bool) (x, weight float64) {
	own := &l.spots[s]
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
			if l.spots[t].node < 0 {
				w = 8
			}
		}
		sum += w * l.spots[t].x
		weight += w
	}
	return sum / weight, weight
}
