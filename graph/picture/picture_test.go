package picture

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"trainer/graph"
	"trainer/graph/ir"
	"trainer/graph/ir/irtest"
	"trainer/graph/lower"
	"trainer/graph/model"
)

var english = Words{
	Title: "a training step", Forward: "forward", Backward: "backward", Update: "update", Data: "input", Target: "target",
	Output: "output", Cost: "cost", ByInput: "by input", Notes: []string{"<first> note", "second & last"},
}

var chinese = Words{
	Title: "单个样本的一步训练", Forward: "前向传播", Backward: "反向传播", Update: "更新参数", Data: "输入", Target: "目标",
	Output: "输出", Cost: "代价", ByInput: "按输入存放",
}

// compile returns the program of a network.
func compile(t *testing.T, n model.Network, batch int, o lower.Options, forwardOnly bool) *ir.Program {
	t.Helper()
	build := graph.Step
	if forwardOnly {
		build = graph.Forward
	}
	g, err := build(n, batch)
	if err != nil {
		t.Fatal(err)
	}
	p, err := lower.Program(g, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// randomNetwork returns the program of a random network.
func randomNetwork(t *testing.T, rng *rand.Rand) *ir.Program {
	coin := func() bool { return rng.IntN(2) == 0 }
	n := model.Network{Bias: coin(), Activation: model.Activation(rng.IntN(2)), Precision: model.Precision(rng.IntN(2))}
	for range 2 + rng.IntN(6) {
		n.Layers = append(n.Layers, 1+rng.IntN(1000))
	}
	forwardOnly := rng.IntN(5) == 0
	o := lower.Options{Listing: coin(), Cost: coin() && !forwardOnly}
	return compile(t, n, []int{1, 2, 7, 60000}[rng.IntN(4)], o, forwardOnly)
}

// TestLayout: in the pictures of random networks, and of random programs that are no
// networks, nothing overlaps, and the arrows are the flow of the data.
func TestLayout(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 1))
	networks, programs := 60, 60
	if testing.Short() {
		networks, programs = 10, 10
	}
	for i := range networks + programs {
		words := []Words{english, chinese}[i%2]
		var p *ir.Program
		if i < networks {
			p = randomNetwork(t, rng)
		} else {
			p = irtest.Random(rng, irtest.Options{Elem: ir.Elem(rng.IntN(2))})
		}
		checkPicture(t, p, words)
		if t.Failed() {
			t.Fatalf("the picture of\n%v", p)
		}
	}
}

func checkPicture(t *testing.T, p *ir.Program, words Words) {
	t.Helper()
	d, err := newDiagram(p, words)
	if err != nil {
		t.Fatal(err)
	}
	l := newLayout(d)
	// Every instruction is drawn once.
	var numbers []int
	for _, b := range l.boxes {
		if b.number >= 0 {
			numbers = append(numbers, b.number)
		}
	}
	slices.Sort(numbers)
	for i := range p.Code {
		if len(numbers) != len(p.Code) || numbers[i] != i {
			t.Fatalf("%d instructions, drawn are %v", len(p.Code), numbers)
		}
	}
	checkEdges(t, p, l)
	checkBoxes(t, l)
	checkRoutes(t, l)
	checkSVG(t, p, words, l)
}

// checkEdges compares the arrows with the flow of the data: an instruction reads what
// the last instruction before it wrote, or the buffer as it was.
func checkEdges(t *testing.T, p *ir.Program, l *layout) {
	t.Helper()
	var want, have []string
	for i, in := range p.Code {
		for _, r := range in.Args {
			from := fmt.Sprintf("buffer%d", r)
			for k, before := range p.Code[:i] {
				if before.Dst == r {
					from = fmt.Sprintf("instruction%d", k)
				}
			}
			want = append(want, fmt.Sprintf("%s instruction%d", from, i))
		}
	}
	for _, r := range l.routes {
		have = append(have, l.boxes[r.from].id()+" "+l.boxes[r.to].id())
	}
	slices.Sort(want)
	slices.Sort(have)
	if want = slices.Compact(want); !slices.Equal(have, want) {
		t.Errorf("the arrows are\n%v\nwant\n%v", have, want)
	}
}

func checkBoxes(t *testing.T, l *layout) {
	t.Helper()
	const gap = 12
	for i, a := range l.boxes {
		if a.x < margin || a.y < margin || a.x+a.width > l.width-margin || a.y+a.height > l.height-margin {
			t.Errorf("%s is not in the picture", a.id())
		}
		k := slices.IndexFunc(l.bands, func(b band) bool { return a.row >= b.first && a.row <= b.last })
		if pass := a.kind == backward || a.kind == update || a.kind == forward; k < 0 || pass && l.bands[k].kind != a.kind {
			t.Errorf("%s is in band %d", a.id(), k)
		}
		for _, b := range l.boxes[i+1:] {
			if a.x < b.x+b.width+gap && b.x < a.x+a.width+gap && a.y < b.y+b.height+gap && b.y < a.y+a.height+gap {
				t.Errorf("%s and %s overlap", a.id(), b.id())
			}
		}
	}
	if ratio := l.width / l.height; ratio < slide-0.01 {
		t.Errorf("%.0f×%.0f: higher than a slide", l.width, l.height)
	}
}

// checkRoutes: an arrow begins and ends at the sides of its boxes, crosses no box, and
// does not run in another one from a different box.
func checkRoutes(t *testing.T, l *layout) {
	t.Helper()
	type segment struct {
		a, b point
		from int
	}
	var all []segment
	for _, r := range l.routes {
		first, last := r.points[0], r.points[len(r.points)-1]
		if !onSide(l.boxes[r.from], first) || !onSide(l.boxes[r.to], last) {
			t.Errorf("the arrow from %s to %s does not begin and end at them", l.boxes[r.from].id(), l.boxes[r.to].id())
		}
		for i := range len(r.points) - 1 {
			s := segment{r.points[i], r.points[i+1], r.from}
			if s.a.x != s.b.x && s.a.y != s.b.y {
				t.Errorf("the arrow from %s to %s is oblique", l.boxes[r.from].id(), l.boxes[r.to].id())
			}
			s.a, s.b = point{min(s.a.x, s.b.x), min(s.a.y, s.b.y)}, point{max(s.a.x, s.b.x), max(s.a.y, s.b.y)}
			for _, b := range l.boxes {
				if s.a.x < b.x+b.width-0.01 && s.b.x > b.x+0.01 && s.a.y < b.y+b.height-0.01 && s.b.y > b.y+0.01 {
					t.Errorf("the arrow from %s to %s crosses %s", l.boxes[r.from].id(), l.boxes[r.to].id(), b.id())
				}
			}
			all = append(all, s)
		}
	}
	for i, s := range all {
		for _, u := range all[i+1:] {
			if s.from == u.from {
				continue
			}
			const near = 3
			vertical := s.a.x == s.b.x && u.a.x == u.b.x && abs(s.a.x-u.a.x) < near && min(s.b.y, u.b.y) > max(s.a.y, u.a.y)+0.01
			level := s.a.y == s.b.y && u.a.y == u.b.y && abs(s.a.y-u.a.y) < near && min(s.b.x, u.b.x) > max(s.a.x, u.a.x)+0.01
			if vertical || level {
				t.Errorf("arrows from %s and %s run in one another at %v", l.boxes[s.from].id(), l.boxes[u.from].id(), u)
			}
		}
	}
}

func abs(v float64) float64 { return max(v, -v) }

// onSide reports whether p is on a side of b, and not at a corner.
func onSide(b box, p point) bool {
	const corner = 8
	insideX, insideY := p.x > b.x+corner && p.x < b.x+b.width-corner, p.y > b.y+corner && p.y < b.y+b.height-corner
	return insideX && (abs(p.y-b.y) < 0.01 || abs(p.y-b.y-b.height) < 0.01) || insideY && (abs(p.x-b.x) < 0.01 || abs(p.x-b.x-b.width) < 0.01)
}

// checkSVG reads the SVG: it is XML, and every text has a length, with which it is in
// its box, or in the picture.
func checkSVG(t *testing.T, p *ir.Program, words Words, l *layout) {
	t.Helper()
	var b strings.Builder
	if err := SVG(&b, p, words); err != nil {
		t.Fatal(err)
	}
	var again strings.Builder
	if err := SVG(&again, p, words); err != nil || again.String() != b.String() {
		t.Error("two pictures of the same program differ")
	}
	decoder := xml.NewDecoder(strings.NewReader(b.String()))
	seen := map[string]int{}
	type rect struct{ x, y, width, height float64 }
	room, depth, inBox := rect{0, 0, l.width, l.height}, 0, 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.EndElement:
			if depth--; depth < inBox {
				room, inBox = rect{0, 0, l.width, l.height}, 0
			}
		case xml.StartElement:
			depth++
			attribute := map[string]string{}
			for _, a := range e.Attr {
				attribute[a.Name.Local] = a.Value
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") || strings.Contains(a.Value, "%!") {
					t.Errorf("%s=%q", a.Name.Local, a.Value)
				}
			}
			number := func(name string) float64 {
				v, err := strconv.ParseFloat(attribute[name], 64)
				if err != nil {
					t.Fatalf("%s of %s: %v", name, e.Name.Local, err)
				}
				return v
			}
			if id := attribute["id"]; id != "" {
				seen[id]++
				inBox = depth
			}
			switch {
			case e.Name.Local == "rect" && attribute["class"] == "box":
				room = rect{number("x"), number("y"), number("width"), number("height")}
			case e.Name.Local == "text":
				x, y, width, size := number("x"), number("y"), number("textLength"), number("font-size")
				const side = 6
				if x < room.x+side || x+width > room.x+room.width-side || y-0.75*size < room.y || y+0.25*size > room.y+room.height {
					t.Errorf("a text at %.1f,%.1f, %.1f wide, is not in %v", x, y, width, room)
				}
			}
		}
	}
	if len(seen) != len(l.boxes) {
		t.Errorf("%d boxes, want %d", len(seen), len(l.boxes))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s is drawn %d times", id, n)
		}
	}
}

// TestFormulas: the formulas of programs, in the textbook's notation.
func TestFormulas(t *testing.T) {
	textbook := model.Network{Layers: []int{784, 50, 10}, Bias: true}
	tanh := model.Network{Layers: []int{784, 50, 10}, Activation: model.Tanh}
	for _, c := range []struct {
		p    *ir.Program
		want []string
	}{
		{compile(t, textbook, 1, lower.Options{}, false), []string{
			"z^2 = W^2 a^1 + b^2", "a^2 = σ(z^2)", "z^3 = W^3 a^2 + b^3", "a^3 = σ(z^3)",
			"−η δ^3 = η (y − a^3) ⊙ g′(z^3) | g′(z^3) = a^3 ⊙ (1 − a^3) | A.64",
			"b^3 ← b^3 − η δ^3 | A.63",
			"−η e^2 = −η (W^3)ᵀ δ^3 | A.65",
			"W^3 ← W^3 − η δ^3 (a^2)ᵀ | A.62",
			"−η δ^2 = −η e^2 ⊙ g′(z^2) | g′(z^2) = a^2 ⊙ (1 − a^2) | A.65",
			"W^2 ← W^2 − η δ^2 (a^1)ᵀ | A.62",
			"b^2 ← b^2 − η δ^2 | A.63",
		}},
		{compile(t, tanh, 100, lower.Options{Cost: true, Listing: true}, false), []string{
			"z^2 = W^2 a^1", "a^2 = tanh z^2", "z^3 = W^3 a^2", "a^3 = tanh z^3",
			"t_11 = (y − a^3)^2 | A.45", "t_12 = Σ_{s,k} t_11 | A.45", "E = t_12/200 | A.45, A.46",
			"−(η/100) δ^3 = (η/100) (y − a^3) ⊙ g′(z^3) | g′(z^3) = 1 − a^3 ⊙ a^3 | A.64",
			"W^3 ← W^3 − (η/100) Σ_s δ^3 (a^2)ᵀ | A.62, A.66",
			"−(η/100) e^2 = −(η/100) (W^3)ᵀ δ^3 | A.65",
			"−(η/100) δ^2 = −(η/100) e^2 ⊙ g′(z^2) | g′(z^2) = 1 − a^2 ⊙ a^2 | A.65",
			"W^2 ← W^2 − (η/100) Σ_s δ^2 (a^1)ᵀ | A.62, A.66",
		}},
	} {
		d, err := newDiagram(c.p, english)
		if err != nil {
			t.Fatal(err)
		}
		var have []string
		for _, b := range d.boxes {
			if b.number >= 0 {
				have = append(have, strings.TrimSuffix(strings.Join(append(b.lines, b.tag), " | "), " | "))
			}
		}
		if !slices.Equal(have, c.want) {
			t.Errorf("have\n%s\nwant\n%s", strings.Join(have, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

// TestExpressionGraph: an imported program has the formulas of Gorgonia's operations,
// in plain mathematics.
func TestExpressionGraph(t *testing.T) {
	g, err := graph.Step(model.Network{Layers: []int{4, 3, 2}, Bias: true}, 5)
	if err != nil {
		t.Fatal(err)
	}
	p, err := lower.Import(g, lower.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(Formulas(p), "\n") + "\n"
	for _, want := range []string{
		"x = a^1", "W^2", "(W^2)ᵀ", "p^2 = x (W^2)ᵀ", "z^2 = p^2 + t_7", "a^3 = σ(z^3)", "e^2 = δ^3 W^3", "1/10",
		"∇_{b^3} E = t_41", "t_41 = Σ_s δ^3", "t_7 = (t_5; …; t_5)",
	} {
		if !strings.Contains("\n"+all, "\n"+want+"\n") {
			t.Errorf("%q is not in\n%s", want, all)
		}
	}
	for _, noise := range []string{"{1, 0}", "SizeOf", "Repeat", "Reshape", "false", "const"} {
		if strings.Contains(all, noise) {
			t.Errorf("%q is in\n%s", noise, all)
		}
	}
	if n := len(Formulas(p)); n != len(g.Expr.AllNodes()) {
		t.Errorf("%d formulas of %d nodes", n, len(g.Expr.AllNodes()))
	}
}

func TestTextbookNote(t *testing.T) {
	for _, c := range [][3]string{
		{"(W^3)ᵀ δ^3 of A.65", "e^2 = δ^3 W^3", "(W^3)ᵀ δ^3, A.65"},
		{"E (A.45), its mean over the mini-batch (A.46)", "E = t_16 ⊙ ½", "A.45, A.46"},
		{"x = a^1, one row per sample", "x = a^1", ""},
		{"∇W^3 E (A.55)", "∇_{W^3} E = (t_36)ᵀ", "A.55"},
		{"z^2 = W^2 a^1", "z^2 = x (W^2)ᵀ", "z^2 = W^2 a^1"},
		{"", "t_3 = −z^2", ""},
	} {
		if got := TextbookNote(c[0], c[1]); got != c[2] {
			t.Errorf("%q of %q: %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

func TestNumber(t *testing.T) {
	for _, c := range []struct {
		v    float64
		want string
	}{{0.5, "½"}, {1, "1"}, {-0.5, "−½"}, {0.01, "1/100"}, {float64(float32(1.0 / 60000)), "1/60000"}, {0.7, "0.7"}, {float64(float32(0.7)), "0.7"}, {0, "0"}} {
		if got := number(c.v); got != c.want {
			t.Errorf("%v: %s, want %s", c.v, got, c.want)
		}
	}
}

// TestDOT: DOT has the boxes and the arrows of the picture.
func TestDOT(t *testing.T) {
	p := compile(t, model.Network{Layers: []int{9, 5, 3}, Bias: true}, 2, lower.Options{Cost: true, Listing: true}, false)
	d, err := newDiagram(p, english)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := DOT(&b, p, english); err != nil {
		t.Fatal(err)
	}
	for _, v := range d.boxes {
		if n := strings.Count(b.String(), "    "+v.id()+" [label=<"); n != 1 {
			t.Errorf("%s is there %d times", v.id(), n)
		}
	}
	if n := strings.Count(b.String(), " -> "); n != len(d.edges) {
		t.Errorf("%d arrows, want %d", n, len(d.edges))
	}
	dot, err := exec.LookPath("dot")
	if err != nil {
		t.Skip("dot is not installed")
	}
	cmd := exec.Command(dot, "-Tplain")
	cmd.Stdin = strings.NewReader(b.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("Graphviz: %v: %s", err, out)
	}
}

func TestErrors(t *testing.T) {
	p := compile(t, model.Network{Layers: []int{4, 3}}, 1, lower.Options{}, false)
	for name, write := range map[string]func(io.Writer, *ir.Program, Words) error{"SVG": SVG, "DOT": DOT} {
		if err := write(failing{}, p, english); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: error %v, want %v", name, err, io.ErrShortWrite)
		}
		bad := p.Clone()
		bad.Code[0].Args = nil
		var b strings.Builder
		if err := write(&b, bad, english); err == nil || b.Len() > 0 {
			t.Errorf("%s: a program that is not valid: error %v, %d bytes", name, err, b.Len())
		}
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
