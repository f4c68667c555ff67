package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"trainer/configs"
	"trainer/train/config"
	"trainer/train/rundir"
)

// TestUnknown: what does not exist is refused with what was meant.
func TestUnknown(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join("runs", "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(filepath.Join("runs", "a", rundir.ConfigFile), "seed: 1\n")
	write(filepath.Join("runs", "a", rundir.ModelFile), "")
	write("my.yaml", "seed: 1\n")
	write("settings", "seed: 1\n")
	before, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want string }{
		// Commands.
		{"evla", `unknown command "evla": did you mean trainer eval?`},
		{"evaluate", "did you mean trainer eval?"},
		{"EVAL", "did you mean trainer eval?"},
		{"benchmark", "did you mean trainer bench?"},
		{"gradient", "did you mean trainer gradcheck?"},
		{"compl", "did you mean trainer completion?"},
		{"config", "did you mean trainer help config?"},
		{"bogus", `unknown command "bogus": want train, sweep, eval, `},
		{"runs/a", "did you mean trainer eval runs/a?"},
		{"runs/a/model.safetensors", "did you mean trainer eval runs/a/model.safetensors?"},
		{"settings", "did you mean trainer -config settings?"},
		{"train.epochs=5", "did you mean trainer -set train.epochs=5?"},
		{"lr=0.5", "did you mean trainer -set train.rate.initial=0.5?"},
		{"epochs 5", "did you mean trainer -set train.epochs=10?"},
		{"help evla", "did you mean trainer help eval?"},
		{"help train.epochs", "did you mean trainer help config?"},
		{"completion bsh", "did you mean bash?"},
		{"completion powershell", "want bash, zsh, fish"},
		{"init mnits", "did you mean mnist?"},
		{"init mine", "want one of " + strings.Join(configs.Names(), ", ")},

		// Flags.
		{"--confg x", "unknown flag --confg: did you mean -config?"},
		{"-Config x", "did you mean -config?"},
		{"-c x", "did you mean -config?"},
		{"-o x", "did you mean -out?"},
		{"--output-dir=x", "did you mean -out?"},
		{"eval -moddel x", "did you mean -model?"},
		{"graph -fmt svg", "did you mean -format?"},
		{"-model x", "-model is a flag of trainer eval, "},
		{"eval -out x", "-out is a flag of trainer train"},
		{"version -set seed=1", "unknown flag -set\n"},
		{"-eval", "did you mean trainer eval?"},
		{"-epochs 5", "unknown flag -epochs: to set a key of the configuration, write -set train.epochs=5\n"},
		{"-epoch=5", "write -set train.epochs=5\n"},
		{"eval -epochs 5", "write -set train.epochs=5\n"},
		{"-epochs five", "write -set train.epochs=10\n"},
		{"-epochs -set seed=1", "write -set train.epochs=10\n"},
		{"-train.epochs 5", "write -set train.epochs=5\n"},
		{"-lr 0.5", "write -set train.rate.initial=0.5\n"},
		{"-eta 3.0", "write -set train.rate.initial=3.0\n"},
		{"--learning-rate=0.5", "write -set train.rate.initial=0.5\n"},
		{"-batch_size 10", "write -set train.batch=10\n"},
		{"-layers 784,100,10", "write -set 'model.layers=[784, 100, 10]'\n"},
		{"-hidden 100", "write -set 'model.layers=[784, 100, 10]'\n"},
		{"-hidden 0", "write -set 'model.layers=[784, 50, 10]'\n"},
		{"-seeds 3", "-seeds is a flag of trainer sweep\n"},
		{"-no_shuffle", "write -set train.shuffle=true\n"},
		{"-gpu", "write -set device=cuda\n"},
		{"-float64", "write -set precision=float64\n"},
		{"-tanh", "write -set model.activation=tanh\n"},
		{"-std", "write -set model.init.std=STD\n"},
		{"-dir x", "write -set data.dir=x\n"},
		{"-rate 0.5", "train.rate is a group of the keys initial, factor, every; to set one, write -set train.rate.initial=0.1\n"},
		{"-optimizer adam", "unknown flag -optimizer: the optimizer is plain gradient descent"},
		{"-dropout 0.5", "there is no regularisation"},
		{"-bogus", "unknown flag -bogus\n"},

		// Values.
		{"-device CPU", "did you mean cpu?"},
		{"-set precision=double", "did you mean float64?"},
		{"-set model.activation=logistic", "did you mean sigmoid?"},
		{"-config mnits", "did you mean mnist, which is built in?"},
		{"-config configs/mnist.yaml", "did you mean mnist, which is built in?"},
		{"-config my", "did you mean my.yaml?"},
		{"-config runs/a", "did you mean runs/a/config.yaml?"},
		{"-config nowhere", "the built-in configurations are " + strings.Join(configs.Names(), ", ")},
		{"nowhere.yaml", "nowhere.yaml: cannot open the file: no such file"},

		// What is given is used, or an error.
		{"-config my.yaml -config mnist", `-config: it is given twice, the first time as "my.yaml"`},
		{"my.yaml -config mnist", `"my.yaml", taken for -config: it is given twice, the first time as "mnist"`},
		{"-device cpu -device cuda", "given twice"},
		{"-device cpu -set device=cuda", "-device cpu and -set device=cuda: give one of them"},
		{"eval runs/a runs/b", `"runs/b", taken for -model: it is given twice`},
		{"-config -set seed=1", "the value is missing"},
		{"-set train.epochs = 5", "write key=value without spaces"},
		{"-config mnist train.epochs=5", "did you mean -set train.epochs=5?"},
		{"version now", `unexpected argument "now"`},
		{"-version now", `unexpected argument "now"`},
		{"init mnist textbook", `unexpected argument "textbook"`},
		{"completion bash zsh", `unexpected argument "zsh"`},
		{"help eval train", `unexpected argument "train"`},
		{"bench -python python3", "-python goes with -peer"},
		{"bench -only 1,evaluation", `"evaluation" is no row: want load, evaluate or a batch size`},
		{"bench -only 0", `"0" is no row`},
		{"bench -only 1 -peer", "-only goes without -growth and -peer"},
	} {
		args := strings.Fields(c.args)
		code, stdout, stderr := trainer(args...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "\nSee 'trainer help") {
			t.Errorf("%v: exit code %d, %q, standard error:\n%s\nwant %q", args, code, stdout, stderr, c.want)
		}
	}
	if after, err := os.ReadDir("."); err != nil || len(after) != len(before) {
		t.Errorf("files: %v, %v", after, err)
	}
}

// TestEmpty: an empty value is an error, not the default.
func TestEmpty(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range commands() {
		for _, f := range c.flags() {
			value, _ := describeFlag(f)
			if value == "" {
				continue
			}
			code, stdout, stderr := trainer(c.name, "-"+f.Name, "")
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, "-"+f.Name+": it is empty") {
				t.Errorf("%s -%s '': exit code %d, %q, %q", c.name, f.Name, code, stdout, stderr)
			}
		}
	}
	if code, _, stderr := trainer("eval", ""); code != exitUsage || !strings.Contains(stderr, "it is empty") {
		t.Errorf("eval '': exit code %d, %q", code, stderr)
	}
}

// TestSuggestionsWork: each setting that is suggested for a key is legal.
func TestSuggestionsWork(t *testing.T) {
	for _, k := range config.Keys() {
		setting := config.Setting(k.Path, "")
		if strings.HasPrefix(setting, "model.init.std=") { // STD: there is no default
			continue
		}
		sets := []string{setting, "train.runs.count=2"}
		if k.Path == "train.runs.count" {
			sets = sets[:1]
		}
		if _, err := config.Read("", sets); err != nil {
			t.Errorf("-set %s: %v", setting, err)
		}
	}
}

// TestFlagSynonyms: each is of a flag that is there.
func TestFlagSynonyms(t *testing.T) {
	var names []string
	for _, c := range commands() {
		for _, f := range c.flags() {
			names = append(names, f.Name)
		}
	}
	for name := range flagSynonyms {
		if !slices.Contains(names, name) {
			t.Errorf("no command has the flag -%s", name)
		}
	}
}

// TestControlCharacters: text of a user reaches the terminal quoted, and a message
// stays short.
func TestControlCharacters(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	bad := "a\x1b[2J\u202eb\nc\rd"
	file := filepath.Join(dir, "bad.yaml")
	source := "name: \"\\e[2J\\a\\n\"\ndata: {dir: \"\\e[2J\"}\n\"\\e[2J\": 1\ndevice: \"\\e\"\n"
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	odd := filepath.Join(dir, "odd")
	if err := os.Mkdir(odd, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(odd, "\x1b[2J"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 100_000)
	for _, args := range [][]string{
		{bad}, {bad + ".yaml"}, {"-" + bad}, {"-" + bad + "=" + bad}, {"-config", bad}, {"-config", file},
		{"-out", bad}, {"-device", bad}, {"-set", bad}, {"-set", bad + "=" + bad}, {"-set", "name=" + bad}, {"-set", "data.dir=" + bad},
		{"-set", "model.init.file=" + bad}, {"-set", "seed=" + bad}, {"-set", "seed=*" + bad}, {"-set", "seed=&" + bad},
		{"eval", bad}, {"eval", "-model", "a\u202eb"}, {"eval", bad, bad}, {"graph", "-format", bad}, {"graph", "-o", bad}, {"help", bad}, {"init", bad}, {"init", "-o", bad},
		{"completion", bad}, {"version", bad}, {"-set", "data.dataset=idx", "-set", "data.dir=" + odd},
		{"-=" + bad}, {"eval", "-json=" + bad},
		{long}, {"-" + long}, {"-config", long}, {"-set", long}, {"-set", "seed=" + long}, {"eval", long}, {"help", long},
	} {
		code, stdout, stderr := trainer(args...)
		text := strings.ReplaceAll(stderr, "\n", "")
		if code == exitDone || stdout != "" || text == "" || strings.ContainsAny(text, "\x1b\r\a\u202e") {
			t.Errorf("%.60q: exit code %d, %q, %.300q", args, code, stdout, stderr)
		}
		if strings.Contains(stderr, "b\nc") || len(stderr) > 6000 {
			t.Errorf("%.60q: a line break in what was quoted, or %d bytes: %.300q", args, len(stderr), stderr)
		}
	}
}

// TestGPU: -device gpu is -device cuda.
func TestGPU(t *testing.T) {
	_, _, want := trainer("-device", "cuda", "-set", "data.dataset=digits", "-set", "train.epochs=1")
	code, _, stderr := trainer("-device", "gpu", "-set", "data.dataset=digits", "-set", "train.epochs=1")
	if code == exitDone || stderr != want {
		t.Errorf("exit code %d, %q, want %q", code, stderr, want)
	}
}
