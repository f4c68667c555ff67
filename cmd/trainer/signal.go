package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// signalError says that a signal ended the run.
type signalError struct{ signal syscall.Signal }

func (e signalError) Error() string { return fmt.Sprintf("interrupted by %v", e.signal) }

// stops are the signals that stop a run.
var stops = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}

// untilSignal returns a context that the first of stops cancels, with a signalError as
// its cause; then it calls warn, which need not return. A second one ends the process
// at once. A signal that was ignored when the process started (nohup, a job in the
// background of a script) stays ignored. stop gives the signals back.
func untilSignal(warn func(os.Signal)) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	received := make(chan os.Signal, 2)
	// Without any signal, Notify would take all.
	if caught := slices.DeleteFunc(slices.Clone(stops), signal.Ignored); len(caught) > 0 {
		signal.Notify(received, caught...)
	}
	done := make(chan struct{})
	go func() {
		for count := 0; ; count++ {
			select {
			case <-done:
				return
			case s := <-received:
				number, _ := s.(syscall.Signal)
				if count > 0 {
					os.Exit(exitSignal + int(number))
				}
				cancel(signalError{number})
				go warn(s)
			}
		}
	}()
	return ctx, func() {
		signal.Stop(received)
		close(done)
		cancel(nil)
	}
}
