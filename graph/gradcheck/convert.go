package gradcheck

import (
	"trainer/graph/delta"
	"trainer/graph/model"
)

// ToDelta returns the network n with parameters p in the types of package delta,
// which indexes layers by the number in the book: W[2] is the first matrix. The
// result shares the memory of p.
func ToDelta(n model.Network, p model.Parameters) delta.Network {
	net := delta.Network{W: make([]delta.Matrix, len(p)+2), G: delta.Sigmoid}
	if n.Activation == model.Tanh {
		net.G = delta.Tanh
	}
	if n.Bias {
		net.B = make([]delta.Vector, len(p)+2)
	}
	for i, layer := range p {
		for r := range layer.Out {
			net.W[i+2] = append(net.W[i+2], layer.Weight[r*layer.In:(r+1)*layer.In])
		}
		if n.Bias {
			net.B[i+2] = layer.Bias
		}
	}
	return net
}

// FromDelta converts gradients of package delta to parameters of n.
func FromDelta(n model.Network, g delta.Gradients) model.Parameters {
	p := model.NewParameters(n)
	for i, layer := range p {
		for r, row := range g.W[i+2] {
			copy(layer.Weight[r*layer.In:], row)
		}
		if n.Bias {
			copy(layer.Bias, g.B[i+2])
		}
	}
	return p
}
