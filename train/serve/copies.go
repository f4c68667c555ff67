package serve

import (
	"crypto/rand"
	"sync"
	"time"
)

// The bounds of the copies of parameters.
const (
	maxCopies  = 64
	copyMemory = 256 << 20        // bytes of all copies together; but there may always be two
	copyLife   = 30 * time.Minute // since it was last used
)

// copies are parameters that browsers train, each for itself. When there are as many
// as there may be, a new one takes the place of that which was not used for the
// longest time. It may be used from several goroutines.
type copies struct {
	most int
	now  func() time.Time

	mu   sync.Mutex
	byID map[string]*trained
}

// trained is a copy.
type trained struct {
	state *state
	steps int // taken since it was made
	used  time.Time
}

// newCopies makes room for copies of a network with the given number of parameters.
func newCopies(parameters int) *copies {
	return &copies{
		most: min(max(copyMemory/(8*parameters), 2), maxCopies),
		now:  time.Now,
		byID: map[string]*trained{},
	}
}

// get returns a copy, or false if there is none of that name any more.
func (c *copies) get(id string) (trained, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire()
	t, ok := c.byID[id]
	if !ok {
		return trained{}, false
	}
	t.used = c.now()
	return *t, true
}

// put keeps a copy under its name, or under a new one for "", and returns the name. It
// returns false if the copy was thrown away since get.
func (c *copies) put(id string, s *state, steps int) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire()
	if id != "" {
		if c.byID[id] == nil {
			return "", false
		}
	} else {
		if len(c.byID) >= c.most {
			oldest := ""
			for id, t := range c.byID {
				if oldest == "" || t.used.Before(c.byID[oldest].used) {
					oldest = id
				}
			}
			delete(c.byID, oldest)
		}
		id = rand.Text() // 128 random bits: another browser's cannot be guessed
	}
	c.byID[id] = &trained{state: s, steps: steps, used: c.now()}
	return id, true
}

// drop throws a copy away.
func (c *copies) drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byID, id)
}

// expire throws away what was not used for long. The caller holds mu.
func (c *copies) expire() {
	for id, t := range c.byID {
		if c.now().Sub(t.used) > copyLife {
			delete(c.byID, id)
		}
	}
}
