// Package homedir gives ~ in paths the meaning that shells give it. Every path of a
// user (a flag, a configuration, an environment variable) goes through Expand where
// it enters the program:
//
//	path, err := homedir.Expand("~/mnist") // "/home/ada/mnist"
package homedir

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// Expand returns path with ~ or ~/ at its beginning replaced by the home folder of
// the user. Other paths are returned as they are.
//
// Expand returns an error if the home folder is not known, for ~name, for ~ as a
// later element (unless that folder exists), and for control characters. The
// program therefore never makes a folder named ~, and a path is one line in messages.
func Expand(path string) (string, error) {
	if i := strings.IndexFunc(path, unicode.IsControl); i >= 0 {
		return "", fmt.Errorf("the path %q has a control character", path)
	}
	element, _ := first(path)
	switch {
	case element == "~":
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("%s: the home folder is not known: %w: write the whole path", path, err)
		}
		if !filepath.IsAbs(home) {
			return "", fmt.Errorf("%s: the home folder is %q, which is not an absolute path: write the whole path", path, home)
		}
		path = filepath.Join(home, path[1:])
	case strings.HasPrefix(element, "~"):
		return "", fmt.Errorf("%[1]s: only ~/ is understood, not %[2]s: write the whole path, or ./%[1]s for a name that begins with ~", path, element)
	}
	return path, checkLater(path)
}

// checkLater returns an error if a folder ~ in the path does not exist.
func checkLater(path string) error {
	rest := path
	for rest != "" {
		var element string
		element, rest = first(rest)
		if element != "~" {
			continue
		}
		if _, err := os.Stat(path[:len(path)-len(rest)]); err != nil {
			return fmt.Errorf("%s: ~ is the home folder at the beginning of a path only", path)
		}
	}
	return nil
}

// first returns the first element of a path, and what follows the separator.
func first(path string) (element, rest string) {
	for i := range len(path) {
		if os.IsPathSeparator(path[i]) {
			return path[:i], path[i+1:]
		}
	}
	return path, ""
}
