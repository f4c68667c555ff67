package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"trainer/data/lang"
	"trainer/train/config"
	"trainer/train/terminal"
)

// width is that of help texts, in characters.
const width = 80

var introduction = lang.Text{En: `trainer trains a fully connected network by gradient descent, as a textbook
derives it by hand: sigmoid layers, half squared error, MNIST.

To begin with:
  trainer -config mnist      train on MNIST, and leave a run folder
  trainer init               write mnist.yaml, to change it
  trainer mnist.yaml         train by a configuration of your own
  trainer help config        all keys of a configuration

Usage:
  trainer COMMAND [flags]
  trainer [CONFIG] [flags]   short for trainer train

Commands:`, Zh: `trainer 用梯度下降训练全连接网络，如教科书手工推导的那样：
sigmoid 层、平方误差的一半、MNIST。

入门：
  trainer -config mnist      在 MNIST 上训练，并留下运行文件夹
  trainer init               写出 mnist.yaml，供修改
  trainer mnist.yaml         按自己的配置训练
  trainer help config        配置的所有键

用法：
  trainer 命令 [选项]
  trainer [配置] [选项]      trainer train 的简写

命令：`}

var conclusion = lang.Text{En: `'trainer help COMMAND' prints the flags of a command, and an example.
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted.`, Zh: `'trainer help 命令' 打印该命令的选项和示例。
退出码：0 完成，1 失败，2 用法或配置有误，130 被中断。`}

// The words of the help on a command.
var (
	usageWord   = lang.Text{En: "Usage:", Zh: "用法："}
	flagsWord   = lang.Text{En: "Flags:", Zh: "选项："}
	shortText   = lang.Text{En: "%s is short for -%s %[1]s.", Zh: "%s 是 -%s %[1]s 的简写。"}
	aboutText   = lang.Text{En: "trainer %s: %s", Zh: "trainer %s：%s"}
	exampleWord = lang.Text{En: "For example:", Zh: "示例："}
)

// usage returns the text of `trainer help`.
func usage(l lang.Language) string {
	var b strings.Builder
	b.WriteString(introduction.In(l) + "\n")
	for _, c := range commands() {
		b.WriteString(hang(fmt.Sprintf("  %-12s", c.name), c.about.In(l)))
	}
	b.WriteString("\n" + conclusion.In(l) + "\n")
	return b.String()
}

// help returns the text of `trainer help NAME`, where f has the flags.
func (c command) help(f *flag.FlagSet, l lang.Language) string {
	var flags strings.Builder
	args := c.args
	f.VisitAll(func(f *flag.Flag) {
		value, usage := describeFlag(f)
		usage = flagText(usage, l)
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
	b.WriteString(strings.Join(terminal.Wrap(aboutText.Format(l, c.name, c.about), width), "\n") + "\n")
	synopsis := "trainer " + c.name
	if args != "" {
		synopsis += " " + args
	}
	if flags.Len() > 0 {
		synopsis += " [flags]"
	}
	fmt.Fprintf(&b, "\n%s\n  %s\n", usageWord.In(l), synopsis)
	if !c.text.IsZero() {
		b.WriteString("\n" + strings.Join(terminal.Wrap(c.text.In(l), width), "\n") + "\n" + c.list)
	}
	if flags.Len() > 0 {
		b.WriteString("\n" + flagsWord.In(l) + "\n" + flags.String())
	}
	if c.operand != "" {
		b.WriteString("\n" + shortText.Format(l, strings.ToUpper(c.operand), c.operand) + "\n")
	}
	b.WriteString("\n" + exampleWord.In(l) + "\n")
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
	var flags configFlags
	flags.registerLang(f)
	topics, err := parseArgs(f, args, stdout)
	l := flags.language()
	switch {
	case err != nil:
		return err
	case len(topics) == 0:
		_, err := io.WriteString(stdout, usage(l))
		return err
	case len(topics) > 1:
		return usageError(fmt.Sprintf("help: unexpected argument %q", topics[1]))
	case topics[0] == "config":
		_, err := io.WriteString(stdout, config.Help(l))
		return err
	}
	c, ok := findCommand(topics[0])
	if !ok {
		return unknownTopic(topics[0])
	}
	var asked helpError
	if err := c.run([]string{"-h"}, io.Discard, stderr); !errors.As(err, &asked) {
		panic("BUG: " + c.name + " -h is no help")
	}
	_, err = io.WriteString(stdout, c.help(asked.flags, l))
	return err
}
