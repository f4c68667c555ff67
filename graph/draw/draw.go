// Package draw draws a directed acyclic graph in three formats: lines of text
// (Text), Graphviz source (DOT), and a picture (SVG) that the package lays out
// itself.
//
// Labels and notes are formulas: "W^2" has a superscript and "t_15" a subscript. Text
// writes them as they are.
//
// SVG draws from top to bottom: every edge points down. Equal graphs give equal
// bytes. All three functions check the graph first. For a graph with a fault,
// such as a cycle, they return an error and write nothing.
//
//	g := draw.Graph{Title: "784-50-10"}
//	g.Nodes = append(g.Nodes, draw.Node{ID: "%1", Label: "X", Kind: draw.Input, Shape: "1×784"})
//	g.Nodes = append(g.Nodes, draw.Node{ID: "%2", Label: "σ(X)", Kind: draw.Operation, Shape: "1×784"})
//	g.Edges = append(g.Edges, draw.Edge{From: "%1", To: "%2"})
//	err := draw.SVG(out, g)
package draw

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind is the kind of a node. It determines the colour.
type Kind int

// The kinds of nodes.
const (
	Operation Kind = iota
	Input
	Parameter
	Output
	Gradient
	kindEnd
)

var kinds = [kindEnd]struct {
	name         string
	fill, stroke string // colours
	dashed       bool   // a dashed border, for readers who cannot distinguish the colours
}{
	Operation: {"operation", "#f6f7f9", "#8a93a0", false},
	Input:     {"input", "#dbe9fb", "#2f6fc4", false},
	Parameter: {"parameter", "#dcf2de", "#2f8f46", false},
	Output:    {"output", "#fdeec2", "#b98200", false},
	Gradient:  {"gradient", "#fbe0de", "#c2453c", true},
}

// String returns the kind's name: "input".
func (k Kind) String() string {
	if k < 0 || k >= kindEnd {
		return fmt.Sprintf("Kind(%d)", int(k))
	}
	return kinds[k].name
}

// name returns the name of a kind for the legend.
func (g Graph) name(k Kind) string {
	if n := g.Names[k]; n != "" {
		return n
	}
	return k.String()
}

// Graph is a directed acyclic graph.
type Graph struct {
	Title string
	Names map[Kind]string // of the kinds, in the legend; a kind that it lacks has its String
	Nodes []Node
	Edges []Edge
}

// Node is a value that the graph computes.
type Node struct {
	ID    string // unique: "%12"
	Label string // a formula: "z^2 = t_3 + b^2"
	Kind  Kind
	Shape string // "1×50"; may be empty
	Note  string // a comment, such as the equation of the value, as a formula; may be empty
}

// Edge says that the node From is an operand of the node To. The edges that
// lead to one node are in the order of its operands.
type Edge struct {
	From, To string // IDs
}

// Check returns an error if g cannot be drawn: two nodes have the same ID, an
// edge names a node that does not exist, or g has a cycle.
func (g Graph) Check() error {
	_, err := newNet(g)
	return err
}

// net is a graph whose nodes are numbers: indices into Graph.Nodes.
type net struct {
	in, out [][]int // operands and users of each node, in the order of the edges
	order   []int   // all nodes, each after its operands
}

func newNet(g Graph) (*net, error) {
	n := &net{in: make([][]int, len(g.Nodes)), out: make([][]int, len(g.Nodes))}
	index := make(map[string]int, len(g.Nodes))
	for i, v := range g.Nodes {
		if v.ID == "" {
			return nil, fmt.Errorf("draw: node %d (%s) has no ID", i, v.Label)
		}
		if _, ok := index[v.ID]; ok {
			return nil, fmt.Errorf("draw: two nodes have the ID %s", v.ID)
		}
		if v.Kind < 0 || v.Kind >= kindEnd {
			return nil, fmt.Errorf("draw: node %s has the kind %v", v.ID, v.Kind)
		}
		index[v.ID] = i
	}
	for _, e := range g.Edges {
		from, okFrom := index[e.From]
		to, okTo := index[e.To]
		if !okFrom || !okTo {
			return nil, fmt.Errorf("draw: edge from %q to %q: no such node", e.From, e.To)
		}
		n.in[to] = append(n.in[to], from)
		n.out[from] = append(n.out[from], to)
	}
	return n, n.sort(g)
}

// sort sets n.order to a topological order. If there is none, it returns an
// error that names the nodes of a cycle.
func (n *net) sort(g Graph) error {
	missing := make([]int, len(n.in)) // operands that are not in the order yet
	for v, in := range n.in {
		missing[v] = len(in)
		if len(in) == 0 {
			n.order = append(n.order, v)
		}
	}
	for i := 0; i < len(n.order); i++ {
		for _, u := range n.out[n.order[i]] {
			if missing[u]--; missing[u] == 0 {
				n.order = append(n.order, u)
			}
		}
	}
	if len(n.order) == len(n.in) {
		return nil
	}
	// Each node outside the order has an operand outside the order, so a walk
	// from operand to operand reaches some node twice.
	v := slices.IndexFunc(missing, func(w int) bool { return w > 0 })
	var path []int
	for !slices.Contains(path, v) {
		path = append(path, v)
		i := slices.IndexFunc(n.in[v], func(u int) bool { return missing[u] > 0 })
		if i < 0 {
			return errors.New("BUG: draw: a node outside the order has all its operands in it")
		}
		v = n.in[v][i]
	}
	path = append(path[slices.Index(path, v):], v)
	slices.Reverse(path) // now in the direction of the edges
	var ids []string
	for _, v := range path {
		ids = append(ids, g.Nodes[v].ID)
	}
	return fmt.Errorf("draw: the graph has a cycle: %s", strings.Join(ids, " → "))
}
