// Package lower compiles the expression graph of a network to a program: what
// the machines run.
//
// Import writes an instruction for each node of the graph, its symbolic
// gradients included, and an update for each parameter. The passes then turn
// it, step by step, into what one would write by hand. Each pass is a function
// in a file of its own; Passes lists them in order, with the reasons. No pass
// knows the network or derives anything: all that the program computes is in
// the graph.
//
// A pass may assume that all updates come last, as Import leaves them, until
// "place updates" moves them.
//
// Between passes the program is verified (ir.Verify), so a fault is reported
// with the pass that made it.
package lower

import (
	"fmt"

	"trainer/graph"
	"trainer/graph/ir"
	"trainer/graph/model"
)

// Options say how to lower.
type Options struct {
	// Listing moves the update of each layer ahead of the product that takes
	// the error to the layer below, which then reads the updated weights, as
	// the textbook's listing does (train.update_order: listing). Without it all
	// gradients are taken before any update, as the equations say.
	Listing bool

	// Cost keeps the cost of a training step (ir.Program.Cost). The gradients do
	// not need it.
	Cost bool

	// Trace, when not nil, is called with the program after the import and
	// after each pass.
	Trace func(pass string, p *ir.Program)
}

// Pass is a named transformation of a program.
type Pass struct {
	Name string
	Why  string
	Run  func(p *ir.Program, o Options) error
}

// Passes are the passes in their order.
var Passes = []Pass{
	{"dead code", "∂E/∂x, which Gorgonia derives along the way; the passes below remove what they leave", simply(dropDead)},
	{"fold constants", "sizes and factors are numbers: the passes below see them as such", simply(foldConstants)},
	{"drop broadcasts", "a Map repeats rows itself; a reshape to the same shape is nothing", simply(dropBroadcasts)},
	{"absorb transposes", "a product reads its operands in either order", simply(absorbTransposes)},
	{"share sigmoids", "σ(−z) = 1 − σ(z): Gorgonia's σ(z)σ(−z) becomes a(1 − a)", simply(shareSigmoids)},
	{"common subexpressions", "what is computed twice is computed once", simply(shareCommon)},
	{"fold bias", "z = Wa + b is one instruction, before b is fused with what reads z", simply(foldBias)},
	{"fuse maps", "an element-wise chain is one loop", simply(fuseMaps)},
	{"simplify", "signs and factors of a product are gathered", simply(simplify)},
	{"fuse updates", "W ← W − ηG with G a product or a sum: the gradient is never stored", simply(fuseUpdates)},
	{"select", "g(z) and δ become instructions: no machine looks at expressions", simply(selectInstructions)},
	{"place updates", "an update comes as soon as nothing needs the old value, or as the listing has it", placeUpdates},
	{"fold rate", "−η moves into δ: an update costs no multiplication by it", simply(foldRate)},
	{"lay out parameters", "the weights of a pixel are contiguous, so that zero pixels cost nothing", simply(layOutParameters)},
}

// Compiler is the vm.Compiler of a network. It sets Options.Cost itself.
type Compiler struct {
	Network model.Network
	Options Options
}

// Step implements vm.Compiler.
func (c Compiler) Step(batch int) (*ir.Program, error) { return c.program(graph.Step, batch, false) }

// StepWithCost implements vm.Compiler.
func (c Compiler) StepWithCost(batch int) (*ir.Program, error) {
	return c.program(graph.Step, batch, true)
}

// Forward implements vm.Compiler.
func (c Compiler) Forward(batch int) (*ir.Program, error) {
	return c.program(graph.Forward, batch, false)
}

func (c Compiler) program(build func(model.Network, int) (*graph.Graph, error), batch int, cost bool) (*ir.Program, error) {
	g, err := build(c.Network, batch)
	if err != nil {
		return nil, err
	}
	o := c.Options
	o.Cost = cost
	return Program(g, o)
}

func simply(run func(*ir.Program)) func(*ir.Program, Options) error {
	return func(p *ir.Program, _ Options) error {
		run(p)
		return nil
	}
}

// Program lowers g: to a training step if it has gradients, else to a forward
// pass.
func Program(g *graph.Graph, o Options) (*ir.Program, error) {
	p, err := Import(g, o)
	if err != nil {
		return nil, err
	}
	if err := verify("import", p, o); err != nil {
		return nil, err
	}
	for _, pass := range Passes {
		if err := pass.Run(p, o); err != nil {
			return nil, fmt.Errorf("lower: %s: %w", pass.Name, err)
		}
		if err := verify(pass.Name, p, o); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// verify checks the program that a pass has left.
func verify(pass string, p *ir.Program, o Options) error {
	if err := ir.Verify(p); err != nil {
		return fmt.Errorf("BUG: lower: after %s: %w", pass, err)
	}
	if o.Trace != nil {
		o.Trace(pass, p)
	}
	return nil
}
