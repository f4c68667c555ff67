package config

import (
	"fmt"
	"strings"
	"sync"

	"trainer/train/suggest"
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
	if why := Elsewhere(rest); why != "" {
		return "unknown key: " + why + ". " + names
	}
	if near := nearest(in, rest); near != "" {
		return "unknown key, did you mean " + near + "? " + names
	}
	return "unknown key. " + names
}

// nearest returns the path of the key that name, which was found in the group at
// path, is most likely to mean: see package suggest. It prefers the keys of the
// group. Of a name with dots, the last part counts, or else the whole.
func nearest(path, name string) string {
	var candidates []suggest.Candidate
	for _, k := range children(path) {
		candidates = append(candidates, suggest.Candidate{Means: k.path, Names: []string{k.name()}})
	}
	candidates = append(candidates, Candidates()...)
	if near := suggest.Nearest(lastPart(name), candidates); near != "" {
		return near
	}
	return suggest.Nearest(name, candidates)
}

// lastPart returns what comes after the last dot of a name.
func lastPart(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// Candidates returns all keys by their paths, to find the one that a word means. The
// caller must not change them.
var Candidates = sync.OnceValue(func() []suggest.Candidate {
	var paths, names []suggest.Candidate
	for i := range keys {
		k := &keys[i]
		paths = append(paths, suggest.Candidate{Means: k.path, Names: []string{k.path}, Also: strings.Fields(synonyms[k.path])})
		names = append(names, suggest.Candidate{Means: k.path, Names: []string{k.name()}})
	}
	return append(paths, names...)
})

// Words returns the values of all keys of kind choice, as "device=cpu".
func Words() []suggest.Candidate {
	var words []suggest.Candidate
	for i := range keys {
		for _, c := range keys[i].candidates() {
			// No name, so that a key's name of elsewhere comes first.
			c.Means, c.Names, c.Also = keys[i].path+"="+c.Means, nil, append(c.Names, c.Also...)
			words = append(words, c)
		}
	}
	return words
}

// candidates returns the values of a choice.
func (k *key) candidates() []suggest.Candidate {
	var candidates []suggest.Candidate
	for _, c := range k.choices {
		candidates = append(candidates, suggest.Candidate{Means: c, Names: []string{c}, Also: strings.Fields(words[k.path+"="+c])})
	}
	return candidates
}

// Setting returns a setting of the key at path, to be given with -set. The value is
// that given if it is legal, else the key's default. A list may be given without
// brackets, as "784,100,10", and model.layers as the number of hidden nodes. For a
// group, Setting returns a setting of one of its keys.
func Setting(path, value string) string {
	k := find(path)
	for k.kind == group {
		k, value = children(k.path)[0], ""
	}
	if k.kind == list && integerForm.MatchString(value) { // hidden=100
		entries := strings.Split(k.def, ", ")
		for i := 1; i < len(entries)-1; i++ {
			entries[i] = value
		}
		value = strings.Join(entries, ", ")
	}
	for _, v := range []string{value, "[" + strings.ReplaceAll(value, ",", ", ") + "]"} {
		n, problem := parse([]byte(v))
		if value == "" || n == nil || problem.Message != "" {
			continue
		}
		if k.kind == text {
			n.Tag = "!!str"
		}
		if _, bad := k.value(n); bad == nil {
			return k.path + "=" + v
		}
	}
	if k.def == "" || k.def == `""` {
		return k.path + "=" + strings.ToUpper(k.name())
	}
	return k.path + "=" + k.def
}

// Group returns the names of the keys in the group at path, "" if it is no group.
func Group(path string) string {
	return childNames(path)
}
