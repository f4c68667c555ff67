package train

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"trainer/train/rundir"
)

// TestReadMetrics: whole lines are read, a torn last one is left out, and a bad one
// elsewhere is named.
func TestReadMetrics(t *testing.T) {
	dir := t.TempDir()
	if all, err := ReadMetrics(dir); all != nil || err != nil {
		t.Errorf("of nothing: %v, %v", all, err)
	}
	const first = `{"epoch":1,"test_accuracy":0.5,"test_cost":0.2}` + "\n"
	const second = `{"epoch":2,"test_accuracy":0.4,"test_cost":0.1,"validation_accuracy":0.75,"validation_cost":0.3}` + "\n"
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, rundir.MetricsFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := []Metrics{
		{Epoch: 1, TestAccuracy: 0.5, TestCost: 0.2},
		{Epoch: 2, TestAccuracy: 0.4, TestCost: 0.1, Validation: &Validation{ValidationAccuracy: 0.75, ValidationCost: 0.3}},
	}
	for _, end := range []string{"", `{"epoch":3,"test_acc`} {
		write(first + second + end)
		if all, err := ReadMetrics(dir); err != nil || !reflect.DeepEqual(all, want) {
			t.Errorf("%q at the end: %+v, %v", end, all, err)
		}
	}
	write(first + "{\n" + second)
	if _, err := ReadMetrics(dir); err == nil || !strings.Contains(err.Error(), rundir.MetricsFile+":2: ") {
		t.Errorf("a bad line: %v", err)
	}
	if i := BestEpoch([]Metrics{want[0], {Epoch: 2, TestAccuracy: 0.5, TestCost: 0.1}, {Epoch: 3}}); i != 1 {
		t.Errorf("best is %d", i)
	}
	if i := BestEpoch(nil); i != -1 {
		t.Errorf("of none: %d", i)
	}
}
