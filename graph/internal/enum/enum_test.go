package enum_test

import (
	"slices"
	"testing"

	"trainer/graph/internal/enum"
)

type mode int

const (
	block mode = iota
	grid
	dense
)

var modes = enum.New[mode]("mode", "block", "grid", "dense")

func TestNames(t *testing.T) {
	for i, name := range modes.Names() {
		e, err := modes.Parse(name)
		if err != nil || e != mode(i) || modes.Name(e) != name || !modes.Has(e) {
			t.Errorf("%q: %d, %v, named %q", name, e, err, modes.Name(e))
		}
	}
	if got := []mode{block, grid, dense}; len(modes.Names()) != len(got) {
		t.Errorf("%q are the names of %d values", modes.Names(), len(got))
	}
	for e, want := range map[mode]string{-1: "mode(-1)", 3: "mode(3)"} {
		if modes.Has(e) || modes.Name(e) != want {
			t.Errorf("%d is a value, named %q; want none, and %q", int(e), modes.Name(e), want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		of   enum.Enum[uint8]
		want string
	}{
		{enum.New[uint8]("mode", "block", "grid", "dense"), `unknown mode "x": want block, grid or dense`},
		{enum.New[uint8]("mode", "block", "grid"), `unknown mode "x": want block or grid`},
		{enum.New[uint8]("mode", "block"), `unknown mode "x": want block`},
	} {
		if _, err := c.of.Parse("x"); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

// TestNamesIsACopy: a caller that changes the list changes no enumeration.
func TestNamesIsACopy(t *testing.T) {
	slices.Reverse(modes.Names())
	if modes.Name(block) != "block" {
		t.Errorf("block is named %q", modes.Name(block))
	}
}
