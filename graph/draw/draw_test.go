package draw

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"
)

var writers = map[string]func(io.Writer, Graph) error{"Text": Text, "DOT": DOT, "SVG": SVG}

func draw(t *testing.T, name string, g Graph) string {
	t.Helper()
	var b strings.Builder
	if err := writers[name](&b, g); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return b.String()
}

// small returns a graph of three nodes in which x is used twice.
func small() Graph {
	return Graph{
		Title: "small",
		Nodes: []Node{
			{ID: "%0", Label: "X", Kind: Input, Shape: "1×3"},
			{ID: "%1", Label: "a = σ(X)", Shape: "1×3", Note: "a^2"},
			{ID: "%2", Label: "a − X", Kind: Output, Shape: "1×3"},
		},
		Edges: []Edge{{"%0", "%1"}, {"%1", "%2"}, {"%0", "%2"}},
	}
}

func TestText(t *testing.T) {
	want := `small

X         (1×3)
a = σ(X)  (1×3)  a^2
a − X     (1×3)
`
	if got := draw(t, "Text", small()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	g := Graph{Nodes: []Node{{ID: "a", Label: "two\nlines\x1b[31m"}, {ID: "b", Label: "f(x)"}, {ID: "c", Label: "-"}},
		Edges: []Edge{{"a", "b"}, {"b", "c"}}}
	if got, want := draw(t, "Text", g), "two lines [31m\nf(x)\n-\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDOT(t *testing.T) {
	g := small()
	g.Title = `a "quoted" \ title`
	g.Nodes[0].Kind = Gradient
	got := draw(t, "DOT", g)
	for _, want := range []string{
		"digraph {\n", `label="a \"quoted\" \\ title"; labelloc=t;`,
		`"%0" [label=<<I>X</I><BR/>1×3>, fillcolor="#fbe0de", color="#c2453c", style="rounded,filled,dashed"];`,
		`"%1" [label=<<I>a</I> = <I>σ</I>(<I>X</I>)<BR/>1×3<BR/><I>a</I><SUP>2</SUP>>, fillcolor=`,
		"  \"%0\" -> \"%1\";\n  \"%1\" -> \"%2\";\n  \"%0\" -> \"%2\";\n}\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in\n%s", want, got)
		}
	}
	t.Run("Graphviz", func(t *testing.T) {
		dot, err := exec.LookPath("dot")
		if err != nil {
			t.Skip("dot is not installed")
		}
		for _, g := range []Graph{g, textbook()} {
			cmd := exec.Command(dot, "-Tplain")
			cmd.Stdin = strings.NewReader(draw(t, "DOT", g))
			out, err := cmd.CombinedOutput()
			if n := bytes.Count(out, []byte("\nnode ")); err != nil || n != len(g.Nodes) {
				t.Errorf("Graphviz found %d of %d nodes: %v", n, len(g.Nodes), err)
			}
		}
	})
}

// wellFormed parses an SVG and returns its texts and the number of its edges.
func wellFormed(t *testing.T, s string) (texts []string, edges int) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(s))
	inText := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts, edges
		}
		if err != nil {
			t.Fatal(err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			inText = x.Name.Local == "text"
			for _, a := range x.Attr {
				if a.Value == "edge" {
					edges++
				}
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s=%q", a.Name.Local, a.Value)
				}
			}
		case xml.CharData:
			if inText {
				texts = append(texts, string(x))
			}
			inText = false
		}
	}
}

func TestSVG(t *testing.T) {
	g := textbook()
	g.Title = `<&> "title" ` + "\x00"
	s := draw(t, "SVG", g)
	texts, edges := wellFormed(t, s)
	all := strings.Join(texts, "") // a formula has no spaces between its runs
	for _, want := range []string{`<&> "title" ` + "\uFFFD", "W²", "50×784", "δ²,A.65", "gradient", "parameter"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in the picture", want)
		}
	}
	if edges != len(g.Edges) {
		t.Errorf("%d edges, want %d", edges, len(g.Edges))
	}
	if s != draw(t, "SVG", g) {
		t.Error("two pictures of the same graph differ")
	}
	if strings.Contains(draw(t, "SVG", Graph{Nodes: small().Nodes[:1]}), ">gradient<") {
		t.Error("the legend lists a kind that is not in the graph")
	}
	for _, g := range []Graph{{}, {Title: strings.Repeat("long ", 100)}} {
		wellFormed(t, draw(t, "SVG", g))
	}
}

func TestErrors(t *testing.T) {
	for want, change := range map[string]func(*Graph){
		"has a cycle: %1 → %2 → %1":       func(g *Graph) { g.Edges = append(g.Edges, Edge{"%2", "%1"}) },
		"has a cycle: %0 → %0":            func(g *Graph) { g.Edges = append(g.Edges, Edge{"%0", "%0"}) },
		`edge from "%0" to "%9": no such`: func(g *Graph) { g.Edges = append(g.Edges, Edge{"%0", "%9"}) },
		"two nodes have the ID %1":        func(g *Graph) { g.Nodes[2].ID = "%1" },
		"node 1 (a = σ(X)) has no ID":     func(g *Graph) { g.Nodes[1].ID = "" },
		"node %1 has the kind Kind(5)":    func(g *Graph) { g.Nodes[1].Kind = kindEnd },
	} {
		g := small()
		change(&g)
		if err := g.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		for name, write := range writers {
			var b bytes.Buffer
			if err := write(&b, g); err == nil || b.Len() > 0 {
				t.Errorf("%s: error %v and %d bytes for a graph that %s", name, err, b.Len(), want)
			}
		}
	}
	for name, write := range writers {
		if err := write(failing{}, small()); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: error %v, want %v", name, err, io.ErrShortWrite)
		}
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestKinds(t *testing.T) {
	for k := range kindEnd {
		if k.String() == "" || kinds[k].fill == "" || kinds[k].stroke == "" {
			t.Errorf("kind %d lacks a name or a colour", int(k))
		}
	}
}

// random returns a graph of n nodes, each with at most three operands.
func random(n int, seed uint64) Graph {
	r := rand.New(rand.NewPCG(seed, 1))
	var g Graph
	for i := range n {
		g.Nodes = append(g.Nodes, Node{ID: fmt.Sprint(i), Label: strings.Repeat("x", r.IntN(12)), Kind: Kind(r.IntN(int(kindEnd)))})
		for range min(r.IntN(4), i) {
			g.Edges = append(g.Edges, Edge{fmt.Sprint(max(0, i-1-r.IntN(12))), fmt.Sprint(i)})
		}
	}
	return g
}

// TestLayout checks, for many graphs, that every edge leads from one layer to the
// next and that nothing overlaps.
func TestLayout(t *testing.T) {
	const seeds = 20
	graphs := append(make([]Graph, 0, seeds+2), small(), textbook())
	for seed := range uint64(seeds) {
		graphs = append(graphs, random(5+4*int(seed), seed))
	}
	for i, g := range graphs {
		n, err := newNet(g)
		if err != nil {
			t.Fatal(err)
		}
		var widths []float64
		for _, v := range g.Nodes {
			widths = append(widths, boxWidth(v))
		}
		l := newLayout(n, widths)
		if len(l.routes) != len(g.Edges) {
			t.Fatalf("graph %d: %d routes, want %d", i, len(l.routes), len(g.Edges))
		}
		for _, r := range l.routes {
			for j := range len(r) - 1 {
				if l.vertices[r[j+1]].layer != l.vertices[r[j]].layer+1 {
					t.Fatalf("graph %d: a route goes from layer %d to layer %d", i, l.vertices[r[j]].layer, l.vertices[r[j+1]].layer)
				}
			}
		}
		placed := 0
		leftmost := math.Inf(1)
		for _, layer := range l.layers {
			placed += len(layer)
			for j, s := range layer {
				leftmost = min(leftmost, l.vertices[s].x-l.vertices[s].width/2)
				if j > 0 && l.vertices[s].x-l.vertices[layer[j-1]].x < l.gap(layer[j-1], s)-1e-6 {
					t.Errorf("graph %d: vertices %d and %d are too close", i, layer[j-1], s)
				}
			}
		}
		if placed != len(l.vertices) || math.Abs(leftmost) > 1e-6 {
			t.Errorf("graph %d: %d of %d vertices placed, leftmost at %v, want all, at 0", i, placed, len(l.vertices), leftmost)
		}
	}
}

// TestLayoutQuality bounds the crossings and the width of the textbook's network.
// The bounds are a little above what the layout gave when a person last looked
// at the picture and found it good.
func TestLayoutQuality(t *testing.T) {
	g := textbook()
	n, err := newNet(g)
	if err != nil {
		t.Fatal(err)
	}
	widths := make([]float64, len(g.Nodes))
	for i, v := range g.Nodes {
		widths[i] = boxWidth(v)
	}
	l := newLayout(n, widths)
	if c := l.crossings(); c > 34 {
		t.Errorf("%d crossings, want at most 34 (it had 32)", c)
	}
	width := 0.0
	for _, s := range l.vertices {
		width = max(width, s.x+s.width/2)
	}
	if width > 1000 {
		t.Errorf("%.0f pixels wide, want at most 1000", width)
	}
}

// TestLarge draws a graph of the size of a deep network.
func TestLarge(t *testing.T) {
	start := time.Now()
	wellFormed(t, draw(t, "SVG", random(400, 1)))
	t.Logf("400 nodes in %v", time.Since(start))
}

func BenchmarkSVG(b *testing.B) {
	g := textbook()
	for b.Loop() {
		if err := SVG(io.Discard, g); err != nil {
			b.Fatal(err)
		}
	}
}
