package evaluation

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"trainer/data"
	"trainer/graph/vm"
)

// Number is a number that JSON can hold whatever its value: null for NaN and for the
// infinities. It prints as a float64.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	if v := float64(n); !math.IsNaN(v) && !math.IsInf(v, 0) {
		return json.Marshal(v)
	}
	return []byte("null"), nil
}

// UnmarshalJSON implements json.Unmarshaler. null becomes NaN.
func (n *Number) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(n))
}

// text returns the number with four decimals, or - for NaN.
func (n Number) text() string {
	if math.IsNaN(float64(n)) {
		return "-"
	}
	return strconv.FormatFloat(float64(n), 'f', 4, 64)
}

// ratio returns a/b; NaN if b is 0.
func ratio(a, b int) Number { return Number(float64(a) / float64(b)) }

// Class says how well one class is told from the others.
type Class struct {
	Label     int    `json:"label"`
	Name      string `json:"name"`      // the number, where the class has no name
	Samples   int    `json:"samples"`   // with this label
	Predicted int    `json:"predicted"` // taken for this class
	Correct   int    `json:"correct"`   // both

	Accuracy  Number `json:"accuracy"`  // of the question "is it this class?", over all samples
	Precision Number `json:"precision"` // Correct / Predicted; NaN if none was predicted
	Recall    Number `json:"recall"`    // Correct / Samples; NaN if there are none
}

// Classes returns the outcome for each class of a confusion matrix,
// [label][predicted]. name is the name of a class.
func Classes(confusion [][]int, name func(label int) string) []Class {
	classes := make([]Class, len(confusion))
	all := 0
	for label, row := range confusion {
		classes[label].Label, classes[label].Name = label, name(label)
		classes[label].Correct = row[label]
		for predicted, n := range row {
			classes[label].Samples += n
			classes[predicted].Predicted += n
			all += n
		}
	}
	for k := range classes {
		c := &classes[k]
		wrong := (c.Samples - c.Correct) + (c.Predicted - c.Correct)
		c.Accuracy = ratio(all-wrong, all)
		c.Precision = ratio(c.Correct, c.Predicted)
		c.Recall = ratio(c.Correct, c.Samples)
	}
	return classes
}

// Mistake is an image that a network takes for another class.
type Mistake struct {
	Index   int      `json:"index"` // of the image in its set, from 0
	Label   int      `json:"label"`
	Answer  int      `json:"answer"`  // the class with the largest output; the first of equals
	Outputs []Number `json:"outputs"` // a^L

	margin float64 // how much larger the output of Answer is than that of Label
}

// mistakeChunk is the number of images that a machine predicts at once.
const mistakeChunk = 256

// Worst returns the most worst mistakes of the machine's network on a set, or all if
// there are fewer. A mistake is the worse, the more the output of the answer exceeds
// that of the label; outputs that are not finite are the worst. The order is from the
// worst on, and by index among equals. Worst returns ctx's error when ctx ends.
func Worst(ctx context.Context, m vm.VM, set *data.Set, most int) ([]Mistake, error) {
	if err := vm.CheckSet(set, m.Network()); err != nil {
		return nil, err
	}
	worst := []Mistake{}
	inputs := data.TableOf[float64](set.Scale)
	space := make([]float64, min(mistakeChunk, set.Len())*set.Inputs())
	for first := 0; first < set.Len(); first += mistakeChunk {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		end := min(first+mistakeChunk, set.Len())
		x := space[:(end-first)*set.Inputs()]
		for k, pixel := range set.Pixels[first*set.Inputs():][:len(x)] {
			x[k] = inputs[pixel]
		}
		outputs, err := m.Predict(x)
		if err != nil {
			return nil, err
		}
		n := m.Network().Outputs()
		for i := first; i < end; i++ {
			if mistake, ok := mistakeOf(i, int(set.Labels[i]), outputs[(i-first)*n:(i-first+1)*n]); ok {
				worst = append(worst, mistake)
			}
		}
		slices.SortStableFunc(worst, func(a, b Mistake) int { return cmp.Compare(b.margin, a.margin) })
		worst = worst[:min(len(worst), max(most, 0))]
	}
	return worst, nil
}

// mistakeOf returns the mistake that outputs a are for a label. As in vm.Score, an
// output that is not a number is never the largest.
func mistakeOf(index, label int, a []float64) (_ Mistake, ok bool) {
	answer := 0
	for k, v := range a {
		if v > a[answer] {
			answer = k
		}
	}
	m := Mistake{Index: index, Label: label, Answer: answer, margin: a[answer] - a[label]}
	if math.IsNaN(m.margin) {
		m.margin = math.Inf(1)
	}
	for _, v := range a {
		m.Outputs = append(m.Outputs, Number(v))
	}
	return m, answer != label
}
