package lower

import (
	"fmt"
	"strconv"
	"strings"

	"trainer/graph/ir"
)

// opKind is what an operation of Gorgonia does.
type opKind int

const (
	opConst     opKind = iota // a number
	opSizeOf                  // the length of an axis of its operand: a number that the shapes give
	opMatMul                  // A·B, either one transposed
	opTranspose               // Aᵀ
	opReshape                 // the same elements in another shape
	opRepeat                  // the operand repeated along an axis of length 1; a second operand says how often
	opSum                     // the sum over some axes
	opMap                     // element by element, a scalar operand repeated
	opKindEnd
)

// operation is what the compiler needs to know of an operation of Gorgonia.
type operation struct {
	kind           opKind
	transA, transB bool  // opMatMul
	axes           []int // opSum
	fn             ir.Fn // opMap
}

// parseOp reads the String of an operation of Gorgonia v0.9.18. The types of the
// operations are unexported, so the text and the order of the operands are all that
// the compiler can use. No other function tells operations apart by their text.
func parseOp(text string) (operation, error) {
	switch text {
	case "A × B":
		return operation{kind: opMatMul}, nil
	case "Aᵀ × B":
		return operation{kind: opMatMul, transA: true}, nil
	case "A × Bᵀ":
		return operation{kind: opMatMul, transB: true}, nil
	case "Aᵀ × Bᵀ":
		return operation{kind: opMatMul, transA: true, transB: true}, nil
	case "Aᵀ{1, 0}":
		return operation{kind: opTranspose}, nil
	case "+ false":
		return operation{kind: opMap, fn: ir.FnAdd}, nil
	case "- false":
		return operation{kind: opMap, fn: ir.FnSub}, nil
	case "⊙ false":
		return operation{kind: opMap, fn: ir.FnMul}, nil
	case "neg":
		return operation{kind: opMap, fn: ir.FnNeg}, nil
	case "square":
		return operation{kind: opMap, fn: ir.FnSquare}, nil
	case "sigmoid":
		return operation{kind: opMap, fn: ir.FnSigmoid}, nil
	case "tanh":
		return operation{kind: opMap, fn: ir.FnTanh}, nil
	case "Repeat0", "Repeat1":
		return operation{kind: opRepeat}, nil
	}
	switch {
	case strings.HasPrefix(text, "const "):
		return operation{kind: opConst}, nil
	case strings.HasPrefix(text, "SizeOf="):
		return operation{kind: opSizeOf}, nil
	case strings.HasPrefix(text, "Reshape("):
		return operation{kind: opReshape}, nil
	case strings.HasPrefix(text, "Σ["):
		var axes []int
		for _, field := range strings.Fields(strings.Trim(text, "Σ[]")) {
			axis, err := strconv.Atoi(field)
			if err != nil {
				return operation{}, fmt.Errorf("unknown operation %q", text)
			}
			axes = append(axes, axis)
		}
		return operation{kind: opSum, axes: axes}, nil
	}
	return operation{}, fmt.Errorf("unknown operation %q", text)
}
