package ir_test

import (
	"strings"
	"testing"

	"trainer/graph/ir"
)

func TestParseErrors(t *testing.T) {
	const head = "program \"p\" float32 batch 1\n x data 1x2\n W parameter 1x2\n t temporary 1x2\n"
	for _, c := range []struct{ text, want string }{
		{"", "ir: 1:1: no program: begin with a line such as"},
		{"; nothing\n", "ir: 2:1: no program"},
		{"x data 1x2", `ir: 1:1: have "x", want program`},
		{"program step", `ir: 1:9: have "step", want the program's name in quotes`},
		{"program \"a", `ir: 1:9: have "\"", want the program's name in quotes`},
		{"program \"a\" float16", `ir: 1:13: have "float16", want float32, float64`},
		{"program \"a\" float32 batch", "ir: 1:26: the line ends, want the batch size"},
		{"program \"a\" float32 batch 1.5", `ir: 1:27: have "1.5", want the batch size`},
		{"program \"a\" float32 batch 1 stage", `ir: 1:29: have "stage", want the end of the line`},

		{head + "rate data 1x2", `ir: 5:1: have "rate", want a buffer, output, cost, or an instruction`},
		{head + "x data 1x2", `ir: 5:1: a second buffer "x": names are unique`},
		{head + "u input 1x2", `ir: 5:3: have "input", want data, target, parameter, temporary`},
		{head + "u data 2", `ir: 5:8: have "2", want a shape, such as 50x784`},
		{head + "u data 1x9999999999", `ir: 5:8: have "1x9999999999", want a shape`},
		{head + "u parameter 1x2 by x", `ir: 5:20: have "x", want input`},
		{head + "u temporary 1x2 9", `ir: 5:17: have "9", want the end of the line`},
		{head + "output q", `ir: 5:8: no buffer "q": declare it above, as in: q temporary 1x1`},
		{head + "output t x", `ir: 5:10: have "x", want the end of the line`},
		{head + "cost t\ncost t", `ir: 6:1: a second cost, want one at most`},

		{head + "1 t = map x", `ir: 5:1: have "1", want number 0, or none`},
		{head + "q = map x", `ir: 5:1: no buffer "q"`},
		{head + "0 t * x", `ir: 5:5: have "*", want =`},
		{head + "t = update x", `ir: 5:5: have "update", want fill, matmul,`},
		{head + "t = fill x", `ir: 5:10: have "x", want a finite number`},
		{head + "t = fill 1e999", `ir: 5:10: have "1e999", want a finite number`},
		{head + "t = matmul x", "ir: 5:13: the line ends, want the name of a buffer"},
		{head + "t = matmul x^2 W", `ir: 5:13: have "^", want the name of a buffer`},
		{head + "t = sumrows x W ; n", `ir: 5:15: have "W", want the end of the line`},
		{head + "t = map (x + W", "ir: 5:15: the line ends, want )"},
		{head + "t = map x + * W", `ir: 5:13: have "*", want the name of a buffer`},
		{head + "t = map x W", `ir: 5:11: have "W", want the end of the line`},
		{head + "t = map sigmoid x", `ir: 5:17: have "x", want (`},
		{head + "t = map exp(x)", `ir: 5:9: no buffer "exp"`},
		{head + "t = map add(x)", `ir: 5:9: have "add", want the name of a buffer`},
		{head + "t = map " + strings.Repeat("(", 9999), "nested more than 130 deep"},
		{head + "t = map " + strings.Repeat("-", 9999), "nested more than 130 deep"},
		{head + "t = affine x W", "ir: 5:15: the line ends, want the name of a buffer"},
		{head + "t = activate x", `ir: 5:14: have "x", want sigmoid, tanh`},
		{head + "t = activate square x", `ir: 5:14: have "square", want sigmoid, tanh`},
		{head + "t = outputdelta tanh t W * x", `ir: 5:28: have "x", want a finite number`},
		{head + "t = outputdelta tanh t W * rate", `ir: 5:28: have "rate", want -rate, or a number`},
		{head + "t = outputdelta tanh t W * 2 * 3", `ir: 5:32: have "3", want -`},
		{head + "t = hiddendelta tanh t W * 2", `ir: 5:26: have "*", want the end of the line`},
		{head + "W += rate * x", `ir: 5:6: have "rate", want the name of a buffer`},
		{head + "W -= x", `ir: 5:6: have "x", want rate`},
		{head + "W -= rate x", `ir: 5:11: have "x", want *`},
		{head + "W -= rate * x^T", "ir: 5:16: the line ends, want the name of a buffer"},
	} {
		p, err := ir.Parse(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) || p != nil {
			t.Errorf("%s\nerror %v\nwant  %s", strings.TrimPrefix(c.text, head), err, c.want)
		}
	}
}

// Spacing, comments and names with odd characters do not matter.
func TestParseLoose(t *testing.T) {
	p, err := ir.Parse("; a comment\r\n\r\n\tprogram \"a; \\\"b\\\" ²\" float64 batch 1 ; c\r\n\tx\tdata  1x2;c\n t temporary 1x2\noutput t ; c\n0 t=map 2*x+-1e-3;  note; two \t\r\n")
	if err != nil {
		t.Fatal(err)
	}
	want := "program \"a; \\\"b\\\" ²\" float64 batch 1\n  x data      1x2\n  t temporary 1x2\n  output t\n  0 t  = map 2 * x + -0.001 ; note; two\n"
	if p.String() != want {
		t.Errorf("got\n%s\nwant\n%s", p, want)
	}
}

func TestMustParse(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	ir.MustParse("no program")
}
