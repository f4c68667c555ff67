package lower

import (
	"testing"

	"trainer/graph/internal/mutate"
)

// TestMutants plants faults in the compiler. A test must catch each of them.
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

		{Name: "commonOperands", File: "common.go", Old: "return o.Computes(in) && sameShape", New: "return o.Op == in.Op && o.Expr == in.Expr && slices.Equal(o.Args, in.Args) && sameShape"},
		{Name: "commonShape", File: "common.go", Old: " && sameShape(p.Buffers[o.Dst], p.Buffers[in.Dst])", New: ""},
		{Name: "commonEndsOfOne", File: "common.go", Old: "end[kept[k].Dst] = true\n\t\t\t}", New: "}"},
		{Name: "commonEnds", File: "common.go", Old: "case !end[kept[k].Dst]:", New: "default:"},

		{Name: "deadUpdates", File: "dead.go", Old: "in.Op.IsUpdate() ||", New: "in.Op == ir.RankUpdate ||"},

		{Name: "fuseOutput", File: "fuse.go", Old: " || p.IsEnd(in.Dst)", New: ""},
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

		{Name: "biasShared", File: "bias.go", Old: "n[product] > 1 || ", New: "n[product] > 9 || "},
		{Name: "biasOfRepeated", File: "bias.go", Old: "!sameShape(p.Buffers[product], p.Buffers[in.Dst]) || ", New: ""},
		{Name: "biasMatrix", File: "bias.go", Old: "p.Buffers[bias].Rows != 1 ||", New: "false ||"},
		{Name: "biasScalar", File: "bias.go", Old: "p.Buffers[bias].Cols != p.Buffers[in.Dst].Cols", New: "false"},
		{Name: "biasTransposed", File: "bias.go", Old: "!m.TransA && m.TransB", New: "!m.TransA"},
		{Name: "biasOfTransposed", File: "bias.go", Old: "!m.TransA && m.TransB", New: "m.TransB"},
		{Name: "biasOfDifference", File: "bias.go", Old: "in.Expr != sum", New: "in.Expr != sum && in.Expr != ir.Sub(ir.Arg(0), ir.Arg(1))"},

		{Name: "selectRepeated", File: "select.go", Old: " || !elementwise(p, *in)", New: ""},
		{Name: "selectFactor", File: "select.go", Old: "delta, c = rest, factor", New: "delta, _ = rest, factor"},
		{Name: "selectTarget", File: "select.go", Old: "p.Buffers[in.Args[1]].Kind == ir.Target", New: "true"},
		{Name: "selectActivation", File: "select.go", Old: "ir.FnTanh, ir.Tanh(u),", New: "ir.FnSigmoid, ir.Tanh(u),"},
		{Name: "selectDelta", File: "select.go", Old: "ir.Mul(ir.Sub(u, w), ir.Sub(one, ir.Mul(u, u)))", New: "ir.Mul(ir.Sub(w, u), ir.Sub(one, ir.Mul(u, u)))"},
		{Name: "selectHidden", File: "select.go", Old: "ir.Mul(ir.Mul(u, w), ir.Sub(one, w)),", New: "ir.Mul(ir.Mul(u, w), ir.Sub(one, u)),"},

		{Name: "rateEnd", File: "rate.go", Old: "if p.IsEnd(r) {", New: "if false {"},
		{Name: "rateOperand", File: "rate.go", Old: "slices.Contains(in.Args[1:], r)", New: "false"},
		{Name: "rateNotLinear", File: "rate.go", Old: "in.Op == ir.MatMul || in.Op == ir.HiddenDelta:", New: "!in.Op.IsUpdate():"},
		{Name: "rateTwice", File: "rate.go", Old: "in.Op.IsUpdate() && !in.Rate:", New: "in.Op.IsUpdate():"},
		{Name: "rateRest", File: "rate.go", Old: "chain = append(chain, rest...)", New: "_ = rest"},
		{Name: "rateForgotten", File: "rate.go", Old: "\t\t\t\tnext.Rate = true", New: "\t\t\t\t_ = next"},
		{Name: "rateAlone", File: "rate.go", Old: "\t\tin.Rate = true", New: "\t\t_ = in"},
		{Name: "rateNothing", File: "rate.go", Old: "!ok || !slices.ContainsFunc(chain, func(k int) bool { return p.Code[k].Op.IsUpdate() })", New: "!ok"},

		{Name: "layoutAnyProduct", File: "layout.go", Old: "!in.TransA && in.TransB", New: "true"},
		{Name: "layoutAnyBuffer", File: "layout.go", Old: " && p.Buffers[by].Kind == ir.Data", New: ""},
		{Name: "layoutNoUpdate", File: "layout.go", Old: "mark(in.Dst, in.Args[1])", New: "_ = in"},
		{Name: "layoutNoAffine", File: "layout.go", Old: ", in.Op == ir.Affine:", New: ":"},

		{Name: "importLayers", File: "import.go", Old: "im.graph.WeightGrad[i], fmt", New: "im.graph.WeightGrad[len(im.graph.WeightGrad)-1-i], fmt"},
		{Name: "importFlags", File: "import.go", Old: "TransA: op.transA, TransB: op.transB", New: "TransA: op.transB, TransB: op.transA"},
		{Name: "importElement", File: "import.go", Old: "im.program.Elem = ir.Float64", New: "im.program.Elem = ir.Float32"},
		{Name: "opsTranspose", File: "ops.go", Old: "return operation{kind: opMatMul, transB: true}, nil", New: "return operation{kind: opMatMul, transA: true}, nil"},
		{Name: "opsFunction", File: "ops.go", Old: "fn: ir.FnTanh", New: "fn: ir.FnSigmoid"},
		{Name: "passMissing", File: "lower.go", Old: "return fmt.Errorf(\"BUG: lower: after %s: %w\", pass, err)", New: "return nil"},
	})
}
