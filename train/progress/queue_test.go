package progress

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"trainer/data/lang"
)

// stuck is a reader that does not read before it is released.
type stuck struct {
	got     bytes.Buffer
	release chan struct{}
}

func (s *stuck) Write(b []byte) (int, error) {
	<-s.release
	return s.got.Write(b)
}

// TestQueueStuck: nobody waits for a reader who does not read; what is held is bounded;
// the newest lines are kept, and the number of the others is said.
func TestQueueStuck(t *testing.T) {
	out := &stuck{release: make(chan struct{})}
	q := NewQueue(out)
	p := New(q, true, lang.English, 1_000_000, 10)
	p.bar, p.color = true, false
	line := strings.Repeat("x", 1000)
	const lines = 100_000
	for i := range lines {
		p.Print(fmt.Sprintf("%d %s", i, line))
		p.last = time.Time{}
		p.Advance(1, i%10)
	}
	q.mu.Lock()
	if q.size > queueSize || len(q.pending) > 2*queueSize/1000 {
		t.Errorf("the queue holds %d bytes in %d texts", q.size, len(q.pending))
	}
	q.mu.Unlock()
	if q.Flush(0) {
		t.Error("all is written, and nobody has read")
	}
	close(out.release)
	if !q.Flush(-1) {
		t.Fatal("not all is written")
	}
	text := out.got.String()
	first, last := strings.Count(text, "0 "+line+"\n"), strings.Count(text, fmt.Sprintf("%d %s\n", lines-1, line))
	shown, lost := strings.Count(text, line), 0
	at := strings.Index(text, "… ")
	if _, err := fmt.Sscanf(text[at:], "… %d lines left out", &lost); err != nil || first < 1 || last != 1 || shown+lost != lines {
		t.Errorf("%d lines shown and %d left out of %d, the last %d times, %v", shown, lost, lines, last, err)
	}
}

// TestQueueDraws: of drawings that follow one another only the last is held.
func TestQueueDraws(t *testing.T) {
	out := &stuck{release: make(chan struct{})}
	q := NewQueue(out)
	_, _ = io.WriteString(q, "a\n")
	for i := range 1000 {
		_ = q.Draw(fmt.Sprintf("<%d>", i))
	}
	_, _ = io.WriteString(q, "b\n")
	q.mu.Lock()
	if len(q.pending) > 3 {
		t.Errorf("%d texts are held", len(q.pending))
	}
	q.mu.Unlock()
	close(out.release)
	q.Flush(-1)
	if got := out.got.String(); !strings.HasPrefix(got, "a\n") || !strings.HasSuffix(got, "<999>b\n") {
		t.Errorf("written: %q", got)
	}
}

// TestQueueError: after an error everything is dropped, and a flush does not wait.
func TestQueueError(t *testing.T) {
	boom := errors.New("boom")
	q := NewQueue(failing{boom})
	_, _ = io.WriteString(q, "a\n")
	q.Flush(-1)
	if _, err := io.WriteString(q, "b\n"); !errors.Is(err, boom) {
		t.Errorf("error %v", err)
	}
	if !q.Flush(-1) {
		t.Error("something is left")
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
