// Command trainer trains the network that the textbook derives by hand.
//
//	trainer -config mnist
//
// See `trainer help`.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"trainer/train/config"
	"trainer/train/progress"
	"trainer/train/terminal"
)

// Exit codes. A signal's is 128 + its number.
const (
	exitDone   = 0
	exitFailed = 1 // something failed while running
	exitUsage  = 2 // wrong usage or configuration
	exitSignal = 128
)

func main() {
	// A reader that goes away (trainer | head) must not end a run: without
	// this, a write to a closed standard output kills the process.
	signal.Ignore(syscall.SIGPIPE)
	stderr := progress.NewQueue(os.Stderr)
	code := run(os.Args[1:], os.Stdout, stderr)
	flush(stderr, code > exitSignal)
	os.Exit(code)
}

// flush waits until a queue is written. After an interruption it does not wait long for
// a reader who does not read.
func flush(q *progress.Queue, interrupted bool) {
	atMost := time.Duration(-1)
	if interrupted {
		atMost = 300 * time.Millisecond
	}
	q.Flush(atMost)
}

// run is the program: it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	name := "help"
	if len(args) > 0 {
		switch first := args[0]; {
		case first == "-h", first == "-help", first == "--help":
			args = args[1:]
		case first == "-version", first == "--version":
			name, args = "version", args[1:]
		case strings.HasPrefix(first, "-"), config.IsName(first):
			name = "train"
		default:
			name, args = first, args[1:]
		}
	}
	c, ok := findCommand(name)
	if !ok {
		return exitCode(unknownCommand(name), "", stderr)
	}
	return exitCode(c.run(args, stdout, stderr), strings.TrimPrefix(c.name, "help"), stderr)
}

// exitCode prints err, which a command returned, and returns the code that says what
// kind it is.
func exitCode(err error, command string, stderr io.Writer) int {
	var interrupted signalError
	var wrong usageError
	var configuration *config.Error
	code, before, after := exitFailed, "", ""
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp): // its text was printed
		return exitDone
	case isClosedOutput(err): // trainer eval | head: the reader has what it wants
		return exitDone
	case errors.As(err, &interrupted):
		code = exitSignal + int(interrupted.signal)
	case errors.As(err, &configuration):
		code, before, after = exitUsage, "wrong configuration:\n", "\nSee 'trainer help config'."
	case errors.As(err, &wrong):
		code, after = exitUsage, "\nSee '"+strings.TrimSpace("trainer help "+command)+"'."
	}
	const widest = 2000 // a line of a message, in characters
	message := terminal.Shorten(terminal.Printable(err.Error()), widest)
	_, _ = fmt.Fprintf(stderr, "trainer: %s%s%s\n", before, message, after)
	howToGoOn(stderr, err)
	return code
}

// isClosedOutput reports whether err says that the reader of standard output has gone.
func isClosedOutput(err error) bool {
	var e *fs.PathError
	return errors.As(err, &e) && errors.Is(e.Err, syscall.EPIPE) && e.Path == os.Stdout.Name()
}

// usageError is a wrong command line.
type usageError string

func (e usageError) Error() string { return string(e) }
