package train

import (
	"context"
	"runtime"

	"trainer/data"
	"trainer/data/augment"
)

// augmented makes the sets that a session trains on, where train.augment distorts the
// images of the training set: another set after every so many epochs. The next one is
// made while the present one trains, by the cores that training leaves idle.
type augmented struct {
	set    *data.Set // of the present epoch; nil before the first
	number int       // of set, from 0

	next *augment.Job // makes the set after it; nil: there is none
	stop context.CancelFunc
}

// trainingSet returns the set that an epoch trains on.
func (s *session) trainingSet(ctx context.Context, epoch int) (*data.Set, error) {
	c, a := s.Config.Train.Augment, &s.augmented
	if c.Options().None() {
		return s.Dataset.Train, nil
	}
	number := (epoch - 1) / c.Every
	if a.set != nil && a.number == number {
		return a.set, nil
	}
	job := a.next
	if job == nil {
		var err error
		if job, err = s.prepare(ctx, number); err != nil {
			return nil, err
		}
	}
	set, err := job.Set(ctx)
	if err != nil {
		return nil, err
	}
	if a.set != nil {
		if err := s.Fleet.Unload(a.set); err != nil {
			return nil, err
		}
	}
	a.set, a.number, a.next = set, number, nil
	if next := number + 1; next <= (s.Config.Train.Epochs-1)/c.Every {
		a.next, err = s.prepare(ctx, next)
	}
	return set, err
}

// prepare begins to make a set.
func (s *session) prepare(ctx context.Context, number int) (*augment.Job, error) {
	c := s.Config.Train.Augment
	job, err := augment.New(s.Dataset.Train, c.Options(), c.Seed, uint64(number))
	if err != nil {
		return nil, err
	}
	ctx, s.augmented.stop = context.WithCancel(ctx)
	for range max(1, runtime.GOMAXPROCS(0)-1) { // one core trains, and helps when it has to wait
		go job.Work(ctx)
	}
	return job, nil
}

// close ends what is being made.
func (a *augmented) close() {
	if a.stop != nil {
		a.stop()
	}
}
