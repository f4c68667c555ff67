package ptxsim

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
)

// decode reads an instruction. name has the parts of its name, like ld shared v2
// u32.
func (p *parser) decode(in *instruction, name, operands []string) error {
	var types []kind
	for _, part := range name[1:] {
		if k, ok := kinds[part]; ok {
			types = append(types, k)
		}
	}
	if len(types) > 0 {
		in.kind = types[0]
	}
	in.op, in.cost = name[0], costOf(name[0], in.kind)
	switch name[0] {
	case "bra":
		in.do = branch
		p.jump(p.f.labels, operands[0])
		return nil
	case "ret", "exit":
		in.do = ret
		return nil
	case "call":
		in.do = call
		return p.call(operands)
	case "bar", "barrier":
		return p.barrier(in, name, operands)
	case "membar", "fence":
		in.do = fence
		return nil
	case "ld", "st", "atom", "red":
		return p.access(in, name, operands)
	case "vote":
		if name[2] != "ballot" {
			return errors.New("want vote.sync.ballot")
		}
		in.do, in.modifier = shuffle, "ballot"
		if err := p.read(in, operands, kinds["pred"], kinds["u32"]); err != nil {
			return err
		}
		zero := p.constantSlot(0)
		in.src = []int{in.src[0], zero, zero, in.src[1]} // like a shuffle
		return nil
	case "shfl":
		in.do, in.modifier = shuffle, name[2]
		return p.read(in, operands, in.kind, kinds["u32"], kinds["u32"], kinds["u32"])
	}
	if name[0] == "mov" && in.kind.bytes > 2 && (operands[0][0] == '{' || operands[1][0] == '{') {
		return p.pack(in, operands)
	}
	if name[0] == "selp" {
		in.do = selectValue
		return p.read(in, operands, in.kind, in.kind, kinds["pred"])
	}
	if name[0] == "bfi" {
		return p.insert(in, operands)
	}
	sources := slices.Repeat([]kind{in.kind}, len(operands)-1)
	switch name[0] {
	case "shl", "shr":
		sources[1] = kinds["u32"]
	case "cvt":
		sources[0] = types[1]
	case "bfe":
		sources[1], sources[2] = kinds["u32"], kinds["u32"]
	}
	if err := p.read(in, operands, sources...); err != nil {
		return err
	}
	var err error
	in.f, err = function3(name, types)
	return err
}

// insert reads bfi d, a, b, position, length: d is b with some bits from a. The
// position and the length are numbers.
func (p *parser) insert(in *instruction, operands []string) error {
	if len(operands) != 5 {
		return errors.New("want bfi with 5 operands")
	}
	var bits [2]uint64
	for k := range bits {
		var err error
		if bits[k], err = strconv.ParseUint(operands[3+k], 0, 6); err != nil {
			return err
		}
	}
	mask := truncate((uint64(1)<<bits[1]-1)<<bits[0], in.kind)
	in.f = func(a, b, _ uint64) uint64 { return b&^mask | a<<bits[0]&mask }
	return p.read(in, operands[:3], in.kind, in.kind)
}

// read reads a destination and sources.
func (p *parser) read(in *instruction, operands []string, sources ...kind) error {
	if len(operands) != 1+len(sources) {
		return fmt.Errorf("%d operands", len(operands))
	}
	for i, text := range operands {
		if i == 0 {
			o, err := p.operand(text, in.kind)
			if err != nil {
				return err
			}
			in.dst = []int{o}
			continue
		}
		o, err := p.operand(text, sources[i-1])
		if err != nil {
			return err
		}
		in.src = append(in.src, o)
	}
	return nil
}

// jump sets the target of a branch when the label is known.
func (p *parser) jump(labels map[string]int, label string) {
	at := len(p.code)
	p.pending = append(p.pending, func() error {
		to, ok := labels[label]
		if !ok {
			return fmt.Errorf("line %d: no label %s", p.code[at].line, label)
		}
		p.code[at].target = to
		return nil
	})
}

// call reads call.uni (result), function, (arguments).
func (p *parser) call(operands []string) error {
	if len(operands) != 3 {
		return errors.New("want a call with a result and arguments")
	}
	f, at := p.f, len(p.code)
	symbols := func(list string) (all []*symbol) {
		for _, n := range splitOperands(list[1 : len(list)-1]) {
			all = append(all, f.symbols[n])
		}
		return all
	}
	results, arguments := symbols(operands[0]), symbols(operands[2])
	p.pending = append(p.pending, func() error {
		in := &p.code[at]
		in.callee = p.functions[operands[1]]
		if in.callee == nil || len(in.callee.parameters) != len(arguments) || len(results) != 1 {
			return fmt.Errorf("line %d: the call does not fit its function", in.line)
		}
		for i, to := range in.callee.parameters {
			in.moves = append(in.moves, [3]int{arguments[i].offset, to.offset, to.size})
		}
		in.moves = append(in.moves, [3]int{in.callee.result.offset, results[0].offset, results[0].size})
		return nil
	})
	return nil
}

// barrier reads bar.sync 0, bar.warp.sync and barrier.sync.
func (p *parser) barrier(in *instruction, name, operands []string) error {
	if slices.Contains(name, "warp") {
		in.do = warpSync
		o, err := p.operand(operands[0], kinds["u32"])
		in.src = []int{o}
		return err
	}
	in.do = barrier
	if len(operands) != 1 || operands[0] != "0" {
		return errors.New("want barrier 0 of all threads")
	}
	return nil
}

// pack reads a move between a register and the registers that are its parts.
func (p *parser) pack(in *instruction, operands []string) error {
	in.do = pack
	parts, whole := operands[1], operands[0]
	if operands[0][0] == '{' {
		in.do = unpack
		parts, whole = whole, parts
	}
	w, err := p.operand(whole, in.kind)
	if err != nil {
		return err
	}
	all, err := p.vector(parts, kind{bytes: in.kind.bytes / 2})
	in.dst, in.src = []int{w}, all
	if in.do == unpack {
		in.dst, in.src = all, []int{w}
	}
	return err
}

// access reads a load, a store or an atomic operation.
func (p *parser) access(in *instruction, name, operands []string) error {
	has := func(part string) bool { return slices.Contains(name, part) }
	switch {
	case has("shared"):
		in.space = shared
	case has("global"):
		in.space = global
	case has("local"), has("param"):
		in.space = local
	}
	in.strong = has("volatile") || has("relaxed") || has("acquire") || has("release")
	in.acquire, in.release = has("acquire") || has("acq_rel"), has("release") || has("acq_rel")
	values, at := 0, 1
	var err error
	switch name[0] {
	case "ld":
		in.do = load
		in.dst, err = p.vector(operands[0], in.kind)
	case "st":
		in.do, values, at = store, 1, 0
	case "red":
		in.do, values, at = atomic, 1, 0
	case "atom":
		in.do, values = atomic, 2
		in.dst, err = p.vector(operands[0], in.kind)
	}
	if err != nil {
		return err
	}
	if in.do == atomic {
		in.strong = true
		for _, op := range []string{"add", "cas", "exch", "min", "max"} {
			if has(op) {
				in.modifier = op
			}
		}
		if in.modifier == "" {
			return errors.New("unknown atomic operation")
		}
	}
	if values > 0 {
		for _, text := range operands[values:] {
			o, err := p.vector(text, in.kind)
			if err != nil {
				return err
			}
			in.src = append(in.src, o...)
		}
	}
	return p.address(in, operands[at])
}

// function3 returns what an instruction computes of up to three values.
func function3(name []string, types []kind) (func(a, b, c uint64) uint64, error) {
	has := func(part string) bool { return slices.Contains(name, part) }
	k := kind{}
	if len(types) > 0 {
		k = types[0]
	}
	ints := func(f func(a, b, c uint64) uint64) func(a, b, c uint64) uint64 {
		return func(a, b, c uint64) uint64 { return truncate(f(a, b, c), k) }
	}
	signs := func(f func(a, b, c int64) int64) func(a, b, c uint64) uint64 {
		return func(a, b, c uint64) uint64 {
			return truncate(uint64(f(extend(a, k), extend(b, k), extend(c, k))), k)
		}
	}
	floats := func(f func(a, b, c float32) float32, d func(a, b, c float64) float64) func(a, b, c uint64) uint64 {
		if k.bytes == 4 {
			return func(a, b, c uint64) uint64 { return bits32(f(f32(a), f32(b), f32(c))) }
		}
		return func(a, b, c uint64) uint64 { return bits64(d(f64(a), f64(b), f64(c))) }
	}
	width := uint64(8 * k.bytes)
	if k.float && (has("rz") || has("rp") || has("rm") && (name[0] != "fma" || k.bytes == 8)) {
		return nil, errors.New("a rounding that the emulator does not know: it has those of the kernels only")
	}
	switch op := name[0]; {
	case op == "mov", op == "cvta" && len(name) == 3 && name[1] == "param":
		if op == "mov" {
			return func(a, _, _ uint64) uint64 { return a }, nil
		}
		return func(a, _, _ uint64) uint64 { return a + localBase }, nil
	case op == "cvta":
		base := map[string]uint64{"shared": sharedBase, "global": 0, "local": localBase, "param": localBase}[name[len(name)-2]]
		if has("to") {
			return func(a, _, _ uint64) uint64 { return a - base }, nil
		}
		return func(a, _, _ uint64) uint64 { return a + base }, nil
	case op == "setp":
		return comparison(name[1], k)
	case op == "cvt":
		return conversion(name, types[0], types[1])
	case op == "add" && k.float:
		return floats(func(a, b, _ float32) float32 { return a + b }, func(a, b, _ float64) float64 { return a + b }), nil
	case op == "sub" && k.float:
		return floats(func(a, b, _ float32) float32 { return a - b }, func(a, b, _ float64) float64 { return a - b }), nil
	case op == "mul" && k.float:
		return floats(func(a, b, _ float32) float32 { return a * b }, func(a, b, _ float64) float64 { return a * b }), nil
	case op == "fma":
		if has("rm") {
			return func(a, b, c uint64) uint64 { return bits32(fmaDown(f32(a), f32(b), f32(c))) }, nil
		}
		return floats(fma32, math.FMA), nil
	case op == "neg" && k.float:
		return ints(func(a, _, _ uint64) uint64 { return a ^ 1<<(width-1) }), nil
	case op == "abs" && k.float:
		return ints(func(a, _, _ uint64) uint64 { return a &^ (1 << (width - 1)) }), nil
	case (op == "min" || op == "max") && k.float:
		return floats(
			func(a, b, _ float32) float32 { return float32(minMax(float64(a), float64(b), op == "max")) },
			func(a, b, _ float64) float64 { return minMax(a, b, op == "max") }), nil
	case op == "ex2":
		return func(a, _, _ uint64) uint64 { return bits32(flush(float32(math.Exp2(float64(flush(f32(a))))))) }, nil
	case op == "rcp" && k.bytes == 4 && has("ftz"):
		return func(a, _, _ uint64) uint64 { return bits32(flush(1 / flush(f32(a)))) }, nil
	case op == "rcp" && k.bytes == 8 && has("approx"):
		return func(a, _, _ uint64) uint64 { return bits64(1/f64(a)) &^ (1<<32 - 1) }, nil
	case op == "rcp":
		return floats(func(a, _, _ float32) float32 { return 1 / a }, func(a, _, _ float64) float64 { return 1 / a }), nil
	case op == "add":
		return ints(func(a, b, _ uint64) uint64 { return a + b }), nil
	case op == "sub":
		return ints(func(a, b, _ uint64) uint64 { return a - b }), nil
	case op == "neg":
		return ints(func(a, _, _ uint64) uint64 { return -a }), nil
	case op == "abs":
		return signs(func(a, _, _ int64) int64 { return max(a, -a) }), nil
	case (op == "mul" || op == "mad") && has("wide"):
		if k.signed {
			return func(a, b, c uint64) uint64 { return uint64(extend(a, k)*extend(b, k)) + c }, nil
		}
		return func(a, b, c uint64) uint64 { return truncate(a, k)*truncate(b, k) + c }, nil
	case op == "mul" && has("hi") && k.bytes == 4:
		if k.signed {
			return signs(func(a, b, _ int64) int64 { return a * b >> 32 }), nil
		}
		return ints(func(a, b, _ uint64) uint64 { return a * b >> 32 }), nil
	case op == "mul" && has("hi") && k.bytes == 8 && !k.signed:
		return func(a, b, _ uint64) uint64 { hi, _ := bits.Mul64(a, b); return hi }, nil
	case (op == "mul" || op == "mad") && has("lo"):
		return ints(func(a, b, c uint64) uint64 { return a*b + c }), nil
	case (op == "div" || op == "rem") && !k.float:
		return division(op, k), nil
	case op == "min" && k.signed:
		return signs(func(a, b, _ int64) int64 { return min(a, b) }), nil
	case op == "max" && k.signed:
		return signs(func(a, b, _ int64) int64 { return max(a, b) }), nil
	case op == "min":
		return ints(func(a, b, _ uint64) uint64 { return min(a, b) }), nil
	case op == "max":
		return ints(func(a, b, _ uint64) uint64 { return max(a, b) }), nil
	case op == "shl":
		return ints(func(a, b, _ uint64) uint64 { return a << min(b, 64) }), nil
	case op == "shr" && k.signed:
		return signs(func(a, b, _ int64) int64 { return a >> min(uint64(b), 63) }), nil
	case op == "shr":
		return ints(func(a, b, _ uint64) uint64 { return a >> min(b, 64) }), nil
	case op == "and":
		return ints(func(a, b, _ uint64) uint64 { return a & b }), nil
	case op == "or":
		return ints(func(a, b, _ uint64) uint64 { return a | b }), nil
	case op == "xor":
		return ints(func(a, b, _ uint64) uint64 { return a ^ b }), nil
	case op == "not":
		return ints(func(a, _, _ uint64) uint64 { return ^a }), nil
	case op == "bfe" && !k.signed:
		return ints(func(a, b, c uint64) uint64 { return a >> (b & 255) & (1<<(c&255) - 1) }), nil
	case op == "popc":
		return func(a, _, _ uint64) uint64 { return uint64(bits.OnesCount64(a)) }, nil
	}
	return nil, errors.New("an instruction that the emulator does not know: it has those of the kernels only")
}

// comparison returns that of setp.
func comparison(op string, k kind) (func(a, b, c uint64) uint64, error) {
	unordered := len(op) == 3 && op[2] == 'u' // a comparison with NaN is true
	if unordered {
		op = op[:2]
	}
	if op == "lo" || op == "ls" || op == "hi" || op == "hs" {
		op = map[string]string{"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}[op]
	}
	holds, ok := map[string]func(order int) bool{
		"eq": func(o int) bool { return o == 0 }, "ne": func(o int) bool { return o != 0 },
		"lt": func(o int) bool { return o < 0 }, "le": func(o int) bool { return o <= 0 },
		"gt": func(o int) bool { return o > 0 }, "ge": func(o int) bool { return o >= 0 },
	}[op]
	if !ok {
		return nil, fmt.Errorf("comparison %q", op)
	}
	order := func(less, more bool) int { return int(boolean(more)) - int(boolean(less)) }
	switch {
	case k.float:
		return func(a, b, _ uint64) uint64 {
			x, y := float64(f32(a)), float64(f32(b))
			if k.bytes == 8 {
				x, y = f64(a), f64(b)
			}
			if x != x || y != y {
				return boolean(unordered)
			}
			return boolean(holds(order(x < y, x > y)))
		}, nil
	case k.signed:
		return func(a, b, _ uint64) uint64 {
			x, y := extend(a, k), extend(b, k)
			return boolean(holds(order(x < y, x > y)))
		}, nil
	}
	return func(a, b, _ uint64) uint64 {
		x, y := truncate(a, k), truncate(b, k)
		return boolean(holds(order(x < y, x > y)))
	}, nil
}

// conversion returns that of cvt.
func conversion(name []string, to, from kind) (func(a, b, c uint64) uint64, error) {
	value := func(a uint64) float64 { // of a float
		if from.bytes == 8 {
			return f64(a)
		}
		return float64(f32(a))
	}
	has := func(part string) bool { return slices.Contains(name, part) }
	switch {
	case !to.float && !from.float && from.signed:
		return func(a, _, _ uint64) uint64 { return truncate(uint64(extend(a, from)), to) }, nil
	case !to.float && !from.float:
		return func(a, _, _ uint64) uint64 { return truncate(truncate(a, from), to) }, nil
	case to.float && !from.float:
		return func(a, _, _ uint64) uint64 {
			if to.bytes == 8 {
				if from.signed {
					return bits64(float64(extend(a, from)))
				}
				return bits64(float64(truncate(a, from)))
			}
			if from.signed {
				return bits32(float32(extend(a, from)))
			}
			return bits32(float32(truncate(a, from)))
		}, nil
	case to.float && to.bytes == 8:
		return func(a, _, _ uint64) uint64 { return bits64(value(a)) }, nil
	case to.float && has("sat"):
		return func(a, _, _ uint64) uint64 { // NaN becomes 0
			v := value(a)
			return bits32(float32(math.Min(1, math.Max(0, minMax(v, 0, true)))))
		}, nil
	case to.float && has("rni"):
		return func(a, _, _ uint64) uint64 { return bits32(float32(math.RoundToEven(value(a)))) }, nil
	case to.float:
		return func(a, _, _ uint64) uint64 { return bits32(float32(value(a))) }, nil
	case has("rzi"):
		return func(a, _, _ uint64) uint64 {
			if to.signed {
				return truncate(uint64(int64(value(a))), to)
			}
			return truncate(uint64(value(a)), to)
		}, nil
	}
	return nil, errors.New("a conversion that the emulator does not know: it has those of the kernels only")
}

// division returns that of div or rem. As on the device, nothing traps: a division
// by 0 has all bits.
func division(op string, k kind) func(a, b, c uint64) uint64 {
	return func(a, b, _ uint64) uint64 {
		a, b = truncate(a, k), truncate(b, k)
		switch {
		case b == 0:
			return truncate(^uint64(0), k)
		case k.signed && op == "div":
			return truncate(uint64(extend(a, k)/extend(b, k)), k)
		case k.signed:
			return truncate(uint64(extend(a, k)%extend(b, k)), k)
		case op == "div":
			return a / b
		}
		return a % b
	}
}

// minMax is PTX's: a value that is not NaN wins.
func minMax(a, b float64, greater bool) float64 {
	switch {
	case a != a:
		return b
	case b != b:
		return a
	case greater:
		return math.Max(a, b)
	}
	return math.Min(a, b)
}

// flush makes a subnormal number 0.
func flush(v float32) float32 {
	if v > -0x1p-126 && v < 0x1p-126 {
		return float32(math.Copysign(0, float64(v)))
	}
	return v
}

// exactSum returns a·b + c in float64, and what rounding took from it. The product
// of two float32 is exact in float64.
func exactSum(a, b, c float32) (sum, rest float64) {
	p, q := float64(a)*float64(b), float64(c)
	sum = p + q
	back := sum - p
	rest = (p - (sum - back)) + (q - back)
	return sum, rest
}

// fma32 returns a·b + c, rounded once: rounding the sum to odd first makes the
// second rounding harmless.
func fma32(a, b, c float32) float32 {
	sum, rest := exactSum(a, b, c)
	if u := math.Float64bits(sum); rest != 0 && rest == rest && u&1 == 0 {
		if (rest > 0) == (sum > 0) {
			u++
		} else {
			u--
		}
		sum = math.Float64frombits(u)
	}
	return float32(sum)
}

// fmaDown returns a·b + c, rounded down.
func fmaDown(a, b, c float32) float32 {
	sum, rest := exactSum(a, b, c)
	r := float32(sum)
	if float64(r) > sum || float64(r) == sum && rest < 0 {
		return math.Nextafter32(r, float32(math.Inf(-1)))
	}
	return r
}
