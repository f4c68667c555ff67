package prediction

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
)

// Prediction is the outcome for an image.
type Prediction struct {
	ID      string    `json:"id"`             // the file's, or the number of the image, from 1
	Label   int       `json:"label"`          // the class with the largest output; the first of equals
	Name    string    `json:"name,omitempty"` // of the class, where it has one
	Outputs []float64 `json:"outputs"`        // a^L
}

// chunk is the number of images that a machine predicts at once.
const chunk = 256

// Run predicts the class of each image; names are those of the classes, if they have
// some. It returns ctx's error when ctx ends, and
// an error for outputs that are not finite.
func Run(ctx context.Context, m vm.VM, rows *data.Rows, names []string) ([]Prediction, error) {
	in, out := m.Network().Inputs(), m.Network().Outputs()
	if rows.Inputs != in {
		return nil, fmt.Errorf("%s: images of %d pixels, and a network of %d inputs", rows.Name, rows.Inputs, in)
	}
	all := make([]Prediction, 0, rows.Len())
	inputs := data.TableOf[float64](rows.Scale)
	for len(all) < rows.Len() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		first := len(all)
		end := min(first+chunk, rows.Len())
		x := make([]float64, 0, (end-first)*in)
		for i := first; i < end; i++ {
			for _, pixel := range rows.Image(i) {
				x = append(x, inputs[pixel])
			}
		}
		a, err := m.Predict(x)
		if err != nil {
			return nil, err
		}
		if !model.Finite(a) {
			return nil, fmt.Errorf("%s: outputs of the network are not finite", rows.Name)
		}
		for i := first; i < end; i++ {
			p := Prediction{ID: strconv.Itoa(i + 1), Outputs: a[:out:out]}
			if rows.IDs != nil {
				p.ID = rows.IDs[i]
			}
			for k, v := range p.Outputs {
				if v > p.Outputs[p.Label] {
					p.Label = k
				}
			}
			if p.Label < len(names) {
				p.Name = names[p.Label]
			}
			all = append(all, p)
			a = a[out:]
		}
	}
	return all, nil
}

// CSV writes a line for each prediction, after one with the names of the two
// columns: the identifier and the label.
func CSV(w io.Writer, all []Prediction, id, label string) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{id, label}); err != nil {
		return err
	}
	for _, p := range all {
		class := p.Name
		if class == "" {
			class = strconv.Itoa(p.Label)
		}
		if err := c.Write([]string{p.ID, class}); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// JSON writes a line for each prediction.
func JSON(w io.Writer, all []Prediction) error {
	e := json.NewEncoder(w)
	for _, p := range all {
		if err := e.Encode(p); err != nil {
			return err
		}
	}
	return nil
}
