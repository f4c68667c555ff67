package lower

import "trainer/graph/ir"

// layOutParameters marks the weights that multiply the data. Most pixels are zero.
// If the matrix is stored by input, the weights of each pixel are contiguous, and a
// machine does not read those of a zero pixel.
//
//	W2 parameter 50x784; z2 = matmul x W2^T   →   W2 parameter 50x784 by input
func layOutParameters(p *ir.Program) {
	mark := func(r, by ir.Ref) {
		if b := &p.Buffers[r]; b.Kind == ir.Parameter && p.Buffers[by].Kind == ir.Data {
			b.ByInput = true
		}
	}
	for _, in := range p.Code {
		switch {
		case in.Op == ir.MatMul && !in.TransA && in.TransB, in.Op == ir.Affine:
			mark(in.Args[1], in.Args[0])
		case in.Op == ir.RankUpdate:
			mark(in.Dst, in.Args[1])
		}
	}
}
