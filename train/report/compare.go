package report

import (
	"io"

	"trainer/train/lang"
)

// Compare writes the page that compares several runs.
func Compare(w io.Writer, runs []*Data, l lang.Language) error {
	return runs[0].HTML(w, l)
}
