package config

import (
	"reflect"
	"testing"
)

// TestChanged: every key that changes the mathematics is compared; train.epochs does not.
func TestChanged(t *testing.T) {
	a := Default()
	if got := Changed(a, Default()); got != nil {
		t.Errorf("equal configurations differ in %v", got)
	}
	b, err := Parse(a.YAML(), "text", []string{"train.epochs=99", "data.values.max=3", "model.layers=[4, 5, 10]", "seed=3"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Changed(a, b), []string{"seed", "model.layers", "data.values.max"}; !reflect.DeepEqual(got, want) {
		t.Errorf("changed are %v, want %v", got, want)
	}
	if _, err := Parse([]byte("seed: x"), "the text", nil); err == nil || err.Error()[:8] != "the text" {
		t.Errorf("error %v", err)
	}
}
