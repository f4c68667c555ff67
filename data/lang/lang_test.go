package lang_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"trainer/data/lang"
	"trainer/train/figure/glyph"
)

// verbs are the verbs of a format, with the index of their argument, in the order of
// the arguments.
func verbs(format string) []string {
	var out []string
	next := 1
	for _, m := range regexp.MustCompile(`%[-+# 0]*[0-9*]*(?:\.[0-9*]+)?(?:\[(\d+)\])?([a-zA-Z%])`).FindAllStringSubmatch(format, -1) {
		if m[2] == "%" {
			continue
		}
		if m[1] != "" {
			next, _ = strconv.Atoi(m[1])
		}
		out = append(out, strconv.Itoa(next)+m[2])
		next++
	}
	slices.Sort(out)
	return out
}

// TestTexts: every Text of the module has both languages, with the same verbs, and every
// character has an outline for figures.
func TestTexts(t *testing.T) {
	count := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			c, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			switch elements := c.Type.(type) { // whose elements do not repeat their type
			case *ast.ArrayType:
				elided(elements.Elt, c)
			case *ast.MapType:
				elided(elements.Value, c)
			}
			if !isText(c.Type) || len(c.Elts) == 0 { // none is no message
				return true
			}
			count++
			var words []string
			for _, e := range c.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					e = kv.Value
				}
				w, ok := constant(e)
				if !ok {
					t.Errorf("%s: a message is made of string literals only", set.Position(e.Pos()))
					return true
				}
				words = append(words, w)
			}
			for _, r := range strings.Join(words, "") {
				if _, ok := glyph.Of(r); !ok && r != '\n' {
					t.Errorf("%s: %c has no outline in figures: add it to train/figure/glyph/_gen/extra.txt, and run generate.sh there", set.Position(c.Pos()), r)
				}
			}
			if len(words) != 2 || words[0] == "" || words[1] == "" {
				t.Errorf("%s: a message needs both languages: %q", set.Position(c.Pos()), words)
			} else if a, b := verbs(words[0]), verbs(words[1]); !slices.Equal(a, b) {
				t.Errorf("%s: the languages have different verbs: %v and %v", set.Position(c.Pos()), a, b)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d messages", count)
}

// isText reports whether a type is lang.Text.
func isText(e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != "Text" {
		return false
	}
	p, ok := s.X.(*ast.Ident)
	return ok && p.Name == "lang"
}

// elided writes the type of the elements of c into those that do not repeat it, if it
// is lang.Text.
func elided(element ast.Expr, c *ast.CompositeLit) {
	for _, e := range c.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			e = kv.Value
		}
		if lit, ok := e.(*ast.CompositeLit); ok && lit.Type == nil && isText(element) {
			lit.Type = element
		}
	}
}

// constant is the value of a string literal, or of a sum of them.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		x, ok := constant(e.X)
		y, also := constant(e.Y)
		return x + y, ok && also && e.Op == token.ADD
	}
	return "", false
}

func TestVerbs(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"epoch %d of %s", "第%[1]d次,共%[2]s", true},
		{"%d %s", "%[2]s %[1]d", true},
		{"%d", "%s", false},
		{"%d %d", "%d", false},
		{"100 %%", "100%%", true},
		{"%6.4f", "%.4f", true},
	} {
		if got := slices.Equal(verbs(c.a), verbs(c.b)); got != c.same {
			t.Errorf("%q and %q: %v, want %v", c.a, c.b, got, c.same)
		}
	}
}

func TestFormat(t *testing.T) {
	text := lang.Text{En: "%s of %d", Zh: "%[2]d之%[1]s"}
	inner := lang.Text{En: "epoch", Zh: "迭代"}
	if got := text.Format(lang.English, inner, 3); got != "epoch of 3" {
		t.Error(got)
	}
	if got := text.Format(lang.Chinese, inner, 3); got != "3之迭代" {
		t.Error(got)
	}
}

func TestFromLocale(t *testing.T) {
	for _, c := range []struct {
		all, messages, lang string
		want                lang.Language
	}{
		{"", "", "", lang.English},
		{"", "", "zh_CN.UTF-8", lang.Chinese},
		{"", "", "ZH-tw", lang.Chinese},
		{"", "", "zha_CN", lang.English},
		{"C", "", "zh_CN.UTF-8", lang.English},
		{"", "zh", "de_DE", lang.Chinese},
		{"", "", "_", lang.English},
		{"", "", "...", lang.English},
	} {
		env := map[string]string{"LC_ALL": c.all, "LC_MESSAGES": c.messages, "LANG": c.lang}
		if got := lang.FromLocale(func(k string) string { return env[k] }); got != c.want {
			t.Errorf("%q %q %q: %v, want %v", c.all, c.messages, c.lang, got, c.want)
		}
	}
}
