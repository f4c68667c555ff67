// Package enum names the values of enumerations:
//
//	type Mode uint8
//
//	const (
//		Block Mode = iota
//		Grid
//	)
//
//	var modes = enum.New[Mode]("mode", "block", "grid")
//
//	func (m Mode) String() string { return modes.Name(m) }
package enum

import (
	"fmt"
	"slices"
	"strings"
)

// Enum is an enumeration whose values are 0, 1, 2, … and have a name each.
type Enum[E ~int | ~uint8] struct {
	what  string
	names []string
}

// New returns the enumeration of values with these names, in order. what says
// in messages what a value is: "mode".
func New[E ~int | ~uint8](what string, names ...string) Enum[E] { return Enum[E]{what, names} }

// Has reports whether e is a value of the enumeration.
func (n Enum[E]) Has(e E) bool { return e >= 0 && int(e) < len(n.names) }

// Name returns the name of e, and "mode(7)" for what is no value.
func (n Enum[E]) Name(e E) string {
	if !n.Has(e) {
		return fmt.Sprintf("%s(%d)", n.what, int(e))
	}
	return n.names[e]
}

// Names returns the names of all values, in order.
func (n Enum[E]) Names() []string { return slices.Clone(n.names) }

// Values returns all values, in order.
func (n Enum[E]) Values() []E {
	values := make([]E, len(n.names))
	for i := range values {
		values[i] = E(i)
	}
	return values
}

// Parse returns the value of that name. The error lists the names.
func (n Enum[E]) Parse(name string) (E, error) {
	if i := slices.Index(n.names, name); i >= 0 {
		return E(i), nil
	}
	return 0, fmt.Errorf("unknown %s %q: want %s", n.what, name, list(n.names))
}

// list returns "a, b or c".
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
