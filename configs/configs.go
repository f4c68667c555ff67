// Package configs has the configurations that users start from, the presets. They
// are in the binary, so that an installed trainer needs no files:
//
//	source, ok := configs.Read("mnist") // the content of mnist.yaml
package configs

import (
	"embed"
	"regexp"
	"strings"
)

//go:embed *.yaml
var files embed.FS

const extension = ".yaml"

// Names lists the presets, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic("BUG: embedded files: " + err.Error())
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), extension))
	}
	return names
}

// Read returns the content of a preset's file. ok says whether there is such a
// preset.
func Read(name string) (source []byte, ok bool) {
	source, err := files.ReadFile(name + extension)
	return source, err == nil
}

// About returns the first sentence of a preset's comment.
func About(name string) string {
	var words []string
	for _, line := range comment(name) {
		words = append(words, strings.Fields(line)...)
	}
	sentence, _, _ := strings.Cut(strings.Join(words, " ")+" ", ". ")
	return sentence
}

// comment returns the lines of the comment at the beginning of a preset, without the
// line for editors.
func comment(name string) []string {
	source, _ := Read(name)
	var lines []string
	for line := range strings.Lines(string(source)) {
		text, isComment := strings.CutPrefix(line, "#")
		if !isComment {
			break
		}
		if !strings.HasPrefix(line, schemaLine) {
			lines = append(lines, strings.TrimSpace(text))
		}
	}
	return lines
}

// schemaLine tells editors where the schema is: beside the presets.
const schemaLine = "# yaml-language-server:"

var (
	editorLines = regexp.MustCompile(`^` + schemaLine + `.*\n#\n`)
	commandLine = regexp.MustCompile(`go run \./cmd/trainer -config \S+`)
)

// Starter returns a preset as the file that a user begins with: its comment names the
// installed command and that file, and no schema, which is not beside it.
func Starter(name, file string) []byte {
	source, _ := Read(name)
	source = editorLines.ReplaceAll(source, nil)
	return commandLine.ReplaceAllLiteral(source, []byte("trainer -config "+file))
}
