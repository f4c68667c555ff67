package serve

import (
	"bytes"
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// times bound a connection. What watches a training has bounds of its own.
type times struct {
	header time.Duration // for the head of a request
	read   time.Duration // for a whole request
	write  time.Duration // and for its answer, a picture's decoding included
	idle   time.Duration // between requests
	stop   time.Duration // for requests under way when the server stops
}

// usual are the times of a page.
var usual = times{header: 5 * time.Second, read: 20 * time.Second, write: time.Minute, idle: time.Minute, stop: 2 * time.Second}

const (
	maxHeader      = 16 << 10 // bytes
	maxConnections = 512
)

// Serve answers requests that come to l until ctx is done, and closes l. It returns
// nil when ctx has stopped it.
func (p *Page) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &http.Server{
		Handler:           p.Handler(),
		ReadHeaderTimeout: p.times.header, ReadTimeout: p.times.read, WriteTimeout: p.times.write, IdleTimeout: p.times.idle,
		MaxHeaderBytes: maxHeader,
		// Requests that last, those of watchers, end with it.
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    log.New(panics{}, "", 0),
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		late, cancel := context.WithTimeout(context.Background(), p.times.stop)
		defer cancel()
		err := s.Shutdown(late)
		if errors.Is(err, context.DeadlineExceeded) { // a slow client
			err = s.Close()
		}
		stopped <- err
	}()
	err := s.Serve(newBounded(l, maxConnections))
	if errors.Is(err, http.ErrServerClosed) {
		return <-stopped
	}
	return err // of the listener
}

// panics writes what the server says to standard error, if it is about a fault of ours.
// What clients do wrong is not the user's business.
type panics struct{}

// Write implements io.Writer.
func (panics) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("panic")) {
		_, _ = os.Stderr.Write(b)
	}
	return len(b), nil
}

// bounded is a listener with so many connections at a time. Further ones wait.
type bounded struct {
	net.Listener
	room   chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newBounded(l net.Listener, most int) *bounded {
	return &bounded{Listener: l, room: make(chan struct{}, most), closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.room <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.room
		return nil, err
	}
	return &boundedConn{Conn: c, leave: func() { <-b.room }}, nil
}

// Close implements net.Listener.
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

type boundedConn struct {
	net.Conn
	once  sync.Once
	leave func()
}

// Close implements net.Conn.
func (c *boundedConn) Close() error {
	c.once.Do(c.leave)
	return c.Conn.Close()
}
