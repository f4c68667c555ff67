package vm

import "context"

// Abandon calls f and returns its error. If ctx is done first, it returns the error of
// ctx at once. f then goes on in its own goroutine, so it must use nothing that its
// caller uses later.
func Abandon(ctx context.Context, f func() error) error {
	if ctx.Done() == nil {
		return f()
	}
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
