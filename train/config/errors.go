package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is what is wrong with a configuration: all of it.
type Error struct {
	Problems []Problem // sorted by place
}

// shown is how many problems an error's text has; a large file that is no
// configuration at all has one a line.
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

// Problem is one thing that is wrong.
type Problem struct {
	File    string // the file, or the setting as the user wrote it: "-set train.batch=x"
	Line    int    // from 1; 0 for a setting, or where the whole file is meant
	Column  int    // from 1, in characters; 0 like Line
	Path    string // of the key: "train.batch"; "" where the whole file is meant
	Message string // what is wrong, and what to do
}

// String returns "file:line:column: path: message", without the parts that are
// not there. A setting names its key already.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Path != "" && !strings.HasPrefix(p.File, setFlag) {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// byPlace orders the problems of the file before those of settings, and those
// of the file by line and column. Settings keep their order.
func byPlace(a, b Problem) int {
	aSet, bSet := strings.HasPrefix(a.File, setFlag), strings.HasPrefix(b.File, setFlag)
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
