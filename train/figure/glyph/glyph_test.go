package glyph

import (
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestOf: letters come from Liberation Sans, Chinese from Noto, and what neither has is
// not there.
func TestOf(t *testing.T) {
	for r, advance := range map[rune]float64{
		'0': 556, // 1139 of 2048 units
		' ': 278, // 569
		'a': 556,
		'δ': 557,
		'迭': 1000,
		'率': 1000,
		'き': 1000,
		'，': 1000,
	} {
		o, ok := Of(r)
		if !ok || math.Abs(o.Advance-advance) > 0.5 {
			t.Errorf("%c: %v, %v; want an advance of %v", r, o, ok, advance)
			continue
		}
		if (len(o.Path) == 0) != (r == ' ') {
			t.Errorf("%c has %d segments", r, len(o.Path))
		}
		for i, s := range o.Path {
			if s.Op < Move || s.Op > Quad || i == 0 && s.Op != Move {
				t.Fatalf("%c: segment %d is %+v", r, i, s)
			}
			for _, at := range s.Args[:1+s.Op/Quad] {
				if at[0] < -300 || at[0] > 1300 || at[1] < -300 || at[1] > 1100 {
					t.Errorf("%c: segment %d is %+v, outside of the em", r, i, s)
				}
			}
		}
	}
	for _, r := range "𠀀😀\uffff" {
		if o, ok := Of(r); ok {
			t.Errorf("%q has an outline: %+v", r, o)
		}
	}
}

// TestExtra: the font is that of the list.
func TestExtra(t *testing.T) {
	list, err := os.ReadFile("_gen/extra.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		for _, r := range strings.TrimSpace(line) {
			if _, ok := Of(r); !ok {
				t.Errorf("%c of extra.txt has no outline: run generate.sh", r)
			}
		}
	}
}

func TestConcurrent(t *testing.T) {
	var all sync.WaitGroup
	got := make([][]*Outline, 4)
	for i := range got {
		all.Go(func() {
			for r := '一'; r < '一'+100; r++ {
				o, _ := Of(r)
				got[i] = append(got[i], o)
			}
		})
	}
	all.Wait()
	for _, g := range got {
		if !slices.Equal(g, got[0]) {
			t.Error("a character has several outlines")
		}
	}
}
