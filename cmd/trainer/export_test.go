package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trainer/train/evaluation"
	"trainer/train/rundir"
)

// TestExport: each format is written, and what can be read again is the model.
func TestExport(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	run, set := trained(t)
	dir := t.TempDir()
	files := map[string]string{}
	for _, format := range []string{"onnx", "safetensors", "csv"} {
		file := filepath.Join(dir, "model."+format)
		code, stdout, stderr := trainer("export", run, "-o", file)
		content, err := os.ReadFile(file)
		if code != exitDone || err != nil || stderr != "" || !strings.HasPrefix(stdout, file+": the model "+run) {
			t.Errorf("%s: exit code %d, %q, %q, %v", format, code, stdout, stderr, err)
		}
		files[format] = string(content)
	}
	if !strings.Contains(files["onnx"], "layers.1.weight") || !strings.Contains(files["onnx"], "[0,255]") {
		t.Error("the ONNX file lacks a parameter, or the scale of the inputs")
	}
	if !strings.HasPrefix(files["csv"], "tensor,i,j,value\nlayers.0.weight,0,0,") {
		t.Errorf("csv: %.80q", files["csv"])
	}
	var costs []float64
	for _, model := range []string{run, filepath.Join(dir, "model.safetensors")} {
		code, stdout, stderr := trainer("eval", "-json", model, "-set", "data.dataset=idx", "-set", "data.dir="+set)
		var r evaluation.Report
		if err := json.Unmarshal([]byte(stdout), &r); code != exitDone || err != nil {
			t.Fatalf("exit code %d, %v, %s", code, err, stderr)
		}
		costs = append(costs, r.Test.Cost)
	}
	if costs[0] != costs[1] {
		t.Errorf("the exported model has the cost %v, the model %v", costs[1], costs[0])
	}

	best := filepath.Join(run, rundir.BestFile)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{run}, "give -o FILE"},
		{[]string{"-o", "x.onnx"}, "no model"},
		{[]string{run, "-o", filepath.Join(dir, "x.pt")}, `format "pt": want onnx, safetensors, csv`},
		{[]string{run, "-o", "x.onnx", "-format", "torch"}, `format "torch"`},
		{[]string{run, "-o", best}, "is the model itself"},
		{[]string{run, "-o", "x.onnx", "-set", "model.bias=false"}, "model.bias"},
		{[]string{foreign(t, run, nil), "-o", "x.onnx"}, "-set model.activation=sigmoid or tanh"},
	} {
		if code, _, stderr := trainer(append([]string{"export"}, c.args...)...); code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit code %d, %s; want %q", c.args, code, stderr, c.want)
		}
	}
	if _, err := os.Stat("x.onnx"); err == nil {
		t.Error("an export that was refused has left a file")
	}

	t.Setenv("LC_ALL", "zh_CN.UTF-8")
	if _, stdout, _ := trainer("export", run, "-o", filepath.Join(dir, "model.onnx")); !strings.Contains(stdout, "模型") {
		t.Errorf("in Chinese: %q", stdout)
	}
}
