// Package report writes the report of a run: one HTML file with everything in it,
// which opens from a file, without a network and without fonts of its own.
//
// Gather makes the Data of a report: it reads a run folder, and computes what no file
// of it has. (*Data).HTML writes the page of any Data; Compare writes the page of
// several. So a page can also be shown of a run that is still going on:
//
//	d, err := report.Gather(ctx, source)
//	err = d.HTML(w, lang.Chinese)
//
// A page is whole in one language. What comes from files (names, the configuration,
// the log) is shown as it is, escaped, and shortened where it is long: whatever the
// run, a page has at most 1.5 MB. It loads nothing: its policy (Policy) forbids that.
// The script in it moves the cursor over the curves and changes the theme; without
// scripts all else is there.
package report

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // for the page
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"sync"

	"trainer/data/lang"
	"trainer/train/rundir"
)

// Section is a part of the page. Its text is the id in the page.
type Section string

// The sections, in the order of the page.
const (
	Result    Section = "result"
	Curves    Section = "curves"
	Confusion Section = "confusion"
	Mistakes  Section = "mistakes"
	Hidden    Section = "hidden"
	Sample    Section = "sample"
	Gradients Section = "gradients"
	Network   Section = "network"
	Setup     Section = "setup"
)

// Sections returns all sections, in the order of the page.
func Sections() []Section {
	return []Section{Result, Curves, Confusion, Mistakes, Hidden, Sample, Gradients, Network, Setup}
}

// titles are the headings of the sections.
var titles = map[Section]lang.Text{
	Result:    {En: "Result", Zh: "结果"},
	Curves:    {En: "Accuracy and cost over epochs", Zh: "准确率与代价随迭代轮数的变化"},
	Confusion: {En: "Confusion matrix", Zh: "混淆矩阵"},
	Mistakes:  {En: "Worst mistakes", Zh: "最严重的错误"},
	Hidden:    {En: "Weights as images", Zh: "权重图像"},
	Sample:    {En: "One sample explained", Zh: "一个样本的推导"},
	Gradients: {En: "Gradient check", Zh: "梯度检查"},
	Network:   {En: "Network and program", Zh: "网络与程序"},
	Setup:     {En: "Setup, and how to reproduce it", Zh: "配置与复现"},
}

// links are the short headings of the menu.
var links = map[Section]lang.Text{
	Result:    {En: "Result", Zh: "结果"},
	Curves:    {En: "Curves", Zh: "曲线"},
	Confusion: {En: "Confusion", Zh: "混淆矩阵"},
	Mistakes:  {En: "Mistakes", Zh: "错误"},
	Hidden:    {En: "Weights", Zh: "权重"},
	Sample:    {En: "One sample", Zh: "样本推导"},
	Gradients: {En: "Gradients", Zh: "梯度检查"},
	Network:   {En: "Network", Zh: "网络与程序"},
	Setup:     {En: "Setup", Zh: "配置与复现"},
}

//go:embed page.html
var pageHTML string

//go:embed style.css
var styleCSS string

//go:embed script.js
var scriptJS string

// Policy is the content security policy of a page: only what is in it, and of the
// scripts and styles only its own.
func Policy() string {
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; img-src data:; style-src " + hash(styleCSS) + "; script-src " + hash(scriptJS) + "; base-uri 'none'; form-action 'none'"
}

// templates are the parsed page, by language.
var templates = map[lang.Language]func() *template.Template{
	lang.English: sync.OnceValue(func() *template.Template { return parse(lang.English) }),
	lang.Chinese: sync.OnceValue(func() *template.Template { return parse(lang.Chinese) }),
}

// parse parses the page for a language.
func parse(l lang.Language) *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"t":       func(key string) (string, error) { return word(l, key) },
		"tf":      func(key string, args ...any) (string, error) { return wordf(l, key, args...) },
		"formula": func(s string) template.HTML { return formula(l, s) },
		"title":   func(s Section) string { return titles[s].In(l) },
		"link":    func(s Section) string { return links[s].In(l) },
		"policy":  Policy,
		"style":   func() template.CSS { return template.CSS(styleCSS) },
		"script":  func() template.JS { return template.JS(scriptJS) },
		"count":   count,
		"figure":  figureOf,
		"short":   short,
		"cut":     cut,
		"uri":     uri,
	}).Parse(pageHTML))
}

// word returns a message of the page, by its English text.
func word(l lang.Language, key string) (string, error) {
	text, ok := words()[key]
	if !ok {
		return "", fmt.Errorf("BUG: report: no message %q", key)
	}
	return text.In(l), nil
}

func wordf(l lang.Language, key string, args ...any) (string, error) {
	text, ok := words()[key]
	if !ok {
		return "", fmt.Errorf("BUG: report: no message %q", key)
	}
	return text.Format(l, args...), nil
}

// words has the messages by their English text.
var words = sync.OnceValue(func() map[string]lang.Text {
	byEnglish := make(map[string]lang.Text, len(messages))
	for _, m := range messages {
		byEnglish[m.En] = m
	}
	return byEnglish
})

// HTML writes the page of a run.
func (d *Data) HTML(w io.Writer, l lang.Language) error {
	return execute(w, l, "page", &view{Data: d, L: l})
}

// Section writes one section of the page, an element with the section's id.
func (d *Data) Section(w io.Writer, s Section, l lang.Language) error {
	if !slices.Contains(Sections(), s) {
		return fmt.Errorf("report: no section %q", s)
	}
	return execute(w, l, string(s), &view{Data: d, L: l})
}

// execute writes a template as a whole, or nothing.
func execute(w io.Writer, l lang.Language, name string, v any) error {
	parsed, ok := templates[l]
	if !ok {
		return fmt.Errorf("report: no language %v", l)
	}
	var b bytes.Buffer
	if err := parsed().ExecuteTemplate(&b, name, v); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Write gathers the report of the run in a folder and writes it there. A part that
// could not be made is no error: it is in lacks, and the page says so.
func Write(ctx context.Context, dir *rundir.Dir, s Source, l lang.Language) (lacks []string, err error) {
	d, err := Gather(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", rundir.ReportFile, err)
	}
	return d.Lacks(l), dir.WriteFile(rundir.ReportFile, func(w io.Writer) error { return d.HTML(w, l) })
}

// Lacks says in a line for each section that lacks something, and why.
func (d *Data) Lacks(l lang.Language) []string {
	var lines []string
	for _, s := range Sections() {
		if err := d.Missing[s]; err != nil {
			lines = append(lines, titles[s].In(l)+": "+strings.ReplaceAll(err.Error(), "\n", " "))
		}
	}
	return lines
}
