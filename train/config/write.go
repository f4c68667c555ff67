package config

import (
	"fmt"
	"strings"
)

// YAML returns the configuration as a file with all keys. Reading the file gives the
// same Config, because numbers are written exactly.
func (c Config) YAML() []byte {
	return []byte("# The configuration of a run, with every key; `trainer help config` explains them.\n" + c.text(func(*key) bool { return false }))
}

// text returns all keys of c but those that are left out.
func (c Config) text(without func(*key) bool) string {
	var b strings.Builder
	for i := range keys {
		k := &keys[i]
		indent := strings.Repeat("  ", strings.Count(k.path, "."))
		switch {
		case k.kind == group:
			fmt.Fprintf(&b, "%s%s:\n", indent, k.name())
		case without(k):
		case k.exclusive && k.name() != c.Model.Init.Kind():
		case k.isPath:
			fmt.Fprintf(&b, "%s%s: %s\n", indent, k.name(), formatPaths(k.field(&c)))
		default:
			fmt.Fprintf(&b, "%s%s: %s\n", indent, k.name(), format(k.field(&c)))
		}
	}
	return b.String()
}
