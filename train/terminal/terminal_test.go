package terminal

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for s, want := range map[string]string{
		"":                 "",
		"a b\nc":           "a b\nc",
		"手書き\u3000é×W^2":   "手書き\u3000é×W^2",
		"\x1b[2J\x07":      `\x1b[2J\a`,
		"a\rb\tc\x7f":      `a\rb\tc\x7f`,
		"\u009b1m":         `\u009b1m`,
		"\u202egnp.exe":    `\u202egnp.exe`,
		"a\u2028b":         `a\u2028b`,
		"\xff\xfe":         `\xff\xfe`,
		`"quoted" \ as is`: `"quoted" \ as is`,
	} {
		if got := Printable(s); got != want {
			t.Errorf("Printable(%q) = %q, want %q", s, got, want)
		}
	}
	if got := Line("a\nb"); got != `a\nb` {
		t.Errorf(`Line("a\nb") = %q`, got)
	}
}

func TestWrap(t *testing.T) {
	if got := strings.Join(Wrap("one  two\nthree four", 9), "|"); got != "one two|three|four" {
		t.Errorf("have %q", got)
	}
	if got := Wrap("", 9); len(got) != 1 || got[0] != "" {
		t.Errorf("of nothing: %q", got)
	}
}

func TestShorten(t *testing.T) {
	long := strings.Repeat("é", 1000)
	got := Shorten("short\n"+long, 100)
	first, second, _ := strings.Cut(got, "\n")
	if first != "short" || utf8.RuneCountInString(second) != 103 || !strings.Contains(second, " … ") {
		t.Errorf("have %q", got)
	}
}

func TestTable(t *testing.T) {
	have := Table([][]string{{"训练", "rate"}, {"1", "0.125"}, {"12345", "图"}})
	want := []string{"   训练   rate", "      1  0.125", "  12345     图"}
	if !slices.Equal(have, want) {
		t.Errorf("have %q, want %q", have, want)
	}
}

func TestColumns(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "é×": 2, "训练": 4, "p（x）": 6, "第1次": 5} {
		if got := Columns(s); got != want {
			t.Errorf("%q is %d wide, want %d", s, got, want)
		}
	}
}

func TestWrapWide(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  []string
	}{
		{"a bb ccc", 4, []string{"a bb", "ccc"}},
		{"训练一个网络，并留下", 8, []string{"训练一个", "网络，并", "留下"}},
		{"训练一个网，并留下", 10, []string{"训练一个", "网，并留下"}},
		{"用 -resume 从检查点继续", 12, []string{"用 -resume", "从检查点继续"}},
		{"longer-than-it", 5, []string{"longer-than-it"}},
	} {
		if have := Wrap(c.text, c.width); !slices.Equal(have, c.want) {
			t.Errorf("%q in %d columns: %q, want %q", c.text, c.width, have, c.want)
		}
	}
}
