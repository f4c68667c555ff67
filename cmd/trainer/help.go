package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"trainer/train/config"
	"trainer/train/terminal"
)

// width is that of help texts, in characters.
const width = 80

const introduction = `trainer trains a fully connected network by gradient descent, as a textbook
derives it by hand: sigmoid layers, half squared error, MNIST.

To begin with:
  trainer -config mnist      train on MNIST, and leave a run folder
  trainer init               write mnist.yaml, to change it
  trainer mnist.yaml         train by a configuration of your own
  trainer help config        all keys of a configuration

Usage:
  trainer COMMAND [flags]
  trainer [CONFIG] [flags]   short for trainer train

Commands:
`

const conclusion = `
'trainer help COMMAND' prints the flags of a command, and an example.
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted.
`

// usage returns the text of `trainer help`.
func usage() string {
	var b strings.Builder
	b.WriteString(introduction)
	for _, c := range commands() {
		b.WriteString(hang(fmt.Sprintf("  %-12s", c.name), c.about))
	}
	b.WriteString(conclusion)
	return b.String()
}

// help returns the text of `trainer help NAME`, where f has the flags.
func (c command) help(f *flag.FlagSet) string {
	var flags strings.Builder
	args := c.args
	f.VisitAll(func(f *flag.Flag) {
		value, usage := describeFlag(f)
		if strings.Trim(value, "abcdefghijklmnopqrstuvwxyz") == "" {
			value = strings.ToUpper(value)
		}
		if f.Name == c.operand {
			args = "[" + strings.ToUpper(c.operand) + "]"
		}
		head := strings.TrimRight("  -"+f.Name+" "+value, " ")
		if utf8.RuneCountInString(head) > 18 {
			flags.WriteString(head + "\n")
			head = ""
		}
		flags.WriteString(hang(fmt.Sprintf("%-20s", head), usage))
	})
	var b strings.Builder
	b.WriteString(strings.Join(terminal.Wrap("trainer "+c.name+": "+c.about, width), "\n") + "\n")
	synopsis := "trainer " + c.name
	if args != "" {
		synopsis += " " + args
	}
	if flags.Len() > 0 {
		synopsis += " [flags]"
	}
	fmt.Fprintf(&b, "\nUsage:\n  %s\n", synopsis)
	if c.text != "" {
		text, list, _ := strings.Cut(c.text, "\n\n")
		b.WriteString("\n" + strings.Join(terminal.Wrap(text, width), "\n") + "\n" + list)
	}
	if flags.Len() > 0 {
		b.WriteString("\nFlags:\n" + flags.String())
	}
	if c.operand != "" {
		fmt.Fprintf(&b, "\n%s is short for -%s %[1]s.\n", strings.ToUpper(c.operand), c.operand)
	}
	b.WriteString("\nFor example:\n")
	for line := range strings.Lines(c.example) {
		b.WriteString("  " + strings.TrimSpace(line) + "\n")
	}
	return b.String()
}

// hang returns head with text behind it, whose further lines are indented as far.
func hang(head, text string) string {
	indent := utf8.RuneCountInString(head)
	lines := terminal.Wrap(text, width-indent)
	return head + strings.Join(lines, "\n"+strings.Repeat(" ", indent)) + "\n"
}

// helpCommand prints the help on the program, a command or the configuration.
func helpCommand(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("help", flag.ContinueOnError)
	topics, err := parseArgs(f, args, stdout)
	switch {
	case err != nil:
		return err
	case len(topics) == 0:
		_, err := io.WriteString(stdout, usage())
		return err
	case len(topics) > 1:
		return usageError(fmt.Sprintf("help: unexpected argument %q", topics[1]))
	case topics[0] == "config":
		_, err := io.WriteString(stdout, config.Help())
		return err
	}
	c, ok := findCommand(topics[0])
	if !ok {
		return unknownTopic(topics[0])
	}
	return c.run([]string{"-h"}, stdout, stderr)
}
