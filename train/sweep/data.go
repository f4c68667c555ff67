package sweep

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"

	"trainer/data"
	"trainer/train/config"
)

// sets holds the data sets that were opened last. Runs share them.
type sets struct {
	fit   int           // runs that fit in memory at a time
	first *data.Dataset // of the first run

	mu   sync.Mutex
	held []held

	sumMu sync.Mutex
	sums  map[*data.Dataset]string
}

// held is a data set, and the configuration that it was opened for.
type held struct {
	dataset *data.Dataset
	opened  config.Config
	settled config.Config
}

// mostHeld is the number of data sets that are kept.
const mostHeld = 4

// sameData reports whether two configurations have the same data. seeds: also where they
// are generated from the seed.
func sameData(a, b config.Config, seeds bool) bool {
	in, out := a.Model.Layers[0], a.Model.Layers[len(a.Model.Layers)-1]
	return reflect.DeepEqual(a.Data, b.Data) && a.Train.Shuffle == b.Train.Shuffle && (a.Seed == b.Seed || !seeds) &&
		in == b.Model.Layers[0] && out == b.Model.Layers[len(b.Model.Layers)-1]
}

// open returns the data set of a run, and its configuration with it.
func (s *sets) open(ctx context.Context, sweep *Sweep, c config.Config) (*data.Dataset, config.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.held, func(h held) bool {
		return sameData(c, h.opened, h.dataset.Source == data.BuiltIn)
	})
	if i < 0 {
		d, settled, err := sweep.Open(ctx, c)
		if err != nil {
			return nil, c, err
		}
		if len(s.held) == mostHeld {
			s.held = slices.Delete(s.held, 0, 1)
		}
		s.held = append(s.held, held{d, c, settled})
		return d, settled, nil
	}
	h := s.held[i]
	s.held = append(slices.Delete(s.held, i, i+1), h) // the last ones stay
	c.Data = h.settled.Data
	if h.settled.Name != h.opened.Name { // that of a fallback
		c.Name = h.settled.Name
	}
	c, err := c.Absolute()
	return h.dataset, c, err
}

// sum returns the checksum of a data set.
func (s *sets) sum(d *data.Dataset) string {
	s.sumMu.Lock()
	defer s.sumMu.Unlock()
	if s.sums == nil {
		s.sums = map[*data.Dataset]string{}
	}
	if s.sums[d] == "" {
		s.sums[d] = d.Sum()
	}
	return s.sums[d]
}

// check opens one data set of each kind that the runs have: so an impossible combination
// is found before anything starts.
func (s *Sweep) check(ctx context.Context) error {
	s.sets.fit = math.MaxInt
	var seen []config.Config
	for _, c := range s.Plan.Combinations {
		same := func(other config.Config) bool {
			return sameData(c.Config, other, false) && reflect.DeepEqual(c.Config.Model.Layers, other.Model.Layers) && c.Config.Train.Batch == other.Train.Batch
		}
		if slices.ContainsFunc(seen, same) {
			continue
		}
		seen = append(seen, c.Config)
		d, settled, err := s.sets.open(ctx, s, c.Config)
		if err != nil {
			matters := slices.ContainsFunc(s.Plan.Over, func(o config.Over) bool {
				return o.Key == "model.layers" || o.Key == "train.batch" || strings.HasPrefix(o.Key, "data.")
			})
			if matters && ctx.Err() == nil {
				err = fmt.Errorf("the combination %s: %w", s.Plan.Title(c), err)
			}
			return err
		}
		if s.sets.first == nil {
			s.sets.first = d
		}
		if s.Fits != nil {
			s.sets.fit = max(1, min(s.sets.fit, s.Fits(settled, d)))
		}
	}
	return nil
}
