package config

import (
	"fmt"
	"strings"
)

// YAML returns the configuration as a file with all keys. Reading the file gives the
// same Config, because numbers are written exactly.
func (c Config) YAML() []byte {
	var b strings.Builder
	b.WriteString("# The configuration of a run, with every key; `trainer help config` explains them.\n")
	for i := range keys {
		k := &keys[i]
		indent := strings.Repeat("  ", strings.Count(k.path, "."))
		switch {
		case k.kind == group:
			fmt.Fprintf(&b, "%s%s:\n", indent, k.name())
		case k.exclusive && k.name() != c.Model.Init.Kind():
		case k.isPath:
			fmt.Fprintf(&b, "%s%s: %s\n", indent, k.name(), formatPaths(k.field(&c)))
		default:
			fmt.Fprintf(&b, "%s%s: %s\n", indent, k.name(), format(k.field(&c)))
		}
	}
	return []byte(b.String())
}
