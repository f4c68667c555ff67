package data

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
)

// smallDigits returns built-in digits as images of 8×8 pixels: means of 3×3.
func smallDigits(train, test int) *Dataset {
	d := GenerateDigits(5, train, test)
	for _, s := range []*Set{d.Train, d.Test} {
		pixels := make([]uint8, 0, s.Len()*64)
		for i := range s.Len() {
			for y := range 8 {
				for x := range 8 {
					sum := 0
					for k := range 9 {
						sum += int(s.Image(i)[(2+3*y+k/3)*28+2+3*x+k%3])
					}
					pixels = append(pixels, uint8(sum/9))
				}
			}
		}
		s.Rows, s.Cols, s.Pixels = 8, 8, pixels
	}
	return d
}

// csvOf writes a set as a text: of each image the label and the pixels, each as
// number writes it, in the order that line says.
func csvOf(s *Set, number func(int) string, line func(i int, label string, pixels []string) string) string {
	var b strings.Builder
	for i := range s.Len() {
		var pixels []string
		for _, p := range s.Image(i) {
			pixels = append(pixels, number(int(p)))
		}
		b.WriteString(line(i, number(int(s.Labels[i])), pixels))
	}
	return b.String()
}

// plain is label,p0,p1,…
func plain(_ int, label string, pixels []string) string {
	return label + "," + strings.Join(pixels, ",") + "\n"
}

func labelLast(_ int, label string, pixels []string) string {
	return strings.Join(pixels, ",") + "," + label + "\n"
}

// pixelNames returns "p0,p1,…".
func pixelNames(prefix string, from, n int) string {
	var names []string
	for k := range n {
		names = append(names, prefix+strconv.Itoa(from+k))
	}
	return strings.Join(names, ",")
}

// mangled returns "0,0.1,0.2,…".
func mangled(n int) string {
	names := []string{"0"}
	for k := 1; k < n; k++ {
		names = append(names, "0."+strconv.Itoa(k))
	}
	return strings.Join(names, ",")
}

// openCSV writes two files to a folder and opens them.
func openCSV(t *testing.T, train, test string, change func(s *Spec)) (*Dataset, []Note, error) {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "mnist_train.csv", []byte(train))
	put(t, dir, "mnist_test.csv", []byte(test))
	s := Spec{Kind: CSV, Dir: dir, Classes: 10}
	if change != nil {
		change(&s)
	}
	return Open(context.Background(), s)
}

// TestCSVForms: whatever program wrote a file, the images and labels in it are
// read as they are, and what was not plain is said.
func TestCSVForms(t *testing.T) {
	d := smallDigits(60, 30)
	id := strconv.Itoa
	quoted := func(v int) string { return `"` + id(v) + `"` }
	join := func(header string, number func(int) string, line func(int, string, []string) string) func(*Set) string {
		return func(s *Set) string { return header + csvOf(s, number, line) }
	}
	replace := func(form func(*Set) string, old, text string) func(*Set) string {
		return func(s *Set) string { return strings.ReplaceAll(form(s), old, text) }
	}
	p := join("", id, plain)
	for name, c := range map[string]struct {
		form  func(*Set) string
		label string // data.csv.label
		said  string // in a note; "" none
	}{
		"plain":                       {p, "", "no header line: the first column is taken for the label"},
		"header":                      {join("label,"+pixelNames("p", 0, 64)+"\n", id, plain), "", ""},
		"Label, quoted":               {join(`"Label",`+pixelNames("p", 0, 64)+"\n", id, plain), "", ""},
		"label last":                  {join(pixelNames("pixel", 1, 64)+",class\n", id, labelLast), "", `the label is column 65 ("class")`},
		"TARGET last":                 {join(pixelNames("pixel_0_", 0, 64)+",TARGET\n", id, labelLast), "", `the label is column 65 ("TARGET")`},
		"y in the middle":             {join(pixelNames("a", 0, 10)+",y,"+pixelNames("a", 10, 54)+"\n", id, func(_ int, l string, p []string) string { return strings.Join(slices.Insert(p, 10, l), ",") + "\n" }), "", `the label is column 11 ("y")`},
		"other name, asked":           {join(pixelNames("p", 0, 64)+",answer\n", id, labelLast), "Answer", `the label is column 65 ("answer")`},
		"last, asked":                 {join("", id, labelLast), "last", ""},
		"number, asked":               {join("", id, labelLast), "65", ""},
		"first, asked":                {p, "first", ""},
		"index":                       {join(","+"label,"+pixelNames("p", 0, 64)+"\n", id, func(i int, l string, p []string) string { return id(i) + "," + plain(i, l, p) }), "", `column 1 ("") is left out: it numbers the lines`},
		"index of pandas":             {join("Unnamed: 0,"+pixelNames("p", 0, 64)+",digit\n", id, func(i int, l string, p []string) string { return id(1000+i) + "," + labelLast(i, l, p) }), "", `column 1 ("Unnamed: 0") is left out`},
		"id":                          {join("ID,label,"+pixelNames("p", 0, 64)+"\n", id, func(i int, l string, p []string) string { return "img_" + id(i) + "," + plain(i, l, p) }), "", `column 1 ("ID") is left out`},
		"index and running numbers":   {join(","+pixelNames("", 0, 65)+"\n", id, func(i int, l string, p []string) string { return id(i) + "," + plain(i, l, p) }), "", `no column is named label, class, target, y or digit: column 2 ("0") is taken`},
		"index, no header, asked":     {join("", id, func(i int, l string, p []string) string { return id(i) + "," + plain(i, l, p) }), "2", "column 1 is left out: it numbers the lines"},
		"running numbers":             {join(pixelNames("", 0, 65)+"\n", id, plain), "", "line 1 (0, 1, 2, …) is a header, and no image"},
		"running numbers from 1":      {join(pixelNames("", 1, 65)+"\n", id, plain), "", "line 1 (1, 2, 3, …) is a header, and no image"},
		"running numbers, label last": {join(pixelNames("", 0, 65)+"\n", id, labelLast), "last", "is a header"},
		"equal zeros":                 {join(mangled(65)+"\n", id, plain), "", "line 1 (0, 0.1, 0.2, …) is a header, and no image"},
		"CRLF":                        {replace(p, "\n", "\r\n"), "", "no header"},
		"CR":                          {replace(p, "\n", "\r"), "", "no header"},
		"CR CR LF":                    {replace(p, "\n", "\r\r\n"), "", "no header"},
		"CR and LF":                   {func(s *Set) string { return strings.Replace(p(s), "\n", "\r", 7) }, "", "no header"},
		"blank lines":                 {replace(p, "\n", "\n\n"), "", "no header"},
		"last line of a space":        {func(s *Set) string { return p(s) + " \n" }, "", "no header"},
		"last line of commas":         {func(s *Set) string { return p(s) + strings.Repeat(",", 64) + "\r\n" }, "", "no header"},
		"lines of quotes":             {func(s *Set) string { return p(s) + strings.Repeat(`"",`, 64) + "\"\"\n" }, "", "no header"},
		"comma at the end":            {replace(p, "\n", ",\n"), "", "no header"},
		"quoted":                      {join("", quoted, plain), "", "no header"},
		"single quotes":               {replace(join("", quoted, plain), `"`, "'"), "", "no header"},
		"label quoted":                {join("", id, func(_ int, l string, p []string) string { return `"` + l + `",` + strings.Join(p, ",") + "\n" }), "", "no header"},
		"5.0":                         {join("", func(v int) string { return id(v) + ".0" }, plain), "", "no header"},
		"savetxt":                     {join("", func(v int) string { return fmt.Sprintf("%.18e", float64(v)) }, plain), "", "no header"},
		"savetxt with a header":       {join("# label,"+pixelNames("p", 0, 64)+"\n", func(v int) string { return fmt.Sprintf("%.18e", float64(v)) }, plain), "", ""},
		"5e0":                         {join("", func(v int) string { return id(v) + "e0" }, plain), "", "no header"},
		"leading zeros":               {join("", func(v int) string { return fmt.Sprintf("%05d", v) }, plain), "", "no header"},
		"spaces":                      {replace(p, ",", ", "), "", "no header"},
		"spaces and quotes":           {replace(join("", quoted, plain), ",", " , "), "", "no header"},
		"tabs":                        {replace(p, ",", "\t"), "", "no header"},
		"semicolons":                  {replace(p, ",", ";"), "", "no header"},
		"semicolons, header":          {replace(join("label,"+pixelNames("p", 0, 64)+"\n", id, plain), ",", ";"), "", ""},
		"a spreadsheet's separator":   {func(s *Set) string { return "sep=;\r\n" + strings.ReplaceAll(p(s), ",", ";") }, "", "no header"},
		"decimal commas":              {replace(replace(join("", func(v int) string { return id(v) + ".0" }, plain), ",", ";"), ".", ","), "", "no header"},
		"byte order mark":             {func(s *Set) string { return "\ufefflabel," + pixelNames("p", 0, 64) + "\n" + p(s) }, "", ""},
		"comma in a quoted name":      {join(`"label","a,b",`+pixelNames("p", 0, 63)+"\n", id, plain), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, notes, err := openCSV(t, c.form(d.Train), c.form(d.Test), func(s *Spec) { s.Label = c.label })
			if err != nil {
				t.Fatal(err)
			}
			requireSame(t, got.Train, d.Train)
			requireSame(t, got.Test, d.Test)
			text := ""
			for _, n := range notes {
				text += n.Text.En + "\n"
				if n.Warning {
					t.Errorf("a warning: %s", n.Text)
				}
			}
			if c.said == "" && text != "" || !strings.Contains(text, c.said) {
				t.Errorf("notes %q, want %q", text, c.said)
			}
		})
	}
}

// TestCSVRefused: a set whose labels cannot be right is an error that says where
// the right ones may be.
func TestCSVRefused(t *testing.T) {
	d := smallDigits(60, 30)
	id := strconv.Itoa
	form := func(header string, line func(int, string, []string) string) [2]string {
		return [2]string{header + csvOf(d.Train, id, line), header + csvOf(d.Test, id, line)}
	}
	one := func(_ int, _ string, p []string) string { return plain(0, "1", p) }
	for name, c := range map[string]struct {
		text  [2]string
		label string
		want  []string
	}{
		"one class":              {form("label,"+pixelNames("p", 0, 64)+"\n", one), "", []string{"mnist_train.csv", `all 60 labels are "1"`, "nothing to learn"}},
		"one class, no header":   {form("", one), "", []string{`all 60 labels are "1"`, "if the label is in another column, say which in data.csv.label"}},
		"label last, no header":  {form("", labelLast), "", []string{"column 65, the last, has whole numbers from 0 to 9", "set data.csv.label to last"}},
		"label last, other name": {form(pixelNames("pixel", 0, 64)+",answer\n", labelLast), "", []string{`column 1 ("pixel0") looks like a pixel`, `column 65 ("answer")`, `data.csv.label to "answer"`}},
		"index, no header":       {form("", func(i int, l string, p []string) string { return id(i) + "," + plain(i, l, p) }), "", []string{"column 1 is no label; it numbers the lines", "data.csv.label (2, last)"}},
		"two columns":            {form("label,"+pixelNames("p", 0, 63)+",class\n", plain), "", []string{`columns 1 ("label") and 65 ("class") may both be the label`}},
		"no labels":              {[2]string{form("label,"+pixelNames("pixel", 0, 64)+"\n", plain)[0], form(pixelNames("pixel", 0, 64)+"\n", func(_ int, _ string, p []string) string { return strings.Join(p, ",") + "\n" })[1]}, "", []string{"mnist_test.csv:1:1", `column 1 ("pixel0") looks like a pixel`, "these images have no labels", "trainer predict -data", "set data.train to", "mnist_train.csv"}},
		"no labels and no names": {[2]string{form("", plain)[0], form("", func(_ int, _ string, p []string) string { return strings.Join(p, ",") + "\n" })[1]}, "", []string{"8×8", "1×63", "it may have no labels", "data.split"}},
		"no such column":         {form("label,"+pixelNames("p", 0, 64)+"\n", plain), "lable", []string{`data.csv.label is "lable"`, `"label", "p0", "p1", …, "p62", "p63"`}},
		"name without a header":  {form("", plain), "label", []string{"the file has no header line"}},
		"column 0":               {form("", plain), "0", []string{"there are 65, counted from 1"}},
		"column 66":              {form("", plain), "66", []string{"there are 65, counted from 1"}},
		"name or number":         {form(pixelNames("", 0, 65)+"\n", plain), "64", []string{`number of column 64 ("63") and the name of column 65 ("64")`, "first or last"}},
		"pixel asked for":        {form("", plain), "2", []string{"all 60 labels are"}},
		"the header twice": {form("label,"+pixelNames("p", 0, 64)+"\n", func(i int, l string, p []string) string {
			return plain(i, l, p) + strings.Repeat("label,"+pixelNames("p", 0, 64)+"\n", 1-min(i, 1))
		}), "", []string{"mnist_train.csv:3:1: this is the header again"}},
		"header of other columns": {form("label,"+pixelNames("p", 0, 63)+"\n", plain), "", []string{"mnist_train.csv:2:", "the line has 65 columns, want 64 as in line 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := openCSV(t, c.text[0], c.text[1], func(s *Spec) { s.Label = c.label })
			requireError(t, err, c.want...)
		})
	}
}

// TestForeignFiles: a file in another format or encoding is called what it is.
func TestForeignFiles(t *testing.T) {
	text := strings.Repeat("7,0,0,255\n", 20)
	var little, big []byte
	for _, u := range utf16.Encode([]rune(text)) {
		little, big = binary.LittleEndian.AppendUint16(little, u), binary.BigEndian.AppendUint16(big, u)
	}
	for want, content := range map[string][]byte{
		"UTF-16":                            append([]byte{0xff, 0xfe}, little...),
		"is in UTF-16":                      append([]byte{0xfe, 0xff}, big...),
		"in UTF-16, as PowerShell":          little,
		"this text is in UTF-16":            big,
		"a zip archive, or a spreadsheet":   []byte("PK\x03\x04aaaa"),
		"a bzip2 file":                      []byte("BZh91AY"),
		"an xz file":                        []byte("\xfd7zXZ\x00aa"),
		"a NumPy file":                      []byte("\x93NUMPY\x01\x00"),
		"a PNG image":                       []byte("\x89PNG\r\n\x1a\n"),
		"this is no text":                   []byte("1,2,3\n\x00\x01\x02,4444444444444444444444"),
		"gzip in gzip: the file was packed": gz(t, gz(t, []byte(text))),
	} {
		_, err := ReadCSV(context.Background(), put(t, t.TempDir(), "f.csv", content), 10)
		requireError(t, err, "f.csv", want)
	}
	images, labels := idxBytes(t, testSet(4, 3, 3, 10, 1))
	dir := t.TempDir()
	_, err := ReadIDX(context.Background(), put(t, dir, "i.gz", gz(t, gz(t, images))), put(t, dir, "l", labels), 10)
	requireError(t, err, "i.gz", "gzip in gzip")
	_, err = ReadCSV(context.Background(), put(t, dir, "i.csv", images), 10)
	requireError(t, err, "this is an IDX file: set data.dataset to idx")
}

// TestLabels: what is a class, and which labels are too many for the network.
func TestLabels(t *testing.T) {
	line := func(labels ...string) string {
		var b strings.Builder
		b.WriteString("label,p0,p1,p2,p3\n")
		for i, l := range labels {
			fmt.Fprintf(&b, "%s,0,%d,9,200\n", l, 10*i)
		}
		return b.String()
	}
	for _, c := range []struct {
		train, test string
		outputs     int
		given       []string // data.classes
		names       []string
		labels      []uint8 // of train, then test
		said        string
	}{
		{line("3", "0", "9"), line("0"), 10, nil, nil, []uint8{3, 0, 9, 0}, "no image of the classes 1, 2, 4, 5, …, 8"},
		{line("b", "a", "b"), line("a"), 2, nil, []string{"a", "b"}, []uint8{1, 0, 1, 0}, `the classes 0 to 1: "a", "b"`},
		{line("b", "a"), line("c", "a"), 3, nil, []string{"a", "b", "c"}, []uint8{1, 0, 2, 0}, "no image of class c, which"},
		{line("A", "7", "b", "10"), line("7"), 0, nil, []string{"7", "10", "A", "b"}, []uint8{2, 0, 3, 1, 0}, "0 to 3"},
		{line("-1", "1", "1"), line("-1"), 2, nil, []string{"-1", "1"}, []uint8{0, 1, 1, 0}, "0 to 1"},
		{line("1", "2", "3"), line("3"), 3, nil, []string{"1", "2", "3"}, []uint8{0, 1, 2, 2}, "the labels go from 1 to 3: they are the classes 0 to 2"},
		{line("1", "2", "3"), line("3"), 4, nil, nil, []uint8{1, 2, 3, 3}, "no image of class 0"},
		{line("1", "0"), line("0"), 2, []string{"cat", "dog"}, []string{"cat", "dog"}, []uint8{1, 0, 0}, ""},
		{line("dog", "cat"), line("dog"), 2, []string{"cat", "dog"}, []string{"cat", "dog"}, []uint8{1, 0, 1}, ""},
		{line("1", "2"), line("2"), 2, []string{"cat", "dog"}, []string{"cat", "dog"}, []uint8{0, 1, 1}, `1 is the first of data.classes, "cat"`},
		{line("2", "1"), line("2"), 2, []string{"1", "2"}, []string{"1", "2"}, []uint8{1, 0, 1}, ""},
		{line("2.0", "1"), line(`" 2"`), 3, nil, nil, []uint8{2, 1, 2}, "no image of class 0"},
	} {
		d, notes, err := openCSV(t, c.train, c.test, func(s *Spec) { s.Classes, s.ClassNames = c.outputs, c.given })
		if err != nil {
			t.Errorf("%q: %v", c.train, err)
			continue
		}
		if got := slices.Concat(d.Train.Labels, d.Test.Labels); !slices.Equal(got, c.labels) || !slices.Equal(d.Train.ClassNames, c.names) || !slices.Equal(d.Test.ClassNames, c.names) {
			t.Errorf("%q: labels %v of classes %q, want %v of %q", c.train, got, d.Train.ClassNames, c.labels, c.names)
		}
		if text := fmt.Sprint(notes); !strings.Contains(text, c.said) {
			t.Errorf("%q: notes %s, want %q", c.train, text, c.said)
		}
	}
	for _, c := range []struct {
		train, test string
		outputs     int
		given       []string
		want        []string
	}{
		{line("0", "14"), line("0"), 10, nil, []string{"mnist_train.csv:3: label 14, want 0 to 9", "model.layers has to be 15"}},
		{line("0", "1"), line("0", "3"), 2, nil, []string{"mnist_test.csv:3: label 3, want 0 to 1"}},
		{line("1", "2", "3", "4"), line("4"), 3, nil, []string{"label 3, want 0 to 2", "from 1 to 4", "has to be 4"}},
		{line("0", "1"), line("0"), 1, nil, []string{"label 1, want 0 to 0", "an output for each class, also where there are two", "model.layers has to be 2"}},
		{line("a", "b", "c"), line("a"), 2, nil, []string{`3 classes ("a", "b", "c"), and a network of 2 outputs`, "model.layers has to be 3"}},
		{line("0", "1", "l", "2"), line("0"), 3, nil, []string{`mnist_train.csv:4: label "l" among numbers: 4 classes`}},
		{line("0", "bird"), line("0"), 2, []string{"cat", "dog"}, []string{`mnist_train.csv:3: label "bird" is none of the 2 names (data.classes): "cat", "dog"`}},
		{line("0", "2"), line("0"), 2, []string{"cat", "dog"}, []string{`mnist_train.csv:3: label "2" is none of the 2 names`}},
		{line("0", "1"), line("0"), 2, []string{"cat", "dog", "cow"}, []string{`3 classes ("cat", "dog", "cow"), and a network of 2 outputs`}},
		{line("0", "300"), line("0"), 0, nil, []string{"labels up to 300, want at most 255"}},
		{line("0", ""), line("0"), 2, nil, []string{`label is "", which is no label`}},
	} {
		_, _, err := openCSV(t, c.train, c.test, func(s *Spec) { s.Classes, s.ClassNames = c.outputs, c.given })
		requireError(t, err, c.want...)
	}
}

// TestWarnings: labels that are odd, but may be right.
func TestWarnings(t *testing.T) {
	set := func(labels ...uint8) *Set {
		return &Set{Name: "s", Rows: 1, Cols: 1, Classes: 3, Labels: labels, Pixels: make([]uint8, len(labels))}
	}
	most := slices.Repeat([]uint8{1}, 19)
	for _, c := range []struct {
		train, test *Set
		spec        Spec
		want        []string
	}{
		{set(0, 1, 2), set(2, 1, 0), Spec{Classes: 3}, nil},
		{set(append(most, 0, 2)...), set(0, 1, 2), Spec{Classes: 3}, []string{"s: 19 of 21 labels (90 %) are 1"}},
		{set(0, 1), set(1, 0, 0), Spec{Classes: 3}, []string{"no image of class 2, though the network has an output for each class"}},
		{set(0, 1), set(1, 0, 0), Spec{}, nil},
		{set(0, 1, 0), set(1, 2, 0), Spec{Classes: 3}, []string{"no image of class 2, which s has"}},
		{set(0, 1), set(2, 2), Spec{}, []string{"s: 2 of 2 labels (100 %) are 2", "none of its labels occurs in s"}},
		{set(0, 1, 1, 2), set(1, 2, 0), Spec{Ordered: true}, []string{"sorted by class, and they are not shuffled"}},
		{set(0, 1, 1, 2, 0), set(1, 2, 0), Spec{Ordered: true}, nil},
		{set(0, 1, 2), set(2, 1, 0), Spec{Classes: 5}, []string{"no image of the classes 3 and 4"}},
	} {
		notes := c.spec.judge(&Dataset{Train: c.train, Test: c.test})
		if len(notes) != len(c.want) {
			t.Errorf("%v and %v: %v, want %q", c.train.Labels, c.test.Labels, notes, c.want)
			continue
		}
		for i, want := range c.want {
			if !notes[i].Warning || !strings.Contains(notes[i].Text.En, want) {
				t.Errorf("%v and %v: %v, want %q", c.train.Labels, c.test.Labels, notes[i], want)
			}
		}
	}
}

// TestValues: which values become which inputs.
func TestValues(t *testing.T) {
	file := func(values ...string) string {
		var b strings.Builder
		for i := 0; i < len(values); i += 4 {
			fmt.Fprintf(&b, "%d,%s\n", i/4%3, strings.Join(values[i:i+4], ","))
		}
		return b.String()
	}
	test := file("0", "1", "0", "1", "1", "0", "0", "1")
	for _, c := range []struct {
		train  string
		asked  Range
		values Range
		inputs []float64 // of the first image
		said   string
		warned bool
	}{
		{file("0", "255", "51", "1", "0", "1", "2", "0"), Range{}, Range{0, 255}, []float64{0, 1, 0.2, 1.0 / 255}, "", false},
		{file("0", "16", "4", "1", "0", "1", "2", "0"), Range{}, Range{0, 16}, []float64{0, 1, 0.25, 0.0625}, "the largest value is 16: values are taken to go from 0 to 16", false},
		{file("0", "15", "4", "1", "0", "1", "2", "0"), Range{}, Range{0, 16}, []float64{0, 0.9375, 0.25, 0.0625}, "the largest value is 15: values are taken to go from 0 to 16", false},
		{file("0", "1", "0", "1", "0", "1", "1", "0"), Range{}, Range{0, 1}, []float64{0, 1, 0, 1}, "values are taken to go from 0 to 1", false},
		{file("0", "63", "4", "1", "0", "1", "2", "0"), Range{}, Range{0, 255}, []float64{0, 63.0 / 255, 4.0 / 255, 1.0 / 255}, "the largest value is 63", true},
		{file("0", "63", "4", "1", "0", "1", "2", "0"), Range{0, 63}, Range{0, 63}, []float64{0, 1, 4.0 / 63, 1.0 / 63}, "", false},
		{file("0", "3", "4", "1", "0", "1", "2", "0"), Range{0, 63}, Range{0, 63}, []float64{0, 3.0 / 63, 4.0 / 63, 1.0 / 63}, "the largest value found is 4", true},
		{file("0.0", "1.0", "0.5019608", "0.003921569", "0", "1", "0", "0"), Range{}, Range{0, 1}, []float64{0, 1, 128.0 / 255, 1.0 / 255}, "values are taken to go from 0 to 1", false},
		{file("0.0", "1.0", "0.5", "0.25", "0", "1", "0", "0"), Range{}, Range{0, 1}, []float64{0, 1, 128.0 / 255, 64.0 / 255}, "rounded to 256 steps", false},
		{file("-1", "1", "-1", "1", "0", "1", "0", "0"), Range{-1, 1}, Range{-1, 1}, []float64{0, 1, 0, 1}, "rounded to 256 steps of 0.0078431373 from -1 to 1", false},
		{file("0", "65535", "0", "13107", "0", "1", "0", "0"), Range{0, 65535}, Range{0, 65535}, []float64{0, 1, 0, 0.2}, "", false},
	} {
		d, notes, err := openCSV(t, c.train, test, func(s *Spec) { s.Label, s.Values, s.Classes = "first", c.asked, 3 })
		if err != nil {
			t.Errorf("%q: %v", c.train, err)
			continue
		}
		got := make([]float64, 4)
		Input(got, d.Train, 0)
		table := TableOf[float64](d.Train.Scale)
		for k, want := range c.inputs {
			if diff := got[k] - want; diff > 1e-12 || diff < -1e-12 || table[d.Train.Pixels[k]] != got[k] {
				t.Errorf("%q: inputs %v, want %v", c.train, got, c.inputs)
				break
			}
		}
		if d.Values != c.values || d.Test.Scale != d.Train.Scale {
			t.Errorf("%q: values %v, want %v; scales %v and %v", c.train, d.Values, c.values, d.Train.Scale, d.Test.Scale)
		}
		text, warned := "", false
		for _, n := range notes {
			if strings.Contains(n.Text.En, "value") {
				text, warned = text+n.Text.En, warned || n.Warning
			}
		}
		if c.said == "" && text != "" || !strings.Contains(text, c.said) || warned != c.warned {
			t.Errorf("%q: %q, want %q", c.train, text, c.said)
		}
	}
	for _, c := range []struct {
		train string
		asked Range
		want  []string
	}{
		{file("0", "256", "0", "1", "0", "1", "0", "0"), Range{}, []string{`mnist_train.csv:1:5: pixel 1 is "256", want a number from 0 to 255`, "the values go from 0 to 256", "data.values"}},
		{file("0", "1", "0", "1", "0", "-0.5", "0", "0"), Range{}, []string{`mnist_train.csv:2:5: pixel 1 is "-0.5"`, "the values go from -0.5 to 1"}},
		{file("0", "1", "0", "1", "0", "17", "0", "0"), Range{0, 16}, []string{"image 2 (counted from 1), pixel 1 is 17", "data.values from 0 to 16"}},
		{file("0", "1", "0", "1", "0", "1.5", "0", "0"), Range{0, 1}, []string{`mnist_train.csv:2:5: pixel 1 is "1.5", want a number from 0 to 1`}},
	} {
		_, _, err := openCSV(t, c.train, test, func(s *Spec) { s.Label, s.Values, s.Classes = "first", c.asked, 3 })
		requireError(t, err, c.want...)
	}
	_, _, err := openCSV(t, file("0", "0", "0", "0", "0", "0", "0", "0"), file("0", "0", "0", "0"), func(s *Spec) { s.Label = "first" })
	requireError(t, err, "all pixels are 0")
	_, _, err = Open(context.Background(), few(Spec{Kind: Digits, Values: Range{0, 16}}))
	requireError(t, err, "the values of digits (built in) go from 0 to 255, and data.values from 0 to 16")
}

// TestInputsAndTargets: the ranges of a spec are those of the sets.
func TestInputsAndTargets(t *testing.T) {
	d, _, err := Open(context.Background(), few(Spec{Kind: Digits, Inputs: Range{0.01, 1}, Targets: Range{0.01, 0.99}, Transpose: true, Validation: 5}))
	if err != nil {
		t.Fatal(err)
	}
	plain := GenerateDigits(3, 20, 10)
	x, y := make([]float64, 784), make([]float32, 10)
	Input(x, d.Test, 0)
	Target(y, d.Test, d.Test.Labels[0])
	for k := range x {
		if want := 0.01 + (1-0.01)*(float64(plain.Test.Image(0)[k%28*28+k/28])/255); x[k] != want {
			t.Fatalf("input %d is %v, want %v", k, x[k], want)
		}
	}
	for k, v := range y {
		if want := map[bool]float32{true: 0.99, false: 0.01}[k == int(d.Test.Labels[0])]; v != want {
			t.Errorf("target %d is %v, want %v", k, v, want)
		}
	}
	for _, s := range []*Set{d.Train, d.Validation} {
		if s.Scale != d.Test.Scale {
			t.Errorf("%s has the scale %v", s.Name, s.Scale)
		}
	}
}

// TestOwnFiles: paths, patterns, folders; the content says what they are.
func TestOwnFiles(t *testing.T) {
	d := smallDigits(60, 30)
	dir := t.TempDir()
	header := "label," + pixelNames("p", 0, 64) + "\n"
	csv := func(s *Set) []byte { return []byte(header + csvOf(s, strconv.Itoa, plain)) }
	a, b := put(t, dir, "part-1.csv", csv(d.Train.Slice(0, 20))), put(t, dir, "part-2.txt", gz(t, csv(d.Train.Slice(20, 60))))
	test := put(t, dir, "other.data", csv(d.Test))
	put(t, dir, "part-[3].csv", csv(d.Test))
	idx := t.TempDir()
	putIDX(t, idx, d, false, func(s, k, d string) string { return "my-" + s + "-" + k + "." + d })
	packed := t.TempDir()
	putIDX(t, packed, d, true, func(s, k, d string) string { return s + "_" + k + "_" + d + "-ubyte.gz" })
	for name, s := range map[string]Spec{
		"two files":    {TrainFiles: []string{a, b}, TestFiles: []string{test}},
		"pattern":      {TrainFiles: []string{filepath.Join(dir, "part-?.*")}, TestFiles: []string{test}},
		"no pattern":   {TrainFiles: []string{a, b}, TestFiles: []string{filepath.Join(dir, "part-[3].csv")}},
		"idx":          {TrainFiles: []string{filepath.Join(idx, "my-train-images.idx3")}, TestFiles: []string{test}},
		"idx pattern":  {TrainFiles: []string{filepath.Join(idx, "my-train-*")}, TestFiles: []string{filepath.Join(idx, "my-t10k*")}},
		"idx packed":   {TrainFiles: []string{filepath.Join(packed, "train_images_idx3-ubyte.gz")}, TestFiles: []string{test}},
		"idx folder":   {Dir: idx},
		"idx folder 2": {Dir: packed, Kind: IDX},
	} {
		if s.Kind == "" {
			s.Kind = Files
		}
		s.Classes = 10
		got, notes, err := Open(context.Background(), s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(notes) != 0 {
			t.Errorf("%s: %v", name, notes)
		}
		requireSame(t, got.Train, d.Train)
		requireSame(t, got.Test, d.Test)
		s.TestOnly = true
		if got, _, err = Open(context.Background(), s); err != nil || got.Train != nil {
			t.Errorf("%s, the test set only: %v, %v", name, got, err)
		} else {
			requireSame(t, got.Test, d.Test)
		}
	}
	for name, c := range map[string]struct {
		s    Spec
		want []string
	}{
		"nothing there":  {Spec{TrainFiles: []string{filepath.Join(dir, "none.csv")}}, []string{"none.csv: does not exist"}},
		"no match":       {Spec{TrainFiles: []string{filepath.Join(dir, "none*.csv")}}, []string{"data.train: no file matches"}},
		"a bad pattern":  {Spec{TrainFiles: []string{filepath.Join(dir, "[x")}}, []string{"data.train", "syntax error"}},
		"labels":         {Spec{TrainFiles: []string{filepath.Join(idx, "my-train-labels.idx1")}}, []string{"this is a file of labels: name the file of images"}},
		"no labels":      {Spec{TrainFiles: []string{put(t, dir, "x-images-idx3-ubyte", must(os.ReadFile(filepath.Join(idx, "my-train-images.idx3"))))}}, []string{"no file of labels beside it: looked for x-labels-idx1-ubyte"}},
		"odd name":       {Spec{TrainFiles: []string{put(t, dir, "x.idx", must(os.ReadFile(filepath.Join(idx, "my-train-images.idx3"))))}}, []string{"x.idx: which file has the labels?"}},
		"a folder":       {Spec{TrainFiles: []string{idx}}, []string{"a folder without folders of PNG or JPEG", "goes into data.dir"}},
		"no training":    {Spec{TestFiles: []string{test}}, []string{"no training set: set data.train"}},
		"other sizes":    {Spec{TrainFiles: []string{a, put(t, dir, "s.csv", []byte("label,a,b\n1,2,3\n"))}}, []string{"part-1.csv has images of 8×8 pixels, but", "s.csv of 1×2"}},
		"which is which": {Spec{Dir: dir}, []string{"which of", "is the training set", "data.train and data.test"}},
	} {
		c.s.Kind, c.s.Classes = Files, 10
		_, _, err := Open(context.Background(), c.s)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		requireError(t, err, c.want...)
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// TestFolderNames: a folder in which the names of the files say what they are.
func TestFolderNames(t *testing.T) {
	d := smallDigits(60, 30)
	for _, names := range [][2]string{{"train.csv", "test.csv"}, {"fashion-mnist_train.csv", "fashion-mnist_test.csv"}, {"emnist-letters-train.CSV.gz", "emnist-letters-test.CSV"}} {
		dir := t.TempDir()
		put(t, dir, names[0], csvBytes(t, d.Train))
		put(t, dir, names[1], csvBytes(t, d.Test))
		for _, kind := range []Kind{CSV, Files} {
			got, _, err := Open(context.Background(), Spec{Kind: kind, Dir: dir, Classes: 10})
			if err != nil {
				t.Error(err)
				continue
			}
			requireSame(t, got.Train, d.Train)
			requireSame(t, got.Test, d.Test)
		}
	}
}

// TestLinksAndPermissions: a link that leads nowhere, and a folder that may not be
// searched, are called so.
func TestLinksAndPermissions(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "mnist_test.csv", csvBytes(t, testSet(4, 2, 2, 10, 1)))
	if err := os.Symlink("/nowhere/mnist_train.csv", filepath.Join(dir, "mnist_train.csv")); err != nil {
		t.Skip(err)
	}
	broken := "mnist_train.csv: this is a broken link: it leads to /nowhere/mnist_train.csv, which does not exist"
	for _, s := range []Spec{{Kind: CSV, Dir: dir}, {Kind: Files, Dir: dir}, {Kind: MNIST, Dir: dir}, {Kind: Files, TrainFiles: []string{filepath.Join(dir, "mnist_train.csv")}}} {
		_, _, err := Open(context.Background(), s)
		requireError(t, err, broken)
	}
	link := filepath.Join(t.TempDir(), "data")
	if err := os.Symlink("/nowhere/data", link); err != nil {
		t.Fatal(err)
	}
	_, _, err := Open(context.Background(), Spec{Kind: IDX, Dir: link})
	requireError(t, err, "this is a broken link: it leads to /nowhere/data")
	_, _, err = Open(context.Background(), Spec{Kind: Files, TrainFiles: []string{filepath.Join(link, "a.csv")}})
	requireError(t, err, link+" is a broken link: it leads to /nowhere/data")

	requireError(t, folderError("d/f", &os.PathError{Op: "stat", Path: "d/f", Err: os.ErrPermission}), "d/f: no permission to look there", "searched (chmod u+rX)")
	if os.Getuid() == 0 {
		return // everything is allowed
	}
	if err := os.Chmod(dir, 0o600); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(dir, 0o700) }() //nolint:gosec // so that it can be removed
	_, _, err = Open(context.Background(), Spec{Kind: CSV, Dir: dir})
	requireError(t, err, "no permission to look there")
}

// TestTakeOut: the parts are stratified, keep the order, and depend on the seed.
func TestTakeOut(t *testing.T) {
	s := &Set{Name: "s", Rows: 1, Cols: 2, Classes: 4}
	for i := range 200 {
		label := []uint8{0, 0, 0, 0, 0, 1, 1, 1, 2, 2}[i*7%10]
		if i == 77 {
			label = 3
		}
		s.Labels, s.Pixels = append(s.Labels, label), append(s.Pixels, uint8(i), label)
	}
	for _, count := range []int{1, 3, 20, 100, 199} {
		rest, taken, err := s.takeOut(count, 1, "test set")
		if err != nil {
			t.Fatal(err)
		}
		if taken.Len() != count || rest.Len() != 200-count {
			t.Fatalf("%d of 200: %d and %d", count, taken.Len(), rest.Len())
		}
		var all []uint8
		for _, part := range []*Set{rest, taken} {
			var ids []uint8
			for i := range part.Len() {
				if part.Image(i)[1] != part.Labels[i] {
					t.Fatalf("image %d has the label %d", part.Image(i)[0], part.Labels[i])
				}
				ids = append(ids, part.Image(i)[0])
			}
			if !slices.IsSorted(ids) {
				t.Errorf("%d: the order is %v", count, ids)
			}
			all = append(all, ids...)
		}
		slices.Sort(all)
		if len(slices.Compact(all)) != 200 {
			t.Errorf("%d: an image is in both parts", count)
		}
		for label, n := range s.Counts() {
			share, got := float64(count)*float64(n)/200, float64(taken.Counts()[label])
			if count < 199 && (got < share-1 || got > share+1) {
				t.Errorf("%d: %v of label %d, want %.1f", count, got, label, share)
			}
			if count < 199 && n > 1 && rest.Counts()[label] == 0 {
				t.Errorf("%d: nothing is left of label %d", count, label)
			}
		}
	}
	_, a, _ := s.takeOut(20, 1, "test set")
	_, again, _ := s.takeOut(20, 1, "test set")
	_, b, _ := s.takeOut(20, 2, "test set")
	_, c, _ := s.takeOut(20, 1, "validation set")
	if !bytes.Equal(a.Pixels, again.Pixels) || bytes.Equal(a.Pixels, b.Pixels) || bytes.Equal(a.Pixels, c.Pixels) {
		t.Error("the images depend on more or on less than seed and purpose")
	}
	for _, count := range []int{0, 200, 5000} {
		_, _, err := s.takeOut(count, 1, "test set")
		requireError(t, err, "of 200 images cannot be taken out")
	}
}

// TestSplit: one file becomes two sets or three, and the test set alone is the
// same one.
func TestSplit(t *testing.T) {
	d := smallDigits(100, 0)
	file := put(t, t.TempDir(), "all.csv", csvBytes(t, d.Train))
	s := Spec{Kind: Files, TrainFiles: []string{file}, Classes: 10, Split: 0.25, SplitSeed: 3, Validation: 10}
	got, notes, err := Open(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	if got.Train.Len() != 65 || got.Validation.Len() != 10 || got.Test.Len() != 25 {
		t.Errorf("%d, %d and %d images, want 65, 10 and 25", got.Train.Len(), got.Validation.Len(), got.Test.Len())
	}
	if got.Train.Name != file+" train" || got.Validation.Name != file+" validation" || got.Test.Name != file+" test" {
		t.Errorf("names %q, %q, %q", got.Train.Name, got.Validation.Name, got.Test.Name)
	}
	if !strings.Contains(fmt.Sprint(notes), "25 of the 100 images of "+file+" are it (data.split)") {
		t.Errorf("notes %v", notes)
	}
	s.TestOnly = true
	only, _, err := Open(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	requireSame(t, only.Test, got.Test)
	s.TestOnly, s.Split, s.Validation = false, 0, 0
	if got, _, err = Open(context.Background(), s); err != nil || got.Test.Len() != 20 || got.Validation != nil {
		t.Errorf("by default: %v, %d images, want 20", err, got.Test.Len())
	}
	for _, c := range []struct {
		split, validation float64
		want              string
	}{{100, 0, "data.split.test"}, {5000, 0, "5000 of 100 images"}, {0.2, 80, "data.validation"}, {0.2, 1e9, "data.validation"}} {
		s.Split, s.Validation = c.split, c.validation
		_, _, err := Open(context.Background(), s)
		requireError(t, err, c.want, "cannot be taken out")
	}
}

// TestNamedSets: published sets are found by the names of their files, with their
// labels and classes.
func TestNamedSets(t *testing.T) {
	for _, n := range namedSets {
		t.Run(string(n.kind), func(t *testing.T) {
			classes := max(10, len(n.classes))
			want := &Dataset{Train: testSet(200, 3, 4, classes, 1), Test: testSet(50, 3, 4, classes, 2)}
			dir := t.TempDir()
			for i, s := range []*Set{want.Train, want.Test} {
				images, labels := idxBytes(t, s)
				switch n.kind {
				case "qmnist":
					rows := []byte{0, 0, 0x0c, 2, 0, 0, 0, byte(s.Len()), 0, 0, 0, 8}
					for _, l := range s.Labels {
						rows = append(rows, 0, 0, 0, l)
						rows = append(rows, bytes.Repeat([]byte{0xff}, 28)...)
					}
					labels = rows
				case "emnist-letters":
					for k := range s.Labels {
						labels[idxLabelsHeader+k]++
					}
				}
				put(t, dir, n.prefixes[i]+"-images-idx3-ubyte.gz", gz(t, images))
				put(t, dir, n.prefixes[i]+"-"+n.labels, labels)
			}
			for _, outputs := range []int{0, classes} {
				d, notes, err := Open(context.Background(), Spec{Kind: n.kind, Dir: dir, Classes: outputs})
				if err != nil {
					t.Fatal(err)
				}
				for k, s := range map[*Set]*Set{d.Train: want.Train, d.Test: want.Test} {
					if n.transposed {
						k.transpose()
					}
					s.Classes = k.Classes
					requireSame(t, k, s)
					if k.Classes != classes && n.classes != nil || !slices.Equal(k.ClassNames, n.classes) {
						t.Errorf("%d classes %q, want %q", k.Classes, k.ClassNames, n.classes)
					}
				}
				text := fmt.Sprint(notes)
				if (n.sums != nil) != strings.Contains(text, "not the file of "+n.title+" as it was published") {
					t.Errorf("notes %s", text)
				}
				if d.Name != n.title || d.Train.Name != n.title+" train" || d.Source != dir {
					t.Errorf("names %q, %q from %q", d.Name, d.Train.Name, d.Source)
				}
			}
			only, _, err := Open(context.Background(), Spec{Kind: n.kind, Dir: dir, Classes: classes, TestOnly: true})
			if err != nil || only.Train != nil || only.Test.Len() != 50 {
				t.Errorf("the test set only: %v", err)
			}
			_, _, err = Open(context.Background(), Spec{Kind: n.kind, Dir: t.TempDir(), Classes: classes})
			requireError(t, err, "for "+n.title+" looked for "+n.prefixes[0]+"-images-idx3-ubyte", "the folder is empty")
		})
	}
	// MNIST's own files have the names of other sets.
	dir := t.TempDir()
	d := testDataset()
	putIDX(t, dir, d, false, dashed)
	_, labels := idxBytes(t, d.Test)
	defer func(old string) { mnistFiles[testLabels].sum = old }(mnistFiles[testLabels].sum)
	mnistFiles[testLabels].sum = sum(labels)
	_, _, err := Open(context.Background(), Spec{Kind: "kmnist", Dir: dir, Classes: 10})
	requireError(t, err, "these are MNIST's labels, and data.dataset is kmnist")
}

// TestTestOnly: a folder that has the test set only is enough where no more is
// asked for.
func TestTestOnly(t *testing.T) {
	d := smallDigits(30, 30)
	csv, idx, images := t.TempDir(), t.TempDir(), t.TempDir()
	put(t, csv, "mnist_test.csv", csvBytes(t, d.Test))
	putIDX(t, idx, &Dataset{Train: d.Test, Test: d.Test}, false, dashed)
	for _, name := range []string{trainImagesIDX, trainLabelsIDX} {
		if err := os.Remove(filepath.Join(idx, name)); err != nil {
			t.Fatal(err)
		}
	}
	file := put(t, images, "mine.csv", csvBytes(t, d.Test))
	for _, s := range []Spec{{Kind: CSV, Dir: csv}, {Kind: Files, Dir: csv}, {Kind: IDX, Dir: idx}, {Kind: Files, Dir: idx}, {Kind: Files, TestFiles: []string{file}}} {
		s.Classes, s.TestOnly = 10, true
		got, notes, err := Open(context.Background(), s)
		if err != nil || got.Train != nil || len(notes) > 0 {
			t.Errorf("%s %s: %v, %v", s.Kind, s.Dir, notes, err)
			continue
		}
		requireSame(t, got.Test, d.Test)
		s.TestOnly = false
		if _, _, err := Open(context.Background(), s); err == nil {
			t.Errorf("%s %s: a training set", s.Kind, s.Dir)
		}
	}
}
