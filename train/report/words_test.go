package report

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"trainer/data/lang"
	"trainer/graph/model"
	"trainer/train/evaluation"
)

// TestMessages: the page has a message for every text that it names, and every message
// is named.
func TestMessages(t *testing.T) {
	var named []string
	for _, m := range regexp.MustCompile(`\btf? "([^"]*)"`).FindAllStringSubmatch(pageHTML, -1) {
		named = append(named, m[1])
		if _, ok := words()[m[1]]; !ok {
			t.Errorf("no message %q", m[1])
		}
	}
	for _, m := range messages {
		if !slices.Contains(named, m.En) {
			t.Errorf("nothing uses the message %q", m.En)
		}
	}
	if len(words()) != len(messages) {
		t.Error("two messages have the same English text")
	}
	for _, s := range Sections() {
		if titles[s].En == "" || links[s].En == "" {
			t.Errorf("section %s has no title", s)
		}
	}
}

// TestFormula: formulas become well-formed MathML with the same text.
func TestFormula(t *testing.T) {
	for _, c := range []struct {
		l        lang.Language
		in, want string
	}{
		{lang.English, "z^2", "<mrow><msup><mi>z</mi><mrow><mrow><mn>2</mn></mrow></mrow></msup></mrow>"},
		{lang.English, "w_ij^3", "<mrow><msubsup><mi>w</mi><mrow><mi>i</mi><mi>j</mi></mrow><mrow><mrow><mn>3</mn></mrow></mrow></msubsup></mrow>"},
		{lang.English, "g'(z)", `<mrow><msup><mi>g</mi><mrow><mo>′</mo></mrow></msup><mo stretchy="false">(</mo><mi>z</mi><mo stretchy="false">)</mo></mrow>`},
		{lang.English, "a<b&c", "<mrow><mi>a</mi><mo>&lt;</mo><mi>b</mi><mo>&amp;</mo><mi>c</mi></mrow>"},
		{lang.English, "−η × δ^3 (A.64)", `<mrow><mo>−</mo><mi>η</mi><mspace width="0.2em"/><mo>×</mo><mspace width="0.2em"/><msup><mi>δ</mi><mrow><mrow><mn>3</mn></mrow></mrow></msup><mspace width="0.2em"/><mo stretchy="false">(</mo><mtext>A.64</mtext><mo stretchy="false">)</mo></mrow>`},
	} {
		if got := string(formula(c.l, c.in)); got != "<math>"+c.want+"</math>" {
			t.Errorf("%s:\n%s, want\n%s", c.in, got, c.want)
		}
	}
	for _, in := range []string{
		"", "^", "_", "^_", "{", "}", "a^{", "a^{b", "a_{b}^{c_{d}}", "∇_{W^2} E = 1/|S| Σ_s δ^{s,2} (a^{s,1})ᵀ, here |S| = 1", "ᵀ", "''", "½ ‖y − a^3‖²",
		strings.Repeat("a^{", 50), "E (A.45), its mean over the mini-batch (A.46)", "<script>", "\x00\xff",
	} {
		for _, l := range []lang.Language{lang.English, lang.Chinese} {
			d := xml.NewDecoder(strings.NewReader(strings.Map(func(r rune) rune {
				if r < ' ' {
					return -1
				}
				return r
			}, string(formula(l, in)))))
			for {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Errorf("%q: %v in %s", in, err, formula(l, in))
					break
				}
			}
		}
	}
	if got := string(formula(lang.Chinese, "E_t, here N = 1")); strings.Contains(got, "here") || !strings.Contains(got, "此处") {
		t.Errorf("not translated: %s", got)
	}
}

// TestTeacher: the sample is the mistake with the largest δ of the outputs.
func TestTeacher(t *testing.T) {
	of := func(index, label int, outputs ...evaluation.Number) evaluation.Mistake {
		return evaluation.Mistake{Index: index, Label: label, Outputs: outputs}
	}
	// δ = (a − y) a (1 − a): 0.0001 and 0.0001; 0.125 and 0.125; 0.063 and 0.
	wrong := []evaluation.Mistake{of(3, 0, 0.0001, 0.9999), of(5, 0, 0.5, 0.5), of(9, 1, 0.3, 0)}
	if got := teacher(model.Sigmoid, wrong); got != 5 {
		t.Errorf("image %d", got)
	}
	if got := teacher(model.Sigmoid, nil); got != 0 {
		t.Errorf("without mistakes: image %d", got)
	}
	// δ of tanh is (a − y)(1 − a²): at a = 0 it is the largest.
	if got := teacher(model.Tanh, []evaluation.Mistake{of(3, 0, 0.9, 0.9), of(5, 0, 0, 0.1)}); got != 5 {
		t.Errorf("image %d", got)
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{count(0), "0"}, {count(999), "999"}, {count(1000), "1,000"}, {count(1234567), "1,234,567"}, {count(-1000), "-1,000"},
		{duration(3.14159), "3.14 s"}, {duration(0.0123), "12.3 ms"}, {duration(1.2e-6), "1.20 µs"}, {duration(150), "2m30s"}, {duration(0), "0.00 µs"},
		{figureOf(0.97214), "0.9721"}, {figureOf(0), "0.0000"}, {figureOf(0.00123456), "0.00123"},
		{short(-1.5), "−1.5"}, {cut(3, "手写数字"), "手写…"}, {cut(4, "手写数字"), "手写数字"},
		{shellWord("runs/a-1"), "runs/a-1"}, {shellWord("it's"), `'it'\''s'`}, {shellWord("$(rm)"), "'$(rm)'"}, {shellWord(""), "''"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	if got := thinned(1000, 10, 17); len(got) != 11 || got[0] != 0 || got[10] != 999 || !slices.Contains(got, 17) {
		t.Errorf("thinned %v", got)
	}
}

// TestLog: the log says which machine trained and what was wrong, in both languages.
func TestLog(t *testing.T) {
	for _, c := range []struct {
		log, device string
		warnings    []string
	}{
		{"", "", nil},
		{"MNIST\nmachine cpu: compiled\nepoch 1\nmachine late\nwarning: the run learned nothing\n", "machine cpu: compiled", []string{"the run learned nothing"}},
		{"计算设备 cpu\n警告: 没有学到\n警告\uFF1A又\n", "计算设备 cpu", []string{"没有学到", "又"}},
		{strings.Repeat("warning: x\n", 9), "", []string{"x", "x", "x", "x", "x"}},
	} {
		if got := deviceIn(c.log); got != c.device {
			t.Errorf("%q: device %q", c.log, got)
		}
		if got := warningsIn(c.log); !slices.Equal(got, c.warnings) {
			t.Errorf("%q: warnings %q", c.log, got)
		}
	}
}

// TestAxes: the ticks are where their texts say, at equal distances, and all values
// are within the axis.
func TestAxes(t *testing.T) {
	for _, values := range [][]float64{
		{0.1022, 0.1010}, {0.9}, {0, 1}, {0.5, 0.5}, {1e-9, 3e-9}, {-3, 250}, {1e9, 3e9}, {0.00925, 0.05}, {0.37, 0.91, math.NaN(), math.Inf(1)},
	} {
		for _, zero := range []bool{false, true} {
			epochs := make([]float64, len(values))
			for i := range epochs {
				epochs[i] = float64(i + 1)
			}
			c := newChart("x", "x", 200, epochs, []line{{"x", "s0", values}}, zero, 0)
			for _, v := range values {
				if y := c.y(v); finite(v) && (y < -1e-9 || y > 1+1e-9) {
					t.Errorf("%v: %g is outside", values, v)
				}
			}
			if len(c.Y) < 2 || len(c.Y) > 12 {
				t.Errorf("%v: %d ticks", values, len(c.Y))
			}
			for _, tick := range c.Y {
				v, err := strconv.ParseFloat(tick.Text, 64)
				if at := pixels(c.y(v) * 200); err != nil || math.Abs(v) > 1e-8 && at != tick.At {
					t.Errorf("%v: the tick %s is at %s, want %s", values, tick.Text, tick.At, at)
				}
			}
			for i := 1; i < len(c.Y); i++ {
				if c.Y[i].Text == c.Y[i-1].Text {
					t.Errorf("%v: two ticks %s", values, c.Y[i].Text)
				}
			}
		}
	}
	if c := newChart("x", "x", 200, []float64{1}, []line{{"x", "s0", []float64{math.NaN()}}}, false, 0); c != nil {
		t.Error("a chart of nothing")
	}
}
