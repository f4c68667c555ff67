package main

import (
	_ "embed"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"

	"trainer/configs"
	"trainer/train/config"
	"trainer/train/suggest"
)

// The completions are templates, which take all words from the tables of commands,
// flags and keys (grammar).
var (
	//go:embed completion.bash
	bashCompletion string
	//go:embed completion.zsh
	zshCompletion string
	//go:embed completion.fish
	fishCompletion string
)

// shells lists the shells, and the template for each.
var shells = []struct{ name, template string }{
	{"bash", bashCompletion}, {"zsh", zshCompletion}, {"fish", fishCompletion},
}

// completionCommand prints the completion for a shell.
func completionCommand(args []string, stdout, _ io.Writer) error {
	f := flag.NewFlagSet("completion", flag.ContinueOnError)
	names, err := parseArgs(f, args, stdout)
	switch {
	case err != nil:
		return err
	case len(names) == 0:
		return usageError("completion: for which shell? " + strings.Join(shellNames(), ", "))
	case len(names) > 1:
		return usageError(fmt.Sprintf("completion: unexpected argument %q", names[1]))
	}
	for _, shell := range shells {
		if shell.name == names[0] {
			t, err := template.New(shell.name).Funcs(template.FuncMap{
				"join": strings.Join, "zsh": zshText, "fish": fishText, "quote": singleQuote,
			}).Parse(shell.template)
			if err != nil {
				return fmt.Errorf("BUG: completion for %s: %w", shell.name, err)
			}
			return t.Execute(stdout, newGrammar())
		}
	}
	var candidates []suggest.Candidate
	for _, name := range shellNames() {
		candidates = append(candidates, suggest.Candidate{Means: name, Names: []string{name}})
	}
	if near := suggest.Nearest(names[0], candidates); near != "" {
		return usageError(fmt.Sprintf("completion: unknown shell %q: did you mean %s?", names[0], near))
	}
	return usageError(fmt.Sprintf("completion: unknown shell %q: want %s", names[0], strings.Join(shellNames(), ", ")))
}

func shellNames() []string {
	var names []string
	for _, shell := range shells {
		names = append(names, shell.name)
	}
	return names
}

// grammar is what can be written on a command line.
type grammar struct {
	Commands []grammarCommand
	Presets  []string
	Keys     []config.Key
}

type grammarCommand struct {
	Name, About string
	Flags       []grammarFlag
	Operand     string   // the value of an argument that is no flag: see grammarFlag.Value
	Words       []string // or these words
}

type grammarFlag struct {
	Name, About string
	Value       string   // "", "config", "file", "folder", "setting", "words", or another name
	Words       []string // for "words"
	Repeats     bool
}

// newGrammar collects the grammar from the tables.
func newGrammar() grammar {
	g := grammar{Presets: configs.Names(), Keys: config.Keys()}
	topics := []string{"config"}
	for _, c := range commands() {
		topics = append(topics, c.name)
	}
	for _, c := range commands() {
		row := grammarCommand{Name: c.name, About: c.about.En}
		switch c.name {
		case "init":
			row.Words = configs.Names()
		case "completion":
			row.Words = shellNames()
		case "help":
			row.Words = topics
		}
		for _, f := range c.flags() {
			flag := newGrammarFlag(f)
			if f.Name == c.operand {
				row.Operand = flag.Value
			}
			row.Flags = append(row.Flags, flag)
		}
		g.Commands = append(g.Commands, row)
	}
	return g
}

func newGrammarFlag(f *flag.Flag) grammarFlag {
	value, about := describeFlag(f)
	row := grammarFlag{Name: f.Name, About: about, Value: value}
	switch {
	case f.Name == "config":
		row.Value = "config"
	case value == "key=value", value == "key=values":
		row.Value, row.Repeats = "setting", true
	case value != "folder" && slices.Contains(pathNames, value):
		row.Value = "file"
	case strings.Contains(value, "|"):
		row.Value, row.Words = "words", strings.Split(value, "|")
	}
	return row
}

// Settings returns what may follow -set: each key with =, and each with each of its
// few values.
func (g grammar) Settings() []string {
	var all []string
	for _, k := range g.Keys {
		all = append(all, k.Path+"=")
		for _, v := range k.Values {
			all = append(all, k.Path+"="+v)
		}
	}
	return all
}

// singleQuote quotes s for a POSIX shell.
func singleQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// fishText quotes s for fish.
func fishText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

// zshText escapes a description within a quoted specification of zsh's _arguments.
func zshText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "'", `'\''`, "[", `\[`, "]", `\]`, ":", `\:`).Replace(s)
}
