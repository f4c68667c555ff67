// Package lang holds the languages of what a user sees: English and Chinese.
//
// A message is a [Text], a literal with both languages side by side, in the place
// that uses it. So nothing can exist in one language only: a test reads the source
// of the whole module, and fails for a Text that lacks a language, or whose
// languages have different verbs of package fmt.
package lang

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Language is a language of the messages.
type Language int

// The languages.
const (
	English Language = iota
	Chinese
)

// String returns the code of the language: en or zh.
func (l Language) String() string {
	switch l {
	case English:
		return "en"
	case Chinese:
		return "zh"
	default:
		return fmt.Sprintf("Language(%d)", int(l))
	}
}

// Text is a message in both languages. It may have verbs of package fmt, the same
// ones in both; in the other order they have an index, as in %[2]d.
type Text struct{ En, Zh string }

// String returns the English message: errors are English.
func (t Text) String() string { return t.En }

// In returns the message in a language.
func (t Text) In(l Language) string {
	if l == Chinese && t.Zh != "" {
		return t.Zh
	}
	return t.En
}

// Format formats the message in a language. An argument that is a Text is first
// replaced by its words in that language.
func (t Text) Format(l Language, args ...any) string {
	words := make([]any, len(args))
	for i, a := range args {
		if text, ok := a.(Text); ok {
			a = text.In(l)
		}
		words[i] = a
	}
	return fmt.Sprintf(t.In(l), words...)
}

// With formats the message in both languages.
func (t Text) With(args ...any) Text {
	return Text{t.Format(English, args...), t.Format(Chinese, args...)}
}

// Plus appends a message.
func (t Text) Plus(u Text) Text { return Text{t.En + u.En, t.Zh + u.Zh} }

// MarshalJSON implements json.Marshaler: JSON is for programs, and English.
func (t Text) MarshalJSON() ([]byte, error) { return json.Marshal(t.En) }

// UnmarshalJSON implements json.Unmarshaler: the message is then English only.
func (t *Text) UnmarshalJSON(b []byte) error {
	*t = Text{}
	return json.Unmarshal(b, &t.En)
}

// IsZero reports whether there is no message.
func (t Text) IsZero() bool { return t == Text{} }

// FromLocale returns the language of a POSIX locale, taken from the environment:
// the first of LC_ALL, LC_MESSAGES and LANG that is not empty. It is Chinese if that
// begins with zh, else English. getenv is os.Getenv.
func FromLocale(getenv func(string) string) Language {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := getenv(name); v != "" {
			if end := strings.IndexAny(v, "_-.@"); end >= 0 {
				v = v[:end]
			}
			if strings.EqualFold(v, "zh") {
				return Chinese
			}
			return English
		}
	}
	return English
}
