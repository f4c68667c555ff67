package export

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm/machines"
	"trainer/train/internal/pythontest"
)

// networks are those of all kinds: two activations, with and without biases, two
// precisions; some with several hidden layers, one with none.
func networks() []model.Network {
	var all []model.Network
	for _, a := range []model.Activation{model.Sigmoid, model.Tanh} {
		for _, bias := range []bool{true, false} {
			all = append(all,
				model.Network{Layers: []int{784, 50, 10}, Activation: a, Bias: bias, Precision: model.Float32},
				model.Network{Layers: []int{784, 20, 13, 10}, Activation: a, Bias: bias, Precision: model.Float64})
		}
	}
	return append(all, model.Network{Layers: []int{784, 10}, Bias: true})
}

// parameters are of the size of trained ones.
func parameters(n model.Network) model.Parameters {
	random := data.Stream(1, "export", uint64(n.Size()))
	p := model.Normal(n, 0.1, random)
	p.NormalBiases(0.3, n.Precision, random)
	return p
}

// predict returns the outputs of this program's machine for all images of a set.
func predict(t *testing.T, n model.Network, p model.Parameters, set *data.Set) []float64 {
	t.Helper()
	m, _, err := machines.Open(n, machines.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	if err := m.SetParameters(p); err != nil {
		t.Fatal(err)
	}
	a, err := m.Predict(inputs(set))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func inputs(set *data.Set) []float64 {
	x := make([]float64, set.Len()*set.Inputs())
	for i := range set.Len() {
		data.Input(x[i*set.Inputs():(i+1)*set.Inputs()], set, i)
	}
	return x
}

// message is a decoded message: the values of each field, a uint64 or a []byte.
type message map[int][]any

func decode(t *testing.T, b []byte) message {
	t.Helper()
	m := message{}
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatalf("not a tag: %v", protowire.ParseError(n))
		}
		b = b[n:]
		var v any
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			v, n = protowire.ConsumeBytes(b)
		default:
			t.Fatalf("field %d has wire type %d", field, kind)
		}
		if n < 0 {
			t.Fatalf("field %d: %v", field, protowire.ParseError(n))
		}
		b = b[n:]
		m[int(field)] = append(m[int(field)], v)
	}
	return m
}

func (m message) int(field int) int { return int(m[field][0].(uint64)) }

func (m message) text(field int) string { return string(m[field][0].([]byte)) }

func (m message) messages(t *testing.T, field int) (all []message) {
	t.Helper()
	for _, v := range m[field] {
		all = append(all, decode(t, v.([]byte)))
	}
	return all
}

// matrix is a tensor of a decoded file.
type matrix struct {
	shape  []int
	values []float64
}

// run computes the graph of a decoded file as ONNX defines its operators.
func run(t *testing.T, graph message, x matrix) matrix {
	t.Helper()
	known := map[string]matrix{decode(t, graph[11][0].([]byte)).text(1): x}
	for _, tensor := range graph.messages(t, 5) {
		var m matrix
		for packed := tensor[1][0].([]byte); len(packed) > 0; {
			v, n := protowire.ConsumeVarint(packed)
			m.shape, packed = append(m.shape, int(v)), packed[n:]
		}
		for raw := tensor[9][0].([]byte); len(raw) > 0; {
			if tensor.int(2) == 11 {
				m.values, raw = append(m.values, math.Float64frombits(binary.LittleEndian.Uint64(raw))), raw[8:]
			} else {
				m.values, raw = append(m.values, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw)))), raw[4:]
			}
		}
		known[tensor.text(8)] = m
	}
	for _, node := range graph.messages(t, 1) {
		var in []matrix
		for _, name := range node[1] {
			m, ok := known[string(name.([]byte))]
			if !ok {
				t.Fatalf("%s reads %s, which is not there yet", node.text(4), name)
			}
			in = append(in, m)
		}
		out := matrix{shape: slices.Clone(in[0].shape)}
		switch op := node.text(4); op {
		case "Gemm":
			if a := node.messages(t, 5); len(a) != 1 || a[0].text(1) != "transB" || a[0].int(3) != 1 || a[0].int(20) != 2 {
				t.Fatalf("Gemm with attributes %v", a)
			}
			w := in[1]
			out.shape[1] = w.shape[0]
			for r := range in[0].shape[0] {
				for i := range w.shape[0] {
					z := 0.0
					for j := range w.shape[1] {
						z += in[0].values[r*w.shape[1]+j] * w.values[i*w.shape[1]+j]
					}
					if len(in) == 3 {
						z += in[2].values[i]
					}
					out.values = append(out.values, z)
				}
			}
		case "Sigmoid", "Tanh":
			for _, z := range in[0].values {
				v := math.Tanh(z)
				if op == "Sigmoid" {
					v = 1 / (1 + math.Exp(-z))
				}
				out.values = append(out.values, v)
			}
		default:
			t.Fatalf("operator %s", op)
		}
		known[node.text(2)] = out
	}
	return known[decode(t, graph[12][0].([]byte)).text(1)]
}

// TestONNX decodes the files and computes what they say; the outputs are those of the
// machine.
func TestONNX(t *testing.T) {
	set := data.GenerateDigits(1, 0, 20).Test
	for _, n := range networks() {
		p := parameters(n)
		var b bytes.Buffer
		if err := Write(&b, ONNX, n, p, Metadata(n, map[string]string{"name": "wide 宽", "seed": "7", "dataset": "x", data.MetaValues: "[0,255]", data.MetaInputs: "[0,1]", data.MetaClasses: `["a","b"]`})); err != nil {
			t.Fatal(err)
		}
		file := decode(t, b.Bytes())
		if opset := file.messages(t, 8); len(opset) != 1 || opset[0].text(1) != "" || opset[0].int(2) != onnxOpset || file.int(1) != onnxIR {
			t.Errorf("%v: opset %v", n, opset)
		}
		properties := map[string]string{}
		for _, m := range file.messages(t, 14) {
			properties[m.text(1)] = m.text(2)
		}
		for key, want := range map[string]string{"name": "wide 宽", "seed": "7", "classes": `["a","b"]`, "values": "[0,255]", "inputs": "[0,1]", "activation": n.Activation.String()} {
			if properties[key] != want {
				t.Errorf("%v: %s is %q, want %q", n, key, properties[key], want)
			}
		}
		graph := decode(t, file[7][0].([]byte))
		for field, columns := range map[int]int{11: n.Inputs(), 12: n.Outputs()} {
			tensor := graph.messages(t, field)[0].messages(t, 2)[0].messages(t, 1)[0]
			dims := tensor.messages(t, 2)[0].messages(t, 1)
			if len(dims) != 2 || dims[0].text(2) != "batch" || dims[0][1] != nil || dims[1].int(1) != columns {
				t.Errorf("%v: field %d has the shape %v", n, field, dims)
			}
		}
		got := run(t, graph, matrix{[]int{set.Len(), set.Inputs()}, inputs(set)})
		for k, want := range predict(t, n, p, set) {
			if math.Abs(got.values[k]-want) > 1e-6 {
				t.Fatalf("%v: output %d is %v, on the machine %v", n, k, got.values[k], want)
			}
		}
	}
}

// TestONNXRuntime: onnx's checker accepts each file, and onnxruntime gives the outputs
// of the machine for 1,000 images, all at once and one by one.
func TestONNXRuntime(t *testing.T) {
	exe := pythontest.Find(t, "numpy, onnx, onnxruntime")
	dir := t.TempDir()
	set := data.GenerateDigits(1, 0, 1000).Test
	for i, n := range networks() {
		p := parameters(n)
		var model, want bytes.Buffer
		if err := Write(&model, ONNX, n, p, Metadata(n, map[string]string{"name": "test", "dataset": "x", data.MetaInputs: "[0,1]"})); err != nil {
			t.Fatal(err)
		}
		if err := binary.Write(&want, binary.LittleEndian, predict(t, n, p, set)); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string][]byte{"%d.onnx": model.Bytes(), "%d.want": want.Bytes()} {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf(name, i)), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "pixels"), set.Pixels, 0o600); err != nil {
		t.Fatal(err)
	}
	const script = `
import sys, glob, numpy as np, onnx, onnxruntime as ort
images = np.fromfile(sys.argv[1] + "/pixels", np.uint8).reshape(1000, 784)
files = sorted(glob.glob(sys.argv[1] + "/*.onnx"))
for file in files:
    m = onnx.load(file)
    onnx.checker.check_model(m, full_check=True)
    s = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
    kind = np.float64 if s.get_inputs()[0].type == "tensor(double)" else np.float32
    assert s.get_modelmeta().custom_metadata_map["inputs"] == "[0,1]"
    x = (images / 255).astype(kind)
    want = np.fromfile(file[:-4] + "want", np.float64).reshape(1000, 10)
    (got,) = s.run(None, {"input": x})
    assert got.dtype == kind and got.shape == want.shape, (file, got.dtype, got.shape)
    assert abs(got - want).max() <= 1e-6, (file, abs(got - want).max())
    (one,) = s.run(["output"], {"input": x[7:8]})
    assert abs(one - want[7:8]).max() <= 1e-6, file
    print(file[-6:], kind.__name__, "largest difference", abs(got - want).max())
assert len(files) == int(sys.argv[2])
`
	t.Log(pythontest.Run(t, exe, script, dir, strconv.Itoa(len(networks()))))
}

// TestPyTorch runs the script of README.md on a model: its answers are the machine's.
func TestPyTorch(t *testing.T) {
	page, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(page), "\n    import torch\n")
	if !ok {
		t.Fatal("README.md has no script that imports torch")
	}
	script := "import torch\n"
	for line := range strings.Lines(rest) {
		code, ok := strings.CutPrefix(line, "    ")
		if !ok && line != "\n" {
			break // the end of the block
		}
		script += code
	}
	const file = `"model.safetensors"`
	if lines := strings.Count(script, "\n"); lines > 12 || strings.Count(script, file) != 1 {
		t.Fatalf("a script of %d lines, which opens %s not once:\n%s", lines, file, script)
	}
	exe := pythontest.Try(t, "torch, safetensors")
	set := data.GenerateDigits(1, 0, 1000).Test
	n := model.Network{Layers: []int{784, 50, 10}, Bias: true}
	p := parameters(n)
	dir := t.TempDir()
	var b, want bytes.Buffer
	if err := Write(&b, Safetensors, n, p, nil); err != nil {
		t.Fatal(err)
	}
	if err := binary.Write(&want, binary.LittleEndian, predict(t, n, p, set)); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"m.safetensors": b.Bytes(), "want": want.Bytes(), "pixels": set.Pixels} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script = "import sys\n" + strings.Replace(script, file, "sys.argv[1] + '/m.safetensors'", 1) + `
images = torch.frombuffer(bytearray(open(sys.argv[1] + "/pixels", "rb").read()), dtype=torch.uint8).reshape(1000, 784)
want = torch.frombuffer(bytearray(open(sys.argv[1] + "/want", "rb").read()), dtype=torch.float64).reshape(1000, 10)
difference = abs(network(images / 255).double() - want).max().item()
assert difference <= 1e-6, difference
print("largest difference", difference)
`
	t.Log(pythontest.Run(t, exe, script, dir))
}

// TestSafetensors: the file is a model file again, with the metadata.
func TestSafetensors(t *testing.T) {
	for _, n := range networks() {
		p := parameters(n)
		path := filepath.Join(t.TempDir(), "m.safetensors")
		var b bytes.Buffer
		if err := Write(&b, Safetensors, n, p, map[string]string{"name": "a"}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := model.Read(path)
		if err != nil || m.Network.String() != n.String() || m.Metadata["name"] != "a" || !equal(m.Parameters, p) {
			t.Errorf("%v: read as %v, %v, %v", n, m.Network, m.Metadata, err)
		}
	}
}

// TestCSV: each number is read again to the bit, in its place.
func TestCSV(t *testing.T) {
	for _, n := range networks() {
		p, bits := parameters(n), 32
		if n.Precision == model.Float64 {
			bits = 64
		}
		var b bytes.Buffer
		if err := Write(&b, CSV, n, p, nil); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&b).ReadAll()
		if err != nil || len(rows) != n.Size()+1 || !slices.Equal(rows[0], []string{"tensor", "i", "j", "value"}) {
			t.Fatalf("%v: %d rows, %v", n, len(rows), err)
		}
		got := model.NewParameters(n)
		to := map[string][]float64{}
		columns := map[string]int{}
		got.Tensors(func(name string, shape []int, values []float64) {
			to[name] = values
			if len(shape) == 2 {
				columns[name] = shape[1]
			}
		})
		for _, row := range rows[1:] {
			v, err := strconv.ParseFloat(row[3], bits)
			i, bad := strconv.Atoi(row[1])
			at := i
			if columns[row[0]] > 0 {
				j, bad := strconv.Atoi(row[2])
				if bad != nil {
					t.Fatal(row)
				}
				at = i*columns[row[0]] + j
			} else if row[2] != "" {
				t.Fatalf("a bias with a column: %q", row)
			}
			if err != nil || bad != nil {
				t.Fatal(row)
			}
			to[row[0]][at] = v
		}
		if !equal(got, p) {
			t.Errorf("%v: other numbers", n)
		}
	}
}

func equal(p, q model.Parameters) bool {
	return slices.EqualFunc(p, q, func(a, b model.Layer) bool {
		return slices.Equal(a.Weight, b.Weight) && slices.Equal(a.Bias, b.Bias)
	})
}

// TestRefused: parameters of another network, and formats that are none.
func TestRefused(t *testing.T) {
	n := model.Network{Layers: []int{3, 2}}
	for _, format := range Formats() {
		if err := Write(&bytes.Buffer{}, Format(format), n, parameters(model.Network{Layers: []int{4, 2}}), nil); err == nil {
			t.Errorf("%s: parameters of another network are written", format)
		}
	}
	for _, c := range []struct {
		name, file string
		want       Format
	}{
		{"", "a/b.onnx", ONNX}, {"", "B.CSV", CSV}, {"csv", "a.txt", CSV}, {"safetensors", "x.onnx", Safetensors},
		{"", "a.pt", ""}, {"", "onnx", ""}, {"pt", "a.onnx", ""}, {"ONNX", "", ""},
	} {
		if got, err := FormatOf(c.name, c.file); got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("format %q of %q: %q, %v; want %q", c.name, c.file, got, err, c.want)
		}
	}
}

// TestMetadata: an exported file names the classes also where they are numbers.
func TestMetadata(t *testing.T) {
	set := &data.Set{Scale: data.Scale{Inputs: data.Range{Low: 1, High: 0}}}
	file := (&data.Dataset{Test: set}).Metadata()
	n := model.Network{Layers: []int{4, 3}}
	if all := Metadata(n, map[string]string{"format": "pt"}); len(all) != 1 {
		t.Errorf("of another program: %v", all)
	}
	all := Metadata(n, file)
	for key, want := range map[string][2]float64{data.MetaValues: {0, 255}, data.MetaInputs: {1, 0}, data.MetaTargets: {0, 1}} {
		var have [2]float64
		if err := json.Unmarshal([]byte(all[key]), &have); err != nil || have != want {
			t.Errorf("%s is %s, want %v", key, all[key], want)
		}
	}
	if all[data.MetaClasses] != `["0","1","2"]` {
		t.Errorf("classes without names are %s", all[data.MetaClasses])
	}
}
