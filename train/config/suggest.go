package config

import (
	"fmt"
	"strings"
)

// unknown returns the message for a key that the group at path does not have. It
// names the most similar key and the keys of the group.
func unknown(path, name string) string {
	if k := find(join(path, name)); k != nil {
		return fmt.Sprintf("write it nested: %s: on a line of its own, and %s: below it, indented", strings.TrimSuffix(name, "."+k.name()), k.name())
	}
	in, rest := path, name // the deepest group that exists, and the rest of the path
	for {
		head, tail, dotted := strings.Cut(rest, ".")
		if k := find(join(in, head)); !dotted || k == nil || k.kind != group {
			break
		}
		in, rest = join(in, head), tail
	}
	names := "The keys are: " + childNames(in)
	if in != "" {
		names = "The keys in " + in + " are: " + childNames(in)
	}
	if near := nearest(path, name); near != "" {
		return "unknown key, did you mean " + near + "? " + names
	}
	return "unknown key. " + names
}

// nearest returns the path of the key that is most similar to name, which was found
// in the group at path. It compares by the number of edits and prefers the keys of
// the group. It returns "" if no key is similar.
func nearest(path, name string) string {
	limit := max(1, min(len(name)/3, 3))
	best, bestEdits := "", limit+1
	try := func(k *key, candidate string) {
		if e := edits(name, candidate, limit); e < bestEdits {
			best, bestEdits = k.path, e
		}
	}
	for _, k := range children(path) {
		try(k, k.name())
	}
	for i := range keys {
		try(&keys[i], keys[i].path)
	}
	for i := range keys {
		try(&keys[i], keys[i].name())
	}
	return best
}

// edits returns the number of edits that turn a into b (optimal string alignment).
// An edit inserts, removes or replaces a character, or swaps two neighbours. If the
// number is above limit, edits may return a smaller number above limit.
func edits(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := d[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
