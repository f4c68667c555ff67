package prediction_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"trainer/train/prediction"
)

func TestText(t *testing.T) {
	a := prediction.Answer{File: "a.png", Label: 1, Outputs: []float64{0.25, 0.5, -1, 2}, Input: []uint8{
		0, 255, 128,
		0, 255, 0,
		255, 0, 0,
	}}
	for _, c := range []struct {
		style prediction.Style
		want  string
	}{
		{prediction.Style{Cols: 3}, `
a.png: 1
 @:  0 ########                        0.2500
=    1 ###############                 0.5000
     2                                -1.0000
     3 ##############################  2.0000
`},
		{prediction.Style{Cols: 3, Top: 2}, `
a.png: 1
 @:  3 ##############################  2.0000
=    1 ###############                 0.5000
`},
	} {
		if got := a.Text(c.style); got != c.want[1:] {
			t.Errorf("%+v: have\n%s\nwant\n%s", c.style, got, c.want)
		}
	}
}

// TestBlocks: the upper half of a cell has the foreground's grey, the lower half the
// background's; 16 is black and 231 is white.
func TestBlocks(t *testing.T) {
	got := prediction.Picture([]uint8{0, 255, 255, 255, 0, 0}, 3, true)
	want := "\x1b[38;5;16;48;5;231m▀\x1b[38;5;231;48;5;16m▀▀\x1b[0m"
	if len(got) != 1 || got[0] != want {
		t.Errorf("%q, want %q", got, want)
	}
	colours := map[string]bool{}
	for level := range 256 {
		line := prediction.Picture([]uint8{uint8(level)}, 1, true)[0]
		colours[line] = true
		var upper, lower int
		if _, err := fmt.Sscanf(line, "\x1b[38;5;%d;48;5;%dm", &upper, &lower); err != nil || upper != 16 && (upper < 231 || upper > 255) || lower != 16 {
			t.Errorf("level %d: %q, %v", level, line, err)
		}
	}
	if len(colours) != 26 {
		t.Errorf("%d grey levels, want black, 24 and white", len(colours))
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"five.png": "five.png", "数字.png": "数字.png", "a b": "a b",
		"a\x1b[31m": `"a\x1b[31m"`, "a\nb": `"a\nb"`, "\xff": `"\xff"`,
	} {
		if got := prediction.Printable(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	if got := prediction.Printable(strings.Repeat("a", 1e6)); len(got) > 1100 {
		t.Errorf("%d bytes of a name", len(got))
	}
}

func TestPixelsJSON(t *testing.T) {
	text, err := json.Marshal(prediction.Pixels{0, 7, 255})
	if err != nil || string(text) != "[0,7,255]" {
		t.Errorf("%s, %v", text, err)
	}
}
