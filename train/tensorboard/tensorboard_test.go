package tensorboard

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trainer/train/internal/pythontest"
)

var at = time.Unix(1_700_000_000, 250_000_000)

func file() []byte {
	b := Start(at)
	for step := 1; step <= 300; step++ {
		b = append(b, Step(at.Add(time.Duration(step)*time.Second), step, []Scalar{
			{"accuracy/test", 1 - 1/float64(step)}, {"cost/test", 1e-30 * float64(step)}, {"run 1/learning_rate", math.Inf(1)},
		})...)
	}
	return b
}

// checksum is CRC-32C, bit by bit, from its polynomial.
func checksum(data []byte) uint32 {
	sum := ^uint32(0)
	for _, b := range data {
		sum ^= uint32(b)
		for range 8 {
			if sum&1 != 0 {
				sum = sum>>1 ^ 0x82f63b78
			} else {
				sum >>= 1
			}
		}
	}
	return ^sum
}

// field is a field of a message: a number, or the bytes of a message or text.
type field struct {
	number int
	value  uint64
	data   []byte
}

// decode reads a message by the rules of its encoding, without a library.
func decode(t *testing.T, b []byte) (fields []field) {
	t.Helper()
	varint := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			t.Fatal("not a varint")
		}
		b = b[n:]
		return v
	}
	for len(b) > 0 {
		tag := varint()
		f := field{number: int(tag >> 3)}
		switch tag & 7 {
		case 0:
			f.value = varint()
		case 1:
			f.value, b = binary.LittleEndian.Uint64(b), b[8:]
		case 5:
			f.value, b = uint64(binary.LittleEndian.Uint32(b)), b[4:]
		case 2:
			n := varint()
			f.data, b = b[:n], b[n:]
		default:
			t.Fatalf("wire type %d", tag&7)
		}
		fields = append(fields, f)
	}
	return fields
}

// TestFile reads the records again by hand: lengths, checksums, and fields.
func TestFile(t *testing.T) {
	if got := checksum([]byte("123456789")); got != 0xe3069283 { // the check value of CRC-32C
		t.Fatalf("the test's own checksum is %#x", got)
	}
	mask := func(data []byte) uint32 { sum := checksum(data); return (sum>>15 | sum<<17) + 0xa282ead8 }
	b := file()
	step := 0
	for ; len(b) > 0; step++ {
		n := binary.LittleEndian.Uint64(b)
		data := b[12 : 12+n]
		if binary.LittleEndian.Uint32(b[8:]) != mask(b[:8]) || binary.LittleEndian.Uint32(b[12+n:]) != mask(data) {
			t.Fatalf("record %d: a checksum is wrong", step)
		}
		b = b[16+n:]
		fields := decode(t, data)
		if fields[0].number != 1 || math.Float64frombits(fields[0].value) != 1_700_000_000.25+float64(step) {
			t.Fatalf("record %d: time %v", step, fields[0])
		}
		if step == 0 {
			if len(fields) != 2 || fields[1].number != 3 || string(fields[1].data) != "brain.Event:2" {
				t.Fatalf("the first event: %v", fields)
			}
			continue
		}
		if len(fields) != 3 || fields[1].number != 2 || fields[1].value != uint64(step) || fields[2].number != 5 {
			t.Fatalf("event %d: %v", step, fields)
		}
		var got []string
		for _, v := range decode(t, fields[2].data) {
			scalar := decode(t, v.data)
			if v.number != 1 || len(scalar) != 2 || scalar[0].number != 1 || scalar[1].number != 2 {
				t.Fatalf("event %d: %v", step, scalar)
			}
			got = append(got, fmt.Sprint(string(scalar[0].data), " ", math.Float32frombits(uint32(scalar[1].value))))
		}
		want := fmt.Sprintf("accuracy/test %v|cost/test %v|run 1/learning_rate +Inf", float32(1-1/float64(step)), float32(1e-30*float64(step)))
		if strings.Join(got, "|") != want {
			t.Fatalf("event %d: %q, want %q", step, got, want)
		}
	}
	if step != 301 {
		t.Errorf("%d records", step)
	}
}

// TestPython: TensorBoard's own reader finds all values.
func TestPython(t *testing.T) {
	exe := pythontest.Find(t, "tensorboard")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "events.out.tfevents.trainer"), file(), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Log(pythontest.Run(t, exe, `
import math, struct, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
a = EventAccumulator(sys.argv[1]).Reload()
assert a.file_version == 2.0, a.file_version
assert sorted(a.Tags()["scalars"]) == ["accuracy/test", "cost/test", "run 1/learning_rate"], a.Tags()
single = lambda v: struct.unpack("f", struct.pack("f", v))[0]
events = a.Scalars("accuracy/test")
assert [e.step for e in events] == list(range(1, 301))
assert all(e.value == single(1 - 1 / e.step) and e.wall_time == 1700000000.25 + e.step for e in events)
assert all(e.value == single(1e-30 * e.step) for e in a.Scalars("cost/test"))
assert all(math.isinf(e.value) for e in a.Scalars("run 1/learning_rate"))
print(len(events), "steps of", len(a.Tags()["scalars"]), "curves")
`, dir))
}
