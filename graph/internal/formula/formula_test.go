package formula

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// TestParse: runs with their style; ^ and _ mark a raised and a lowered one.
func TestParse(t *testing.T) {
	for _, c := range []struct{ formula, want string }{
		{"W^2", "i:W ^r:2"},
		{"a^15 b", "i:a ^r:15 i:b"},
		{"t_15^2", "i:t _r:15 ^r:2"},
		{"(W^3)ᵀ δ^3", "r:( i:W ^r:3 r:) ^i:T i:δ ^r:3"},
		{"∇_{W^2} E", "r:∇ _i:W _^r:2 i:E"},
		{"tanh z^2", "r:tanh i:z ^r:2"},
		{"Σ_{s,k} t_3, A.65", "r:Σ _i:s _r:, _i:k i:t _r:3 r:, r:A.65"},
		{"输入 x", "r:输入 i:x"},
		{"a^", "i:a"},
		{"a^{b", "i:a ^i:b"},
		{"a^}", "i:a"},
		{"", ""},
	} {
		runs, width := parse(c.formula)
		var got []string
		end := 0.0
		for _, r := range runs {
			style := "r:"
			if r.italic {
				style = "i:"
			}
			got = append(got, r.scripts+style+r.text)
			if r.x < end-1e-9 {
				t.Errorf("%q: %q begins at %v, in the run before it", c.formula, r.text, r.x)
			}
			end = r.x + r.width
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%q: %s, want %s", c.formula, s, c.want)
		}
		if end > width+1e-9 {
			t.Errorf("%q ends at %v, but is %v wide", c.formula, end, width)
		}
	}
}

// TestWidths: the widths are those of Times and Arial, from their AFM files in 1/1000.
func TestWidths(t *testing.T) {
	for _, c := range []struct {
		got, want float64
	}{
		{Width("W", 1000), 833}, // Times-Italic
		{Width("2", 1000), 500}, // Times-Roman
		{WordsWidth("W i", 1000), 944 + 278 + 222},
		{WordsWidth("输入", 10), 20},
	} {
		if math.Abs(c.got-c.want) > 1 {
			t.Errorf("%v, want %v", c.got, c.want)
		}
	}
}

// TestSVG: each run has a place and a length of its own, and its text is escaped.
func TestSVG(t *testing.T) {
	var b strings.Builder
	SVG(&b, "a^2 < b", 10, 20, 10)
	for _, want := range []string{`class="i" x="10.0" y="20.0" font-size="10.0"`, `class="r" x="15.4" y="16.0" font-size="7.0"`, ">&lt;</text>"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is not in %s", want, &b)
		}
	}
	if n := strings.Count(b.String(), "textLength"); n != 4 {
		t.Errorf("%d lengths of 4 runs: %s", n, &b)
	}
	if got, want := HTML("∇_{W^2} E"), "∇<SUB><I>W</I></SUB><SUB><SUP>2</SUP></SUB> <I>E</I>"; got != want {
		t.Errorf("HTML: %s, want %s", got, want)
	}
	if got, want := HTML("W^2 + b_3"), "<I>W</I><SUP>2</SUP> + <I>b</I><SUB>3</SUB>"; got != want {
		t.Errorf("HTML: %s, want %s", got, want)
	}
}

func ExampleHTML() {
	fmt.Println(HTML("z^2 = W^2 a^1"))
	// Output: <I>z</I><SUP>2</SUP> = <I>W</I><SUP>2</SUP> <I>a</I><SUP>1</SUP>
}
