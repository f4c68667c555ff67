package lower

import (
	"slices"

	"trainer/graph/ir"
)

// definitions returns, for each buffer, the index of the instruction that defines
// it, or −1 for the parameters and inputs, which no instruction defines.
func definitions(p *ir.Program) []int {
	def := make([]int, len(p.Buffers))
	for i := range def {
		def[i] = -1
	}
	for i, in := range p.Code {
		if !in.Op.IsUpdate() {
			def[in.Dst] = i
		}
	}
	return def
}

// reads returns how often each buffer is read, as an argument or after the program
// has run.
func reads(p *ir.Program) []int {
	n := make([]int, len(p.Buffers))
	for _, in := range p.Code {
		for _, a := range in.Args {
			n[a]++
		}
	}
	for r := range n {
		if p.IsEnd(ir.Ref(r)) {
			n[r]++
		}
	}
	return n
}

// rename makes every reader of a buffer read to[buffer] instead, if there is one.
func rename(p *ir.Program, to map[ir.Ref]ir.Ref) {
	resolve := func(r ir.Ref) ir.Ref {
		for {
			next, ok := to[r]
			if !ok {
				return r
			}
			r = next
		}
	}
	for i := range p.Code {
		in := &p.Code[i]
		args := make([]ir.Ref, len(in.Args))
		for k, a := range in.Args {
			args[k] = resolve(a)
		}
		if in.Op == ir.Map {
			note := in.Note
			*in = ir.NewMap(in.Dst, args, in.Expr) // two arguments may have become one
			in.Note = note
		} else {
			in.Args = args
		}
	}
	p.Output, p.Cost = resolve(p.Output), resolve(p.Cost)
}

// setMap makes an instruction the Map of e over args. It keeps the result and the
// note.
func setMap(in *ir.Instr, args []ir.Ref, e ir.Expr) {
	note := in.Note
	*in = ir.NewMap(in.Dst, args, e)
	in.Note = note
}

// remove deletes the instructions for which drop is true, and the temporaries that
// are then unused.
func remove(p *ir.Program, drop func(i int, in ir.Instr) bool) {
	i := -1
	p.Code = slices.DeleteFunc(p.Code, func(in ir.Instr) bool { i++; return drop(i, in) })
	p.Compact()
}

func sameShape(a, b ir.Buffer) bool { return a.Rows == b.Rows && a.Cols == b.Cols }
