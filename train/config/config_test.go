package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"trainer/data/files/costtest"
	"trainer/graph/model"
)

var update = flag.Bool("update", false, "write the golden files and configs/schema.json instead of comparing with them")

// golden compares got with the file at path, or writes the file with -update.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s is not fresh: run `go test ./train/config -update` and look at the difference\nhave:\n%s\nwant:\n%s", path, got, want)
	}
}

// write writes a temporary file and returns its path.
func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// readSource is like Read, but takes the content of a file, not its path.
func readSource(source []byte, sets ...string) (Config, error) {
	r := newReader()
	r.file = "c.yaml"
	r.source(source)
	for _, set := range sets {
		r.set(set)
	}
	return r.result()
}

// TestDefault compares the defaults with a second list, written by hand.
func TestDefault(t *testing.T) {
	want := Config{
		Name: "run", Seed: 1, Device: "auto", Machine: "compiled", Precision: model.Float32, Lang: "auto",
		Model: Model{Layers: []int{784, 50, 10}, Activation: model.Sigmoid, Bias: true, Init: Init{Rule: "hidden"}},
		Data: Data{Dataset: "mnist", Fallback: "none", Split: Split{Test: 0.2, Seed: 1}, CSV: CSV{Label: "auto"},
			Inputs: Ends{0, 1}, Targets: Ends{0, 1}},
		Train: Train{Epochs: 10, Batch: 1, Shuffle: true, Rate: Rate{Initial: 0.1, Factor: 1, Every: 1}, UpdateOrder: "simultaneous",
			Augment: Augment{Smooth: 4, Every: 1, Seed: 1}, Runs: Runs{Count: 1}},
	}
	if got := Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("Default() = %+v\nwant %+v", got, want)
	}
	got, err := Read("", nil)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Read of nothing = %+v, %v\nwant %+v", got, err, want)
	}
	if n := got.Network(); n.String() != "784-50-10 sigmoid, with bias, float32" || n.Check() != nil {
		t.Errorf("Network() = %v, %v", n, n.Check())
	}
	got.Network().Layers[0] = 1
	if Default().Model.Layers[0] != 784 || got.Model.Layers[0] != 784 {
		t.Error("Network shares its layers with the configuration")
	}
}

// TestTable checks the rows of the table: a group has keys and comes before them, a
// key has its own field and a documentation, and no path occurs twice.
func TestTable(t *testing.T) {
	var c Config
	fields, paths, kinds := map[any]string{}, map[string]bool{"": true}, map[kind]bool{}
	for i := range keys {
		k := &keys[i]
		kinds[k.kind] = true
		if paths[k.path] || !paths[k.parent()] {
			t.Errorf("%s is there twice, or before its group", k.path)
		}
		paths[k.path] = true
		if !strings.HasSuffix(k.doc, ".") {
			t.Errorf("%s: the text %q is no sentence", k.path, k.doc)
		}
		if k.kind == group {
			if len(children(k.path)) == 0 || k.field != nil {
				t.Errorf("group %s has no keys, or a field", k.path)
			}
			continue
		}
		field := k.field(&c)
		if other := fields[field]; other != "" {
			t.Errorf("%s and %s share a field", k.path, other)
		}
		fields[field] = k.path
		if k.def == "" && !k.exclusive {
			t.Errorf("%s has no default", k.path)
		}
		if k.legal() == "" {
			t.Errorf("%s does not say what is legal", k.path)
		}
	}
	if len(kinds) != int(kindEnd) {
		t.Errorf("%d kinds are used of %d", len(kinds), kindEnd)
	}
	if have, want := len(fields), countFields(reflect.TypeFor[Config]()); have != want {
		t.Errorf("%d keys for %d fields of Config", have, want)
	}
}

// countFields returns the number of fields of a struct, including those of nested
// structs.
func countFields(t reflect.Type) int {
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[Bound]() {
		return 1
	}
	n := 0
	for i := range t.NumField() {
		n += countFields(t.Field(i).Type)
	}
	return n
}

// TestGood reads testdata/*.good.yaml and compares the resolved configuration
// with the golden file of the same name.
func TestGood(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.good.yaml")
	if len(files) == 0 {
		t.Fatal("no files")
	}
	for _, file := range files {
		c, err := Read(file, nil)
		if err != nil {
			t.Errorf("%s:\n%v", file, err)
			continue
		}
		golden(t, strings.TrimSuffix(file, "yaml")+"txt", c.YAML())
	}
}

// TestBad reads testdata/*.bad.yaml and compares the error with the golden file of
// the same name.
func TestBad(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.bad.yaml")
	if len(files) == 0 {
		t.Fatal("no files")
	}
	for _, file := range files {
		_, err := Read(file, nil)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: error %v, want an *Error", file, err)
			continue
		}
		for _, p := range e.Problems {
			if p.File != file || p.Message == "" {
				t.Errorf("%s: problem %+v has no file or no message", file, p)
			}
		}
		golden(t, strings.TrimSuffix(file, "yaml")+"txt", []byte(strings.ReplaceAll(err.Error(), `\`, "/")+"\n"))
	}
}

// TestValues tries values for one key. An empty want means that it is legal.
func TestValues(t *testing.T) {
	tests := []struct{ path, value, want string }{
		{"seed", "0", ""},
		{"seed", "9007199254740991", ""},
		{"seed", "9007199254740992", "from 0 to 9007199254740991"},
		{"seed", "99999999999999999999", "from 0 to"},
		{"seed", "-1", "from 0 to"},
		{"seed", "-0", "write 0"},
		{"seed", "+1", "digits only"},
		{"seed", "0x10", "digits only"},
		{"seed", "0o10", "digits only"},
		{"seed", "1_000", "digits only"},
		{"seed", "010", "write 10, without the leading zero"},
		{"seed", "10.5", "have 10.5, want a whole number"},
		{"seed", "10.0", "write 10"},
		{"seed", "1e3", "write 1000"},
		{"seed", "1e-3", "have 1e-3, want a whole number"},
		{"seed", "'5'", "remove the quotes"},
		{"seed", "'five'", "want a whole number"},
		{"seed", "", "have no value"},
		{"seed", "~", "have no value"},
		{"seed", "null", "have no value"},
		{"seed", "[1]", "have a list of 1"},
		{"seed", "{a: 1}", "have a group"},
		{"seed", "2026-01-01", "want a whole number"},
		{"train.rate.initial", "1", ""},
		{"train.rate.initial", "1e-3", ""},
		{"train.rate.initial", "2.5E+1", ""},
		{"train.rate.initial", "0", "above 0"},
		{"train.rate.initial", "0.0", "above 0"},
		{"train.rate.initial", "-0.1", "above 0"},
		{"train.rate.initial", "1000.1", "at most 1000"},
		{"train.rate.initial", ".inf", "it must be finite"},
		{"train.rate.initial", "-.Inf", "it must be finite"},
		{"train.rate.initial", ".nan", "it must be finite"},
		{"train.rate.initial", "nan", "it must be finite"},
		{"train.rate.initial", "1e999", "at most 1000"},
		{"train.rate.initial", "1e-999", "above 0"},
		{"train.rate.initial", ".5", "write it as 10, 0.5"},
		{"train.rate.initial", "1.", "write it as 10, 0.5"},
		{"train.rate.initial", "01.5", "write it as 10, 0.5"},
		{"train.rate.initial", "1_0.5", "write it as 10, 0.5"},
		{"train.rate.initial", "0x1p-2", "write it as 10, 0.5"},
		{"train.rate.initial", "fast", "have fast, want a number"},
		{"train.rate.factor", "1", ""},
		{"train.rate.factor", "1.1", "at most 1"},
		{"model.init.std", "0", ""},
		{"model.init.std", "1e-999", "too small"},
		{"model.bias", "true", ""},
		{"model.bias", "yes", "write true"},
		{"model.bias", "False", "write false"},
		{"model.bias", "'true'", "remove the quotes"},
		{"model.bias", "maybe", "want true or false"},
		{"precision", "float64", ""},
		{"precision", `"float64"`, ""},
		{"precision", "float46", "did you mean float64?"},
		{"precision", "double", "did you mean float64?"},
		{"device", "gpu", "want auto, cpu or cuda; did you mean cuda?"},
		{"model.layers", "[1, 1]", ""},
		{"model.layers", "[784, 100, 50, 10]", ""},
		{"model.layers", "[784]", "a list of 2 to 100"},
		{"model.layers", "[]", "a list of 2 to 100"},
		{"model.layers", "784", "write it as [784, 50, 10]"},
		{"model.layers", "[784, 0]", "entry 2: have 0, want a whole number from 1 to 1000000"},
		{"model.layers", "[784, 010]", "write 10"},
		{"model.layers", "[784, [1]]", "entry 2: have a list of 1"},
		{"model.layers", "[784, 1000001]", "from 1 to 1000000"},
		{"model.layers", "[10000, 9999]", ""},       // with biases 99,999,999 parameters
		{"model.layers", "[10000, 10000]", "limit"}, // with biases 100,010,000
		{"name", "a-b_c.1", ""},
		{"name", "'2026'", ""},
		{"name", "手写数字-ひらがな_1", ""},
		{"name", "हिन्दी", ""}, // has marks
		{"name", "'\u0301a'", "want a text of letters"},
		{"name", "手写　数字", "want a text of letters"},
		{"name", "a😀", "want a text of letters"},
		{"name", "../x", "want a text of letters"},
		{"name", "a/b", "want a text of letters"},
		{"name", "''", `have "", want a text`},
		{"name", strings.Repeat("x", 64), ""},
		{"name", strings.Repeat("x", 65), "more than 64 characters"},
		{"data.dir", "''", ""},
		{"data.dir", `"a\0b"`, "a backslash begins an escape"},
		{"data.dir", "true", `write it in quotes, "true"`},
		{"model.init.file", "''", "not empty"},
		{"model.init.file", "a b.safetensors", ""},
		{"train.batch", "100000", ""},
		{"train.runs.count", "1024", ""},
		{"train.runs.count", "1025", "from 1 to 1024"},
	}
	for _, test := range tests {
		path := write(t, nest(test.path, test.value))
		_, err := Read(path, nil)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %s: %v", test.path, test.value, err)
			}
			continue
		}
		var e *Error
		if !errors.As(err, &e) || len(e.Problems) != 1 {
			t.Errorf("%s: %s: error %v, want one problem", test.path, test.value, err)
			continue
		}
		p := e.Problems[0]
		if p.Path != test.path || p.Line != 1+strings.Count(test.path, ".") || p.Column < 2 || !strings.Contains(p.Message, test.want) {
			t.Errorf("%s: %s: %v\nwant a message with %q", test.path, test.value, p, test.want)
		}
	}
}

// nest returns a file that gives the key at path a value.
func nest(path, value string) string {
	var b strings.Builder
	parts := strings.Split(path, ".")
	for i, part := range parts {
		fmt.Fprintf(&b, "%s%s:", strings.Repeat("  ", i), part)
		if i < len(parts)-1 {
			b.WriteByte('\n')
		}
	}
	return b.String() + " " + value + "\n"
}

func TestSet(t *testing.T) {
	file := write(t, "name: f\nmodel: {init: {std: 0.5}}\ntrain: {batch: 4}\n")
	got, err := Read(file, []string{
		"train.batch=8", "train.batch=16", "train.rate.initial=0.5", "model.layers=[784,30,10]", "name=2026",
		"model.init.file=a=b.safetensors", "data.dir=", "data.dataset=digits", "model.bias=false", "precision=float64",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Name, want.Precision, want.Data.Dataset = "2026", model.Float64, "digits"
	want.Train.Batch, want.Train.Rate.Initial = 16, 0.5
	want.Model.Layers, want.Model.Bias, want.Model.Init = []int{784, 30, 10}, false, Init{File: "a=b.safetensors"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("have %+v\nwant %+v", got, want)
	}
	if c, err := Read("", []string{"model.init.std=0.1"}); err != nil || !reflect.DeepEqual(c.Model.Init, Init{Std: PerLayer{0.1}}) {
		t.Errorf("model.init.std=0.1 gives %+v, %v: want it in place of the default rule", c.Model.Init, err)
	}
	if c, err := Read(file, []string{"model.init.rule=zeros"}); err != nil || !reflect.DeepEqual(c.Model.Init, Init{Rule: "zeros"}) {
		t.Errorf("model.init.rule=zeros gives %+v, %v: want it in place of the file's std", c.Model.Init, err)
	}
}

func TestSetErrors(t *testing.T) {
	tests := []struct{ set, want string }{
		{"train.batch=x", "-set train.batch=x: have x, want a whole number from 1 to 100000"},
		{"train.batch=", "have no value"},
		{"train.batch", "want key=value, as in -set train.epochs=5"},
		{"=3", "-set =3: unknown key. The keys are: name, seed, device, machine, precision, lang, model, data, train"},
		{"batch=3", "did you mean train.batch?"},
		{"train.bathc=3", "did you mean train.batch? The keys in train are: epochs, batch, shuffle, rate, update_order, early_stopping, augment, runs"},
		{"train.rate.initial.x=3", "The keys in train.rate are: initial, factor, every"},
		{"train.rate=1", "is a group: set one of its keys, initial, factor, every"},
		{"train.rate={initial: x}", "have x, want a number above 0"},
		{"data.values={max: 16, mni: 0}", "unknown key, did you mean data.values.min?"},
		{"train.batch=[", "is not YAML"},
		{"train.batch=1\n---\n2", "a second document"},
		{"data.dir=#1", "comment or nothing"},
		{"data.dir=a #1", "comment or nothing"},
		{"data.dir=---", "comment or nothing"},
		{"data.dir=\xff", "byte 0xff is not UTF-8"},
		{"data.dir=&a b", "anchors, aliases and tags are not allowed"},
		{"data.dir=!!str b", "anchors, aliases and tags are not allowed"},
		{"data.dir=*b", "is not YAML: unknown anchor"},
		{"model.layers=[100000, 100000]", "-set model.layers=[100000, 100000]: this network has 10000100000 weights and biases, the limit is 100000000"},
	}
	for _, test := range tests {
		_, err := Read("", []string{test.set})
		var e *Error
		if !errors.As(err, &e) || len(e.Problems) != 1 || !strings.Contains(err.Error(), test.want) || e.Problems[0].Line != 0 {
			t.Errorf("-set %s: %v\nwant one problem with %q", test.set, err, test.want)
		}
	}
}

// TestPlaces checks the place of a problem that two keys cause together, and the
// order of the problems.
func TestPlaces(t *testing.T) {
	file := write(t, "train: {batch: 100000}\nmodel: {layers: [784, 50, 10]}\nseed: x\nmachine: y\n")
	_, err := Read(file, []string{"machine=z", "model.layers=[5000, 10]", "device=w"})
	want := fmt.Sprintf(`%[1]s:1:16: train.batch: a mini-batch of 100000 samples has 501000000 values in the layers, the limit is 500000000: use a smaller train.batch
%[1]s:3:7: seed: have x, want a whole number from 0 to 9007199254740991
%[1]s:4:10: machine: have y, want compiled, interpret or tape
-set machine=z: have z, want compiled, interpret or tape
-set device=w: have w, want auto, cpu or cuda`, file)
	if err == nil || err.Error() != want {
		t.Errorf("have:\n%v\nwant:\n%s", err, want)
	}

	for _, c := range []struct{ file, set, want string }{
		{"machine: tape\n", "train.update_order=listing", "-set train.update_order=listing: listing needs a compiled program"},
		{"data: {dataset: csv, dir: x}\n", "data.dir=", "c.yaml:1:17: data.dataset: csv needs data.dir"},
		{"seed: 1\n", "data.dataset=idx", "-set data.dataset=idx: idx needs data.dir"},
		{"train: {runs: {count: 3}}\n", "seed=9007199254740990", "-set seed=9007199254740990: the seed of the last of 3 runs is above 9007199254740991"},
		{"model: {layers: [10000, 90]}\n", "train.runs.count=1024", "-set train.runs.count=1024: 1024 runs have 921692160 weights and biases together"},
		{"model: {init: {rule: zeros}}\ntrain: {shuffle: false}\n", "train.runs.count=2", "all runs would be identical"},
	} {
		if _, err := Read(write(t, c.file), []string{c.set}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q and -set %s: %v, want %q", c.file, c.set, err, c.want)
		}
	}

	_, err = Read(write(t, "train: {rate: {factor: 0.1}}\n"), []string{"train.epochs=100"})
	if err == nil || !strings.Contains(err.Error(), "c.yaml:1:24: train.rate.factor: the learning rate falls to 1") {
		t.Errorf("a rate that falls to 1e-100: %v", err)
	}
}

func TestFileErrors(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "none.yaml"), dir} {
		_, err := Read(path, nil)
		var e *Error
		if !errors.As(err, &e) || len(e.Problems) != 1 || !strings.HasPrefix(err.Error(), path+": cannot ") {
			t.Errorf("Read(%s): %v, want the path once and the cause", path, err)
		}
	}

	// A sparse file of 1 GB is refused without reading it into memory.
	path := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<30); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Read(path, nil); err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("a file of 1 GB: %v", err)
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 16<<20 {
		t.Errorf("refusing a file of 1 GB allocates %d bytes", allocated)
	}
}

// TestManyProblems checks that an error contains all problems of a file, and that its
// text shows only the first ones.
func TestManyProblems(t *testing.T) {
	_, err := Read(write(t, strings.Repeat("x: 1\n", 1000)), nil)
	var e *Error
	if !errors.As(err, &e) || len(e.Problems) != 1000 {
		t.Fatalf("error %v, want 1000 problems", err)
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 51 || lines[50] != "and 950 more problems" {
		t.Errorf("%d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
}

// TestBombs checks that files designed to be slow to read, deeply nested or long to
// report are refused within the time limit of the test. (At 1 MiB the slowest takes
// a second.)
func TestBombs(t *testing.T) {
	for name, source := range map[string]string{
		"flow":    strings.Repeat("[", maxFile),
		"nested":  strings.Repeat("{model: ", 9000) + strings.Repeat("}", 9000),
		"keys":    strings.Repeat("{"+strings.Repeat("a", 90)+": ", 9000) + strings.Repeat("}", 9000),
		"long":    strings.Repeat("a", 100_000) + ": 1",
		"list":    "model: {layers: [" + strings.Repeat("1,", 50_000) + "1]}",
		"aliases": "a: &a [x]\nb: [" + strings.Repeat("*a,", 50_000) + "]\n",
	} {
		if _, err := Read(write(t, source), nil); err == nil || len(err.Error()) > 1<<20 {
			t.Errorf("%s: no error, or one of %d bytes", name, len(fmt.Sprint(err)))
		}
	}
}

// bombs make files of about the given size that are costly to read.
var bombs = map[string]func(size int) []byte{
	"keys":    func(size int) []byte { return bytes.Repeat([]byte("epochz: 1\n"), size/10) },
	"nested":  func(size int) []byte { return bytes.Repeat([]byte("{a: "), min(size/4, 9000)) },
	"list":    func(size int) []byte { return []byte("a: [" + strings.Repeat("1,", size/2) + "1]") },
	"bad":     func(size int) []byte { return []byte("model: {layers: [" + strings.Repeat("x,", size/2) + "1]}") },
	"tabs":    func(size int) []byte { return bytes.Repeat([]byte("\ta\n"), size/3) },
	"quotes":  func(size int) []byte { return []byte("name: \"" + strings.Repeat(`\x1b`, size/4) + `"`) },
	"long":    func(size int) []byte { return []byte(strings.Repeat("a", size) + ": 1") },
	"aliases": func(size int) []byte { return []byte("a: &a [x]\nb: [" + strings.Repeat("*a,", size/3) + "]\n") },
	"lines":   func(size int) []byte { return bytes.Repeat([]byte("\n"), size) },
}

// TestCost checks that the memory for a file is linear in its size, and small for one
// that is too large for a configuration.
func TestCost(t *testing.T) {
	for name, bomb := range bombs {
		t.Run(name, func(t *testing.T) {
			read := func(source []byte) {
				if _, err := readSource(source); err == nil && name != "lines" {
					t.Error("no error")
				}
			}
			costtest.Linear(t, 5000, bomb, read)
			huge := bomb(maxFile)
			costtest.Check(t, len(huge), 40<<20, 100, func() { read(huge) })
		})
	}
}

// TestRate checks the schedule of the textbook, which lowers the rate every few
// epochs.
func TestRate(t *testing.T) {
	for _, test := range []struct {
		rate  Rate
		epoch int
		want  float64
	}{
		{Rate{0.1, 1, 1}, 1, 0.1},
		{Rate{0.1, 1, 1}, 50, 0.1},
		{Rate{8, 0.5, 1}, 1, 8},
		{Rate{8, 0.5, 1}, 4, 1},
		{Rate{8, 0.5, 10}, 10, 8},
		{Rate{8, 0.5, 10}, 11, 4},
		{Rate{8, 0.5, 10}, 20, 4},
		{Rate{8, 0.5, 10}, 21, 2},
		{Rate{8, 0.5, 3}, 7, 2},
	} {
		if got := test.rate.At(test.epoch); got != test.want {
			t.Errorf("%+v.At(%d) = %v, want %v", test.rate, test.epoch, got, test.want)
		}
	}
}

// TestRun: run r has the seed seed + r; nothing else differs.
func TestRun(t *testing.T) {
	c, err := Read("", []string{"seed=7", "train.runs.count=5", "train.rate.factor=0.9"})
	if err != nil {
		t.Fatal(err)
	}
	for r := range 5 {
		want, err := Read("", []string{fmt.Sprintf("seed=%d", 7+r), "train.rate.factor=0.9"})
		if got := c.Run(r); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("run %d: %+v, %v; want %+v", r, got, err, want)
		}
	}
}

// TestWithNetwork: the network is the other, all else stays.
func TestWithNetwork(t *testing.T) {
	n := model.Network{Layers: []int{4, 3, 2}, Activation: model.Tanh, Precision: model.Float64}
	c := Default().WithNetwork(n)
	if !reflect.DeepEqual(c.Network(), n) {
		t.Errorf("network %v, want %v", c.Network(), n)
	}
	if c = c.WithNetwork(Default().Network()); !reflect.DeepEqual(c, Default()) {
		t.Errorf("and back: %+v", c)
	}
}

// TestRoundTrip writes random legal configurations and reads them back.
func TestRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	letters := []rune("aZ09._- /\\:#'\"&*!|>%@`{}[],?~\t\n\x01\x7f\u0085\u00a0\u2028\u3000\ufeff手é😀")
	var word func(n int) string // a path
	word = func(n int) string {
		b := make([]rune, random.IntN(n))
		for i := range b {
			b[i] = letters[random.IntN(len(letters))]
		}
		if path, err := pathOf(string(b)); err != nil || path != string(b) {
			return word(n)
		}
		return string(b)
	}
	pick := func(words []string) string { return words[random.IntN(len(words))] }
	float := func(top float64) float64 { return top * math.Pow(10, -20*random.Float64()) }
	for range 500 {
		c := Config{
			Name: pick([]string{"run", "true", "1e3", "2026-01-01", "x.y-z", "null", "手写"}), Seed: random.Uint64N(maxSeed + 1),
			Device: pick(Devices), Machine: pick(Machines), Precision: model.Precision(random.IntN(2)), Lang: pick(Languages),
			Model: Model{Layers: []int{1 + random.IntN(9999), 1 + random.IntN(9999)}, Activation: model.Activation(random.IntN(2)), Bias: random.IntN(2) == 0,
				Init: []Init{{Std: PerLayer{float(1000)}}, {Std: PerLayer{0}}, {Rule: pick(Rules)}, {File: "f" + word(20)}}[random.IntN(4)]},
			Data: Data{Dataset: pick(Datasets), Dir: word(20), Fallback: pick(Fallbacks), Split: Split{Test: float(1), Seed: random.Uint64N(maxSeed + 1)},
				Validation: []float64{0, float(1), 5000}[random.IntN(3)], CSV: CSV{Label: "l" + word(20)},
				Values: []Values{{}, {Max: Bound{16, true}}, {Bound{-1, true}, Bound{float(9), true}}}[random.IntN(3)],
				Inputs: Ends{float(1), 1 + float(9)}, Targets: Ends{0, float(1)}, Transpose: random.IntN(2) == 0},
			Train: Train{Epochs: 1 + random.IntN(10), Batch: 1 + random.IntN(1000), Shuffle: random.IntN(2) == 0,
				Rate:          Rate{Initial: float(1000), Factor: 1 - random.Float64()/2, Every: 1 + random.IntN(maxEpochs)},
				UpdateOrder:   "simultaneous",
				EarlyStopping: EarlyStopping{Patience: random.IntN(maxEpochs), MinDelta: float(1)},
				Augment: Augment{Rotate: float(45), Scale: float(0.5), Shear: float(0.5), Shift: float(14), Elastic: float(5), Smooth: 1 + float(19),
					Every: 1 + random.IntN(maxEpochs), Seed: random.Uint64N(maxSeed + 1)},
				Runs: Runs{Count: 1}},
			Log: Log{TensorBoard: random.IntN(2) == 0},
		}
		if random.IntN(2) == 0 {
			c.Seed /= 2
			c.Model.Layers = []int{1 + random.IntN(99), 1 + random.IntN(99)}
			c.Train.Shuffle = true
			c.Train.Runs.Count = 2 + random.IntN(maxRuns-1)
		}
		if c.Model.Init.Std != nil && random.IntN(2) == 0 {
			c.Model.Layers = []int{9, 8, 7, 6}
			c.Model.Init.Std = PerLayer{0, float(1000), 1}
		}
		if c.Model.Bias && c.Model.Init.File == "" {
			c.Model.Init.BiasStd = float(1000)
		}
		if c.Data.Dir == "" {
			c.Data.Dataset = pick([]string{"mnist", "digits"})
			if random.IntN(2) == 0 {
				c.Data.Dataset = pick([]string{"files", "csv", "idx"})
				c.Data.Train, c.Data.Test, c.Data.Classes = []string{"f" + word(20)}, []string{"1", "t" + word(20)}, []string{"3", "no" + word(20)}
			}
		}
		if got, err := readSource(c.YAML()); err != nil || !reflect.DeepEqual(got, c) {
			t.Fatalf("%v\nhave %+v\nwant %+v\n%s", err, got, c, c.YAML())
		}
	}
}

// TestData: the ways to write the keys of data, in a file and as a setting.
func TestData(t *testing.T) {
	values := func(least, most float64) Values { return Values{Bound{least, true}, Bound{most, true}} }
	for _, c := range []struct {
		file string
		sets []string
		want func(d *Data)
	}{
		{"data: {train: a.csv}\n", nil, func(d *Data) { d.Dataset, d.Train = "files", []string{"a.csv"} }},
		{"seed: 1\n", []string{"data.train=a b.csv", "data.test=[c.csv, d.csv]"},
			func(d *Data) { d.Dataset, d.Train, d.Test = "files", []string{"a b.csv"}, []string{"c.csv", "d.csv"} }},
		{"seed: 1\n", []string{"data.train=*.csv"}, func(d *Data) { d.Dataset, d.Train = "files", []string{"*.csv"} }},
		{"data: {train: [a]}\n", []string{"data.train=", "data.dataset=mnist"}, func(*Data) {}},
		{"data: {train: [a], dataset: csv}\n", nil, func(d *Data) { d.Dataset, d.Train = "csv", []string{"a"} }},
		{"data: {dataset: emnist-letters, dir: x}\n", nil, func(d *Data) { d.Dataset, d.Dir = "emnist-letters", "x" }},
		{"data: {values: auto}\n", nil, func(*Data) {}},
		{"data: {values: {max: 16}}\n", nil, func(d *Data) { d.Values.Max = Bound{16, true} }},
		{"data: {values: {min: auto, max: 16}}\n", []string{"data.values=auto"}, func(*Data) {}},
		{"seed: 1\n", []string{"data.values={min: -1, max: 1}"}, func(d *Data) { d.Values = values(-1, 1) }},
		{"seed: 1\n", []string{"data.values.min=0", "data.values.max=0.5"}, func(d *Data) { d.Values = values(0, 0.5) }},
		{"data: {inputs: {low: 0.01}, targets: {low: 0.01, high: 0.99}}\n", nil, func(d *Data) { d.Inputs.Low, d.Targets = 0.01, Ends{0.01, 0.99} }},
		{"data: {csv: {label: 3}}\n", nil, func(d *Data) { d.CSV.Label = "3" }},
		{"seed: 1\n", []string{"data.csv.label=class"}, func(d *Data) { d.CSV.Label = "class" }},
		{"data: {classes: [a, 1, true-ish]}\n", nil, func(d *Data) { d.Classes = []string{"a", "1", "true-ish"} }},
		{"data: {split: {test: 100, seed: 2}, validation: 0.1}\n", nil, func(d *Data) { d.Split, d.Validation = Split{100, 2}, 0.1 }},
	} {
		want := Default().Data
		c.want(&want)
		got, err := readSource([]byte(c.file), c.sets...)
		if err != nil || !reflect.DeepEqual(got.Data, want) {
			t.Errorf("%q and %q: %v\nhave %+v\nwant %+v", c.file, c.sets, err, got.Data, want)
		}
	}
	for _, c := range []struct{ set, want string }{
		{"data.validation=10.5", "want a whole number of images, or a fraction below 1"},
		{"data.split.test=1.5", "want a whole number of images, or a fraction below 1"},
		{"data.split.test=0", "above 0"},
		{"data.values.max=sixteen", "auto, or a number from"},
		{"data.values={min: 3}", "needs data.values.max"},
		{"data.values={min: 16, max: 0}", "want the smaller one first"},
		{"data.values=16", "is a group: set one of its keys, min, max"},
		{"data.inputs={low: 1, high: 1}", "all inputs would be 1"},
		{"data.targets={low: 0.9, high: 0.1}", "want low below high"},
		{"data.targets.low=-1", "the sigmoid are between 0 and 1"},
		{"data.classes=[a, b, a]", `has "a" twice`},
		{"data.csv.label=", "that is not empty"},
		{"data.train=[a, '']", "entry 2: have \"\", want a path that is not empty"},
		{"data.train=[a, {b: c}]", "entry 2: have a group"},
		{"data.dataset=kmnist", "kmnist needs data.dir"},
	} {
		if _, err := readSource(nil, c.set); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("-set %s: %v, want %q", c.set, err, c.want)
		}
	}
	for file, want := range map[string]string{
		"data: {train: [a], dataset: mnist}\n":       "c.yaml:1:29: data.dataset: is mnist, and data.train and data.test name files of your own",
		"data: {train: [a], dir: b}\n":               "c.yaml:1:15: data.train: excludes data.dir",
		"data: {values: 16}\n":                       "have 16, want keys: min, max",
		"data: {validation: 10 %}\n":                 "want a number from 0",
		"data: {dataset: fashon-mnist}\n":            "did you mean fashion-mnist?",
		"data: {dataset: csv}\n":                     "csv needs data.dir, the folder of the files, or data.train",
		"data: {targets: {low: 1.0, high: 0.0e0}}\n": "targets of 1 and 0",
	} {
		if _, err := readSource([]byte(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", file, err, want)
		}
	}
}

// FuzzRead checks that Read does not panic, that each problem has a message, and that
// a legal configuration can be written and read again.
func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(source, "train.batch=3")
	}
	for _, bomb := range bombs {
		f.Add(bomb(1000), "train.batch=3")
	}
	f.Fuzz(func(t *testing.T, source []byte, set string) {
		var c Config
		var err error
		costtest.Check(t, len(source)+len(set), 1<<20, 4000, func() { c, err = readSource(source, set) })
		if err == nil {
			if again, err := readSource(c.YAML()); err != nil || !reflect.DeepEqual(again, c) {
				t.Errorf("%v\nhave %+v\nwant %+v", err, again, c)
			}
			return
		}
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("error %T", err)
		}
		for _, p := range e.Problems {
			if p.Message == "" || p.File == "" {
				t.Errorf("problem %+v", p)
			}
		}
	})
}
