package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// queueSize is the number of bytes that a Queue holds at most.
const queueSize = 1 << 20

// Queue writes to a terminal or a pipe from a goroutine of its own, so that nobody waits
// for a reader who does not read. It holds a bounded number of bytes. Beyond it, the
// oldest lines are left out, and a line says how many.
//
// After the first error of the writer a Queue drops everything.
type Queue struct {
	out io.Writer

	mu      sync.Mutex
	changed sync.Cond
	pending []queued
	size    int // bytes of pending
	lost    int // lines left out since the last one written
	writing bool
	err     error
}

// queued is a text that is not written yet.
type queued struct {
	text string
	draw bool // a drawing of the bar, which the next one replaces
}

// NewQueue returns a queue that writes to out.
func NewQueue(out io.Writer) *Queue {
	q := &Queue{out: out}
	q.changed.L = &q.mu
	go q.run()
	return q
}

// Write implements io.Writer. It does not wait. The error is that of an earlier text.
func (q *Queue) Write(b []byte) (int, error) { return len(b), q.add(queued{text: string(b)}) }

// Draw is Write for a drawing of the bar. It may be left out if it is not the last text.
func (q *Queue) Draw(s string) error { return q.add(queued{s, true}) }

func (q *Queue) add(t queued) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return q.err
	}
	if n := len(q.pending); n > 0 && q.pending[n-1].draw && t.draw {
		q.size -= len(q.pending[n-1].text)
		q.pending = q.pending[:n-1]
	}
	q.pending = append(q.pending, t)
	q.size += len(t.text)
	for q.size > queueSize && len(q.pending) > 1 {
		q.size -= len(q.pending[0].text)
		if !q.pending[0].draw {
			q.lost += max(1, strings.Count(q.pending[0].text, "\n"))
		}
		q.pending = q.pending[1:]
	}
	q.changed.Broadcast()
	return nil
}

// run writes what is pending, for ever.
func (q *Queue) run() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		for len(q.pending) == 0 {
			q.changed.Wait()
		}
		text := q.pending[0].text
		q.pending[0], q.pending = queued{}, q.pending[1:]
		q.size -= len(text)
		if q.lost > 0 {
			text = fmt.Sprintf("… %d lines left out, because nobody read them\n", q.lost) + text
			q.lost = 0
		}
		q.writing = true
		q.mu.Unlock()
		_, err := io.WriteString(q.out, text)
		q.mu.Lock()
		q.writing = false
		if err != nil {
			q.err, q.pending, q.size = err, nil, 0
		}
		q.changed.Broadcast()
	}
}

// Flush waits until all is written, or as long as the given time, and reports whether
// all is. A negative time is without end.
func (q *Queue) Flush(atMost time.Duration) bool {
	late := false
	if atMost >= 0 {
		defer time.AfterFunc(atMost, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			late = true
			q.changed.Broadcast()
		}).Stop()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for (len(q.pending) > 0 || q.writing) && !late {
		q.changed.Wait()
	}
	return len(q.pending) == 0 && !q.writing
}

// fileOf returns the file to which w writes, or nil.
func fileOf(w io.Writer) *os.File {
	if q, ok := w.(*Queue); ok {
		w = q.out
	}
	f, _ := w.(*os.File)
	return f
}
