package graph_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// TestPages checks the links and the quotations of the project's pages.
func TestPages(t *testing.T) {
	pages, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{".", "../train", "../configs"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".md") {
				pages = append(pages, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, page := range []string{"../README.md", "../CONTRIBUTING.md", "../RATIONALE.md", "README.md", "vm/cpu/kernel/README.md", "../train/bench/RESULTS.md", "../configs/cluster/README.md"} {
		if !slices.Contains(pages, page) {
			t.Errorf("%s is not among the pages %q", page, pages)
		}
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range faults(filepath.Dir(page), string(text)) {
			t.Errorf("%s: %s", page, fault)
		}
	}
}

// TestFaults checks that faults finds faults.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"[`Step`](build.go), [`Graph.cost`](build.go), [x](model), ![d](../configs/mnist.svg), [g](https://gorgonia.org)", ""},
		{"[s](build.go#L1)", "build.go#L1: an anchor of a file that is not a page"},
		{"# On `Go`, 1: a_b\n[s](#on-go-1-a_b) [t](../README.md#use)", ""},
		{"# Two\n[s](#one)", "#one: no such heading"},
		{"[s](../README.md#one)", "../README.md#one: no such heading"},
		{"[s](build.txt)", "build.txt: no such file"},
		{"[`Stop`](build.go)", "build.go has no Stop"},
		{"[`Graph.stop`](build.go)", "build.go has no stop"},
		{"[`activat`](build.go)", "build.go has no activat"},
		{"[`WeightName`](model) [`graph/model`](model) [`model/file.go`](model/file.go)", ""},
		{"[`Weight5`](model)", "model has no Weight5"},
		{"```\n[s](build.txt)\n```\n    [s](build.txt)\n", ""},
		{"```go from build.go\nfunc (g *Graph) layers() {\n…\n\ta := g.X\n```\n", ""},
		{"```go from build.go\n\ta := g.X\n…\nfunc (g *Graph) layers() {\n```\n", "build.go has not, in this order:\nfunc (g *Graph) layers() {"},
		{"```go from build.go\na := g.Y\n```\n", "build.go has not, in this order:\na := g.Y"},
		{"```go from build.txt\na := g.Y\n```\n", "build.txt: no such file"},
	} {
		if got := strings.Join(faults(".", c.text), "; "); got != c.want {
			t.Errorf("%s\nfaults %q, want %q", c.text, got, c.want)
		}
	}
}

var (
	link       = regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]+)\)`)
	identifier = regexp.MustCompile("^`(?:\\w+\\.)?(\\w+)`$")
	quotation  = regexp.MustCompile("^```\\w+ from (\\S+)$")
)

// faults returns what is wrong in the text of a page in the folder dir:
//
//   - A relative link must have a target. If the text of the link is an identifier in
//     backticks, the file must have it; of a folder, one of its files.
//   - An anchor must be a heading of the page that it points to.
//   - A block that begins with ```LANGUAGE from FILE must be in the file, apart from
//     spacing. A line … stands for any lines.
func faults(dir, text string) (list []string) {
	fault := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	prose, blocks := split(text)
	for _, m := range link.FindAllStringSubmatch(prose, -1) {
		label, target := m[1], m[2]
		if strings.Contains(target, "://") {
			continue
		}
		path, anchor, _ := strings.Cut(target, "#")
		content := text
		if path != "" {
			var err error
			if content, err = read(filepath.Join(dir, path)); err != nil {
				fault("%s: no such file", path)
				continue
			}
		}
		switch {
		case anchor == "":
		case path != "" && !strings.HasSuffix(path, ".md"):
			fault("%s: an anchor of a file that is not a page", target)
		case !slices.Contains(headings(content), anchor):
			fault("%s: no such heading", target)
		}
		if m := identifier.FindStringSubmatch(label); m != nil && !regexp.MustCompile(`\b`+m[1]+`\b`).MatchString(content) {
			fault("%s has no %s", path, m[1])
		}
	}
	for _, block := range blocks {
		info, body, _ := strings.Cut(block, "\n")
		m := quotation.FindStringSubmatch(info)
		if m == nil {
			continue
		}
		content, err := read(filepath.Join(dir, m[1]))
		if err != nil {
			fault("%s: no such file", m[1])
			continue
		}
		content = spaced(content)
		for part := range strings.SplitSeq(body, "…\n") {
			_, after, found := strings.Cut(content, spaced(part))
			if !found {
				fault("%s has not, in this order:\n%s", m[1], strings.TrimRight(part, "\n"))
				break
			}
			content = after
		}
	}
	return list
}

// split returns a page without its blocks of code, and the blocks from ``` to the
// line before the next.
func split(text string) (prose string, blocks []string) {
	inside := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "```"):
			if inside = !inside; inside {
				blocks = append(blocks, line)
			}
		case inside:
			blocks[len(blocks)-1] += line
		case !strings.HasPrefix(line, "    "):
			prose += line
		}
	}
	return prose, blocks
}

// read returns the content of a file, or of all files of a folder.
func read(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		text, err := os.ReadFile(path)
		return string(text), err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return "", err
	}
	content := ""
	for _, e := range entries {
		if e.Type().IsRegular() {
			text, err := os.ReadFile(filepath.Join(path, e.Name()))
			if err != nil {
				return "", err
			}
			content += string(text) + "\n"
		}
	}
	return content, nil
}

// headings returns the anchors of a page's headings: in lower case, with hyphens for
// spaces and without punctuation.
func headings(page string) (anchors []string) {
	prose, _ := split(page)
	for line := range strings.Lines(prose) {
		title := strings.TrimLeft(line, "#")
		if title == line {
			continue
		}
		anchors = append(anchors, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(title)))
	}
	return anchors
}

// spaced returns text with one space between its words, and at its ends.
func spaced(text string) string { return " " + strings.Join(strings.Fields(text), " ") + " " }
