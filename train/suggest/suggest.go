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
