// Package tensorboard writes event files, which TensorBoard shows as curves.
//
// A file is a sequence of records, of which each is
//
//	8 bytes  the length n of the data, little-endian
//	4 bytes  the masked CRC-32C of these 8 bytes
//	n bytes  the data: a message Event of event.proto (github.com/tensorflow/tensorboard)
//	4 bytes  the masked CRC-32C of the data
//
// The first event has the version of the format, each other one the values at a step.
// TensorBoard reads any file with tfevents in its name, and takes its folder for a run:
//
//	tensorboard --logdir runs
package tensorboard

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"trainer/train/internal/protobuf"
)

// Scalar is a value of a curve.
type Scalar struct {
	Tag   string // the name of the curve; what is before a slash is its group
	Value float64
}

// Start returns the first record of a file.
func Start(at time.Time) []byte {
	return record(event(at).Text(3, "brain.Event:2"))
}

// Step returns the record of values at a step. TensorBoard has them in float32.
func Step(at time.Time, step int, values []Scalar) []byte {
	var summary protobuf.Message
	for _, v := range values {
		summary = summary.Message(1, protobuf.Message{}.Text(1, v.Tag).Float(2, float32(v.Value)))
	}
	return record(event(at).Int(2, int64(step)).Message(5, summary))
}

// event returns the begin of an event: the time, in seconds since 1970.
func event(at time.Time) protobuf.Message {
	return protobuf.Message{}.Double(1, float64(at.UnixMicro())/1e6)
}

func record(data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, len(data)+16), uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, masked(b))
	b = append(b, data...)
	return binary.LittleEndian.AppendUint32(b, masked(data))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked returns the checksum as the format has it: turned, and moved by a constant, so
// that the checksum of data that has checksums in it is a good one too.
func masked(data []byte) uint32 {
	sum := crc32.Checksum(data, castagnoli)
	return (sum>>15 | sum<<17) + 0xa282ead8
}
