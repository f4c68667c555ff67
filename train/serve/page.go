package serve

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"trainer/data/lang"
	"trainer/graph/model"
)

// report answers with the report.
func (p *Page) report(w http.ResponseWriter, r *http.Request) {
	content, err := p.reports.in(p.language(r))
	switch {
	case errors.Is(err, errNoReport):
		http.NotFound(w, r)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Security-Policy", reportPolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(content)
}

// language returns the language for a request: that which it names, that of the
// options, or the first of the browser's that we have.
func (p *Page) language(r *http.Request) lang.Language {
	switch r.URL.Query().Get("lang") {
	case "en":
		return lang.English
	case "zh":
		return lang.Chinese
	}
	if p.o.Language != nil {
		return *p.o.Language
	}
	return accepted(r.Header.Get("Accept-Language"))
}

// accepted returns the language that a header Accept-Language prefers.
func accepted(header string) lang.Language {
	best, quality := lang.English, 0.0
	for part := range strings.SplitSeq(header, ",") {
		tag, parameter, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if text, ok := strings.CutPrefix(strings.TrimSpace(parameter), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		tag, _, _ = strings.Cut(strings.ToLower(tag), "-")
		l, known := map[string]lang.Language{"en": lang.English, "zh": lang.Chinese}[tag]
		if known && q > quality {
			best, quality = l, q
		}
	}
	return best
}

//go:embed page
var embedded embed.FS

// file is an embedded file.
type file struct {
	content []byte
	kind    string // its Content-Type
	tag     string // its ETag
}

// readFiles returns the embedded files by name, all but the page itself.
func readFiles() (map[string]*file, error) {
	kinds := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
	all := map[string]*file{}
	entries, err := fs.ReadDir(embedded, "page")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		kind, ok := kinds[path.Ext(e.Name())]
		if !ok {
			continue
		}
		content, err := embedded.ReadFile("page/" + e.Name())
		if err != nil {
			return nil, err
		}
		all[e.Name()] = &file{content, kind, fmt.Sprintf(`"%x"`, sha256.Sum256(content))}
	}
	return all, nil
}

// ServeHTTP implements http.Handler.
func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", f.kind)
	w.Header().Set("ETag", f.tag)
	w.Header().Set("Cache-Control", "no-cache") // the browser asks, and gets it again if it is another
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
}

// readPages parses the page for each language.
func readPages() (map[lang.Language]*template.Template, error) {
	content, err := embedded.ReadFile("page/index.html")
	if err != nil {
		return nil, err
	}
	pages := map[lang.Language]*template.Template{}
	for _, l := range []lang.Language{lang.English, lang.Chinese} {
		words := dictionary(l)
		say := func(key string) (string, error) {
			text, ok := words[key]
			if !ok {
				return "", fmt.Errorf("BUG: serve: no words for %q", key)
			}
			return text, nil
		}
		if pages[l], err = template.New("page").Funcs(template.FuncMap{"say": say}).Parse(string(content)); err != nil {
			return nil, fmt.Errorf("BUG: serve: %w", err)
		}
	}
	return pages, nil
}

// about is what the page's program knows from the start.
type about struct {
	Words    map[string]string `json:"words"`
	Layers   []int             `json:"layers"`
	Low      float64           `json:"low"` // of an output
	High     float64           `json:"high"`
	Rows     int               `json:"rows"`
	Cols     int               `json:"cols"`
	Classes  []string          `json:"classes"`
	Units    int               `json:"units"` // of layer 2 that have an image
	Rate     float64           `json:"rate"`
	Paper    int               `json:"paper"`
	Picture  int               `json:"picture"` // bytes of the largest file
	Digits   bool              `json:"digits"`
	Samples  int               `json:"samples"`
	Live     bool              `json:"live"`
	Ready    bool              `json:"ready"` // whether there are parameters
	Language string            `json:"language"`
}

// index answers with the page.
func (p *Page) index(w http.ResponseWriter, r *http.Request) {
	l := p.language(r)
	n := p.o.Network
	a := about{
		Words: dictionary(l), Layers: n.Layers, High: 1, Rows: p.o.Rows, Cols: p.o.Cols, Classes: p.classNames(),
		Units: units(n), Rate: p.o.Rate, Paper: paperSide, Picture: maxPicture, Digits: p.o.Digits, Live: p.o.Live != nil,
		Ready: p.base.Load() != nil, Language: l.String(),
	}
	if n.Activation == model.Tanh {
		a.Low = -1
	}
	if p.o.Samples != nil {
		a.Samples = p.o.Samples.Len()
	}
	other := lang.Chinese
	if l == lang.Chinese {
		other = lang.English
	}
	var b bytes.Buffer
	err := p.pages[l].Execute(&b, map[string]any{
		"Name": p.o.Name, "Network": layers(n), "About": a, "Language": code(l), "Other": other.String(), "OtherCode": code(other),
		"Classes": a.Classes, "Digits": a.Digits, "Samples": a.Samples, "Live": a.Live, "Report": p.reports.has(),
		"Hidden": len(n.Layers) > 2, "Deep": len(n.Layers) > 3, "Units": a.Units, "All": n.Layers[1],
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Vary", "Accept-Language")
	_, _ = w.Write(b.Bytes())
}

// code returns what HTML calls a language.
func code(l lang.Language) string {
	if l == lang.Chinese {
		return "zh-Hans"
	}
	return "en"
}

// layers returns "784-50-10".
func layers(n model.Network) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(n.Layers), "[]"), " ", "-")
}
