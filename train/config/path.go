package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"trainer/internal/homedir"
)

// pathOf returns the path that a user wrote as s, with ~ expanded.
func pathOf(s string) (string, error) {
	if strings.ContainsAny(s, "\u2028\u2029") { // YAML reads them as line breaks
		return "", fmt.Errorf("the path %q has a line separator", s)
	}
	return homedir.Expand(s)
}

// Absolute returns c with absolute paths, so that it means the same in every
// current directory. Paths that are empty stay empty.
func (c Config) Absolute() (Config, error) {
	for i := range keys {
		k := &keys[i]
		if !k.isPath {
			continue
		}
		path := k.field(&c).(*string)
		if *path == "" || filepath.IsAbs(*path) {
			continue
		}
		absolute, err := filepath.Abs(*path)
		if err == nil {
			_, err = pathOf(absolute)
		}
		if err == nil && (!utf8.ValidString(absolute) || strings.ContainsFunc(absolute, func(r rune) bool { return !allowed(r) })) {
			err = fmt.Errorf("the path %q cannot be written in a configuration", absolute)
		}
		if err != nil {
			return Config{}, fmt.Errorf("%s: %w: give it as an absolute path, or start the trainer in another directory", k.path, err)
		}
		*path = absolute
	}
	return c, nil
}

// quotePath returns a path in YAML syntax, without backslash escapes.
func quotePath(s string) string {
	if q := quote(s); !strings.Contains(q, `\`) {
		return q
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// escapesAdvice is what to do about a path with backslashes in double quotes.
const escapesAdvice = "in double quotes, a backslash begins an escape: write / in its place, or the path in single quotes"

// hasEscapes reports whether the path n is in double quotes and has an escape other
// than \\, \" and \/. The writer of "D:\new" means no line break.
func (r *reader) hasEscapes(n *yaml.Node) bool {
	rest := r.after(n.Line, n.Column)
	if n.Style&yaml.DoubleQuotedStyle == 0 || !strings.HasPrefix(rest, `"`) {
		return false
	}
	for rest = rest[1:]; rest != "" && rest[0] != '"'; rest = rest[1:] {
		if rest[0] != '\\' || len(rest) < 2 {
			continue
		}
		rest = rest[1:]
		if !strings.ContainsRune(`\"/`, rune(rest[0])) {
			return true
		}
	}
	return false
}

// after returns the rest of a line, from a column on; "" if there is no such place.
// Both are counted from 1, columns in characters.
func (r *reader) after(line, column int) string {
	if line < 1 || line > len(r.lines) {
		return ""
	}
	rest := []rune(strings.TrimPrefix(r.lines[line-1], "\ufeff"))
	if column < 1 || column > len(rest) {
		return ""
	}
	return string(rest[column-1:])
}

// splitLines splits a text into lines, as YAML does.
func splitLines(text string) []string {
	return strings.Split(lineBreaks.Replace(text), "\n")
}

var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")
