package train

import (
	"slices"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/model"
)

// unchanged returns the share of weights that are the same before and after an
// epoch. Weights of inputs that are zero in all training images do not count: they
// never change.
//
// A weight of float32 does not change when each update of it is smaller than half of
// the distance to the next number. So if most do not change, most of each update is
// lost.
func (s *session) unchanged(before, after model.Parameters) float64 {
	used, same, all := s.used(), 0, 0
	for l := range after {
		in := after[l].In
		for k, w := range after[l].Weight {
			if l == 0 && !used[k%in] {
				continue
			}
			all++
			if w == before[l].Weight[k] {
				same++
			}
		}
	}
	if all == 0 {
		return 0
	}
	return float64(same) / float64(all)
}

// usedInputs says which inputs are not zero in some image.
func usedInputs(set *data.Set) []bool {
	table := data.TableOf[float64](set.Scale)
	used := make([]bool, set.Inputs())
	// Most inputs are found to be used in the first images, and only the others are looked
	// at in the next.
	unused := make([]int, len(used))
	for j := range unused {
		unused[j] = j
	}
	for i := range set.Len() {
		image := set.Image(i)
		unused = slices.DeleteFunc(unused, func(j int) bool {
			used[j] = table[image[j]] != 0
			return used[j]
		})
	}
	return used
}

// lostUpdates says that the rounding of float32 swallows most of each update, or "".
func (d *diagnosis) lostUpdates() string {
	if d.network.Precision != model.Float32 || d.run.unchanged <= 0.5 {
		return ""
	}
	return lang.Text{
		En: "the last epoch did not change %.0f %% of the weights, because its updates are smaller than the rounding of float32: use precision: float64, or a larger %s",
		Zh: "最后一次迭代没有改变 %.0f%% 的权重，因为更新量小于 float32 的舍入误差：请用 precision: float64 或更大的 %s",
	}.Format(d.lang, 100*d.run.unchanged, rateKey)
}
