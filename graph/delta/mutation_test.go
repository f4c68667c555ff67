package delta

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mutants are faults planted in the source of this package: in file, the text
// old, which is there once, becomes new.
var mutants = []struct {
	name, file, old, new string
}{
	{"factor2", "delta.go", "return sum / 2", "return sum"},
	{"meanCostIsSum", "delta.go", "return sum / float64(len(xs))", "return sum"},
	{"batchCostIsSum", "delta.go", "p.A[L]) / float64(len(xs))", "p.A[L])"},
	{"ascent", "delta.go", "w[i][j] -= rate", "w[i][j] += rate"},
	{"biasAscent", "delta.go", "b[i] -= rate", "b[i] += rate"},
	{"signA64", "delta.go", "Hadamard(Scale(-1, Minus(y, a))", "Hadamard(Scale(1, Minus(y, a))"},
	{"noPrimeA64", "delta.go", "return Hadamard(Scale(-1, Minus(y, a)), Apply(g.Prime, z))", "return Minus(a, y)"},
	{"primeOfA64", "delta.go", "Minus(y, a)), Apply(g.Prime, z)", "Minus(y, a)), Apply(g.Prime, a)"},
	{"noPrimeA65", "delta.go", "return Hadamard(TransposeTimes(wNext, deltaNext), Apply(g.Prime, z))", "return TransposeTimes(wNext, deltaNext)"},
	{"gForPrimeA65", "delta.go", "deltaNext), Apply(g.Prime, z)", "deltaNext), Apply(g.G, z)"},
	{"transposeA65", "delta.go", "Hadamard(TransposeTimes(", "Hadamard(Times("},
	{"wrongLayerW", "delta.go", "HiddenDelta(net.G, net.W[l+1], d[l+1]", "HiddenDelta(net.G, net.W[l], d[l+1]"},
	{"wrongLayerZ", "delta.go", "d[l+1], p.Z[l])", "d[l+1], p.Z[l+1])"},
	{"lastHiddenOnly", "delta.go", "for l := L - 1; l >= 2; l-- {\n\t\td[l]", "for l := L - 1; l >= L-1; l-- {\n\t\td[l]"},
	{"outerSwapped", "delta.go", "return Outer(delta, aPrev)", "return Outer(aPrev, delta)"},
	{"activationOfLayer", "delta.go", "WeightGradient(d[l], p.A[l-1])", "WeightGradient(d[l], p.A[l])"},
	{"batchActivation", "delta.go", "MeanOfProducts(deltas[l], as[l-1])", "MeanOfProducts(deltas[l], as[l])"},
	{"sumForMeanA66", "delta.go", "mean[i][j] = sum / float64(len(deltas))", "mean[i][j] = sum"},
	{"literalA66", "delta.go", "deltas[s][i] * aPrevs[s][j]", "deltas[s][i] * Mean(aPrevs)[j]"},
	{"firstSampleA66", "delta.go", "deltas[s][i] * aPrevs[s][j]", "deltas[s][i] * aPrevs[0][j]"},
	{"offByOne", "delta.go", "deltas[s][i] * aPrevs[s][j]", "deltas[s][i] * aPrevs[s][max(j-1, 0)]"},
	{"sumForMeanBias", "delta.go", "grad.B[l] = Mean(deltas[l])", "grad.B[l] = Scale(float64(len(xs)), Mean(deltas[l]))"},
	{"biasGradientZero", "delta.go", "return Scale(1, delta)", "return Scale(0, delta)"},
	{"noBiasStep", "delta.go", "DescendBias(net.B[l], grad.B[l], rate)", "_ = rate"},
	{"listingOrder", "delta.go", "for l := 2; l <= net.L(); l++ {\n\t\tUpdateWeights(", "for l := net.L(); l >= 2; l-- {\n\t\td = Deltas(net, p, y)\n\t\tUpdateWeights("},
	{"listingSimultaneous", "delta.go", "\t\tUpdateWeights(net.W[l], d, p.A[l-1], rate)", "\t\tdefer UpdateWeights(net.W[l], d, p.A[l-1], rate)"},
	{"elementA49", "delta.go", "-(y[i] - a[i]) * g.Prime(z[i]) * aPrev[j]", "-(y[i] - a[i]) * g.Prime(z[i]) * aPrev[i%len(aPrev)]"},
	{"elementA52", "delta.go", "return -(y[i] - a[i]) * g.Prime(z[i])\n", "return (y[i] - a[i]) * g.Prime(z[i])\n"},
	{"elementA57", "delta.go", "return wNext[j][i] * g.Prime(z[i])", "return wNext[j][i]"},
	{"elementA58", "delta.go", "return sum * g.Prime(z[i])", "return sum"},
	{"noBiasForward", "network.go", "p.Z[l] = Plus(p.Z[l], net.B[l])", "_ = net.B[l]"},
	{"sigmoidPrime", "network.go", "return a * (1 - a)", "return a * (1 + a)"},
	{"tanhPrime", "network.go", "return 1 - a*a", "return 1 - a"},
}

// TestMutants runs the other tests of this package on each mutant: some test
// must fail. The mutants are packages of a temporary module, each with the
// tests as an ordinary file, and all are linked into one test binary.
func TestMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles some thirty packages")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command here: ", err)
	}
	files := map[string]string{"network.go": "", "delta.go": "", "delta_test.go": ""}
	for name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	tests := regexp.MustCompile(`(?m)^func (Test\w+)\(t `).FindAllStringSubmatch(files["delta_test.go"], -1)

	module := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(module, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var imports, calls strings.Builder
	add := func(name string, mutate func(file, text string) string) {
		for file, text := range files {
			write(name+"/"+strings.Replace(file, "_test.go", "_tests.go", 1), mutate(file, text))
		}
		fmt.Fprintf(&imports, "import %s %q\n", name, "mutants/"+name)
		fmt.Fprintf(&calls, "func Test_%s(t *testing.T) {\n", name)
		for _, test := range tests {
			fmt.Fprintf(&calls, "\tt.Run(%q, %s.%s)\n", test[1], name, test[1])
		}
		calls.WriteString("}\n")
	}
	add("none", func(_, text string) string { return text })
	for _, m := range mutants {
		add(m.name, func(file, text string) string {
			if file != m.file {
				return text
			}
			if n := strings.Count(text, m.old); n != 1 {
				t.Fatalf("%s: %q is %d times in %s, want once: the source has changed, change the mutant", m.name, m.old, n, file)
			}
			return strings.Replace(text, m.old, m.new, 1)
		})
	}
	write("go.mod", "module mutants\n\ngo 1.26\n")
	write("all_test.go", "package mutants\n\nimport \"testing\"\n"+imports.String()+calls.String())

	// GOFLAGS is empty: what the caller wants of its own tests (-race, -cover)
	// is not wanted of these.
	build := exec.Command("go", "test", "-c", "-gcflags=mutants/...=-N -l", "-ldflags=-s -w", "-o", "all.exe", ".")
	build.Dir = module
	build.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOPROXY=off", "GOTOOLCHAIN=local")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("a mutant does not compile: %v\n%s", err, out)
	}
	run := func(name string) (output string, err error) {
		out, err := exec.Command(filepath.Join(module, "all.exe"), "-test.run=^Test_"+name+"$", "-test.v").CombinedOutput()
		return string(out), err
	}
	if out, err := run("none"); err != nil || !strings.Contains(out, "--- PASS: Test_none") {
		t.Fatalf("without a fault: %v\n%s", err, out)
	}
	for _, m := range mutants {
		out, err := run(m.name)
		caught := regexp.MustCompile(`--- FAIL: Test_\w+/(Test\w+) `).FindAllStringSubmatch(out, -1)
		if err == nil || len(caught) == 0 {
			t.Errorf("%s: no test caught %q in place of %q: %v", m.name, m.new, m.old, err)
			continue
		}
		var names []string
		for _, c := range caught {
			names = append(names, c[1])
		}
		t.Logf("%s: caught by %s", m.name, strings.Join(names, ", "))
	}
}
