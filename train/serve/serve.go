// Package serve is the page for the classroom: a small web server on which a browser
// draws a digit and sees what the network makes of it, live.
//
//	page, err := serve.New(serve.Options{Network: n, Rows: 28, Cols: 28, NewMachine: open, …})
//	page.SetParameters(p)
//	err = page.Serve(ctx, listener)
//
// What is drawn becomes an image in the way of package photo, as for `trainer
// predict`, and the outputs are those of a machine (package prediction). Values inside
// the network and the deltas come from the equations by hand (package delta).
//
// A browser that takes training steps has a copy of the parameters of its own. There
// are only so many copies, and unused ones expire: see copies.
//
// The page and all that belongs to it are embedded. It asks no other host for
// anything, and it works without a network. Files:
//
//	serve.go    the page and its options
//	server.go   the server: time limits, connections, shutdown
//	guard.go    which requests are answered, and the headers of all answers
//	page.go     the page and its files
//	api.go      the requests for it
//	network.go  what the network does with an image
//	copies.go   the copies that train
//	live.go     a training that is watched
//	words.go    all text of the page, in both languages
//	page/       HTML, CSS and JavaScript modules
//
// Requests are not trusted: their size and their time are bounded, nothing in them
// is a path, and pictures are decoded one at a time, after the checks of package
// photo.
package serve

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"trainer/data"
	"trainer/data/digits"
	"trainer/data/lang"
	"trainer/graph/model"
	"trainer/graph/vm"
)

// Options says what a page shows.
type Options struct {
	Name    string // of the model or the run, for the title
	Network model.Network

	// Rows and Cols are the height and width of the network's input in pixels. Their
	// product is n^1.
	Rows, Cols int

	Classes []string   // names, at most n^L of them; the others have their number
	Scale   data.Scale // of the inputs and the targets
	Rate    float64    // η of a training step, until the user says another

	// NewMachine opens a machine for Network. The page opens one for its answers, and
	// one for each training.
	NewMachine func() (vm.VM, error)

	// Digits says that the classes are the digits 0 to 9, so that the page can write
	// the built-in ones, of the stream Seed.
	Digits bool
	Seed   uint64

	Samples *data.Set // labelled images to choose from; nil: none

	// Language chooses the language for a request that does not name one. nil: by the
	// browser's languages.
	Language *lang.Language

	// Hosts are names by which the server may be asked for, beside localhost and
	// addresses.
	Hosts []string

	Live *Live // the training to watch; nil: none
}

// Report writes a report as HTML. It may be slow: the page keeps what it wrote.
type Report func(w io.Writer, l lang.Language) error

// Page is the page. Its methods may be called from several goroutines.
type Page struct {
	o       Options
	guard   guard
	viewer  *viewer
	copies  *copies
	pages   map[lang.Language]*template.Template
	files   map[string]*file
	base    atomic.Pointer[state]
	reports reports
	times   times
	levels  [256]uint8 // from 0 to 255, of the pixels of the samples

	decoding chan struct{} // holds a token while a picture is decoded
	training chan struct{} // the same for a training
	watchers chan struct{} // a token for each browser that watches
}

// The most that happens at once.
const (
	maxWatchers = 128
	maxClasses  = 256 // a label is a byte
)

// New makes a page without parameters: see SetParameters. Close gives its machine
// back.
func New(o Options) (*Page, error) {
	n := o.Network
	if err := n.Check(); err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	switch {
	case o.Rows < 1 || o.Cols < 1 || o.Rows*o.Cols != n.Inputs():
		return nil, fmt.Errorf("serve: images of %d×%d pixels, and a network of %d inputs", o.Rows, o.Cols, n.Inputs())
	case n.Outputs() > maxClasses:
		return nil, fmt.Errorf("serve: a network of %d outputs: want at most %d, which a label can name", n.Outputs(), maxClasses)
	case o.Digits && n.Outputs() != digits.Classes:
		return nil, fmt.Errorf("BUG: serve: digits for a network of %d outputs", n.Outputs())
	case o.Samples != nil && (o.Samples.Rows != o.Rows || o.Samples.Cols != o.Cols):
		return nil, fmt.Errorf("BUG: serve: samples of %d×%d pixels, and images of %d×%d", o.Samples.Rows, o.Samples.Cols, o.Rows, o.Cols)
	}
	files, err := readFiles()
	if err != nil {
		return nil, err
	}
	pages, err := readPages()
	if err != nil {
		return nil, err
	}
	m, err := o.NewMachine()
	if err != nil {
		return nil, err
	}
	p := &Page{
		o: o, guard: newGuard(o.Hosts), viewer: newViewer(o, m), copies: newCopies(n.Size()), pages: pages, files: files, times: usual,
		decoding: make(chan struct{}, 1), training: make(chan struct{}, 1), watchers: make(chan struct{}, maxWatchers),
	}
	if o.Samples != nil {
		from := o.Samples.Scale.Pixels
		if from == (data.Range{}) {
			from = data.Range{Low: 0, High: 255}
		}
		for pixel := range p.levels {
			part := (float64(pixel) - from.Low) / (from.High - from.Low)
			p.levels[pixel] = uint8(255*min(max(part, 0), 1) + 0.5)
		}
	}
	return p, nil
}

// SetParameters gives the page other parameters, which nobody changes afterwards.
// Copies keep those that they have.
func (p *Page) SetParameters(parameters model.Parameters) error {
	if err := parameters.Check(p.o.Network); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	if bad := parameters.NonFinite(); bad != "" {
		return fmt.Errorf("serve: %s is not finite", bad)
	}
	p.base.Store(p.viewer.newState(parameters))
	p.o.Live.weights()
	return nil
}

// SetReport gives the page a report, at /report. Until then there is none.
func (p *Page) SetReport(r Report) {
	p.reports.set(r)
	p.o.Live.reported()
}

// Close frees the machine. The page must not be served any more.
func (p *Page) Close() error { return p.viewer.close() }

// className returns the name of class k.
func (p *Page) className(k int) string {
	if k < len(p.o.Classes) && p.o.Classes[k] != "" {
		return p.o.Classes[k]
	}
	return fmt.Sprint(k)
}

// classNames returns the names of all classes.
func (p *Page) classNames() []string {
	names := make([]string, p.o.Network.Outputs())
	for k := range names {
		names[k] = p.className(k)
	}
	return names
}

// AreDigits reports whether classes can be the digits 0 to 9: there are ten, and each has
// no name, or its number.
func AreDigits(outputs int, names []string) bool {
	for k, name := range names {
		if name != "" && name != fmt.Sprint(k) {
			return false
		}
	}
	return outputs == digits.Classes
}

// reports keeps a report, and what it wrote in each language.
type reports struct {
	mu      sync.Mutex
	report  Report
	written map[lang.Language][]byte
}

func (r *reports) set(report Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report, r.written = report, map[lang.Language][]byte{}
}

func (r *reports) has() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.report != nil
}

// errNoReport is the error where there is none yet.
var errNoReport = errors.New("there is no report")

// in returns the report in a language.
func (r *reports) in(l lang.Language) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.report == nil {
		return nil, errNoReport
	}
	if _, ok := r.written[l]; !ok {
		var b limited
		if err := r.report(&b, l); err != nil {
			return nil, err
		}
		r.written[l] = b.content
	}
	return r.written[l], nil
}

// maxReport bounds what is kept of a report, in bytes.
const maxReport = 32 << 20

// limited is a buffer of at most maxReport bytes.
type limited struct{ content []byte }

func (l *limited) Write(b []byte) (int, error) {
	if len(l.content)+len(b) > maxReport {
		return 0, fmt.Errorf("report of more than %d MiB", maxReport>>20)
	}
	l.content = append(l.content, b...)
	return len(b), nil
}

// Handler returns the handler of all requests.
func (p *Page) Handler() http.Handler { return p.guard.protect(p.routes()) }
