package kernel_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"trainer/data"
	"trainer/graph/ir/irtest"
	"trainer/graph/lower"
	"trainer/graph/model"
	"trainer/graph/vm/cuda/kernel"
	"trainer/graph/vm/cuda/kernel/kerneltest"
	"trainer/graph/vm/cuda/kernel/ptxsim"
)

// emulations are the ways in which the emulator runs PTX.
var emulations = []ptxsim.Options{
	{Seed: 1},             // lock step
	{Seed: 2, Weak: true}, // stale caches, late stores
	{Seed: 3, Lanes: true},
}

// TestPTX runs the exercises on the PTX that ships. With the flag -ptx all tests run
// on it.
func TestPTX(t *testing.T) {
	all := exercises(t)
	for _, o := range emulations {
		h := kerneltest.StartPTX(t, kernel.PTX, o)
		for _, l := range all {
			if o.Lanes && l.image.Options.Blocks > 3 {
				continue // slow
			}
			checkExercise(t, h, l)
		}
	}
}

// TestPTXRounding: every operation in float rounds to nearest, but for the range
// reduction of the exponential, which adds a constant.
func TestPTXRounding(t *testing.T) {
	if line := wrongRounding(kernel.PTX); line != "" {
		t.Errorf("kernels.ptx rounds in another direction: %s", line)
	}
}

// wrongRounding returns the first line that does not round to nearest, or "".
func wrongRounding(ptx string) string {
	constant := map[string]bool{} // registers with the constant
	set := regexp.MustCompile(`mov\.f32\s+(%f\d+), 0f4B400001;`)
	other := regexp.MustCompile(`\.r[zmp](\.ftz)?\.f(32|64)`)
	exponential := regexp.MustCompile(`fma\.rm\.f32\s.*, (%f\d+);`)
	for line := range strings.Lines(ptx) {
		if m := set.FindStringSubmatch(line); m != nil {
			constant[m[1]] = true
		}
		if m := exponential.FindStringSubmatch(line); other.MatchString(line) && (m == nil || !constant[m[1]]) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// kernelOf returns PTX with all functions but one kernel only, which is quicker to
// read.
func kernelOf(ptx, entry string) string {
	var text strings.Builder
	keep := true
	for line := range strings.Lines(ptx) {
		if strings.HasPrefix(line, ".func") {
			keep = true
		}
		if strings.HasPrefix(line, ".visible .entry") {
			keep = strings.Contains(line, " "+entry+"(")
		}
		if keep {
			text.WriteString(line)
		}
	}
	return text.String()
}

// notice runs launches on PTX as the tests do, and returns what a test would say; ""
// if it looks right.
func notice(t *testing.T, ptx string, launches []launch) string {
	t.Helper()
	if line := wrongRounding(ptx); line != "" {
		return "rounding: " + line
	}
	if _, err := ptxsim.Parse(ptx); err != nil {
		return err.Error()
	}
	for _, o := range emulations {
		o.Limit = 2e7
		h := kerneltest.StartPTX(t, ptx, o)
		for _, l := range launches {
			if o.Lanes && l.image.Options.Blocks > 3 {
				continue // slow
			}
			got, err := tryRun(h, l)
			if err != nil {
				return err.Error()
			}
			if d := l.differs(t, got); d != "" {
				return d
			}
		}
	}
	return ""
}

// differs compares a result with the interpreter's, as check does; that of tiles with
// the result of the shim, which TestTiles compares.
func (l launch) differs(t *testing.T, got result) string {
	t.Helper()
	p := l.image.Program
	if l.image.Options.Mode == kernel.Tiles {
		want := run(t, kerneltest.Start(t), l)
		for i, v := range want.predictions {
			if d := got.predictions[i] - v; !(d < 1e-5 && d > -1e-5) {
				return fmt.Sprintf("prediction %d", i)
			}
		}
		for i, v := range want.tileCosts {
			if d := got.tileCosts[i] - v; !(d < 1e-4 && d > -1e-4) {
				return fmt.Sprintf("the cost of tile %d", i)
			}
		}
		if !slices.Equal(got.confusion, want.confusion) {
			return "confusion"
		}
		return ""
	}
	if l.stop {
		if st := got.status[0]; st.Step != 1 || st.Stopped != 1 {
			return fmt.Sprintf("status %+v", st)
		}
		return ""
	}
	if l.bad != 0 {
		if st := got.status[0]; st.NonFinite != l.bad {
			return fmt.Sprintf("status %+v", st)
		}
		return ""
	}
	for r := range l.params {
		want, costs := interpret(t, l, r)
		if d := irtest.Diff(p, got.params[r], parameters(p, want), 1e-4); d != "" {
			return d
		}
		for s, c := range costs {
			if d := got.costs[r][s] - c; !(d < 1e-4 && d > -1e-4) {
				return fmt.Sprintf("the cost of step %d", s)
			}
		}
		if s := got.status[r]; s.Step != uint32(l.steps) || s.Stopped != 0 || s.NonFinite != 0 {
			return fmt.Sprintf("status %+v", s)
		}
	}
	return ""
}

// mutations change a line of PTX.
var mutations = []struct{ from, to string }{
	{`@%p`, `@!%p`}, {`@!%p`, `@%p`}, // another predicate
	{`\+4\]`, `+8]`}, {`\+8\]`, `+12]`}, // another address
	{`add\.s32`, `sub.s32`}, {`sub\.s32`, `add.s32`},
	{`mul\.f32`, `add.f32`}, {`fma\.rn`, `fma.rz`}, {`add\.f32`, `sub.f32`},
	{`setp\.eq`, `setp.ne`}, {`setp\.ne`, `setp.eq`},
	{`shfl\.sync\.bfly`, `shfl.sync.idx`}, {`(shfl\.sync.*), -1;`, `$1, 65535;`},
	{`(selp\.\w+\s+\S+), (\S+), (\S+), `, `$1, $3, $2, `},
	{`(shl\.b(32|64).*), 2;`, `$1, 3;`},
}

// equivalent are the faults that change nothing. After the last barrier of vm_grid only
// its first thread goes on, and reads one atomic word. In vm_exchange, three fences order
// only atomic accesses, and a pair of words is sent before others of the same sample, for
// which the thread waits too. A device may reorder these accesses; the emulator does not.
var equivalent = map[string]int{"vm_grid_f32": 3, "vm_exchange_f32": 4}

// stepChecks returns lines in which a thread accepts a word, or both words of a pair, with
// any step, for each place in lines where it compares the steps.
func stepChecks(lines []string) (all []map[int]string) {
	split := regexp.MustCompile(`mov\.b64 \{%f\d+, (%r\d+)\}, %rd`)
	for at := 0; at < len(lines); at++ {
		changed := map[int]string{}
		for ; len(changed) < 2; at += 3 { // the second word of a pair is three lines after the first
			m := split.FindStringSubmatch(lines[at])
			if m == nil {
				break
			}
			compare := regexp.MustCompile(`^(\s*(?:xor\.b32|setp\.(?:eq|ne)\.s32)\s+\S+) ` + m[1] + `, (%r\d+);`)
			for k := at; k < at+10; k++ {
				if compare.MatchString(lines[k]) {
					changed[k] = compare.ReplaceAllString(lines[k], "$1 $2, $2;")
				}
			}
		}
		if len(changed) > 0 {
			all = append(all, changed)
		}
	}
	return all
}

// TestPTXMutants plants faults in the PTX, and expects that a test sees them: in every
// barrier, fence and comparison of steps that the exercises reach, and, with the flag -ptx, at least three
// of four in other instructions at random. Some of those change nothing.
func TestPTXMutants(t *testing.T) {
	launches := map[string][]launch{}
	for _, l := range exercises(t) {
		launches[l.image.Entry] = append(launches[l.image.Entry], l)
	}
	order := regexp.MustCompile(`bar\.(warp\.)?sync.*|red\.release|ld\.acquire`)
	for entry, all := range launches {
		ptx := kernelOf(kernel.PTX, entry)
		h := kerneltest.StartPTX(t, ptx, ptxsim.Options{Seed: 1})
		for _, l := range all {
			if _, err := tryRun(h, l); err != nil {
				t.Fatal(err)
			}
		}
		lines := strings.Split(ptx, "\n")
		executed := h.Executed()
		seen := func(faults map[int]string) bool {
			changed := slices.Clone(lines)
			for at, text := range faults {
				changed[at] = text
			}
			found := notice(t, strings.Join(changed, "\n"), all)
			for at, text := range faults {
				t.Logf("%s, line %d: %q instead of %q: %.150q", entry, at+1, strings.TrimSpace(text), strings.TrimSpace(lines[at]), found)
			}
			return found != ""
		}
		// All of them with the flag -ptx; otherwise, or in the short form, of the kernel that
		// has many, some.
		each, found := 1, 0
		if entry == kernel.ExchangeEntry {
			switch {
			case !kerneltest.OnPTX():
				each = 12
			case testing.Short():
				each = 2
			}
		}
		skip := func() bool { found++; return found%each != 0 }
		planted, missed := 0, 0
		for at, line := range lines {
			if !order.MatchString(line) || !slices.Contains(executed, at+1) {
				continue
			}
			if skip() {
				continue
			}
			text := ""
			if !strings.Contains(line, "bar") {
				text = strings.NewReplacer("release", "relaxed", "acquire", "relaxed").Replace(line)
			}
			planted++
			if !seen(map[int]string{at: text}) {
				missed++
			}
		}
		for _, faults := range stepChecks(lines) {
			for at := range faults {
				if !slices.Contains(executed, at+1) {
					faults = nil
					break
				}
			}
			if faults == nil || skip() {
				continue
			}
			planted++
			if !seen(faults) {
				missed++
			}
		}
		if planted < 3 || missed > equivalent[entry] || each == 1 && missed < equivalent[entry] {
			t.Errorf("%s: no test sees %d of %d faults at barriers and fences, want %d", entry, missed, planted, equivalent[entry])
		}
		if !kerneltest.OnPTX() {
			continue
		}
		rng := rand.New(rand.NewPCG(1, uint64(len(entry))))
		planted, missed = 0, 0
		most := 40
		if testing.Short() {
			most = 20
		}
		for planted < most {
			m := mutations[rng.IntN(len(mutations))]
			from := regexp.MustCompile(m.from)
			if at := executed[rng.IntN(len(executed))] - 1; from.MatchString(lines[at]) {
				planted++
				if !seen(map[int]string{at: from.ReplaceAllString(lines[at], m.to)}) {
					missed++
				}
			}
		}
		if 4*missed > planted {
			t.Errorf("%s: no test sees %d of %d faults", entry, missed, planted)
		}
	}
}

// centred returns images of which 18 % are not black, about as in MNIST, and together
// about as many: those in the middle are seldom black. An image is 28×28 pixels, or the
// first inputs of them.
func centred(rng *rand.Rand, samples, inputs int) set {
	s := set{inputs: inputs, classes: 10, x: make([]float64, samples*inputs), y: make([]float64, samples*10)}
	for i := range samples {
		for j := range inputs {
			row, col := float64(j/28)-13.5, float64(j%28)-13.5
			if rng.Float64() < 0.57*math.Exp(-(row*row+col*col)/84) {
				s.x[i*inputs+j] = 0.5
			}
		}
		s.y[i*10+rng.IntN(10)] = 1
	}
	return s
}

// images returns a set with pixels instead of inputs. All of them that are not black have
// the value that is nearest to 0.5.
func images(s set) set {
	const grey = 128
	s.pixels, s.labels = make([]uint8, len(s.x)), make([]uint8, s.samples())
	for i, v := range s.x {
		if v != 0 {
			s.pixels[i], s.x[i] = grey, data.InputOf[float64](grey)
		}
	}
	for i := range s.labels {
		s.labels[i] = uint8(slices.Index(s.y[i*s.classes:], 1))
	}
	return s
}

var update = flag.Bool("update", false, "write cycles.txt")

// TestCycles counts a step of each kernel on the emulator, and compares the counts with
// cycles.txt, so that a change shows. No GPU has confirmed the estimate of the cycles.
// It runs with the flag -ptx.
func TestCycles(t *testing.T) {
	if !kerneltest.OnPTX() {
		t.Skip("the networks are slow on the emulator: give -ptx")
	}
	configurations := []struct {
		layers    []int
		precision model.Precision
		batch     int
		o         kernel.Options
		steps     [2]int // the counts of a step are the difference
	}{
		{[]int{784, 50, 10}, model.Float32, 1, kernel.Options{Mode: kernel.Fused}, [2]int{16, 64}},
		{[]int{784, 52, 10}, model.Float32, 1, kernel.Options{Mode: kernel.Fused}, [2]int{16, 64}},
		{[]int{392, 60, 10}, model.Float32, 1, kernel.Options{Mode: kernel.Fused}, [2]int{16, 64}},
		{[]int{784, 50, 10}, model.Float32, 1, kernel.Options{}, [2]int{4, 16}},
		{[]int{784, 50, 10}, model.Float32, 8, kernel.Options{}, [2]int{1, 3}},
		{[]int{784, 50, 10}, model.Float64, 1, kernel.Options{}, [2]int{4, 16}},
		{[]int{784, 50, 10}, model.Float32, 128, kernel.Options{Mode: kernel.Grid, Blocks: 132}, [2]int{1, 2}},
		{[]int{784, 50, 10}, model.Float32, 128, kernel.Options{Mode: kernel.Exchange, Blocks: 132}, [2]int{1, 3}},
		{[]int{784, 50, 10}, model.Float32, 32, kernel.Options{Mode: kernel.Exchange, Blocks: 132}, [2]int{1, 3}},
		{[]int{784, 50, 10}, model.Float32, 8, kernel.Options{Mode: kernel.Exchange, Blocks: 132}, [2]int{1, 3}},
		{[]int{784, 30, 10}, model.Float32, 128, kernel.Options{Mode: kernel.Exchange, Blocks: 132}, [2]int{1, 3}},
	}
	lines := make([]string, len(configurations))
	t.Run("count", func(t *testing.T) { // ends when all of them have
		for i, c := range configurations {
			t.Run(fmt.Sprint(c.layers, c.batch, c.o.Mode), func(t *testing.T) {
				t.Parallel()
				n := model.Network{Layers: c.layers, Bias: true, Precision: c.precision}
				p := step(t, n, c.batch, lower.Options{Cost: true})
				rng := rand.New(rand.NewPCG(7, 7))
				c.o.Shared = 227 << 10
				h := kerneltest.StartPTX(t, kernel.PTX, ptxsim.Options{Timed: true})
				l := launch{image: encode(t, p, c.o), set: centred(rng, c.batch*c.steps[1], c.layers[0]), params: [][][]float64{randomParams(rng, p, 0.125)}, rates: []float64{0.1}}
				if c.o.Mode == kernel.Exchange { // it has two ways to read inputs; this one is for images
					l.set = images(l.set)
				}
				var at [2]ptxsim.Counts
				for k := range at {
					l.steps = c.steps[k]
					check(t, h, l, 1e-4)
					at[k] = h.Counts
				}
				a, b, steps := at[0], at[1], uint64(c.steps[1]-c.steps[0])
				lines[i] = fmt.Sprintf("%s %v batch %d shared %d cycles %d instructions %d banks %d conflicts %d divergent %d sectors %d\n", l.image.Entry, n, c.batch, l.image.SharedBytes,
					(b.Cycles-a.Cycles)/steps, (b.Instructions-a.Instructions)/steps, (b.Wavefronts-a.Wavefronts)/steps,
					(b.Wavefronts-b.Ideal-a.Wavefronts+a.Ideal)/steps, (b.Divergent-a.Divergent)/steps, (b.Sectors-a.Sectors)/steps)
				for w := range b.Busy {
					t.Logf("%s: warp %d is busy %d cycles a step", l.image.Entry, w, (b.Busy[w]-a.Busy[w])/steps)
				}
			})
		}
	})
	text := strings.Join(lines, "")
	if *update {
		if err := os.WriteFile("cycles.txt", []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("cycles.txt")
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("cycles.txt is stale: run go test ./graph/vm/cuda/kernel -run TestCycles -ptx -update\n%s", text)
	}
}
