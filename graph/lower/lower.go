// Package lower compiles the expression graph of a network to the program that the
// machines run.
//
// Import writes one instruction for each node of the graph, including the symbolic
// gradients, and one update for each parameter. The passes then improve the
// program step by step, until it is about what one would write by hand. A pass is a
// function, and most have a file of their own. Passes lists them in order, with
// the reasons. No pass knows the network, and no pass derives anything: everything
// that the program computes is in the graph.
//
// Import puts all updates last. A pass may assume that they are still last, until
// "place updates" moves them.
//
// After each pass ir.Verify checks the program, so an error names the pass that
// caused it.
package lower

import (
	"fmt"

	"trainer/graph"
	"trainer/graph/ir"
	"trainer/graph/model"
)

// Options says how to compile.
type Options struct {
	// Listing updates each layer before the error is propagated to the layer
	// below, so that A.65 reads the updated weights, as in the textbook's listing
	// (train.update_order: listing). Without it, all gradients are those at the
	// weights before the step, as in the equations.
	Listing bool

	// Cost makes a training step compute its cost (ir.Program.Cost). The
	// gradients do not need it.
	Cost bool

	// Trace, if not nil, is called with the program after the import and after
	// each pass. The next pass changes the program.
	Trace func(pass string, p *ir.Program)
}

// Pass is a named transformation of a program.
type Pass struct {
	Name string
	Why  string
	Run  func(p *ir.Program, o Options) error
}

// Passes lists the passes in the order in which they run.
var Passes = []Pass{
	{"dead code", "removes ∂E/∂x, which Gorgonia derives too; later passes call it after their changes", simply(dropDead)},
	{"fold constants", "sizes and factors become numbers in the expressions", simply(foldConstants)},
	{"drop broadcasts", "a Map repeats rows itself; a reshape to the same shape does nothing", simply(dropBroadcasts)},
	{"absorb transposes", "a product can read its operands transposed", simply(absorbTransposes)},
	{"share sigmoids", "σ(−z) = 1 − σ(z): Gorgonia's σ(z)σ(−z) becomes a(1 − a)", simply(shareSigmoids)},
	{"common subexpressions", "equal instructions become one", simply(shareCommon)},
	{"fold bias", "z = Wa + b becomes one instruction, before b is fused with what reads z", simply(foldBias)},
	{"fuse maps", "an element-wise chain becomes one loop", simply(fuseMaps)},
	{"simplify", "signs and factors of a product are collected", simply(simplify)},
	{"fuse updates", "W ← W − ηG, where G is a product or a sum: the gradient is never stored", simply(fuseUpdates)},
	{"select", "g(z) and δ become instructions, so that no machine matches expressions", simply(selectInstructions)},
	{"place updates", "an update comes as soon as no instruction needs the old value, or where the listing has it", placeUpdates},
	{"fold rate", "−η moves into δ, so that an update needs no multiplication by it", simply(foldRate)},
	{"lay out parameters", "the weights of a pixel become contiguous, so that zero pixels cost nothing", simply(layOutParameters)},
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

// Program compiles g: to a training step if g has gradients, otherwise to a forward
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

// verify checks the program after a pass.
func verify(pass string, p *ir.Program, o Options) error {
	if err := ir.Verify(p); err != nil {
		return fmt.Errorf("BUG: lower: after %s: %w", pass, err)
	}
	if o.Trace != nil {
		o.Trace(pass, p)
	}
	return nil
}
