package config

import (
	"testing"

	"trainer/data/lang"
)

// TestLanguage: the key decides, and auto leaves it to the locale.
func TestLanguage(t *testing.T) {
	for _, test := range []struct {
		lang, locale string
		want         lang.Language
	}{
		{"auto", "zh_CN.UTF-8", lang.Chinese},
		{"auto", "de_DE.UTF-8", lang.English},
		{"auto", "", lang.English},
		{"en", "zh_CN.UTF-8", lang.English},
		{"zh", "", lang.Chinese},
	} {
		c, err := Read("", []string{"lang=" + test.lang})
		if err != nil {
			t.Fatal(err)
		}
		getenv := func(name string) string {
			if name == "LANG" {
				return test.locale
			}
			return ""
		}
		if got := c.Language(getenv); got != test.want || c.Lang != test.lang {
			t.Errorf("%+v: %v, and the key keeps %s", test, got, c.Lang)
		}
	}
}

// TestSchemaName: the schema takes every name that the configuration takes, and of those
// of ASCII no others.
func TestSchemaName(t *testing.T) {
	for _, name := range []string{"手写数字-ひらがな_1", "हिन्दी", "Größe.2"} {
		if !fileName.MatchString(name) || !schemaFileName.MatchString(name) {
			t.Errorf("%s: the configuration takes it: %v, the schema: %v", name, fileName.MatchString(name), schemaFileName.MatchString(name))
		}
	}
	for first := range rune(0x80) {
		for second := range rune(0x80) {
			if name := string([]rune{first, second}); fileName.MatchString(name) != schemaFileName.MatchString(name) {
				t.Errorf("%q: the configuration takes it: %v, the schema: %v", name, fileName.MatchString(name), schemaFileName.MatchString(name))
			}
		}
	}
}
