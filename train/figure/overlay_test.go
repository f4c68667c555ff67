package figure

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"trainer/data/lang"
)

// TestOverlay: each curve has its own look, and its name and last value beside both panels;
// more than there is room for are counted, not drawn.
func TestOverlay(t *testing.T) {
	o := overlay(7, lang.English)
	r := record(must(t, o))
	looks := map[string]bool{}
	for _, l := range r.lines {
		if l.width == 1.5 {
			looks[fmt.Sprint(l.color, l.dash)] = true
		}
	}
	if len(looks) != 7 {
		t.Errorf("%d looks of 7 curves", len(looks))
	}
	words := r.words()
	for i, c := range o.Curves {
		for what, v := range map[string][]float64{"accuracy": c.Accuracy, "cost": c.Cost} {
			last := lastFinite(v)
			if last < 0 {
				continue
			}
			want := fmt.Sprintf("%s %.4f", nameEnd(c.Name), v[last])
			if !slices.Contains(words, want) {
				t.Errorf("curve %d has no %q beside its %s", i, want, what)
			}
		}
	}
	for n, want := range map[int]string{mostOverlaid: "", mostOverlaid + 5: "20 runs, of which 15 are drawn"} {
		if words := record(must(t, overlay(n, lang.English))).words(); slices.Contains(words, "20 runs, of which 15 are drawn") != (want != "") {
			t.Errorf("%d runs: %q", n, words)
		}
	}
	for name, want := range map[string]string{"": "", "short": "short", strings.Repeat("长", 500) + "end": "长end", strings.Repeat("i", 1_000_000) + "7": "i7"} {
		got := nameEnd(name)
		if !strings.HasSuffix(got, want) || measure(got, textSize) > overlayNameWidth || (got == name) != (len(name) < 10) {
			t.Errorf("the end of %.20q is %q", name, got)
		}
	}
	if words := strings.Join(record(must(t, overlay(2, lang.Chinese))).words(), " "); !strings.Contains(words, "测试准确率") || !strings.Contains(words, "测试代价") {
		t.Errorf("in Chinese: %q", words)
	}
	for _, empty := range []Overlay{{}, {Curves: []Overlaid{{Name: "a", Accuracy: []float64{math.NaN()}, Cost: []float64{1}}}}} {
		if _, err := empty.Figure(); err == nil {
			t.Error("a figure without an accuracy")
		}
	}
}
