package figure

import (
	"image/color"
	"slices"
	"strings"
	"testing"

	"trainer/data/lang"
)

// TestMatrix: counts are in their cells: labels from top to bottom, answers from left to
// right.
func TestMatrix(t *testing.T) {
	m := Matrix{Set: TestSet, Epoch: 7, Counts: [][]int{{90, 10, 0}, {0, 50, 0}, {1, 0, 40}}, Name: func(k int) string { return []string{"cat", "dog", "cow"}[k] }}
	r := record(must(t, m))
	words := r.words()
	if want := "the test set after epoch 7: 180 of 191 right (0.9424)"; !slices.Contains(words, want) {
		t.Errorf("%q, want %q", words, want)
	}
	find := func(s string) label {
		i := slices.Index(words, s)
		if i < 0 {
			t.Fatalf("%q, want %s", words, s)
		}
		return r.texts[i]
	}
	ten, fifty, ninety := find("10"), find("50"), find("90")
	if ten.y != ninety.y || ten.x <= ninety.x || ten.x != fifty.x || fifty.y <= ten.y {
		t.Errorf("10 at %v, 90 at %v, 50 at %v", ten, ninety, fifty)
	}
	if slices.Contains(words, "0") {
		t.Error("a cell says 0")
	}
	if n := len(slices.DeleteFunc(slices.Clone(words), func(s string) bool { return s != "cat" && s != "dog" && s != "cow" })); n != 6 {
		t.Errorf("%d names, want 6", n)
	}
	picture := r.picture[0]
	at := func(label, answer int) color.NRGBA { return picture.At(answer, label).(color.NRGBA) }
	// Blue is right, red is wrong, the most frequent error is the darkest.
	if c := at(1, 1); c.B <= c.R {
		t.Errorf("right is %v", c)
	}
	if c := at(0, 1); c.R <= c.B || luminance(c) >= luminance(at(2, 0)) || luminance(c) <= luminance(at(0, 0)) {
		t.Errorf("the error is %v, a rare one %v, right %v", c, at(2, 0), at(0, 0))
	}
	if at(1, 0) != white {
		t.Errorf("no error is %v", at(1, 0))
	}

	m.Language, m.Samples = lang.Chinese, 200 // 9 samples of no class
	if words := record(must(t, m)).words(); !slices.Contains(words, "测试集，第7次迭代后：200个样本中180个正确（0.9000）") {
		t.Errorf("%q", words)
	}
}

// TestMatrixSizes: up to 256 classes, with numbers in the cells while they can be read.
func TestMatrixSizes(t *testing.T) {
	for n, numbers := range map[int]bool{1: true, 2: true, 10: true, 30: true, 31: false, 256: false} {
		m := matrix(n)
		r := record(must(t, m))
		found := 0
		for _, l := range r.texts {
			if l.size < textSize-1 && l.text != "" && strings.Trim(l.text, "0123456789") == "" || l.color == white {
				found++
				if l.size < 5 {
					t.Errorf("%d classes: a number of %v points", n, l.size)
				}
			}
		}
		if (found >= n) != numbers {
			t.Errorf("%d classes: %d numbers", n, found)
		}
		if a := r.areas[0]; a.X-a.x > 800 {
			t.Errorf("%d classes: cells at %v", n, a)
		}
	}
	// Of more outputs the first 256: a label is a byte.
	large := matrix(300)
	large.Samples = 1_000_000
	r := record(must(t, large))
	if size := r.picture[0].Bounds().Dx(); size != 256 || !slices.ContainsFunc(r.words(), func(s string) bool { return strings.Contains(s, " of 1000000 right") }) {
		t.Errorf("%d classes; %q", size, r.words()[:3])
	}
	empty := Matrix{Counts: [][]int{{0, 0}, {0, 0}}}
	if words := record(must(t, empty)).words(); !slices.ContainsFunc(words, func(s string) bool { return strings.Contains(s, "0 of 0 right (0.0000)") }) {
		t.Errorf("%q", words)
	}
	for _, counts := range [][][]int{nil, {{1, 2}}, {{1}, {2}}, {{1, 2}, {3}}} {
		if _, err := (Matrix{Counts: counts}).Figure(); err == nil {
			t.Errorf("no error for %v", counts)
		}
	}
}
