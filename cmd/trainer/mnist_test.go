package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trainer/data"
	"trainer/train"
	"trainer/train/rundir"
)

// TestMNIST: the configurations learn on real MNIST. The textbook's listing has
// 0.930 on the test set after an epoch, by NumPy, for three seeds.
func TestMNIST(t *testing.T) {
	if os.Getenv(data.EnvDir) == "" {
		t.Skip("needs MNIST: set " + data.EnvDir + " to the folder that has it")
	}
	if testing.Short() {
		t.Skip("trains on 60,000 images")
	}
	for name, least := range map[string]float64{"mnist": 0.93, "textbook": 0.925, "minibatch": 0.89, "best": 0.935} {
		t.Run(name, func(t *testing.T) {
			m := oneEpoch(t, "-config", "../../configs/"+name+".yaml")
			if m.TestAccuracy < least {
				t.Errorf("test accuracy %v after an epoch, want %v at least", m.TestAccuracy, least)
			}
		})
	}
}

// TestDigits: the built-in digits are learned about as well as MNIST, and no
// output calls them that.
func TestDigits(t *testing.T) {
	if testing.Short() {
		t.Skip("generates 70,000 images")
	}
	m := oneEpoch(t, "-config", "../../configs/mnist.yaml", "-set", "data.dataset=digits")
	// The generator aims at MNIST's difficulty: about 0.935 after an epoch.
	if m.TestAccuracy < 0.91 || m.TestAccuracy > 0.97 {
		t.Errorf("test accuracy %v after an epoch on the built-in digits, want 0.91 to 0.97", m.TestAccuracy)
	}
}

func oneEpoch(t *testing.T, args ...string) train.Metrics {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	code, stdout, stderr := trainer(append(args, "-set", "train.epochs=1", "-out", dir)...)
	if code != exitDone {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	if strings.Contains(strings.Join(args, " "), "dataset=digits") && strings.Contains(stdout, "MNIST") {
		t.Errorf("a run on the built-in digits says MNIST:\n%s", stdout)
	}
	line, err := os.ReadFile(filepath.Join(dir, rundir.MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	var m train.Metrics
	if err := json.Unmarshal(line, &m); err != nil {
		t.Fatal(err)
	}
	return m
}
