package train_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"trainer/train/rundir"
)

// TestEvents: the event file has a record for each epoch and run after the first one, if
// it is asked for, with the curves' names.
func TestEvents(t *testing.T) {
	for _, test := range []struct {
		sets    []string
		records int
		tags    []string
	}{
		{[]string{"train.epochs=3"}, 0, nil},
		{[]string{"train.epochs=3", "log.tensorboard=true"}, 4, []string{"\raccuracy/test", "cost/train", "learning_rate"}},
		{[]string{"train.epochs=2", "log.tensorboard=true", "train.runs.count=3"}, 7, []string{"run 0/accuracy/test", "run 2/cost/test"}},
	} {
		c := smallConfig(t, test.sets...)
		s, dir := sessionOn(t, newMachine("cpu", c), c, &watcher{})
		if _, err := s.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, rundir.EventsFile))
		if (err == nil) != (test.records > 0) {
			t.Errorf("%v: %v", test.sets, err)
		}
		for _, tag := range test.tags {
			if !bytes.Contains(b, []byte(tag)) {
				t.Errorf("%v: no curve %q", test.sets, tag)
			}
		}
		records := 0
		for ; len(b) > 0; records++ {
			b = b[16+binary.LittleEndian.Uint64(b):]
		}
		if records != test.records {
			t.Errorf("%v: %d records, want %d", test.sets, records, test.records)
		}
	}
}
