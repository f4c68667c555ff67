package ir

// GradientPrefix begins the names of the parameters that Gradients adds.
const GradientPrefix = "grad_"

// Gradients returns a copy of p that leaves the gradients instead of updating the
// parameters. For each parameter W the copy has a new parameter grad_W of the same
// shape and layout, and the updates of W go to grad_W. The new parameters come
// after all others, in the same order. If they are zero at the start, a run with
// η = −1 leaves the gradients in them: 0 − (−1)·∇W = ∇W. So a machine can return
// gradients although its updates never store one, and it computes them with the
// instructions that train.
//
// An instruction of p that reads a parameter after its update reads, in the copy,
// the parameter before the update.
func Gradients(p *Program) *Program {
	q := p.Clone()
	gradient := map[Ref]Ref{}
	for _, r := range p.Parameters() {
		b := q.Buffers[r]
		b.Name = GradientPrefix + b.Name
		gradient[r] = Ref(len(q.Buffers))
		q.Buffers = append(q.Buffers, b)
	}
	for i := range q.Code {
		if in := &q.Code[i]; in.Op.IsUpdate() {
			in.Dst = gradient[in.Dst]
		}
	}
	return q
}
