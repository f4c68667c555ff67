package progress

import (
	"io"
	"os"
)

// HasBlocks reports whether w is a terminal that shows half blocks (▀) in grey
// levels: it supports control characters, the locale uses UTF-8, and NO_COLOR is
// not set.
func HasBlocks(w io.Writer) bool {
	return IsTerminal(w) && isUTF8() && os.Getenv("NO_COLOR") == ""
}
