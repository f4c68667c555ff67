package lower_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"trainer/graph"
	"trainer/graph/ir"
	"trainer/graph/lower"
	"trainer/graph/model"
)

var update = flag.Bool("update", false, "write the programs in graph/README.md instead of comparing with them")

// TestReadmePrograms: each program in graph/README.md is what the compiler makes.
// Such a block begins with
//
//	```ir PASS: NAMES
//
// and has the instructions after PASS ("import", or a pass) that write a buffer of
// NAMES. The name @W2 stands for the declaration of W2, and * for all instructions.
// Run the test with -update to write the blocks.
func TestReadmePrograms(t *testing.T) {
	const path = "../README.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	programs := map[string]*ir.Program{}
	g, err := graph.Step(model.Network{Layers: []int{784, 50, 10}, Bias: true}, 1)
	if err != nil {
		t.Fatal(err)
	}
	trace := func(pass string, p *ir.Program) { programs[pass] = p.Clone() }
	if _, err := lower.Program(g, lower.Options{Trace: trace}); err != nil {
		t.Fatal(err)
	}

	shown := map[string]bool{}
	written, err := rewriteBlocks(string(text), func(pass, names string) (string, error) {
		p := programs[pass]
		if p == nil {
			return "", fmt.Errorf("no pass %q", pass)
		}
		shown[pass] = true
		return excerpt(p, strings.Fields(names))
	})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if !shown["import"] || len(shown) < len(lower.Passes)/2 {
		t.Errorf("%s has programs of %d passes: want the import and most passes", path, len(shown))
	}
	for _, pass := range lower.Passes {
		if !strings.Contains(string(text), "\n**"+pass.Name+"**") {
			t.Errorf("%s says nothing about pass %q: want a paragraph that begins with **%[2]s**", path, pass.Name)
		}
	}
	if written == string(text) {
		return
	}
	if !*update {
		t.Fatalf("%s has other programs than the compiler makes (go test ./graph/lower -run ReadmePrograms -update)\n%s", path, firstDifference(string(text), written))
	}
	if err := os.WriteFile(path, []byte(written), 0o666); err != nil {
		t.Fatal(err)
	}
}

// rewriteBlocks replaces the content of each block that begins with ```ir.
func rewriteBlocks(text string, content func(pass, names string) (string, error)) (string, error) {
	var out strings.Builder
	rest := text
	for {
		before, after, found := strings.Cut(rest, "\n```ir ")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		info, after, _ := strings.Cut(after, "\n")
		_, after, closed := strings.Cut(after, "```\n")
		pass, names, ok := strings.Cut(info, ":")
		if !closed || !ok {
			return "", fmt.Errorf("block %q: want ```ir PASS: NAMES, and an end", info)
		}
		lines, err := content(pass, names)
		if err != nil {
			return "", fmt.Errorf("block %q: %w", info, err)
		}
		out.WriteString("\n```ir " + info + "\n" + lines + "```\n")
		rest = after
	}
}

// excerpt returns the lines of p that write or declare one of names.
func excerpt(p *ir.Program, names []string) (string, error) {
	var b strings.Builder
	found := map[string]bool{}
	for line := range strings.Lines(p.String()) {
		fields := strings.Fields(line)
		name := "@" + fields[0]
		if line[0] == ' ' && fields[0][0] >= '0' && fields[0][0] <= '9' {
			name = fields[1]
		}
		if slices.Contains(names, name) || name[0] != '@' && slices.Contains(names, "*") {
			found[name], found["*"] = true, true
			b.WriteString(strings.TrimPrefix(line, "  "))
		}
	}
	for _, name := range names {
		if !found[name] {
			return "", fmt.Errorf("the program has no %s", name)
		}
	}
	return b.String(), nil
}

// firstDifference returns the first line in which two texts differ.
func firstDifference(have, want string) string {
	h, w := strings.Split(have, "\n"), strings.Split(want, "\n")
	for i := range h {
		if i >= len(w) || h[i] != w[i] {
			return fmt.Sprintf("line %d is\n%s\nwant\n%s", i+1, h[i], strings.Join(w[i:min(i+1, len(w))], ""))
		}
	}
	return ""
}
