package bench

import (
	"bytes"
	"context"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"trainer/data"
	"trainer/data/files"
	"trainer/data/lang"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/train/terminal"
)

// Comparison is a network trained in mini-batches by the machine and by other programs,
// which do the same: float32, sigmoid, biases, the same first weights, and the samples in
// the order of the set.
type Comparison struct {
	Network lang.Text  `json:"network"`
	Batch   int        `json:"batch"`
	Samples int        `json:"samples"`
	How     lang.Text  `json:"how"` // the machine makes a pass
	Nanos   float64    `json:"ns_per_sample"`
	Peers   []PeerTime `json:"peers"`
}

// PeerTime is the time of another program.
type PeerTime struct {
	Name    string  `json:"name"`
	Version string  `json:"version"`
	Nanos   float64 `json:"ns_per_sample"`
	Ratio   float64 `json:"time_by_machine"`
}

// program is a peer. prepare returns a function that returns a command for each run of a
// training, or nil for a training that the program is not for.
type program struct {
	name    string
	missing string // why it cannot run here; "": it can
	prepare func(ctx context.Context, r rival) (func() *exec.Cmd, error)
}

//go:embed peer
var peerFiles embed.FS

// peerSource returns a file of folder peer.
func peerSource(name string) []byte {
	text, err := peerFiles.ReadFile("peer/" + name)
	if err != nil {
		panic("BUG: bench: " + err.Error())
	}
	return text
}

// programs returns the peers. python is an interpreter.
func programs(ctx context.Context, python string) []program {
	inPython := func(name, module, file string) program {
		p := program{name: name, prepare: func(ctx context.Context, r rival) (func() *exec.Cmd, error) {
			layers := strings.Trim(strings.ReplaceAll(fmt.Sprint(r.network.Layers), " ", ","), "[]")
			return func() *exec.Cmd {
				c := exec.CommandContext(ctx, python, append([]string{"-", layers, strconv.Itoa(r.batch)}, r.arguments()...)...)
				c.Stdin = io.MultiReader(bytes.NewReader(peerSource("load.py")), bytes.NewReader(peerSource(file)))
				return c
			}, nil
		}}
		if err := exec.CommandContext(ctx, python, "-c", "import "+module).Run(); err != nil {
			p.missing = python + " cannot import " + module
		}
		return p
	}
	c := program{name: "C, 1 core", prepare: compileC}
	if _, err := exec.LookPath("gcc"); err != nil {
		c.missing = "gcc is not installed"
	}
	return []program{inPython("NumPy", "numpy", "numpy.py"), inPython("PyTorch", "torch", "torch.py"), inPython("JAX", "jax", "jax.py"), c}
}

// compileC compiles the program in C for a network with one narrow hidden layer. For
// others it returns nil.
func compileC(ctx context.Context, r rival) (func() *exec.Cmd, error) {
	l := r.network.Layers
	if len(l) != 3 || r.network.Size() > wideParameters { // it keeps the sums of all hidden nodes in registers
		return nil, nil
	}
	binary := filepath.Join(r.temp, fmt.Sprintf("sparse-%d", r.batch))
	gcc := exec.CommandContext(ctx, "gcc", "-O3", "-march=native", "-ffast-math", "-fno-strict-aliasing", "-x", "c", "-o", binary,
		fmt.Sprintf("-DINPUTS=%d", l[0]), fmt.Sprintf("-DHIDDEN=%d", l[1]), fmt.Sprintf("-DOUTPUTS=%d", l[2]), fmt.Sprintf("-DBATCH=%d", r.batch), "-", "-lm")
	gcc.Stdin = bytes.NewReader(peerSource("sparse.c"))
	if out, err := gcc.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("gcc: %w: %s", err, lastLine(out))
	}
	return func() *exec.Cmd { return exec.CommandContext(ctx, binary, r.arguments()...) }, nil
}

// rival is a training that the peers do as well.
type rival struct {
	network model.Network
	batch   int
	set     *data.Set // in whole mini-batches
	passes  int
	temp    string // a folder
	file    string // the samples and the first weights: see peer/load.py
}

func (r rival) arguments() []string {
	return []string{strconv.Itoa(r.set.Len()), strconv.FormatFloat(peerRate, 'g', -1, 64), strconv.Itoa(r.passes), r.file}
}

// peerRate is the learning rate.
const peerRate = 0.1

// wideSamples is the number of samples for networks with more parameters than
// wideParameters, so that a pass of NumPy takes about a second.
const (
	wideSamples    = 12_800
	wideParameters = 200_000
)

// rivals returns the trainings to compare: mini-batches of several sizes with n's
// layers, and wider networks. Those with fewer samples than a mini-batch are left out.
func rivals(n model.Network, set *data.Set) []rival {
	var all []rival
	add := func(layers []int, batch int) {
		network := model.Network{Layers: layers, Bias: true, Precision: model.Float32}
		samples := set.Len()
		if network.Size() > wideParameters {
			samples = min(samples, wideSamples)
		}
		if samples = samples / batch * batch; samples > 0 {
			passes := 3
			if samples <= 2*batch {
				passes = 6
			}
			all = append(all, rival{network: network, batch: batch, set: set.Slice(0, samples), passes: passes})
		}
	}
	for _, batch := range Batches[1:] {
		add(n.Layers, batch)
	}
	in, out := n.Inputs(), n.Outputs()
	add([]int{in, 300, 100, out}, 32)
	add([]int{in, 1000, out}, 128)
	add([]int{in, 1000, 1000, out}, 128)
	return all
}

// comparisons measures the machine and the peers in turn. It returns which peers are
// missing here.
func comparisons(ctx context.Context, o Options, n model.Network) (all []Comparison, missing []string, err error) {
	temp, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, nil, fmt.Errorf("peers: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	var present []program
	for _, p := range programs(ctx, o.Python) {
		if p.missing != "" {
			missing = append(missing, p.name+": "+p.missing)
			continue
		}
		present = append(present, p)
	}
	for _, r := range rivals(n, o.Set) {
		r.temp, r.file = temp, filepath.Join(temp, "samples")
		c, err := r.compare(ctx, o, present)
		if err != nil {
			return nil, nil, fmt.Errorf("peers: %s, batch %d: %w", r.network, r.batch, err)
		}
		all = append(all, c)
	}
	return all, missing, nil
}

// compare measures one training. The machine and the peers take turns in two rounds, and
// the shortest pass of each counts. It is an error if a peer's cost after the first pass
// is another one than the machine's: then they do not do the same.
func (r rival) compare(ctx context.Context, o Options, programs []program) (Comparison, error) {
	p := model.Normal(r.network, model.HiddenRule(r.network), data.Stream(1, "bench", 0))
	p.Round(model.Float32)
	if err := r.write(p); err != nil {
		return Comparison{}, err
	}
	m, err := o.Other(r.network, 0)
	if err != nil {
		return Comparison{}, err
	}
	c, err := r.measure(ctx, m, p, programs)
	return c, errors.Join(err, m.Close())
}

func (r rival) measure(ctx context.Context, m vm.VM, p model.Parameters, programs []program) (Comparison, error) {
	how, err := m.Describe(r.batch)
	if err != nil {
		return Comparison{}, err
	}
	c := Comparison{Network: r.network.Text(), Batch: r.batch, Samples: r.set.Len(), How: how, Nanos: math.Inf(1)}
	var commands []func() *exec.Cmd
	for _, program := range programs {
		command, err := program.prepare(ctx, r)
		if err != nil {
			return c, err
		}
		if command != nil {
			commands = append(commands, command)
			c.Peers = append(c.Peers, PeerTime{Name: program.name, Nanos: math.Inf(1)})
		}
	}
	for range 2 {
		cost, err := r.own(ctx, m, p, &c.Nanos)
		if err != nil {
			return c, err
		}
		for i, command := range commands {
			peer := &c.Peers[i]
			if err := run(command(), peer, cost); err != nil {
				return c, fmt.Errorf("%s: %w", peer.Name, err)
			}
		}
	}
	for i := range c.Peers {
		c.Peers[i].Ratio = c.Peers[i].Nanos / c.Nanos
	}
	return c, nil
}

// own makes the passes on the machine, and returns the cost after the first.
func (r rival) own(ctx context.Context, m vm.VM, p model.Parameters, best *float64) (cost float64, err error) {
	if err := errors.Join(m.SetParameters(p), m.Load(r.set)); err != nil {
		return 0, err
	}
	for k := range r.passes {
		start := time.Now()
		if err := m.Train(ctx, vm.Pass{Set: r.set, Batch: r.batch, Rate: peerRate}); err != nil {
			return 0, err
		}
		*best = min(*best, float64(time.Since(start))/float64(r.set.Len()))
		if k == 0 {
			score, err := m.Evaluate(ctx, r.set)
			if err != nil {
				return 0, err
			}
			cost = score.Cost
		}
	}
	return cost, nil
}

// run runs a peer. It prints the nanoseconds per sample of its fastest pass, its cost
// after the first, and its version.
func run(cmd *exec.Cmd, peer *PeerTime, cost float64) error {
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, lastLine(exit.Stderr))
		}
		return err
	}
	fields := strings.SplitN(strings.TrimSpace(string(out)), " ", 3)
	if len(fields) != 3 {
		return fmt.Errorf("it printed %q", out)
	}
	ns, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return err
	}
	theirs, err := strconv.ParseFloat(fields[1], 64)
	if err != nil {
		return err
	}
	// The order of sums differs. An error of 1e-7 of each weight in each of some thousand
	// steps does not change the cost by a thousandth.
	if math.Abs(theirs-cost) > 1e-3*cost {
		return fmt.Errorf("after one pass its cost is %.6g, and the machine's is %.6g: it does something else", theirs, cost)
	}
	peer.Nanos, peer.Version = min(peer.Nanos, ns), fields[2]
	return nil
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// write writes the file of the samples and the first weights.
func (r rival) write(p model.Parameters) error {
	var b bytes.Buffer
	float := func(v float64) {
		b.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(v))))
	}
	for _, v := range data.TableOf[float64](r.set.Scale) {
		float(v)
	}
	y := make([]float64, max(2, r.network.Outputs()))
	data.Target(y[:r.network.Outputs()], r.set, 0)
	float(y[1]) // of a class that is not the label's
	float(y[0])
	p.Tensors(func(_ string, _ []int, values []float64) {
		for _, v := range values {
			float(v)
		}
	})
	b.Write(r.set.Labels)
	b.Write(r.set.Pixels)
	folder, err := files.OpenFolder(r.temp)
	if err != nil {
		return err
	}
	err = files.Replace(folder, "new", filepath.Base(r.file), func(w io.Writer) error {
		_, err := b.WriteTo(w)
		return err
	})
	return errors.Join(err, folder.Close())
}

// comparisonText returns the comparisons as a table.
func comparisonText(l lang.Language, all []Comparison, missing []string) []string {
	if len(all) == 0 {
		return nil
	}
	names := map[string]string{}
	var order []string
	for _, c := range all {
		for _, p := range c.Peers {
			if names[p.Name] == "" {
				order = append(order, p.Name)
				names[p.Name] = p.Name + " " + p.Version
			}
		}
	}
	table := [][]string{{networkText.In(l), batchText.In(l), thisMachineText.In(l), epochText.In(l)}}
	for _, name := range order {
		table[0] = append(table[0], names[name])
	}
	for _, c := range all {
		row := []string{c.Network.In(l), strconv.Itoa(c.Batch), fmt.Sprintf("%.0f", c.Nanos), fmt.Sprintf("%.4f", c.Nanos*epoch/1e9)}
		for _, name := range order {
			cell := ""
			for _, p := range c.Peers {
				if p.Name == name {
					cell = fmt.Sprintf("%.0f (%.2f)", p.Nanos, p.Ratio)
				}
			}
			row = append(row, cell)
		}
		table = append(table, row)
	}
	lines := append([]string{"", comparisonsText.Format(l, runtime.GOMAXPROCS(0)), ""}, terminal.LeftTable(table)...)
	for _, m := range missing {
		lines = append(lines, missingText.Format(l, m))
	}
	return lines
}

var (
	comparisonsText = lang.Text{
		En: "mini-batches of float32 with biases, in the order of the set; ns per sample, and how many times the machine's (%d cores)",
		Zh: "float32 小批量，含偏置，按数据集顺序；每样本纳秒，以及为本机执行器的多少倍（%d 核）",
	}
	networkText     = lang.Text{En: "network", Zh: "网络"}
	batchText       = lang.Text{En: "batch", Zh: "批量"}
	thisMachineText = lang.Text{En: "machine", Zh: "执行器"}
	missingText     = lang.Text{En: "not measured: %s", Zh: "未测量：%s"}
)
