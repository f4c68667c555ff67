// Package suggest finds the word that a user meant by a word that does not exist:
// a command, a flag, a key, a value. It knows words that are spelled alike, and
// words that other programs use for the same thing.
package suggest

import "strings"

// Candidate is something that may have been meant.
type Candidate struct {
	Means string   // what Nearest returns for it
	Names []string // its own names
	Also  []string // what it is called elsewhere
}

const (
	longest   = 64 // length of the words for which a candidate is searched, in bytes
	minPrefix = 3  // length of a beginning that counts
)

// Nearest returns what is most likely meant by word, or "". In this order, it is
// the first candidate
//
//  1. that has this name,
//  2. that is called so elsewhere,
//  3. whose name begins with word, if there is only one,
//  4. whose name, or else whose name elsewhere, takes the fewest edits: at most one
//     in three characters, and three in all.
//
// Case and the characters - _ . and space do not count.
func Nearest(word string, candidates []Candidate) string {
	word = fold(word)
	if word == "" || len(word) > longest {
		return ""
	}
	names := func(c Candidate) []string { return c.Names }
	also := func(c Candidate) []string { return c.Also }
	for _, of := range []func(Candidate) []string{names, also} {
		for _, c := range candidates {
			for _, name := range of(c) {
				if fold(name) == word {
					return c.Means
				}
			}
		}
	}
	if means := beginsWith(word, candidates); means != "" {
		return means
	}
	limit := min(len(word)/3, 3)
	best, bestEdits := "", limit+1
	for _, of := range []func(Candidate) []string{names, also} {
		for _, c := range candidates {
			for _, name := range of(c) {
				if e := edits(word, fold(name), limit); e < bestEdits {
					best, bestEdits = c.Means, e
				}
			}
		}
	}
	return best
}

// beginsWith returns the only thing with a name that begins with word, or "".
func beginsWith(word string, candidates []Candidate) string {
	if len(word) < minPrefix {
		return ""
	}
	found := ""
	for _, c := range candidates {
		for _, name := range c.Names {
			if strings.HasPrefix(fold(name), word) && c.Means != found {
				if found != "" {
					return ""
				}
				found = c.Means
			}
		}
	}
	return found
}

// fold removes what does not count from a word.
func fold(word string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_. ", r) {
			return -1
		}
		return r
	}, strings.ToLower(word))
}

// edits returns the number of edits that turn a into b (optimal string alignment).
// An edit inserts, removes or replaces a character, or swaps two neighbours. If the
// number is above limit, edits may return a smaller number above limit. a has at most
// longest bytes, and limit is less.
func edits(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	// d[i%3][j] is the number of edits that turn a[:i] into b[:j].
	var d [3][2 * longest]int
	for j := range len(b) + 1 {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, above, second := &d[i%3], &d[(i+2)%3], &d[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := above[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(above[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], second[j-2]+1)
			}
		}
	}
	return d[len(a)%3][len(b)]
}
