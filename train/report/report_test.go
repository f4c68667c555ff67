package report_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/machines"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/report"
	"trainer/train/rundir"
)

var languages = []lang.Language{lang.English, lang.Chinese}

// most is the size that a page may have.
const most = 1_500_000

// dataset is a set of random images.
func dataset(rows, cols, classes, images int) *data.Dataset {
	r := rand.New(rand.NewPCG(1, 2))
	set := func(name string, n int) *data.Set {
		s := &data.Set{Name: name, Rows: rows, Cols: cols, Classes: classes, Pixels: make([]uint8, n*rows*cols), Labels: make([]uint8, n)}
		for i := range s.Pixels {
			s.Pixels[i] = uint8(r.IntN(256))
		}
		for i := range s.Labels {
			s.Labels[i] = uint8(r.IntN(classes))
		}
		return s
	}
	return &data.Dataset{Name: "random", Source: "a test", Train: set("train", images), Test: set("test", images)}
}

// source is a run of a network with random parameters in a folder of its own. files
// are those of the folder.
func source(t *testing.T, c config.Config, d *data.Dataset, files map[string]string) report.Source {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n := c.Network()
	p := model.NormalLayers(n, model.FanInRule(n), data.Stream(1, "initialisation", 0))
	s := report.Source{
		Folder: dir, Config: c, Dataset: d,
		Model: train.Trained{Model: model.Model{Network: n, Parameters: p, Metadata: map[string]string{"epoch": "2"}}, File: filepath.Join(dir, rundir.BestFile)},
		Open: func(p model.Precision) (vm.VM, vm.Compiler, error) {
			n := n
			n.Precision = p
			o := machines.Options{Device: machines.CPU, Listing: c.Train.UpdateOrder == "listing"}
			m, _, err := machines.Open(n, o)
			return m, machines.Compiler(n, o), err
		},
	}
	return s
}

func configOf(layers ...int) config.Config {
	c := config.Default()
	c.Name, c.Model.Layers = "a run", layers
	return c
}

// epochs is a metrics.jsonl.
func epochs(n int, validation bool) string {
	var b strings.Builder
	for e := 1; e <= n; e++ {
		m := train.Metrics{
			Epoch: e, LearningRate: 0.3, TrainCost: 1 / float64(e+1), TrainAccuracy: 1 - 1/float64(e+2), TestCost: 1 / float64(e),
			TestAccuracy: 1 - 1/float64(e+1), TrainSeconds: 0.1, EvalSeconds: 0.05, SamplesPerSecond: 1e5,
		}
		if validation {
			m.Validation = &train.Validation{ValidationCost: 0.5, ValidationAccuracy: 0.5 + 0.01*float64(e%3)}
		}
		line, _ := json.Marshal(m)
		b.Write(append(line, '\n'))
	}
	return b.String()
}

func gather(t *testing.T, s report.Source) *report.Data {
	t.Helper()
	d, err := report.Gather(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// page is a page and its elements.
type page struct {
	text string
	root *html.Node
}

// render writes the page and checks what holds for every page: it is well formed, is
// not too large, loads nothing, has the scripts and styles that its policy allows and
// no others, has no id twice, and shows no NaN.
func render(t *testing.T, write func(*bytes.Buffer) error) page {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if len(text) > most {
		t.Errorf("%d bytes", len(text))
	}
	plain := regexp.MustCompile(`data:image/png;base64,[^"]*`).ReplaceAllString(text, "")
	for _, bad := range []string{"ZgotmplZ", "<no value>", "%!", "NaN", "Inf"} {
		if i := strings.Index(plain, bad); i >= 0 {
			t.Errorf("the page has %q: …%s…", bad, plain[max(0, i-80):min(len(plain), i+80)])
		}
	}
	balanced(t, text)
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	p := page{text, root}
	ids := map[string]bool{}
	policy := ""
	p.each(func(n *html.Node) {
		for _, a := range n.Attr {
			switch {
			case a.Key == "id":
				if ids[a.Val] {
					t.Errorf("two elements have the id %q", a.Val)
				}
				ids[a.Val] = true
			case a.Key == "style", strings.HasPrefix(a.Key, "on"):
				t.Errorf("<%s %s=%q>: the policy forbids it", n.Data, a.Key, a.Val)
			case a.Key == "src", a.Key == "href", a.Key == "action", a.Key == "srcset", a.Key == "poster":
				if !strings.HasPrefix(a.Val, "data:image/png;base64,") && !strings.HasPrefix(a.Val, "#") && !isRunLink(n) {
					t.Errorf("<%s %s=%q>: it is not in the page", n.Data, a.Key, a.Val)
				}
			case a.Key == "http-equiv":
				policy = attribute(n, "content")
			}
		}
	})
	p.each(func(n *html.Node) {
		if n.Data == "a" && !isRunLink(n) && !ids[strings.TrimPrefix(attribute(n, "href"), "#")] {
			t.Errorf("a link to %q, which is not there", attribute(n, "href"))
		}
		if n.Data == "img" && !hasAttribute(n, "alt") {
			t.Error("an image without alt")
		}
		if n.Data == "script" && attribute(n, "type") == "" || n.Data == "style" {
			sum := sha256.Sum256([]byte(n.FirstChild.Data))
			if !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
				t.Errorf("the policy forbids the page's own <%s>", n.Data)
			}
		}
	})
	if !strings.Contains(policy, "default-src 'none'") || regexp.MustCompile(`@import|url\(|https?:`).MatchString(text) {
		t.Error("the page may load something")
	}
	return p
}

// balanced reports tags that are not closed in order.
func balanced(t *testing.T, text string) {
	t.Helper()
	void := []string{"meta", "br", "img", "input"}
	var open []string
	z := html.NewTokenizer(strings.NewReader(text))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("not closed: %q", open)
			}
			return
		case html.StartTagToken:
			if name, _ := z.TagName(); !slices.Contains(void, string(name)) {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Fatalf("</%s> within %q", name, open)
			}
			open = open[:len(open)-1]
		}
	}
}

func (p page) each(visit func(*html.Node)) {
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.ElementNode {
			visit(n)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(p.root)
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func hasAttribute(n *html.Node, key string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
}

// find returns the elements of a name in the section of an id.
func (p page) find(section, name string) (found []*html.Node) {
	p.each(func(n *html.Node) {
		if n.Data != name {
			return
		}
		for up := n; up != nil; up = up.Parent {
			if attribute(up, "id") == section {
				found = append(found, n)
				return
			}
		}
	})
	return found
}

// words returns the text of an element, without elements for which skip is true.
func words(n *html.Node, skip func(*html.Node) bool) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.ElementNode && skip != nil && skip(n) {
			return
		}
		if n.Type == html.TextNode {
			b.WriteString(n.Data + " ")
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(n)
	return b.String()
}

// sectionText returns the text of a section.
func (p page) sectionText(id string) string {
	text := ""
	p.each(func(n *html.Node) {
		if attribute(n, "id") == id {
			text = words(n, nil)
		}
	})
	return text
}

// TestPages: runs of many shapes have a page with all sections, in both languages, and
// the Chinese one is whole.
func TestPages(t *testing.T) {
	tanh := configOf(8, 5, 4, 3)
	tanh.Model.Activation = model.Tanh
	noBias := configOf(16, 5, 3)
	noBias.Model.Bias, noBias.Train.UpdateOrder, noBias.Precision = false, "listing", model.Float64
	deep := configOf(16, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3)
	deep.Train.Batch = 7
	wide := configOf(784, 120, 10)
	named := dataset(4, 4, 3, 30)
	for _, s := range []*data.Set{named.Train, named.Test} {
		s.ClassNames = []string{"猫", "ねこ", strings.Repeat("とてもながいなまえ", 20)}
	}
	validated := dataset(4, 4, 3, 30)
	validated.Validation = validated.Train.Slice(0, 10)
	scaled := dataset(4, 4, 3, 30)
	scaled.Test.Scale.Pixels = data.Range{Low: 0, High: 16}
	several := func(n int) map[string]string {
		var runs []train.Run
		lines := ""
		for r := range n {
			m := train.Metrics{Epoch: 2, TestAccuracy: float64(r) / float64(n)}
			runs = append(runs, train.Run{RunID: train.RunID{Run: r, Seed: uint64(r)}, Best: &m, Last: &m})
			for e := 1; e <= 3; e++ {
				line, _ := json.Marshal(train.RunMetrics{RunID: train.RunID{Run: r}, Metrics: train.Metrics{Epoch: e, TestAccuracy: 0.5}})
				lines += string(line) + "\n"
			}
		}
		runs[0] = train.Run{RunID: train.RunID{Run: 0}, Failed: "epoch 1, batch 3: cost is not finite"}
		text, _ := json.Marshal(runs)
		return map[string]string{rundir.RunsFile: string(text), rundir.RunMetricsFile: lines, rundir.MetricsFile: epochs(3, false)}
	}
	metrics := func(text string) map[string]string { return map[string]string{rundir.MetricsFile: text} }
	for _, c := range []struct {
		name   string
		config config.Config
		data   *data.Dataset
		files  map[string]string
		want   []string // in the English page
	}{
		{"usual", configOf(784, 50, 10), dataset(28, 28, 10, 200), metrics(epochs(5, false)), []string{"784-50-10", "5 of 5", "chosen on the test set"}},
		{"validation", configOf(16, 5, 3), validated, metrics(epochs(5, true)), []string{"2 of 5", "chosen on the validation set"}},
		{"one epoch", configOf(16, 5, 3), dataset(4, 4, 3, 30), metrics(epochs(1, false)), []string{"1 of 1"}},
		{"20,000 epochs", configOf(16, 5, 3), dataset(4, 4, 3, 30), metrics(epochs(20_000, true)), []string{"of 20000"}},
		{"no epoch", configOf(16, 5, 3), dataset(4, 4, 3, 30), nil, []string{"No epoch has been completed"}},
		{"not numbers", configOf(16, 5, 3), dataset(4, 4, 3, 30), metrics(`{"epoch":1,"test_accuracy":null,"train_accuracy":"x"}` + "\n" + epochs(2, false) +
			`{"epoch":3,"test_accuracy":1e999}` + "\n" + `{"epoch":4,"test_acc`), []string{"2 of 2"}},
		{"only nulls", configOf(16, 5, 3), dataset(4, 4, 3, 30), metrics(`{"epoch":1,"test_accuracy":null,"test_cost":null}` + "\n"), []string{"–"}},
		{"no bias, listing", noBias, dataset(4, 4, 3, 30), metrics(epochs(3, false)), []string{"the network has no bias", "listing's order"}},
		{"tanh, not an image", tanh, dataset(1, 8, 3, 30), metrics(epochs(3, false)), []string{"tanh"}},
		{"no hidden layer", configOf(16, 3), dataset(4, 4, 3, 30), metrics(epochs(3, false)), []string{"the network has none, so there are no A.56", "of the 3 outputs"}},
		{"deep", deep, dataset(4, 4, 3, 30), metrics(epochs(3, false)), []string{"for 7 samples", "more: trainer explain has all"}},
		{"wide", wide, dataset(28, 28, 10, 40), metrics(epochs(3, false)), []string{"of 100 of the 120 hidden units"}},
		{"256 classes", configOf(64, 20, 256), dataset(8, 8, 256, 2000), metrics(epochs(3, false)), []string{"Table of 256 classes"}},
		{"large images", configOf(12_000, 5, 2), dataset(100, 120, 2, 30), metrics(epochs(3, false)), []string{"100×120"}},
		{"named", configOf(16, 5, 3), named, metrics(epochs(3, false)), []string{"猫", "ねこ"}},
		{"other values", configOf(16, 5, 3), scaled, metrics(epochs(3, false)), nil},
		{"runs", configOf(16, 5, 3), dataset(4, 4, 3, 30), several(4), []string{"The 4 runs, the best first", "failed: epoch 1, batch 3"}},
		{"many runs", configOf(16, 5, 3), dataset(4, 4, 3, 30), several(1000), []string{"The 1000 runs"}},
		{"no data", configOf(16, 5, 3), nil, metrics(epochs(3, false)), []string{"the folder is gone"}},
	} {
		if testing.Short() && c.name != "no epoch" && c.name != "runs" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			s := source(t, c.config, c.data, c.files)
			if c.data == nil {
				s.Err = errors.New("the folder is gone")
			}
			d := gather(t, s)
			if c.data != nil && len(d.Missing) > 0 {
				t.Errorf("lacks %v", d.Missing)
			}
			for _, l := range languages {
				p := render(t, func(b *bytes.Buffer) error { return d.HTML(b, l) })
				var ids []report.Section
				p.each(func(n *html.Node) {
					if n.Data == "section" {
						ids = append(ids, report.Section(attribute(n, "id")))
					}
				})
				if !slices.Equal(ids, report.Sections()) {
					t.Errorf("%v: sections %v", l, ids)
				}
				text := words(p.root, nil)
				for _, want := range c.want {
					if l == lang.English && !strings.Contains(text, want) {
						t.Errorf("the page lacks %q", want)
					}
				}
				if l == lang.Chinese {
					chinese(t, p)
				}
				if c.data != nil {
					sameCounts(t, p, d)
				}
			}
		})
	}
}

// sameCounts compares the page with the data: the numbers of classes, the pictures.
func sameCounts(t *testing.T, p page, d *report.Data) {
	t.Helper()
	if got := len(p.find(string(report.Mistakes), "figure")); got != min(len(d.AllWrong), 25) {
		t.Errorf("%d mistakes are shown, of %d", got, len(d.AllWrong))
	}
	if got := len(p.find(string(report.Hidden), "figure")); got != min(d.Parameters[0].Out, 100) {
		t.Errorf("%d units are shown, of %d", got, d.Parameters[0].Out)
	}
	wrong := 0
	for label, row := range d.Test.Confusion {
		for k, n := range row {
			if k != label {
				wrong += n
			}
		}
	}
	if wrong != len(d.AllWrong) {
		t.Errorf("%d mistakes in the matrix, and a list of %d", wrong, len(d.AllWrong))
	}
	cells := 0
	for _, row := range d.Test.Confusion {
		for _, n := range row {
			if n > 0 {
				cells++
			}
		}
	}
	var drawn []string
	for _, n := range p.find(string(report.Confusion), "text") {
		if strings.HasPrefix(attribute(n, "class"), "cell") {
			drawn = append(drawn, n.FirstChild.Data)
		}
	}
	if len(d.Classes) <= 20 && len(drawn) != cells || len(d.Classes) > 20 && len(p.find(string(report.Confusion), "image")) != 1 {
		t.Errorf("%d cells are drawn, of %d", len(drawn), cells)
	}
}

// allowed are Latin words that a Chinese page may have: names.
var allowed = regexp.MustCompile(`(?i)\b(MNIST|Gorgonia|delta|float32|float64|sigmoid|tanh|trainer|report|explain|IDX|SHA|cpu|layers|weight|bias|random|test|run|GRU)\b`)

// chinese reports English words in a page, outside of what comes from files and of
// program text.
func chinese(t *testing.T, p page) {
	t.Helper()
	skip := func(n *html.Node) bool {
		return slices.Contains([]string{"code", "pre", "script", "style", "head"}, n.Data) || attribute(n, "lang") == "en" ||
			attribute(n, "dir") == "auto" || attribute(n, "class") == "run" || attribute(n, "class") == "missing"
	}
	var all strings.Builder
	all.WriteString(words(p.root, skip))
	p.each(func(n *html.Node) {
		for _, a := range n.Attr {
			if slices.Contains([]string{"aria-label", "alt", "title"}, a.Key) {
				all.WriteString(" " + a.Val)
			}
		}
	})
	text := allowed.ReplaceAllString(all.String(), "")
	for _, m := range regexp.MustCompile(`[A-Za-z]{3,}.{0,30}`).FindAllString(text, 5) {
		t.Errorf("English in the Chinese page: %q", m)
	}
	if bad := regexp.MustCompile(`\p{Han}[,;:?()]`).FindString(text); bad != "" {
		t.Errorf("the punctuation of %q is not Chinese", bad)
	}
	han := 0
	for _, r := range text {
		if r >= 0x4e00 && r <= 0x9fff {
			han++
		}
	}
	if han < 300 {
		t.Errorf("%d Chinese characters", han)
	}
}

// TestHostile: text of files is shown as it is, whatever it is, and does nothing.
func TestHostile(t *testing.T) {
	s := source(t, configOf(16, 5, 3), dataset(4, 4, 3, 30), map[string]string{
		rundir.MetricsFile: epochs(3, false), rundir.RunsFile: `[{"run":0,"failed":"</script><textarea>"},{"run":1,"advice":"</td><script>"}]`,
	})
	all := gather(t, s)
	for i, name := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'--></title></style></script><svg onload=alert(1)>`, `</textarea>{{.Config}}`,
		`javascript:alert(1)`, "手写数字", "かな漢字", "العربية", "😀 ok", "a&amp;b", "\x00\x1b[31m\xff",
	} {
		if testing.Short() && i > 1 {
			break
		}
		all.Config.Name, all.YAML, all.Dataset, all.Source, all.Folder, all.Device = name, name, name, name, name, name
		all.Model.File, all.Log = name, "warning: "+name+"\n"+name
		all.Classes = []string{name, name + "2"}
		for k := range all.Test.Classes {
			all.Test.Classes[k].Name = name
		}
		for k := range all.Sets {
			all.Sets[k].Name = name
		}
		all.Missing[report.Sample] = errors.New(name)
		pages := map[string]func(*bytes.Buffer) error{}
		for _, l := range languages {
			pages[l.String()] = func(b *bytes.Buffer) error { return all.HTML(b, l) }
			pages["comparison "+l.String()] = func(b *bytes.Buffer) error { return report.Compare(b, []*report.Data{all, all}, l) }
		}
		for which, write := range pages {
			p := render(t, write)
			scripts := 0
			p.each(func(n *html.Node) {
				switch n.Data {
				case "script":
					scripts++
				case "textarea":
					t.Errorf("%s: %q became an element", which, name)
				}
			})
			if scripts != 2 { // the page's own, and the readings
				t.Errorf("%s, %q: %d scripts", which, name, scripts)
			}
			if plain := strings.TrimFunc(name, func(r rune) bool { return r < ' ' || r == 0xfffd }); !strings.ContainsAny(name, "\x00") {
				if text := words(p.root, nil); strings.Count(text, plain) < 2 {
					t.Errorf("%s: %q is not shown", which, plain)
				}
			}
		}
	}
}

// TestBounds: whatever the length of what is in the files, the page stays small.
func TestBounds(t *testing.T) {
	if testing.Short() {
		t.Skip("not in the short form")
	}
	long := strings.Repeat("名", 100_000)
	d := dataset(60, 60, 100, 500)
	d.Name, d.Source = long, long
	for _, s := range []*data.Set{d.Train, d.Test} {
		for range 100 {
			s.ClassNames = append(s.ClassNames, long)
		}
	}
	c := configOf(3600, 100, 100)
	c.Name = long
	s := source(t, c, d, map[string]string{
		rundir.ConfigFile: "# " + long + long, rundir.LogFile: strings.Repeat("warning: "+long[:3000]+"\n", 300), rundir.MetricsFile: epochs(2000, true),
	})
	s.Device, s.Err = long, errors.New(long)
	all := gather(t, s)
	for _, section := range report.Sections() {
		all.Missing[section] = errors.New(long)
	}
	for _, l := range languages {
		p := render(t, func(b *bytes.Buffer) error { return all.HTML(b, l) })
		t.Logf("%d bytes", len(p.text))
		render(t, func(b *bytes.Buffer) error {
			return report.Compare(b, slices.Repeat([]*report.Data{all}, 20), l)
		})
	}
}

// TestPartial: data that is only in part there, as of a run that has just begun, has a
// page too, and each section can be written alone.
func TestPartial(t *testing.T) {
	parts := []*report.Data{
		{Config: configOf(16, 5, 3)},
		{Config: configOf(16, 5, 3), Epochs: []report.Epoch{{Number: 1, TestAccuracy: 0.5, TrainAccuracy: math.NaN(), TestCost: math.Inf(1)}}},
		{Config: configOf(16, 5, 3), Epochs: []report.Epoch{report.EpochOf(train.Metrics{Epoch: 7, TestAccuracy: 0.5})}, Parameters: model.NewParameters(configOf(16, 5, 3).Network())},
	}
	for _, d := range parts {
		for _, l := range languages {
			render(t, func(b *bytes.Buffer) error { return d.HTML(b, l) })
			for _, s := range report.Sections() {
				var b bytes.Buffer
				if err := d.Section(&b, s, l); err != nil || !strings.HasPrefix(b.String(), `<section id="`+string(s)+`"`) {
					t.Errorf("section %s: %v, %.80s", s, err, b.String())
				}
			}
		}
	}
	if err := parts[0].Section(&bytes.Buffer{}, "page", lang.English); err == nil {
		t.Error("an unknown section: no error")
	}
}

// TestInterrupted: the page of a run that was interrupted in its first epoch says so,
// and what a context's end left out.
func TestInterrupted(t *testing.T) {
	s := source(t, configOf(16, 5, 3), dataset(4, 4, 3, 30), nil)
	s.Model.Metadata = map[string]string{"epoch": "0", "samples_after_epoch": "1234"}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	d, err := report.Gather(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range []report.Section{report.Confusion, report.Mistakes, report.Sample, report.Gradients} {
		if !errors.Is(d.Missing[section], context.Canceled) {
			t.Errorf("%s: %v", section, d.Missing[section])
		}
	}
	p := render(t, func(b *bytes.Buffer) error { return d.HTML(b, lang.English) })
	if text := p.sectionText("result"); !strings.Contains(text, "interrupted in its first epoch, after 1,234 samples") {
		t.Errorf("%s", text)
	}
	if lacks := d.Lacks(lang.Chinese); len(lacks) < 4 || !strings.Contains(strings.Join(lacks, "\n"), "混淆矩阵") {
		t.Errorf("lacks %q", lacks)
	}
}

// TestNoSuchNumbers: a machine that cannot be opened, and parameters that are too
// large, leave sections out, each with its reason; the page is there.
func TestNoSuchNumbers(t *testing.T) {
	s := source(t, configOf(16, 5, 3), dataset(4, 4, 3, 30), nil)
	s.Open = func(model.Precision) (vm.VM, vm.Compiler, error) { return nil, nil, errors.New("no machine today") }
	d := gather(t, s)
	for _, l := range languages {
		p := render(t, func(b *bytes.Buffer) error { return d.HTML(b, l) })
		if n := strings.Count(words(p.root, nil), "no machine today"); n != 5 {
			t.Errorf("%v: the reason is given %d times", l, n)
		}
	}
}

// TestChanged: a model whose accuracy is not what the run has noted is told.
func TestChanged(t *testing.T) {
	s := source(t, configOf(16, 5, 3), dataset(4, 4, 3, 30), map[string]string{rundir.MetricsFile: epochs(2, false)})
	d := gather(t, s)
	p := render(t, func(b *bytes.Buffer) error { return d.HTML(b, lang.English) })
	if !strings.Contains(p.sectionText("result"), "have changed") {
		t.Errorf("an accuracy of %g is taken for that of the run, %g", d.Test.Accuracy, d.Epochs[1].TestAccuracy)
	}
	d.Epochs[1].TestAccuracy = d.Test.Accuracy
	d.Epochs[0].TestAccuracy = 0
	p = render(t, func(b *bytes.Buffer) error { return d.HTML(b, lang.English) })
	if strings.Contains(p.sectionText("result"), "have changed") {
		t.Error("a warning for the same accuracy")
	}
}

// TestCompare: the figures, the keys that differ, and the counts of a pair of runs.
func TestCompare(t *testing.T) {
	set := dataset(4, 4, 3, 30)
	one := configOf(16, 5, 3)
	two := configOf(16, 7, 3)
	two.Name, two.Train.Batch = "another", 32
	files := map[string]string{rundir.MetricsFile: epochs(4, false)}
	a := source(t, one, set, files)
	b := source(t, two, set, map[string]string{rundir.MetricsFile: epochs(9, false)})
	a.Figures, b.Figures = true, true
	runs := []*report.Data{gather(t, a), gather(t, b)}
	if runs[0].Gradients != nil || runs[0].Explained != nil {
		t.Error("what no comparison shows was computed")
	}
	// Of 30 images, the first takes 4 wrong, the second 3, and 2 of them both.
	runs[0].AllWrong, runs[1].AllWrong = []int{1, 5, 7, 20}, []int{5, 20, 29}
	for _, l := range languages {
		p := render(t, func(w *bytes.Buffer) error { return report.Compare(w, runs, l) })
		cells := p.find("paired", "td")
		var got []string
		for _, c := range cells {
			got = append(got, words(c, nil))
		}
		if want := "25  1  2  2  30 "; strings.Join(got, " ") != want {
			t.Errorf("%q, want %q", strings.Join(got, " "), want)
		}
		var keys []string
		for _, c := range p.find("keys", "code") {
			keys = append(keys, words(c, nil))
		}
		if got := strings.Join(keys, ""); got != "name model.layers train.batch " {
			t.Errorf("keys that differ: %q", got)
		}
		if !strings.Contains(p.sectionText("keys"), "[16, 7, 3]") {
			t.Error("no value")
		}
		if got := len(p.find("figures", "tr")); got != 3 {
			t.Errorf("%d rows", got)
		}
		if l == lang.Chinese {
			text := words(p.root, func(n *html.Node) bool {
				return slices.Contains([]string{"code", "script", "style", "head"}, n.Data) || attribute(n, "dir") == "auto"
			})
			if m := regexp.MustCompile(`[A-Za-z]{3,}`).FindString(strings.NewReplacer("trainer report", "", "a run", "", "another", "").Replace(text)); m != "" {
				t.Errorf("English in the Chinese page: %q", m)
			}
		}
	}
	// Another test set: nothing to compare.
	runs[1].Sets = slices.Clone(runs[1].Sets)
	runs[1].Sets[1].ImagesSum = "other"
	p := render(t, func(w *bytes.Buffer) error { return report.Compare(w, runs, lang.English) })
	if len(p.find("paired", "td")) != 0 || !strings.Contains(p.sectionText("paired"), "no test set in common") {
		t.Error("images of different sets are compared")
	}
}

// TestCurves: the charts have the values of the epochs at their places.
func TestCurves(t *testing.T) {
	d := &report.Data{Config: configOf(16, 5, 3)}
	for e, a := range []float64{0.5, math.NaN(), 0.9, 0.8, 0.9} {
		d.Epochs = append(d.Epochs, report.Epoch{Number: e + 1, Rate: 0.1, TestAccuracy: a, TestCost: 0.1 * float64(e), TrainAccuracy: 0.5, TrainCost: 1, ValidationAccuracy: math.NaN()})
	}
	if best := d.Best(); best != 2 { // the lower cost of two equals
		t.Errorf("best %d", best)
	}
	p := render(t, func(b *bytes.Buffer) error { return d.HTML(b, lang.English) })
	charts := p.find("curves", "figure")
	if len(charts) != 3 {
		t.Fatalf("%d charts", len(charts))
	}
	path := regexp.MustCompile(`class="s0" d="([^"]*)"`).FindStringSubmatch(p.text)
	// From 0.5 to 0.9 over the axis from 0.5 to 0.9; a gap at the second epoch.
	if want := "M0.0 1000.0M500.0 0.0L750.0 250.0L1000.0 0.0"; path == nil || path[1] != want {
		t.Errorf("path %q, want %q", path, want)
	}
	rings := 0
	for _, c := range p.find("chart-accuracy", "circle") {
		if attribute(c, "class") == "ring" {
			rings++
			if attribute(c, "cx") != "50.00%" {
				t.Errorf("the ring is at %s", attribute(c, "cx"))
			}
		}
	}
	if rings != 2 {
		t.Errorf("%d rings", rings)
	}
	var readings struct {
		Names []string
		X     []float64
		Rows  [][]string
	}
	for _, s := range p.find("curves", "script") {
		if err := json.Unmarshal([]byte(s.FirstChild.Data), &readings); err != nil {
			t.Fatal(err)
		}
	}
	if want := "[1 0.1000 0.5000 0.5000 1.0000 0.0000]"; len(readings.Rows) != 5 || fmt.Sprint(readings.Rows[0]) != want {
		t.Errorf("readings %v, want %s first", readings.Rows, want)
	}
	if fmt.Sprint(readings.X) != "[0 0.25 0.5 0.75 1]" || len(readings.Names) != len(readings.Rows[0]) {
		t.Errorf("readings at %v of %q", readings.X, readings.Names)
	}
}

// TestWrite: Write leaves the page in the folder; a file that cannot be written is an
// error that names it.
func TestWrite(t *testing.T) {
	s := source(t, configOf(16, 5, 3), dataset(4, 4, 3, 30), nil)
	dir, err := rundir.Create(filepath.Join(t.TempDir(), "run"), "run", t0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	s.Folder = dir.Path()
	lacks, err := report.Write(context.Background(), dir, s, lang.Chinese)
	if err != nil || len(lacks) > 0 {
		t.Fatal(lacks, err)
	}
	text, err := os.ReadFile(dir.File(rundir.ReportFile))
	if err != nil || !bytes.Contains(text, []byte(`<html lang="zh-Hans">`)) || !bytes.HasSuffix(text, []byte("</html>")) {
		t.Errorf("%v, %.100s", err, text)
	}
	if err := errors.Join(os.Remove(dir.File(rundir.ReportFile)), os.Mkdir(dir.File(rundir.ReportFile), 0o700), os.WriteFile(dir.File(rundir.ReportFile)+"/x", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := report.Write(context.Background(), dir, s, lang.Chinese); err == nil || !strings.Contains(err.Error(), rundir.ReportFile) {
		t.Errorf("a folder of that name: %v", err)
	}
}
