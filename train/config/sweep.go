package config

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"trainer/data"
	"trainer/train/suggest"
	"trainer/train/terminal"
)

// Sweep is a configuration in which some keys take several values: the same training
// for each combination of the values, with the same seeds for each.
//
// A file says it in the group sweep, which only ReadSweep reads:
//
//	sweep:
//	  over:
//	    train.rate.initial: log:0.01..1:9      # or a list: [0.1, 0.3]
//	    model.layers: [[784, 10, 10], [784, 50, 10]]
//	  seeds: 3
//	  random: 10
//
// A range is log:FROM..TO:N or lin:FROM..TO:N, N values with equal ratios or equal
// distances. Those between the ends are rounded to three digits with equal ratios, and to
// whole numbers where the key wants these. With Random, a range may be without N: then
// values are drawn from it.
type Sweep struct {
	Over   []Over
	Seeds  int // of each combination: seed, seed + 1, …
	Random int // combinations that are drawn of all; 0: all

	// Combinations are in the order of the training: the last key changes fastest, and
	// the seed faster than that.
	Combinations []Combination
}

// Over is a key and its values.
type Over struct {
	Key    string
	Values []string // as in YAML; of a range without a number of values, those that were drawn

	spec  string // of a range without a number of values
	nodes []*yaml.Node
	at    Problem
}

// Text returns the values with commas between them, or the range that they are drawn
// from.
func (o Over) Text() string {
	if o.spec != "" {
		return o.spec
	}
	return strings.Join(o.Values, ", ")
}

// Combination is a run of a sweep.
type Combination struct {
	Index  int      // in Combinations
	Values []string // as in YAML, one for each key
	Config Config   // with its own seed
}

// SweepFlags is what a command line says of a sweep. It goes before what the file says.
type SweepFlags struct {
	Over          []string // key=value,value,… or key=range
	Seeds, Random int      // 0: not given
}

// MaxSweep is the largest number of runs of a sweep. Each leaves a folder.
const MaxSweep = 10_000

// overFlag is the beginning of Problem.File for a problem of a flag -over.
const overFlag = "-over "

// ReadSweep reads the file or the preset that name stands for, as Read does, with the
// settings and the flags of a sweep. All combinations are checked. known says what is
// known of a model file (model.init.file). The error is an *Error, or that of known.
func ReadSweep(name string, sets []string, flags SweepFlags, known func(file string) (Known, error)) (*Sweep, error) {
	r := newReader()
	r.sweeps = true
	r.open(name)
	for _, s := range sets {
		r.set(s)
	}
	return r.sweep(flags, known)
}

// ParseSweep is ReadSweep for the text of a file. name is what messages call it.
func ParseSweep(text []byte, name string, known func(file string) (Known, error)) (*Sweep, error) {
	r := newReader()
	r.sweeps, r.file = true, name
	r.source(text)
	return r.sweep(SweepFlags{}, known)
}

// sweepGroup is the group of a file that only a sweep reads, and sweepKeys are its keys.
const sweepGroup = "sweep"

var sweepKeys = []string{"over", "seeds", "random"}

// sweep returns the sweep of what was read.
func (r *reader) sweep(flags SweepFlags, known func(file string) (Known, error)) (*Sweep, error) {
	s := &Sweep{Seeds: 1}
	if r.sweepNode != nil {
		r.readSweep(s)
	}
	var seen []string
	for _, text := range flags.Over {
		o, ok := r.over(text)
		if !ok {
			continue
		}
		if slices.Contains(seen, o.Key) {
			r.report(o.at, "%s is swept twice: give all of its values in one -over", o.Key)
			continue
		}
		seen = append(seen, o.Key)
		if i := slices.IndexFunc(s.Over, func(other Over) bool { return other.Key == o.Key }); i >= 0 {
			s.Over[i] = o
		} else {
			s.Over = append(s.Over, o)
		}
	}
	if flags.Seeds > 0 {
		s.Seeds = flags.Seeds
	}
	if flags.Random > 0 {
		s.Random = flags.Random
	}
	r.checkSweep(s)
	if err := asError(r.problems); err != nil {
		return nil, err
	}
	if err := r.combine(s, known); err != nil {
		return nil, err
	}
	return s, nil
}

// readSweep reads the group sweep of the file.
func (r *reader) readSweep(s *Sweep) {
	n := r.sweepNode
	if n.Kind != yaml.MappingNode {
		r.report(r.at(n, "sweep"), "have %s, want keys: %s", show(n), strings.Join(sweepKeys, ", "))
		return
	}
	whole := func(n *yaml.Node, path string, to *int) {
		k := &key{kind: integer, min: 1, max: MaxSweep}
		v, bad := k.value(n)
		if bad != nil {
			r.report(r.at(n, path), "%s", bad[0].text)
			return
		}
		*to = int(v.(int64))
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		path := "sweep." + name.Value
		if seen[name.Value] {
			r.report(r.at(name, path), "is given a second time: remove one")
			continue
		}
		seen[name.Value] = true
		switch name.Value {
		case "seeds":
			whole(value, path, &s.Seeds)
		case "random":
			whole(value, path, &s.Random)
		case "over":
			r.sweepOver(s, value)
		default:
			near := suggest.Nearest(name.Value, suggestions(sweepKeys))
			if near != "" {
				near = ", did you mean " + near + "?"
			}
			r.report(r.at(name, path), "unknown key%s The keys in sweep are: %s", cmp.Or(near, "."), strings.Join(sweepKeys, ", "))
		}
	}
}

func suggestions(words []string) (all []suggest.Candidate) {
	for _, w := range words {
		all = append(all, suggest.Candidate{Means: w, Names: []string{w}})
	}
	return all
}

// sweepOver reads sweep.over of the file.
func (r *reader) sweepOver(s *Sweep, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		r.report(r.at(n, "sweep.over"), "have %s, want keys with their values, as in train.rate.initial: [0.1, 0.3]", show(n))
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		at := r.at(name, "sweep.over."+terminal.Line(name.Value))
		k, why := sweepable(name.Value)
		if k == nil {
			if value.Kind == yaml.MappingNode && find(name.Value) != nil {
				why = "is a group: write the path of a key in one, as in train.rate.initial: [0.1, 0.3]"
			}
			r.report(at, "%s", why)
			continue
		}
		if slices.ContainsFunc(s.Over, func(o Over) bool { return o.Key == k.path }) {
			r.report(at, "is given a second time: give all of its values at once")
			continue
		}
		o := Over{Key: k.path, at: r.at(value, "sweep.over."+k.path)}
		values := value.Content
		if value.Kind != yaml.SequenceNode {
			values = []*yaml.Node{value}
		}
		if r.values(&o, k, values) {
			s.Over = append(s.Over, o)
		}
	}
}

// sweepable returns the key at path, or nil and why it cannot be swept.
func sweepable(path string) (*key, string) {
	switch k := find(path); {
	case k == nil:
		return nil, unknown("", path)
	case k.kind == group:
		return nil, "is a group: sweep one of its keys, " + childNames(path)
	case k.path == "train.runs.count":
		return nil, "the number of runs of a combination is that of its seeds (-seeds, sweep.seeds)"
	default:
		return k, ""
	}
}

// over reads a flag -over.
func (r *reader) over(flag string) (o Over, ok bool) {
	path, list, hasValues := strings.Cut(flag, "=")
	o = Over{Key: path, at: Problem{File: overFlag + terminal.Shorten(terminal.Line(flag), 200), Path: path}}
	if !hasValues {
		r.report(o.at, "want key=value,value,…, as in -over train.rate.initial=0.1,0.3")
		return o, false
	}
	k, why := sweepable(path)
	if k == nil {
		r.report(o.at, "%s", why)
		return o, false
	}
	list = strings.TrimSpace(list)
	n, problem := parse([]byte("[" + list + "]"))
	switch {
	case problem.Message != "":
		r.report(o.at, "%s; a value with , [ or * in it stands in quotes", problem.Message)
		return o, false
	case n == nil || n.Kind != yaml.SequenceNode || n.HeadComment+n.LineComment+n.FootComment != "":
		r.report(o.at, "want values with commas between them, as in -over train.rate.initial=0.1,0.3")
		return o, false
	case slices.ContainsFunc(n.Content, func(n *yaml.Node) bool { return refused(n) || slices.ContainsFunc(n.Content, refused) }):
		r.report(o.at, "anchors, aliases and tags are not allowed: write the value in quotes, or remove them")
		return o, false
	}
	if k.kind == text {
		for _, value := range n.Content {
			if value.Kind == yaml.ScalarNode {
				value.Tag = "!!str" // the type is known
			}
		}
	}
	return o, r.values(&o, k, n.Content)
}

// values sets the values of o from nodes, and reports those that the key cannot have.
func (r *reader) values(o *Over, k *key, nodes []*yaml.Node) (ok bool) {
	ok = true
	bad := func(n *yaml.Node, format string, args ...any) {
		at := o.at
		if at.Line > 0 && n != nil {
			at = r.at(n, at.Path)
		}
		r.report(at, format, args...)
		ok = false
	}
	if len(nodes) == 0 {
		bad(nil, "no values: write at least one, as in -over train.rate.initial=0.1,0.3")
		return ok
	}
	for _, n := range nodes {
		if n.Kind == yaml.MappingNode && len(n.Content) == 2 && strings.HasPrefix(n.Content[0].Value, "l") && n.Content[1].Tag == "!!null" {
			n = &yaml.Node{Kind: yaml.ScalarNode, Line: n.Line, Column: n.Column, Value: n.Content[0].Value + ":"} // log:1..2: is a mapping to YAML
		}
		if n.Kind == yaml.ScalarNode && n.Style&quoted == 0 && (strings.HasPrefix(n.Value, "log:") || strings.HasPrefix(n.Value, "lin:")) && k.kind != text && k.kind != texts {
			values, why := k.rangeOf(n.Value)
			switch {
			case why != "":
				bad(n, "%s", why)
			case values == nil && len(nodes) > 1:
				bad(n, "the range %s says no number of values, and stands beside others: write %[1]s:5 for five of them", n.Value)
			case values == nil:
				o.spec = n.Value
			}
			for _, v := range values {
				o.nodes = append(o.nodes, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: v})
			}
			continue
		}
		o.nodes = append(o.nodes, n)
	}
	for _, n := range o.nodes {
		c := Default()
		if complaints := k.decode(&c, n); complaints != nil {
			for _, complaint := range complaints {
				bad(complaint.node, "%s", complaint.text)
			}
			continue
		}
		value, err := k.written(c)
		if err != nil {
			bad(n, "%v", err)
			continue
		}
		if slices.Contains(o.Values, value) {
			bad(n, "has %s twice: every value is trained once, with each seed", value)
			continue
		}
		o.Values = append(o.Values, value)
	}
	return ok
}

// written returns the value that c has of the key, as in YAML, paths as absolute ones.
func (k *key) written(c Config) (string, error) {
	c, err := c.Absolute()
	if err != nil {
		return "", err
	}
	if k.isPath {
		return formatPaths(k.field(&c)), nil
	}
	return format(k.field(&c)), nil
}

// rangeForm is the form of a range.
var rangeForm = regexp.MustCompile(`^(log|lin):(.+?)\.\.(.+?)(?::([^:]*))?$`)

// span is a range of numbers.
type span struct {
	log, whole bool
	from, to   float64
}

// parseSpan parses a range of values of the key. count is 0 where it says none.
func (k *key) parseSpan(text string) (s span, count int, why string) {
	m := rangeForm.FindStringSubmatch(text)
	switch {
	case k.kind != number && k.kind != integer && k.kind != perLayer:
		return s, 0, fmt.Sprintf("%s: a range is for keys that have numbers, and %s wants %s", text, k.path, k.legal())
	case m == nil:
		return s, 0, fmt.Sprintf("%s: write a range as log:0.01..1:9 or lin:10..50:5: from, to, and how many values", text)
	}
	s.log, s.whole = m[1] == "log", k.kind == integer
	one := key{kind: number, min: k.min, max: k.max, aboveMin: k.aboveMin}
	for i, end := range []*float64{&s.from, &s.to} {
		v, hint := one.parseNumber(m[2+i])
		if v == nil {
			if hint != "" {
				hint = "; " + hint
			}
			return s, 0, fmt.Sprintf("%s: the ends of the range are numbers %s, and %s is not one%s", text, k.between(), m[2+i], hint)
		}
		*end = v.(float64)
	}
	switch {
	case s.from >= s.to:
		return s, 0, fmt.Sprintf("%s: the range begins at %s and ends at %s: want the smaller end first", text, m[2], m[3])
	case s.log && s.from <= 0:
		return s, 0, fmt.Sprintf("%s: equal ratios cannot begin at %s: want an end above 0, or lin:", text, m[2])
	case !strings.HasSuffix(text, m[3]) || m[4] != "":
		n, err := strconv.Atoi(m[4])
		if err != nil || n < 2 || n > MaxSweep {
			return s, 0, fmt.Sprintf("%s: the number of values is %q: want a whole number from 2 to %d", text, m[4], MaxSweep)
		}
		count = n
	}
	return s, count, ""
}

// rangeOf returns the values of a range, or nil if it does not say how many; why says
// what is wrong with it.
func (k *key) rangeOf(text string) (values []string, why string) {
	s, count, why := k.parseSpan(text)
	if why != "" || count == 0 {
		return nil, why
	}
	for i := range count {
		v := s.at(float64(i) / float64(count-1))
		switch i {
		case 0:
			v = s.from
		case count - 1:
			v = s.to
		}
		if s.whole {
			v = math.Round(v)
		}
		if text := formatNumber(v); !slices.Contains(values, text) {
			values = append(values, text)
		}
	}
	if len(values) < count {
		return nil, fmt.Sprintf("%s: rounded, only %d of these %d values differ: ask for fewer", text, len(values), count)
	}
	return values, ""
}

// at returns the value at a place from 0 to 1, rounded so that it is short to read.
func (s span) at(t float64) float64 {
	v, digits := s.from+(s.to-s.from)*t, 12
	if s.log {
		v, digits = s.from*math.Pow(s.to/s.from, t), 3
	}
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64)
	return min(max(v, s.from), s.to)
}

// draw returns a value drawn from the range, as in YAML. u is from 0 to 1.
func (s span) draw(u float64) string {
	v := s.from + (s.to-s.from)*u
	if s.log {
		v = s.from * math.Pow(s.to/s.from, u)
	}
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	if s.whole {
		v = math.Round(v)
	}
	return formatNumber(min(max(v, s.from), s.to))
}

// checkSweep reports what the parts of a sweep cannot have together.
func (r *reader) checkSweep(s *Sweep) {
	at := Problem{File: r.file, Path: "sweep"}
	if r.file == "" {
		at = Problem{File: strings.TrimSpace(overFlag)}
	}
	if len(s.Over) == 0 && s.Seeds == 1 && len(r.problems) == 0 {
		r.report(at, "nothing to sweep: give the values of a key, as in -over train.rate.initial=0.1,0.3, or several seeds")
	}
	if n := r.config.Train.Runs.Count; n > 1 && r.good("train.runs.count") {
		r.report(r.place("train.runs.count"), "a run of a sweep is a single run: leave this out; -seeds %d gives every combination as many seeds", n)
	}
	exclusive := ""
	for _, o := range s.Over {
		if o.Key == "seed" && s.Seeds > 1 {
			r.report(o.at, "is swept, and there are %d seeds for every combination (-seeds, sweep.seeds): give one of them", s.Seeds)
		}
		if o.spec != "" && s.Random == 0 {
			r.report(o.at, "the range says no number of values: write %s:5 for five of them, or draw some at random with -random", o.spec)
		}
		if find(o.Key).exclusive {
			if exclusive != "" {
				r.report(o.at, "excludes %s, which is swept too: sweep one of them", exclusive)
			}
			exclusive = o.Key
		}
	}
	if len(s.Over) == 0 && s.Random > 0 {
		r.report(at, "-random draws values, and no key has some: give -over")
	}
	if len(r.problems) > 0 {
		return
	}
	grid := s.grid()
	switch n := grid * float64(s.Seeds); {
	case s.Random > 0 && float64(s.Random) > grid:
		r.report(at, "-random %d of %.0f combinations: leave it out, to train all of them", s.Random, grid)
	case s.Random > 0 && s.Random*s.Seeds > MaxSweep:
		r.report(at, "%d combinations with %d seeds are %d runs, the limit is %d: draw fewer", s.Random, s.Seeds, s.Random*s.Seeds, MaxSweep)
	case s.Random == 0 && n > MaxSweep:
		r.report(at, "%.0f combinations with %d seeds are %.0f runs, the limit is %d: give fewer values, or draw some of the combinations with -random", grid, s.Seeds, n, MaxSweep)
	}
}

// grid returns the number of combinations, infinite with a range without a number of
// values.
func (s *Sweep) grid() float64 {
	n := 1.0
	for _, o := range s.Over {
		if o.spec != "" {
			return math.Inf(1)
		}
		n *= float64(len(o.Values))
	}
	return n
}

// pick is what a combination takes of a key.
type pick struct {
	value string
	node  *yaml.Node
}

// combine makes the combinations, and checks each.
func (r *reader) combine(s *Sweep, known func(file string) (Known, error)) error {
	before := len(r.problems)
	var bad failures
	for _, picks := range r.picks(s) {
		for seed := range s.Seeds {
			c := Combination{Index: len(s.Combinations)}
			one := *r
			one.places, one.bad, one.problems = maps.Clone(r.places), maps.Clone(r.bad), slices.Clone(r.problems)
			for i, p := range picks {
				k := find(s.Over[i].Key)
				c.Values = append(c.Values, p.value)
				at := s.Over[i].at
				if at.Line == 0 {
					at.File = overFlag + k.path + "=" + p.value
				}
				one.decode(k, p.node, at)
			}
			one.config.Seed += uint64(seed)
			if file := one.config.Model.Init.File; file != "" && known != nil {
				of, err := known(file)
				if err != nil {
					return fmt.Errorf("%s: %w", cmp.Or(s.Title(c), "model.init.file"), err)
				}
				of.ToTrain = true
				one.know(of)
			}
			if one.config.Seed > maxSeed {
				one.report(one.place("seed"), "the seed of the last of %d runs is above %d: use a smaller seed", s.Seeds, int64(maxSeed))
			}
			one.check()
			c.Config = one.config
			s.Combinations = append(s.Combinations, c)
			bad.add(one.problems[before:], s.Title(c))
		}
	}
	return asError(bad.problems(len(s.Combinations)))
}

// picks returns the combinations of the values.
func (r *reader) picks(s *Sweep) (all [][]pick) {
	if s.Random == 0 {
		all = [][]pick{nil}
		for _, o := range s.Over {
			var next [][]pick
			for _, picks := range all {
				for i, v := range o.Values {
					next = append(next, append(slices.Clip(slices.Clone(picks)), pick{v, o.nodes[i]}))
				}
			}
			all = next
		}
		return all
	}
	seed := r.config.Seed
	if slices.ContainsFunc(s.Over, func(o Over) bool { return o.Key == "seed" }) {
		seed = 1 // the file that YAML writes has none
	}
	random := data.Stream(seed, "sweep", 0)
	seen := map[string]bool{}
	for tries := 0; len(all) < s.Random && tries < 1000*s.Random; tries++ {
		var picks []pick
		name := ""
		for _, o := range s.Over {
			p := pick{}
			if o.spec != "" {
				span, _, _ := find(o.Key).parseSpan(o.spec)
				p.value = span.draw(random.Float64())
				p.node = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: p.value}
			} else {
				i := random.IntN(len(o.Values))
				p = pick{o.Values[i], o.nodes[i]}
			}
			picks = append(picks, p)
			name += p.value + "\x00"
		}
		if !seen[name] {
			seen[name] = true
			all = append(all, picks)
		}
	}
	for i, o := range s.Over {
		if o.spec == "" {
			continue
		}
		for _, picks := range all {
			if !slices.Contains(s.Over[i].Values, picks[i].value) {
				s.Over[i].Values = append(s.Over[i].Values, picks[i].value)
			}
		}
	}
	return all
}

// failures collects the problems of combinations.
type failures struct {
	found []failure
}

type failure struct {
	problem Problem
	first   string // the combination that has it
	count   int
}

func (f *failures) add(problems []Problem, combination string) {
	for _, p := range problems {
		i := slices.IndexFunc(f.found, func(other failure) bool { return other.problem == p })
		if i >= 0 {
			f.found[i].count++
		} else if len(f.found) < shown {
			f.found = append(f.found, failure{p, combination, 1})
		}
	}
}

// problems returns the problems, with the first combination that has each, if not all
// of n have it.
func (f *failures) problems(n int) (all []Problem) {
	for _, one := range f.found {
		p := one.problem
		switch {
		case one.count < n && one.count == 1:
			p.Message += " (the combination " + one.first + ")"
		case one.count < n:
			p.Message += fmt.Sprintf(" (the combination %s, and %d more)", one.first, one.count-1)
		}
		all = append(all, p)
	}
	return all
}

// Title names a combination: its keys with their values, and its seed where there are
// several.
func (s *Sweep) Title(c Combination) string {
	var parts []string
	for i, v := range c.Values {
		parts = append(parts, s.Over[i].Key+"="+v)
	}
	if s.Seeds > 1 {
		parts = append(parts, fmt.Sprintf("seed=%d", c.Config.Seed))
	}
	return strings.Join(parts, " ")
}

// YAML returns the sweep as a file that ReadSweep reads, with every key and absolute
// paths.
func (s *Sweep) YAML() ([]byte, error) {
	c := s.Combinations[0].Config
	c, err := c.Absolute()
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString("# A sweep: the configuration of its runs, and the keys that differ; `trainer help sweep` explains it.\n")
	b.WriteString(c.text(func(k *key) bool {
		return slices.ContainsFunc(s.Over, func(o Over) bool { return o.Key == k.path || k.exclusive && find(o.Key).exclusive })
	}))
	b.WriteString("sweep:\n")
	if len(s.Over) > 0 {
		b.WriteString("  over:\n")
	}
	for _, o := range s.Over {
		values := "[" + strings.Join(o.Values, ", ") + "]"
		if o.spec != "" {
			values = o.spec
		}
		fmt.Fprintf(&b, "    %s: %s\n", o.Key, values)
	}
	fmt.Fprintf(&b, "  seeds: %d\n", s.Seeds)
	if s.Random > 0 {
		fmt.Fprintf(&b, "  random: %d\n", s.Random)
	}
	return []byte(b.String()), nil
}

// elsewhereKeys are keys that may differ in two commands that mean the same sweep: they
// change no result, or, as the places of the data do, nothing that is not checked.
var elsewhereKeys = []string{"name", "device", "lang", "data.dir", "data.train", "data.test", "data.fallback", "log.tensorboard"}

// Differences returns how another sweep differs: its keys, with what each has.
func (s *Sweep) Differences(other *Sweep) (differ []Difference) {
	add := func(path, a, b string) {
		if a != b {
			differ = append(differ, Difference{path, []string{a, b}})
		}
	}
	add("sweep.seeds", strconv.Itoa(s.Seeds), strconv.Itoa(other.Seeds))
	add("sweep.random", strconv.Itoa(s.Random), strconv.Itoa(other.Random))
	values := func(s *Sweep, key string) string {
		for _, o := range s.Over {
			if o.Key == key {
				return o.Text()
			}
		}
		return ""
	}
	swept := map[string]bool{}
	var order [2][]string
	for i, one := range []*Sweep{s, other} {
		for _, o := range one.Over {
			order[i] = append(order[i], o.Key)
			if !swept[o.Key] {
				swept[o.Key] = true
				add(o.Key, values(s, o.Key), values(other, o.Key))
			}
		}
	}
	if len(differ) == 0 {
		add("sweep.over", strings.Join(order[0], ", "), strings.Join(order[1], ", "))
	}
	for _, d := range Differences([]Config{s.Combinations[0].Config, other.Combinations[0].Config}) {
		exclusive := find(d.Path).exclusive && slices.ContainsFunc(s.Over, func(o Over) bool { return find(o.Key).exclusive })
		if !swept[d.Path] && !exclusive && !slices.Contains(elsewhereKeys, d.Path) {
			differ = append(differ, d)
		}
	}
	return differ
}
