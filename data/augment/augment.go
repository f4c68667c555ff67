// Package augment distorts the images of a training set a little, at random: they are
// rotated, scaled, sheared, shifted, and warped as if the paper were elastic. A network
// that sees other distortions in each epoch learns the digits, not the images.
//
// P. Simard, D. Steinkraus and J. Platt, Best practices for convolutional neural networks
// applied to visual document analysis, ICDAR 2003, have the elastic distortions.
//
// A distorted image has the label of its image. It is computed backwards: each pixel of
// it has a place in the image, and takes its value from the four pixels around, in
// proportion. Outside, an image goes on as at its edge.
//
// The built-in digits are distorted too (package digits), but before they are drawn, as
// strokes; here there are only pixels. All arithmetic is in whole numbers, or in sums
// and products that IEEE 754 rounds correctly, so the same seed gives the same bytes on
// every platform and on any number of cores.
package augment

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"trainer/data"
)

// Options says how much images are distorted. Each number but Smooth is a largest
// amount: the amount for an image is drawn evenly between minus that and that. The zero
// value distorts nothing.
type Options struct {
	Rotate  float64 // degrees
	Scale   float64 // a factor of 1 ± Scale, for height and width alike
	Shear   float64 // a line that was upright leans by this part of its length
	Shift   float64 // pixels, in both directions
	Elastic float64 // standard deviation of the elastic shifts of a pixel, in pixels
	Smooth  float64 // how far these go together: σ of the Gaussian that smooths them, in pixels
}

// Limits of Options, which keep an image recognisable and the arithmetic in range.
const (
	MaxRotate  = 45
	MaxScale   = 0.5
	MaxShear   = 0.5
	MaxShift   = 14
	MaxElastic = 5
	MinSmooth  = 1
	MaxSmooth  = 20
)

// None reports whether nothing is distorted.
func (o Options) None() bool {
	return o.Rotate == 0 && o.Scale == 0 && o.Shear == 0 && o.Shift == 0 && o.Elastic == 0
}

// Check returns what is out of range.
func (o Options) Check() error {
	for _, c := range []struct {
		name     string
		v        float64
		min, max float64
	}{
		{"rotate", o.Rotate, 0, MaxRotate}, {"scale", o.Scale, 0, MaxScale}, {"shear", o.Shear, 0, MaxShear},
		{"shift", o.Shift, 0, MaxShift}, {"elastic", o.Elastic, 0, MaxElastic}, {"smooth", o.Smooth, MinSmooth, MaxSmooth},
	} {
		if !(c.v >= c.min && c.v <= c.max) && (c.name != "smooth" || o.Elastic > 0) {
			return fmt.Errorf("augment: %s is %v: want %v to %v", c.name, c.v, c.min, c.max)
		}
	}
	return nil
}

// purpose is that of the streams of random numbers: see data.Stream.
const purpose = "augment"

// block is how many images share a stream, and how many a core takes at a time. Image i
// is a function of the seed, the number of the set, and i alone.
const block = 256

// Job makes a distorted set. Its methods may be called from several goroutines.
type Job struct {
	source, set *data.Set
	options     Options
	seed        uint64
	number      uint64

	once   sync.Once
	field  *field
	blocks int64
	next   atomic.Int64 // the next block that nobody has begun
	left   atomic.Int64 // blocks that are not done
	done   chan struct{}
}

// New returns the job of a distorted set of the given number, which counts from 0. Sets
// of other numbers are distorted in other ways. Those who call Work do the job.
func New(source *data.Set, o Options, seed, number uint64) (*Job, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if source.Rows < 2 || source.Cols < 2 {
		return nil, fmt.Errorf("augment: %s: images of %d×%d pixels have no neighbours in one direction, and cannot be distorted", source.Name, source.Rows, source.Cols)
	}
	set := *source
	set.Pixels = make([]uint8, len(source.Pixels))
	j := &Job{source: source, set: &set, options: o, seed: seed, number: number, done: make(chan struct{})}
	j.blocks = int64((source.Len() + block - 1) / block)
	j.left.Store(j.blocks)
	if j.blocks == 0 {
		close(j.done)
	}
	return j, nil
}

// Work does the job until nothing is left to begin, or ctx is done.
func (j *Job) Work(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	j.once.Do(func() { j.field = newField(j.options, j.source, j.stream(1<<31)) })
	w := newWarp(j.source, j.options)
	for ctx.Err() == nil {
		b := j.next.Add(1) - 1
		if b >= j.blocks {
			return
		}
		random := j.stream(uint64(b))
		from := int(b) * block
		for i := from; i < min(from+block, j.source.Len()); i++ {
			w.distort(j.set.Image(i), j.source.Image(i), j.field, random)
		}
		if j.left.Add(-1) == 0 {
			close(j.done)
		}
	}
}

// stream returns the random numbers for a part of the set.
func (j *Job) stream(part uint64) *rand.Rand { return data.Stream(j.seed, purpose, j.number<<32|part) }

// Set does what nobody has begun of the job, waits for the rest, and returns the set. It
// returns ctx's error when ctx is done; the set is then never finished.
func (j *Job) Set(ctx context.Context) (*data.Set, error) {
	j.Work(ctx)
	select {
	case <-j.done:
		return j.set, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// even returns a number drawn evenly between −limit and limit.
func even(r *rand.Rand, limit float64) float64 {
	return float64(limit * (float64(int64(r.Uint64())>>11) / (1 << 52)))
}
