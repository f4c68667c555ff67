package ir

// GradientPrefix begins the names of the parameters that Gradients adds.
const GradientPrefix = "grad_"

// Gradients returns p with a new parameter grad_W of the same shape and layout
// behind all others for each parameter W, in the same order, and with the
// updates of W going to it. Run with η = −1 from zeros there, it leaves the
// gradients: 0 − (−1)·∇W = ∇W. So a machine whose updates never store a gradient
// shows it, by the very instructions that train.
//
// An instruction that would read an updated parameter reads the one before the
// update.
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
