package serve

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"trainer/train"
)

// Live is a training that browsers watch. It is a train.Watcher that costs the
// training next to nothing: it only notes what it is told, and each browser's request
// looks at the notes some times a second. So no reader, however slow, delays the
// training.
//
// The methods of a nil *Live do nothing.
type Live struct {
	id string // other for each training

	mu       sync.Mutex
	progress progress
	epochs   []epoch // all that are done; elements are not changed
	changes  uint64  // of the parameters
	report   bool    // whether there is a report
	end      *end
}

// progress is how far the training is.
type progress struct {
	Epoch   int `json:"epoch"`   // the one under way, from 1
	Epochs  int `json:"epochs"`  // that were asked for
	Done    int `json:"done"`    // samples that all runs together have visited in it
	Samples int `json:"samples"` // of an epoch of all runs
	Runs    int `json:"runs"`
}

// epoch is what is known after an epoch, of the best run in it.
type epoch struct {
	Epoch              int     `json:"epoch"`
	Run                int     `json:"run"`
	Rate               number  `json:"rate"`
	Best               bool    `json:"best"` // no earlier epoch of any run was better
	TrainAccuracy      number  `json:"train_accuracy"`
	TestAccuracy       number  `json:"test_accuracy"`
	ValidationAccuracy *number `json:"validation_accuracy,omitempty"`
	TrainCost          number  `json:"train_cost"`
	TestCost           number  `json:"test_cost"`
	ValidationCost     *number `json:"validation_cost,omitempty"`
	Speed              number  `json:"speed"` // samples a second
}

// end is how the training ended.
type end struct {
	State string `json:"state"` // done, stopped or failed
	Text  string `json:"text"`  // what failed
}

// NewLive returns the training of a number of runs. epochs and samples are those of each
// run; samples is for one epoch.
func NewLive(epochs, samples, runs int) *Live {
	return &Live{id: rand.Text(), progress: progress{Epoch: 1, Epochs: epochs, Samples: samples * runs, Runs: runs}}
}

// Batch implements train.Watcher.
func (l *Live) Batch(epoch, done int) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.progress.Epoch, l.progress.Done = epoch, done
}

// Epoch implements train.Watcher.
func (l *Live) Epoch(runs []train.RunMetrics, top int, best bool) {
	if l == nil {
		return
	}
	m := runs[top]
	e := epoch{
		Epoch: m.Epoch, Run: m.Run, Rate: number(m.LearningRate), Best: best,
		TrainAccuracy: number(m.TrainAccuracy), TestAccuracy: number(m.TestAccuracy),
		TrainCost: number(m.TrainCost), TestCost: number(m.TestCost),
	}
	if v := m.Validation; v != nil {
		accuracy, cost := number(v.ValidationAccuracy), number(v.ValidationCost)
		e.ValidationAccuracy, e.ValidationCost = &accuracy, &cost
	}
	if !math.IsInf(m.SamplesPerSecond, 0) { // a coarse clock may say so
		e.Speed = number(m.SamplesPerSecond)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epochs = append(l.epochs, e)
}

// End says how the training ended: done, if err is nil; stopped by the user; or failed.
func (l *Live) End(err error, stopped bool) {
	if l == nil {
		return
	}
	e := &end{State: "done"}
	switch {
	case stopped:
		e.State = "stopped"
	case err != nil:
		e.State, e.Text = "failed", err.Error()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end = e
}

// weights says that the page has other parameters.
func (l *Live) weights() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes++
}

// reported says that the page has a report.
func (l *Live) reported() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report = true
}

// What a watcher gets, and when.
const (
	lookEvery = 100 * time.Millisecond
	aliveTime = 10 * time.Second // after which something is sent in any case
	sendTime  = 10 * time.Second // for a browser to take what is sent
)

// watching is what a browser was told.
type watching struct {
	epochs   int
	progress progress
	changes  uint64
	report   bool
	end      *end
	when     time.Time
}

// news returns the events that a browser has not had yet, as server-sent events.
func (l *Live) news(b []byte, seen *watching) ([]byte, error) {
	l.mu.Lock()
	epochs, now := l.epochs[min(seen.epochs, len(l.epochs)):], watching{len(l.epochs), l.progress, l.changes, l.report, l.end, seen.when}
	l.mu.Unlock()
	for i, e := range epochs {
		text, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		b = fmt.Appendf(b, "id: %s-%d\nevent: epoch\ndata: %s\n\n", l.id, now.epochs-len(epochs)+i+1, text)
	}
	for _, other := range []struct {
		changed bool
		name    string
		value   any
	}{
		{now.progress != seen.progress, "progress", now.progress},
		{now.changes != seen.changes, "weights", now.changes},
		{now.report && !seen.report, "report", true},
		{now.end != nil && seen.end == nil, "end", now.end},
	} {
		if !other.changed {
			continue
		}
		text, err := json.Marshal(other.value)
		if err != nil {
			return nil, err
		}
		b = fmt.Appendf(b, "event: %s\ndata: %s\n\n", other.name, text)
	}
	*seen = now
	return b, nil
}

// events sends what happens in the training, until the browser goes away or the server
// stops.
func (p *Page) events(w http.ResponseWriter, r *http.Request) {
	select {
	case p.watchers <- struct{}{}:
		defer func() { <-p.watchers }()
	default:
		fail(w, http.StatusServiceUnavailable, "busy", nil)
		return
	}
	control := http.NewResponseController(w)
	// A request that lasts: the time limits of the server are for others.
	_ = control.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	seen := watching{}
	if last, ok := strings.CutPrefix(r.Header.Get("Last-Event-ID"), p.o.Live.id+"-"); ok { // the browser connects again
		if n, err := strconv.Atoi(last); err == nil && n > 0 {
			seen.epochs = n
		}
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for b := []byte("retry: 1000\n\n"); ; b = b[:0] {
		var err error
		if b, err = p.o.Live.news(b, &seen); err != nil {
			return
		}
		if len(b) == 0 && time.Since(seen.when) > aliveTime {
			b = append(b, ": alive\n\n"...)
		}
		if len(b) > 0 {
			_ = control.SetWriteDeadline(time.Now().Add(sendTime))
			if _, err := w.Write(b); err != nil || control.Flush() != nil {
				return
			}
			seen.when = time.Now()
		}
		if r.Context().Err() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done(): // what the training came to is sent before the server stops
		}
	}
}
