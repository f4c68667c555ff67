package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error contains all problems of a configuration.
type Error struct {
	Problems []Problem // sorted by place
}

// shown is the maximum number of problems in the text of an error. A large file that
// is not a configuration can have a problem in each line.
const shown = 50

// Error returns a line for each problem.
func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		if i == shown {
			fmt.Fprintf(&b, "and %d more problems", len(e.Problems)-shown)
			break
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// Problem is one problem of a configuration.
type Problem struct {
	File    string // the file, or the setting as the user wrote it, in short: "-set train.batch=x"
	Line    int    // from 1; 0 for a setting, and for a problem of the whole file
	Column  int    // from 1, in characters; 0 if Line is 0
	Path    string // path of the key: "train.batch"; "" for a problem of the whole file
	Message string // what is wrong and what to do
}

// String returns "file:line:column: path: message", without the parts that are
// missing. For a setting it omits the path, because File contains the key.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Path != "" && !isFlag(p.File) {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// isFlag reports whether the problem of this file is that of a flag.
func isFlag(file string) bool {
	return strings.HasPrefix(file, setFlag) || strings.HasPrefix(file, overFlag)
}

// byPlace orders problems: first those of the file, by line and column, then those of
// the settings, which keep their order.
func byPlace(a, b Problem) int {
	aSet, bSet := isFlag(a.File), isFlag(b.File)
	switch {
	case aSet && bSet:
		return 0
	case aSet:
		return 1
	case bSet:
		return -1
	}
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

// asError returns the problems as an *Error, or nil if there are none.
func asError(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, byPlace)
	return &Error{Problems: problems}
}
