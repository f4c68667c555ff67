// Package export writes trained networks in formats that other programs read: ONNX,
// safetensors and CSV.
//
//	err := export.Write(w, export.ONNX, network, parameters, export.Metadata(network, m.Metadata))
//
// The numbers are those of the model file, bit for bit; a CSV has their shortest
// decimals. ONNX is the whole network, safetensors and CSV are its parameters.
package export

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"trainer/data"
	"trainer/graph/model"
)

// Format is a file format.
type Format string

// The formats.
const (
	ONNX        Format = "onnx"        // see onnx.go
	Safetensors Format = "safetensors" // see model.Write
	CSV         Format = "csv"         // see csv.go
)

// Formats returns the names of all formats.
func Formats() []string { return []string{string(ONNX), string(Safetensors), string(CSV)} }

// FormatOf returns the format with a name, or without one that of the file's extension.
func FormatOf(name, file string) (Format, error) {
	if name == "" {
		name = strings.ToLower(strings.TrimPrefix(filepath.Ext(file), "."))
	}
	if !slices.Contains(Formats(), name) {
		return "", fmt.Errorf("format %q: want %s", name, strings.Join(Formats(), ", "))
	}
	return Format(name), nil
}

// Write writes a network. A CSV has no metadata. Write returns an error if the
// parameters are not those of the network.
func Write(w io.Writer, format Format, n model.Network, p model.Parameters, metadata map[string]string) error {
	if err := p.Check(n); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	switch format {
	case ONNX:
		return writeONNX(w, n, p, metadata)
	case Safetensors:
		return model.Write(w, n, p, metadata)
	case CSV:
		return writeCSV(w, n, p)
	}
	return fmt.Errorf("export: format %q", format)
}

// Metadata returns the metadata of a model file of network n, with the names of its
// classes also where they are numbers: a reader of an exported file need not know that.
// Where the file is of another program, nothing is known of its classes.
func Metadata(n model.Network, file map[string]string) map[string]string {
	all := maps.Clone(file)
	if file[data.MetaInputs] != "" && file[data.MetaClasses] == "" {
		var names []string
		for k := range n.Outputs() {
			names = append(names, (&data.Set{}).ClassName(k))
		}
		list, _ := json.Marshal(names) // texts
		all[data.MetaClasses] = string(list)
	}
	return all
}
