package lower

import (
	"testing"

	"trainer/graph/internal/mutate"
)

// TestMutants plants faults in the compiler: some test must catch each.
func TestMutants(t *testing.T) {
	mutate.Test(t, []string{"passes_test.go", "ops_test.go", "network_test.go"}, []mutate.Mutant{
		{Name: "constantsNotRounded", File: "constants.go", Old: "return float64(float32(v))", New: "return v"},
		{Name: "constantSign", File: "constants.go", Old: "v = -stack[n]", New: "v = stack[n]"},

		{Name: "broadcastOfTranspose", File: "broadcasts.go", Old: "Op == ir.Repeat ||", New: "Op != ir.Map && len(p.Code[def[a]].Args) == 1 ||"},
		{Name: "reshapeToAnyShape", File: "broadcasts.go", Old: "in.Op == ir.Reshape && sameShape(p.Buffers[in.Dst], p.Buffers[in.Args[0]])", New: "in.Op == ir.Reshape"},
		{Name: "parameterCopy", File: "broadcasts.go", Old: " && p.Buffers[in.Args[0]].Kind != ir.Parameter", New: ""},

		{Name: "transposeOr", File: "transposes.go", Old: "in.TransB != turnB", New: "in.TransB || turnB"},
		{Name: "transposeForgotten", File: "transposes.go", Old: "in.TransA = in.TransA != turnA", New: "_ = turnA"},
		{Name: "transposeFlag", File: "transposes.go", Old: "TransA: !m.TransB", New: "TransA: m.TransB"},
		{Name: "productTwice", File: "transposes.go", Old: "n[in.Args[0]] == 1", New: "n[in.Args[0]] >= 1"},

		{Name: "sigmoidSign", File: "sigmoids.go", Old: "ir.Sub(ir.Const(1), sole)", New: "ir.Sub(sole, ir.Const(1))"},
		{Name: "sigmoidAlone", File: "sigmoids.go", Old: "if a, ok := sigmoid[p.Code[k].Args[0]]; ok &&", New: "if a := sigmoid[p.Code[k].Args[0]]; true &&"},
		{Name: "sigmoidOfAnyMap", File: "sigmoids.go", Old: " && p.Code[k].Expr == ir.Neg(sole)", New: ""},
		{Name: "sigmoidShape", File: "sigmoids.go", Old: "; ok && sameShape(p.Buffers[a], p.Buffers[in.Dst])", New: "; ok"},

		{Name: "commonFlags", File: "common.go", Old: "in.TransA, in.TransB, in.Value", New: "false, false, in.Value"},
		{Name: "commonExpression", File: "common.go", Old: "in.Value, in.Expr,", New: "in.Value, 0,"},
		{Name: "commonOutputsOfOne", File: "common.go", Old: "output[r] = true\n\t\t\t}", New: "}"},
		{Name: "commonOutputs", File: "common.go", Old: "case !output[r]:", New: "default:"},

		{Name: "deadUpdates", File: "dead.go", Old: "in.Op.IsUpdate() ||", New: "in.Op == ir.RankUpdate ||"},

		{Name: "fuseOutput", File: "fuse.go", Old: " || isOutput(p, in.Dst)", New: ""},
		{Name: "fuseShared", File: "fuse.go", Old: "uses > 1 && !cheap(in.Expr)", New: "false"},
		{Name: "fuseTwiceInOne", File: "fuse.go", Old: "uses > 1 &&", New: "len(fused) > 1 &&"},
		{Name: "fuseShape", File: "fuse.go", Old: " || !sameShape(p.Buffers[reader.Dst], p.Buffers[in.Dst])", New: ""},
		{Name: "fuseTerms", File: "fuse.go", Old: " || len(e.Terms()) > ir.MaxTerms", New: ""},
		{Name: "fuseDepth", File: "fuse.go", Old: "e.Depth() > ir.MaxDepth || ", New: ""},

		{Name: "simplifySign", File: "simplify.go", Old: "return -c, f", New: "return c, f"},
		{Name: "simplifyNoSwap", File: "simplify.go", Old: "f.args[0], f.args[1] = f.args[1], f.args[0]", New: "_ = f"},
		{Name: "simplifySignLost", File: "simplify.go", Old: "if constant == -1 {", New: "if constant == -2 {"},
		{Name: "simplifyFactor", File: "simplify.go", Old: "return c * d, append(f, g...)", New: "return c + 0*d, append(f, g...)"},

		{Name: "rankUpdateFlags", File: "updates.go", Old: "g.TransA && !g.TransB", New: "g.TransA"},
		{Name: "updateShared", File: "updates.go", Old: "n[in.Args[0]] > 1 ||", New: "n[in.Args[0]] > 2 ||"},
		{Name: "updateOfParameter", File: "updates.go", Old: " || readsParameter(p, p.Code[k])", New: ""},
		{Name: "updateTooEarly", File: "updates.go", Old: "\t\t\t\tafter = k", New: "\t\t\t\tafter = k - 1"},
		{Name: "updateBeforeReads", File: "updates.go", Old: "reads && !o.Listing", New: "reads && false"},
		{Name: "listingIgnored", File: "updates.go", Old: "reads && !o.Listing", New: "reads"},
		{Name: "updatesReversed", File: "updates.go", Old: "at++ // updates", New: "break // updates"},

		{Name: "planOverlaps", File: "memory.go", Old: "live[r].Overlaps(live[in.Dst]) && ", New: "live[r].Last > live[in.Dst].Last && "},
		{Name: "planOnce", File: "memory.go", Old: "\t\t\t\t\tmoved = true", New: "\t\t\t\t\tmoved = false"},

		{Name: "importLayers", File: "import.go", Old: "im.graph.WeightGrad[i], fmt", New: "im.graph.WeightGrad[len(im.graph.WeightGrad)-1-i], fmt"},
		{Name: "importFlags", File: "import.go", Old: "TransA: op.transA, TransB: op.transB", New: "TransA: op.transB, TransB: op.transA"},
		{Name: "importElement", File: "import.go", Old: "im.program.Elem = ir.Float64", New: "im.program.Elem = ir.Float32"},
		{Name: "opsTranspose", File: "ops.go", Old: "return operation{kind: opMatMul, transB: true}, nil", New: "return operation{kind: opMatMul, transA: true}, nil"},
		{Name: "opsFunction", File: "ops.go", Old: "fn: ir.FnTanh", New: "fn: ir.FnSigmoid"},
		{Name: "passMissing", File: "lower.go", Old: "return fmt.Errorf(\"BUG: lower: after %s: %w\", pass, err)", New: "return nil"},
	})
}
