package export

import (
	"bufio"
	"io"
	"strconv"

	"trainer/graph/model"
)

// writeCSV writes one table of all parameters, a line for each number:
//
//	tensor,i,j,value
//	layers.0.weight,0,0,-0.030717
//	layers.0.bias,0,,0.125
//
// i is the node of layer l and j that of layer l−1 whose connection it is, from 0: w_ij
// of W^l. A bias has no j. The lines have the order of the model file. A value is the
// shortest decimal from which the number is read again to the bit.
func writeCSV(w io.Writer, n model.Network, p model.Parameters) error {
	bits := 32
	if n.Precision == model.Float64 {
		bits = 64
	}
	b := bufio.NewWriterSize(w, 1<<16)
	_, _ = b.WriteString("tensor,i,j,value\n")
	var line []byte
	p.Tensors(func(name string, shape []int, values []float64) {
		for k, v := range values {
			line = append(append(line[:0], name...), ',')
			if len(shape) == 1 {
				line = append(strconv.AppendInt(line, int64(k), 10), ",,"...)
			} else {
				line = append(strconv.AppendInt(line, int64(k/shape[1]), 10), ',')
				line = append(strconv.AppendInt(line, int64(k%shape[1]), 10), ',')
			}
			line = append(strconv.AppendFloat(line, v, 'g', -1, bits), '\n')
			_, _ = b.Write(line) // Flush returns the first error
		}
	})
	return b.Flush()
}
