// Package ptxsim executes PTX on the CPU, for tests without a GPU. It runs the
// text that ships, where the shim runs the C++ source that the text is made from.
//
// It implements the instructions that the kernels use; Parse refuses others. A
// warp executes in lock step, or, with Options.Lanes, one random lane at a time,
// which the hardware may do too. Warps of a block, and the blocks of a cooperative
// launch, take turns in a random order. With Options.Weak a block reads global
// memory from a stale cache, and its stores wait for a fence.
//
// Run reports as faults:
//   - an access that is misaligned, or outside of an allocation,
//   - an undefined value that decides a branch or an address, or that is stored to
//     global memory; values in shared memory are followed,
//   - two accesses of a word that no barrier orders, if one of them writes it, in
//     shared and in global memory, also between the lanes of a warp,
//   - a barrier or a shuffle that not all of its lanes reach,
//   - threads that wait forever.
//
// It also counts. With Options.Timed it estimates cycles, with an in-order model of
// a multiprocessor: see timing.go. No GPU has confirmed the estimate.
//
// It is not exact where PTX is not: ex2.approx and rcp.approx are rounded
// correctly here. A race is found by word of 4 bytes.
package ptxsim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Options say how to execute a launch.
type Options struct {
	Seed  uint64 // of the order of warps, blocks and lanes
	Lanes bool   // a random lane executes alone, instead of all lanes at one place
	Weak  bool   // stale caches and late stores
	Timed bool   // estimate cycles; the warp that is least far executes
	Limit uint64 // of instructions; 0: 1e10
}

// Launch is a launch of a kernel.
type Launch struct {
	Entry               string
	Grid, Block, Shared int // blocks, threads of a block, bytes of dynamic shared memory
	Cooperative         bool
	Argument            []byte // of the kernel; addresses are from Memory.Address
}

// Memory is global memory. Allocations are the parts of it that a kernel may
// access: offset and size.
type Memory struct {
	Bytes       []byte
	Allocations [][2]int // sorted
}

// Address returns the address of an offset of global memory.
func Address(offset uint64) uint64 { return globalBase + offset }

// Counts are the numbers of a launch.
type Counts struct {
	Instructions uint64 // of warps
	Divergent    uint64 // branches that some lanes of a warp take and others do not
	Barriers     uint64 // of blocks
	Shared       uint64 // accesses of shared memory by warps
	Wavefronts   uint64 // passes over the banks that they take
	Ideal        uint64 // passes that they would take without conflicts
	Global       uint64 // accesses of global memory by warps
	Sectors      uint64 // of 32 bytes that they touch
	Cycles       uint64 // of the slowest block, estimated; only with Options.Timed

	// Busy has the cycles of each warp of the slowest block without those in which it
	// waited for others at a barrier: the warp with the most is what the others wait for.
	Busy []uint64
}

// Run executes a launch. The error has the faults.
func (p *Program) Run(l Launch, m *Memory, o Options) (Counts, error) {
	f := p.functions[l.Entry]
	switch {
	case f == nil || !f.entry:
		return Counts{}, fmt.Errorf("ptxsim: no entry %q", l.Entry)
	case l.Block < 32 || l.Block%32 != 0 || l.Grid < 1:
		return Counts{}, fmt.Errorf("ptxsim: %d blocks of %d threads, want whole warps", l.Grid, l.Block)
	case len(f.parameters) != 1 || f.parameters[0].size != len(l.Argument):
		return Counts{}, fmt.Errorf("ptxsim: %s does not have one parameter of %d bytes", l.Entry, len(l.Argument))
	}
	if o.Limit == 0 {
		o.Limit = 1e10
	}
	s := &machine{
		program: p, launch: l, memory: m, options: o, random: rand.New(rand.NewPCG(o.Seed, 1)),
		global: make([]access, len(m.Bytes)/4+4), faults: map[string]int{},
	}
	together := 1
	if l.Cooperative {
		together = l.Grid
	}
	for first := 0; first < l.Grid && !s.stop; first += together {
		var blocks []*block
		for b := first; b < min(l.Grid, first+together); b++ {
			blocks = append(blocks, s.newBlock(f, b))
		}
		s.run(blocks)
		for _, b := range blocks {
			b.flush(s)
			var busy []uint64
			slowest := false
			for _, w := range b.warps {
				slowest = slowest || uint64(w.clock) > s.counts.Cycles
				s.counts.Cycles = max(s.counts.Cycles, uint64(w.clock))
				busy = append(busy, uint64(w.clock-w.waited))
				p.files = append(p.files, w.file)
			}
			if slowest {
				s.counts.Busy = busy
			}
		}
	}
	return s.counts, s.err()
}

// Executed returns the lines of the text whose instructions have been executed since
// Parse, by all launches.
func (p *Program) Executed() []int {
	var lines []int
	for i, in := range p.code {
		if p.executed[i] {
			lines = append(lines, in.line)
		}
	}
	return lines
}

// machine is the state of a launch.
type machine struct {
	program *Program
	launch  Launch
	memory  *Memory
	options Options
	random  *rand.Rand
	global  []access // of each word of global memory
	counts  Counts
	faults  map[string]int // how many times each
	stop    bool

	published map[int][]uint32 // see block
	stamps    map[int]int64    // when a word of global memory was stored; Options.Timed
	hit       bool             // the access is in the L1 cache
}

// fault notes a fault of an instruction. detail is of its first time.
func (s *machine) fault(in *instruction, what, detail string) {
	key := what
	if in != nil {
		key = fmt.Sprintf("line %d: %s: %s", in.line, strings.TrimSpace(in.text), what)
	}
	for k := range s.faults {
		if strings.HasPrefix(k, key) {
			s.faults[k]++
			return
		}
	}
	if detail != "" {
		key += ": " + detail
	}
	s.faults[key]++
	// What follows a fault may be anything: a little more of it is enough.
	s.options.Limit = min(s.options.Limit, s.counts.Instructions+1e5)
	if len(s.faults) > 20 {
		s.stop = true
	}
}

func (s *machine) err() error {
	var all []string
	for text, n := range s.faults {
		all = append(all, fmt.Sprintf("%s (%d times)", text, n))
	}
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	return errors.New("ptxsim: " + s.launch.Entry + ":\n\t" + strings.Join(all, "\n\t"))
}
