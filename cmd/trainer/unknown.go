package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"trainer/train/config"
	"trainer/train/rundir"
	"trainer/train/suggest"
	"trainer/train/terminal"
)

// flagSynonyms has what users may call a flag, separated by spaces.
var flagSynonyms = map[string]string{
	"config": "c cfg conf yaml configuration config-file f",
	"device": "d",
	"set":    "s param option override",
	"out":    "o output output-dir outdir out-dir save save-dir run-dir",
	"o":      "out output",
	"model":  "m checkpoint weights",
	"format": "fmt type",
}

// unknownFlag is the error for a flag that a command does not have. arg is the
// argument, and after it come the rest.
func unknownFlag(f *flag.FlagSet, arg string, rest []string) error {
	name, value, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	if !hasValue && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		value = rest[0]
	}
	unknown := func(format string, args ...any) error {
		return usageError(fmt.Sprintf("%s: unknown flag %s", f.Name(), terminal.Line(strings.SplitN(arg, "=", 2)[0])) + fmt.Sprintf(format, args...))
	}
	var own []suggest.Candidate
	f.VisitAll(func(f *flag.Flag) { own = append(own, flagCandidate(f.Name, "-"+f.Name)) })
	if f.Lookup("set") == nil { // the command has no configuration
		if near := suggest.Nearest(name, own); near != "" {
			return unknown(": did you mean %s?", near)
		}
		return unknown("")
	}
	flags := slices.Concat(own, otherFlags(f))
	exact := slices.ContainsFunc(flags, func(c suggest.Candidate) bool { return slices.Contains(c.Names, name) })
	if why := config.Elsewhere(name); why != "" && !exact {
		return unknown(": %s", why)
	}
	near := suggest.Nearest(name, slices.Concat(flags, config.Candidates(), config.Words(), commandCandidates()))
	key, word, isWord := strings.Cut(near, "=")
	switch {
	case near == "":
		return unknown("")
	case strings.Contains(near, " of "):
		return unknown(": %s", near)
	case strings.HasPrefix(near, "-"), strings.HasPrefix(near, "trainer "):
		return unknown(": did you mean %s?", near)
	case isWord:
		value = word
	case config.Group(key) != "":
		return unknown(": %s is a group of the keys %s; to set one, write -set %s", key, config.Group(key), shellQuote(config.Setting(key, "")))
	default: // -gpu
		if k, word, _ := strings.Cut(suggest.Nearest(name, config.Words()), "="); k == key {
			value = word
		}
	}
	return unknown(": to set a key of the configuration, write -set %s", shellQuote(config.Setting(key, value)))
}

func flagCandidate(name, means string) suggest.Candidate {
	return suggest.Candidate{Means: means, Names: append([]string{name}, strings.Fields(flagSynonyms[name])...)}
}

// otherFlags are the flags of the other commands.
func otherFlags(f *flag.FlagSet) []suggest.Candidate {
	of := map[string][]string{} // commands by flag
	var names []string
	for _, c := range commands() {
		for _, other := range c.flags() {
			if f.Lookup(other.Name) == nil {
				if of[other.Name] == nil {
					names = append(names, other.Name)
				}
				of[other.Name] = append(of[other.Name], "trainer "+c.name)
			}
		}
	}
	var candidates []suggest.Candidate
	for _, name := range names {
		candidates = append(candidates, suggest.Candidate{
			Means: "-" + name + " is a flag of " + strings.Join(of[name], ", "), Names: []string{name},
		})
	}
	return candidates
}

func commandCandidates() []suggest.Candidate {
	var candidates []suggest.Candidate
	for _, c := range commands() {
		candidates = append(candidates, suggest.Candidate{Means: "trainer " + c.name, Names: []string{c.name}, Also: strings.Fields(c.also)})
	}
	return candidates
}

// unknownCommand is the error for a first argument that is no command.
func unknownCommand(arg string) error {
	unknown := fmt.Sprintf("unknown command %q: ", arg)
	if setting := settingMeant(arg); setting != "" {
		return usageError(unknown + "did you mean trainer -set " + shellQuote(setting) + "?")
	}
	if info, err := os.Stat(arg); err == nil {
		isModel := filepath.Ext(arg) == filepath.Ext(rundir.ModelFile)
		if _, err := os.Stat(filepath.Join(arg, rundir.ConfigFile)); isModel || err == nil {
			return usageError(unknown + "did you mean trainer eval " + shellQuote(arg) + "?")
		}
		if !info.IsDir() {
			return usageError(unknown + "did you mean trainer -config " + shellQuote(arg) + "?")
		}
	}
	candidates := append(commandCandidates(), suggest.Candidate{Means: "trainer help config", Names: []string{"config"}, Also: []string{"keys", "configuration"}})
	for _, c := range config.Candidates() {
		c.Means = "trainer -set " + shellQuote(config.Setting(c.Means, ""))
		candidates = append(candidates, c)
	}
	if near := suggest.Nearest(arg, candidates); near != "" {
		return usageError(unknown + "did you mean " + near + "?")
	}
	return usageError(unknown + "want " + commandList() + ", or a configuration to train by")
}

// settingMeant returns the setting that an argument means which has the form
// key=value and is no file, or "".
func settingMeant(arg string) string {
	key, value, ok := strings.Cut(arg, "=")
	near := suggest.Nearest(key, config.Candidates())
	if _, err := os.Stat(arg); !ok || near == "" || err == nil {
		return ""
	}
	return config.Setting(near, value)
}

// unknownTopic is the error for a word on which there is no help.
func unknownTopic(word string) error {
	candidates := append(commandCandidates(), suggest.Candidate{Means: "trainer config", Names: []string{"config"}, Also: []string{"keys", "configuration"}})
	for _, c := range config.Candidates() {
		c.Means = "trainer config"
		candidates = append(candidates, c)
	}
	text := fmt.Sprintf("no help on %q", word)
	if near := suggest.Nearest(word, candidates); near != "" {
		text += ": did you mean trainer help " + strings.TrimPrefix(near, "trainer ") + "?"
	} else {
		text += ": want config, or " + commandList()
	}
	return usageError(text)
}

// commandList returns "train, eval, … or help".
func commandList() string {
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// shellQuote quotes s for a shell if necessary.
func shellQuote(s string) string {
	if !strings.ContainsAny(s, " \t\"'[]{}()*?$&;|<>`\\~#!") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
