package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"trainer/data/homedir"
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
		var err error
		switch field := k.field(&c).(type) {
		case *string:
			*field, err = absolute(*field)
		case *[]string:
			*field = slices.Clone(*field)
			for j := range *field {
				if (*field)[j], err = absolute((*field)[j]); err != nil {
					break
				}
			}
		}
		if err != nil {
			return Config{}, fmt.Errorf("%s: %w: give it as an absolute path, or start the trainer in another directory", k.path, err)
		}
	}
	return c, nil
}

// absolute returns the absolute path that Read reads back as it is.
func absolute(path string) (string, error) {
	if path == "" || filepath.IsAbs(path) {
		return path, nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if !utf8.ValidString(path) || strings.ContainsFunc(path, func(r rune) bool { return !allowed(r) }) {
		return "", fmt.Errorf("the path %q cannot be written in a configuration", path)
	}
	return pathOf(path)
}

// formatPaths returns the path or paths to which field points in YAML syntax.
func formatPaths(field any) string {
	if one, ok := field.(*string); ok {
		return quotePath(*one)
	}
	var quoted []string
	for _, path := range *field.(*[]string) {
		quoted = append(quoted, quotePath(path))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
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

// hasEscapes reports whether the path n, or one in the list n, is in double quotes and has an escape other
// than \\, \" and \/. The writer of "D:\new" means no line break.
func (r *reader) hasEscapes(n *yaml.Node) bool {
	if slices.ContainsFunc(n.Content, r.hasEscapes) {
		return true
	}
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
