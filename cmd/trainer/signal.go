package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// signalError says that a signal ended the run.
type signalError struct{ signal syscall.Signal }

func (e signalError) Error() string { return fmt.Sprintf("interrupted by %v", e.signal) }

// untilSignal returns a context that the first SIGINT, SIGTERM or SIGHUP
// cancels, with a signalError as its cause. A second one ends the process at
// once. stop gives the signals back.
func untilSignal(warn func(os.Signal)) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	received := make(chan os.Signal, 2)
	signal.Notify(received, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
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
				warn(s)
				cancel(signalError{number})
			}
		}
	}()
	return ctx, func() {
		signal.Stop(received)
		close(done)
		cancel(nil)
	}
}
