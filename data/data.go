// Package data holds sets of labelled images and the ways to get them: IDX
// and CSV files, folders of PNG and JPEG images, MNIST (found, downloaded and
// verified), and the built-in digits. Open is the door to all of them:
//
//	d, notes, err := data.Open(ctx, data.Spec{Kind: data.MNIST, Fallback: true})
//
// A Set keeps the pixels as bytes, one image after the other, rows from top to
// bottom. Its Scale says which input of the network a byte is, and what the
// target of a label is. For MNIST, x = pixel / 255 and the target is the one-hot
// vector of the label. Both are made where they are needed (Input, Target), so a
// set costs 784 bytes an image and not 3,136. A Set is not changed after it was
// made: everything may share it.
package data

import (
	"encoding/json"
	"fmt"
	"strconv"

	"trainer/data/lang"
)

// Set is N labelled images of Rows × Cols pixels.
type Set struct {
	Name    string  // as it is shown to users: "MNIST train"
	Rows    int     // height of an image, in pixels
	Cols    int     // width of an image, in pixels
	Classes int     // labels are 0 to Classes-1
	Pixels  []uint8 // N × (Rows·Cols), row-major; for MNIST 0 is background, 255 full ink
	Labels  []uint8 // N

	ClassNames []string // of the classes, at most Classes of them; nil: their numbers
	Scale      Scale

	imagesSum string // what Sums returns for the images; "": not known
}

// Range is an interval of numbers. Where the zero value would have no meaning it
// stands for a default.
type Range struct{ Low, High float64 }

// or returns r, or the default for the zero value.
func (r Range) or(otherwise Range) Range {
	if r == (Range{}) {
		return otherwise
	}
	return r
}

// text returns "0 to 16" in both languages.
func (r Range) text() lang.Text {
	return lang.Text{En: "%s to %s", Zh: "%s 至 %s"}.With(formatNumber(r.Low), formatNumber(r.High))
}

// String returns "0 to 16".
func (r Range) String() string { return formatNumber(r.Low) + " to " + formatNumber(r.High) }

func formatNumber(v float64) string { return strconv.FormatFloat(v, 'g', 8, 64) }

// Scale says what the bytes and the labels of a set are to a network. The zero
// value is MNIST's: pixels from 0 to 255, inputs from 0 to 1, targets 0 and 1.
type Scale struct {
	Pixels  Range // the bytes that become Inputs.Low and Inputs.High
	Inputs  Range
	Targets Range // Low for all classes but the label's, which has High
}

// Input returns the input for a byte:
//
//	x = Inputs.Low + (Inputs.High − Inputs.Low) · (pixel − Pixels.Low) / (Pixels.High − Pixels.Low)
func (s Scale) Input(pixel uint8) float64 {
	from, to := s.Pixels.or(Range{0, 255}), s.InputRange()
	return to.Low + (to.High-to.Low)*((float64(pixel)-from.Low)/(from.High-from.Low))
}

// InputRange returns the range of the inputs.
func (s Scale) InputRange() Range { return s.Inputs.or(Range{0, 1}) }

// TargetRange returns the two values of a target.
func (s Scale) TargetRange() Range { return s.Targets.or(Range{0, 1}) }

// ClassName returns the name of class k, which is its number where it has no
// other.
func (s *Set) ClassName(k int) string {
	if k < len(s.ClassNames) {
		return s.ClassNames[k]
	}
	return strconv.Itoa(k)
}

// Len returns N, the number of images.
func (s *Set) Len() int { return len(s.Labels) }

// Inputs returns n^1, the number of pixels of an image.
func (s *Set) Inputs() int { return s.Rows * s.Cols }

// Image returns the pixels of image i, a slice of s.Pixels.
func (s *Set) Image(i int) []uint8 {
	n := s.Inputs()
	return s.Pixels[i*n : (i+1)*n : (i+1)*n]
}

// Counts returns how many images of each class there are.
func (s *Set) Counts() []int {
	counts := make([]int, s.Classes)
	for _, label := range s.Labels {
		counts[label]++
	}
	return counts
}

// Check reports what is inconsistent in the set: lengths that do not belong
// together, or a label that is no class.
func (s *Set) Check() error {
	if s.Rows < 1 || s.Cols < 1 {
		return fmt.Errorf("%s: images of %d×%d pixels", s.Name, s.Rows, s.Cols)
	}
	if len(s.Pixels) != len(s.Labels)*s.Inputs() {
		return fmt.Errorf("%s: %d labels and %d pixels: want %d pixels for each label",
			s.Name, len(s.Labels), len(s.Pixels), s.Inputs())
	}
	for i, l := range s.Labels {
		if int(l) >= s.Classes {
			return fmt.Errorf("%s: image %d: label %d, want 0 to %d", s.Name, i, l, s.Classes-1)
		}
	}
	return nil
}

// Slice returns the images from..to-1 as a set that shares s's memory.
func (s *Set) Slice(from, to int) *Set {
	t := *s
	t.Pixels = s.Pixels[from*s.Inputs() : to*s.Inputs()]
	t.Labels = s.Labels[from:to]
	t.imagesSum = ""
	return &t
}

// Dataset is a training set and a test set that belong together. Train is nil
// where only the test set was asked for (Spec.TestOnly).
type Dataset struct {
	Name       string // for outputs: "MNIST", "digits (built in)", or the folder
	Source     string // where it came from: a folder, a mirror, "built in"
	Values     Range  // the values of the files that become the lowest and the highest input
	Transposed bool   // whether rows and columns of the files' images were swapped
	Train      *Set   // nil where the test set alone was opened
	Test       *Set

	// Validation holds images that were taken out of the training set, to choose
	// by: the best epoch, when to stop, the best of several runs. Without it, nil,
	// these are chosen on the test set.
	Validation *Set
}

// The metadata of a model file that Metadata returns, each as JSON.
const (
	MetaClasses   = "classes" // a list of the names
	MetaValues    = "values"  // lists of the two ends
	MetaInputs    = "inputs"
	MetaTargets   = "targets"
	MetaTranspose = "transpose" // true or false
)

// Meaning is what the inputs and outputs of a network mean. A zero Range is not known.
type Meaning struct {
	Classes   []string // their names; nil: they have none
	Values    Range    // the values of the files that are the lowest and the highest input
	Inputs    Range    // the lowest and the highest input
	Targets   Range    // the outputs for the classes that a sample is not of, and for its own
	Transpose bool     // whether rows and columns of the files' images were swapped
}

// ReadMeaning returns what the metadata of a model file say, as Metadata wrote them.
func ReadMeaning(metadata map[string]string) (m Meaning, err error) {
	for key, to := range map[string]any{MetaClasses: &m.Classes, MetaTranspose: &m.Transpose} {
		if text, ok := metadata[key]; ok {
			if json.Unmarshal([]byte(text), to) != nil {
				return Meaning{}, fmt.Errorf("the metadata %s are %s: take the file as it was written", key, quote([]byte(text)))
			}
		}
	}
	for key, to := range map[string]*Range{MetaValues: &m.Values, MetaInputs: &m.Inputs, MetaTargets: &m.Targets} {
		var ends []float64
		if text, ok := metadata[key]; ok {
			if json.Unmarshal([]byte(text), &ends) != nil || len(ends) != 2 || ends[0] == ends[1] {
				return Meaning{}, fmt.Errorf("the metadata %s are %s, want a list of two numbers: take the file as it was written", key, quote([]byte(text)))
			}
			*to = Range{ends[0], ends[1]}
		}
	}
	return m, nil
}

// Metadata says for a model file what the inputs and outputs of a network that was
// trained with d mean.
func (d *Dataset) Metadata() map[string]string {
	s := d.Test
	if d.Train != nil {
		s = d.Train
	}
	meta := map[string]string{}
	put := func(key string, v any) {
		if text, err := json.Marshal(v); err == nil { // numbers and texts
			meta[key] = string(text)
		}
	}
	if s.ClassNames != nil {
		put(MetaClasses, s.ClassNames)
	}
	for key, r := range map[string]Range{
		MetaValues: d.Values.or(Range{0, 255}), MetaInputs: s.Scale.InputRange(), MetaTargets: s.Scale.TargetRange(),
	} {
		put(key, [2]float64{r.Low, r.High})
	}
	put(MetaTranspose, d.Transposed)
	return meta
}

// Float is an element type of the network.
type Float interface{ float32 | float64 }

// InputOf returns the input for a pixel in the scale of MNIST: pixel / 255, from
// 0 to 1.
func InputOf[T Float](pixel uint8) T { return T(Scale{}.Input(pixel)) }

// TableOf returns the input for every pixel in a scale, rounded once to T.
func TableOf[T Float](s Scale) (table [256]T) {
	for pixel := range table {
		table[pixel] = T(s.Input(uint8(pixel)))
	}
	return table
}

// Input writes the network's input vector of image i into dst, which has
// s.Inputs() elements: Scale.Input of each pixel.
func Input[T Float](dst []T, s *Set, i int) {
	for j, p := range s.Image(i) {
		dst[j] = T(s.Scale.Input(p))
	}
}

// Target writes the target of label in the scale of s into dst, which has an
// element for each class.
func Target[T Float](dst []T, s *Set, label uint8) {
	r := s.Scale.TargetRange()
	for k := range dst {
		dst[k] = T(r.Low)
	}
	dst[label] = T(r.High)
}

// OneHot writes the target of label into dst, which has an element for each
// class: 1 at the label, 0 elsewhere.
func OneHot[T Float](dst []T, label uint8) {
	clear(dst)
	dst[label] = 1
}
