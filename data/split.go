package data

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// part returns how many of n images a share means: itself from 1 on, else that
// fraction of n, rounded, and at least 1.
func part(share float64, n int) int {
	if share >= 1 {
		return int(min(share, math.MaxInt32))
	}
	return max(1, int(math.Round(share*float64(n))))
}

// takeOut draws count images of s, and returns the others and these, each in the
// order of s. It draws from each class so many that its share stays the same, as
// far as whole images allow; of a class with two images or more at least one
// remains.
//
// It depends on the labels, count, the seed and the purpose only.
func (s *Set) takeOut(count int, seed uint64, purpose string) (rest, taken *Set, err error) {
	if count < 1 || count >= s.Len() {
		return nil, nil, fmt.Errorf("%s: %d of %d images cannot be taken out: want 1 to %d", s.Name, count, s.Len(), s.Len()-1)
	}
	var of [256][]int32 // images, by label
	for i, label := range s.Labels {
		of[label] = append(of[label], int32(i))
	}
	out := make([]bool, s.Len())
	for label, quota := range quotas(of, count, s.Len()) {
		images := of[label]
		r := Stream(seed, purpose, uint64(label))
		for k := range quota {
			j, _ := bits.Mul64(r.Uint64(), uint64(len(images)-k))
			images[k], images[k+int(j)] = images[k+int(j)], images[k]
			out[images[k]] = true
		}
	}
	return s.where(out, false), s.where(out, true), nil
}

// quotas returns how many images of each label are taken: count in all.
func quotas(of [256][]int32, count, total int) (quota [256]int) {
	most := func(label int) int { return max(0, len(of[label])-1) }
	type remainder struct {
		label int
		of    uint64
	}
	var remainders []remainder
	left := count
	for label, images := range of {
		product := uint64(count) * uint64(len(images))
		quota[label] = min(int(product/uint64(total)), most(label))
		left -= quota[label]
		remainders = append(remainders, remainder{label, product % uint64(total)})
	}
	slices.SortStableFunc(remainders, func(a, b remainder) int {
		switch {
		case a.of > b.of:
			return -1
		case a.of < b.of:
			return 1
		}
		return 0
	})
	// Where nearly all images are taken out, classes of one image have to go too.
	for _, keep := range []int{1, 0} {
		for progress := true; left > 0 && progress; {
			progress = false
			for _, r := range remainders {
				if left > 0 && quota[r.label] < len(of[r.label])-keep {
					quota[r.label]++
					left--
					progress = true
				}
			}
		}
	}
	return quota
}

// where returns the images for which chosen is want, as a set of its own memory.
func (s *Set) where(chosen []bool, want bool) *Set {
	t := *s
	t.imagesSum = ""
	n := 0
	for _, c := range chosen {
		if c == want {
			n++
		}
	}
	t.Pixels, t.Labels = make([]uint8, 0, n*s.Inputs()), make([]uint8, 0, n)
	for i, c := range chosen {
		if c == want {
			t.Pixels = append(t.Pixels, s.Image(i)...)
			t.Labels = append(t.Labels, s.Labels[i])
		}
	}
	return &t
}

// transpose swaps rows and columns of all images of s.
func (s *Set) transpose() {
	image := make([]uint8, s.Inputs())
	for i := range s.Len() {
		from := s.Image(i)
		copy(image, from)
		for y := range s.Rows {
			for x := range s.Cols {
				from[x*s.Rows+y] = image[y*s.Cols+x]
			}
		}
	}
	s.Rows, s.Cols, s.imagesSum = s.Cols, s.Rows, ""
}
