package ir

// GradientPrefix begins the names of the parameters that Gradients adds.
const GradientPrefix = "grad_"

// Gradients returns p with the updates of each parameter W going to a new
// parameter grad_W of the same shape. Run with η = −1 from zeros there, it
// leaves the gradients: 0 − (−1)·∇W = ∇W. So a machine whose updates never store
// a gradient shows it, by the very instructions that train.
//
// An instruction that would read an updated parameter reads the one before the
// update.
func Gradients(p *Program) *Program {
	q := p.Clone()
	for i := range q.Code {
		in := &q.Code[i]
		if !in.Op.IsUpdate() {
			continue
		}
		b := q.Buffers[in.Dst]
		b.Name = GradientPrefix + b.Name
		in.Dst = Ref(len(q.Buffers))
		q.Buffers = append(q.Buffers, b)
	}
	return q
}
