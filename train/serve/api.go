package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"trainer/data"
	"trainer/data/digits"
	"trainer/data/photo"
	"trainer/graph/vm"
	"trainer/train/prediction"
)

// A drawing is a square of paperSide × paperSide pixels, a byte each, row by row: 0 is
// ink, 255 is paper. It is put on a larger sheet, so that no ink touches the border.
const (
	paperSide = 128
	margin    = 16
)

const (
	maxPicture = 16 << 20 // bytes of a file
	maxSteps   = 100      // of a request
	maxRate    = 1e6
	maxDigit   = 200              // built-in digits that are looked through for one of a class
	waitTime   = 10 * time.Second // for others' pictures and trainings
)

// routes returns the requests. None has a path in it: the patterns without a method
// and the files are all that there is.
func (p *Page) routes() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /{$}", p.index)
	for name, f := range p.files {
		m.Handle("GET /"+name, f)
	}
	m.HandleFunc("GET /report", p.report)
	m.HandleFunc("POST /api/drawing", p.drawing)
	m.HandleFunc("POST /api/picture", p.picture)
	m.HandleFunc("POST /api/input", p.input)
	m.HandleFunc("POST /api/step", p.step)
	m.HandleFunc("POST /api/reset", p.reset)
	m.HandleFunc("GET /api/weights", p.weights)
	if p.o.Digits {
		m.HandleFunc("GET /api/strokes", p.strokes)
	}
	if p.o.Samples != nil {
		m.HandleFunc("GET /api/sample", p.sample)
	}
	if p.o.Live != nil {
		m.HandleFunc("GET /api/events", p.events)
	}
	return m
}

// problem is the answer to a request that cannot be done.
type problem struct {
	Code string `json:"error"`          // for which the page has words
	Text string `json:"text,omitempty"` // more, in English
}

func fail(w http.ResponseWriter, status int, code string, err error) {
	answer := problem{Code: code}
	if err != nil {
		answer.Text = err.Error()
	}
	send(w, status, answer)
}

func send(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // a number that is not finite
		status = http.StatusUnprocessableEntity
		b, _ = json.Marshal(problem{Code: "infinite"}) // it has no numbers
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// body reads a body of at most most bytes, and of exactly so many if exact. It answers
// the request if it has another one.
func body(w http.ResponseWriter, r *http.Request, most int, exact bool) ([]byte, bool) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(most)))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		fail(w, http.StatusRequestEntityTooLarge, "large", fmt.Errorf("want at most %d bytes", most))
	case err != nil: // slow, or gone
		fail(w, http.StatusBadRequest, "bad", err)
	case exact && len(b) != most:
		fail(w, http.StatusBadRequest, "bad", fmt.Errorf("%d bytes, want %d", len(b), most))
	default:
		return b, true
	}
	return nil, false
}

// query returns a number of the query from low to high, or otherwise if it is not
// there. It answers the request if it is another one.
func query(w http.ResponseWriter, r *http.Request, name string, low, high, otherwise int) (int, bool) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, true
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < low || v > high {
		fail(w, http.StatusBadRequest, "bad", fmt.Errorf("%s is not from %d to %d", name, low, high))
		return 0, false
	}
	return v, true
}

// enter waits for a place in a queue, but not for long. It answers the request if it
// was in vain.
func enter(w http.ResponseWriter, r *http.Request, queue chan struct{}) bool {
	ctx, cancel := context.WithTimeout(r.Context(), waitTime)
	defer cancel()
	select {
	case queue <- struct{}{}:
		return true
	case <-ctx.Done():
		fail(w, http.StatusServiceUnavailable, "busy", nil)
		return false
	}
}

// copyHeader names the browser's copy of the parameters.
const copyHeader = "Trainer-Copy"

// parameters returns the parameters that a request is about: those of the browser's
// copy, or of the page. It answers the request if there are none.
func (p *Page) parameters(w http.ResponseWriter, r *http.Request) (t trained, id string, ok bool) {
	if id = r.Header.Get(copyHeader); id != "" {
		if t, ok = p.copies.get(id); !ok {
			fail(w, http.StatusGone, "gone", nil)
		}
		return t, id, ok
	}
	if t.state = p.base.Load(); t.state == nil {
		fail(w, http.StatusServiceUnavailable, "early", nil)
	}
	return t, "", t.state != nil
}

// see answers a request with what the network does with an image.
func (p *Page) see(w http.ResponseWriter, r *http.Request, pixels []uint8) {
	label, ok := query(w, r, "label", 0, p.o.Network.Outputs()-1, -1)
	if !ok {
		return
	}
	t, id, ok := p.parameters(w, r)
	if !ok {
		return
	}
	v, err := p.viewer.view(t.state, pixels, label)
	if err != nil {
		fail(w, http.StatusUnprocessableEntity, "infinite", err)
		return
	}
	v.Copy, v.Steps = id, t.steps
	send(w, http.StatusOK, v)
}

// drawing answers a request with a drawing.
func (p *Page) drawing(w http.ResponseWriter, r *http.Request) {
	b, ok := body(w, r, paperSide*paperSide, true)
	if !ok {
		return
	}
	const side = paperSide + 2*margin
	sheet := image.NewGray(image.Rect(0, 0, side, side))
	for i := range sheet.Pix {
		sheet.Pix[i] = 255
	}
	for i := range paperSide {
		copy(sheet.Pix[(margin+i)*side+margin:], b[i*paperSide:(i+1)*paperSide])
	}
	pixels, err := photo.Normalise(sheet, photo.Options{Rows: p.o.Rows, Cols: p.o.Cols})
	p.show(w, r, pixels, err)
}

// picture answers a request with a file: PNG, JPEG or GIF.
func (p *Page) picture(w http.ResponseWriter, r *http.Request) {
	b, ok := body(w, r, maxPicture, false)
	if !ok || !enter(w, r, p.decoding) {
		return
	}
	pixels, err := photo.Read(bytes.NewReader(b), "the picture", photo.Options{Rows: p.o.Rows, Cols: p.o.Cols})
	<-p.decoding
	p.show(w, r, pixels, err)
}

// show is see for an image that package photo has made, or could not make.
func (p *Page) show(w http.ResponseWriter, r *http.Request, pixels []uint8, err error) {
	switch {
	// Too little ink is usual when somebody begins to draw: a browser would note each
	// other status as an error.
	case errors.Is(err, photo.ErrBlank):
		fail(w, http.StatusOK, "blank", nil)
	case errors.Is(err, photo.ErrSmall):
		fail(w, http.StatusOK, "small", nil)
	case err != nil:
		fail(w, http.StatusUnprocessableEntity, "picture", err)
	default:
		p.see(w, r, pixels)
	}
}

// input answers a request with an image as the network sees it.
func (p *Page) input(w http.ResponseWriter, r *http.Request) {
	if b, ok := body(w, r, p.o.Network.Inputs(), true); ok {
		p.see(w, r, b)
	}
}

// step trains a copy on an image as the network sees it, and answers with what the
// network does with it afterwards. A browser without a copy gets one.
func (p *Page) step(w http.ResponseWriter, r *http.Request) {
	pixels, ok := body(w, r, p.o.Network.Inputs(), true)
	if !ok {
		return
	}
	label, ok := query(w, r, "label", 0, p.o.Network.Outputs()-1, -1)
	if !ok {
		return
	}
	if label < 0 {
		fail(w, http.StatusBadRequest, "bad", errors.New("no label"))
		return
	}
	steps, ok := query(w, r, "steps", 1, maxSteps, 1)
	if !ok {
		return
	}
	rate := p.o.Rate
	if text := r.URL.Query().Get("rate"); text != "" {
		var err error
		if rate, err = strconv.ParseFloat(text, 64); err != nil || !(rate > 0 && rate <= maxRate) {
			fail(w, http.StatusBadRequest, "rate", nil)
			return
		}
	}
	// One at a time: so no browser's two requests train the same copy.
	if !enter(w, r, p.training) {
		return
	}
	defer func() { <-p.training }()
	t, id, ok := p.parameters(w, r)
	if !ok {
		return
	}
	before, err := p.viewer.view(t.state, pixels, label)
	if err != nil {
		fail(w, http.StatusUnprocessableEntity, "infinite", err)
		return
	}
	after, err := p.viewer.train(r.Context(), t.state, pixels, label, steps, rate)
	var v view
	if err == nil {
		v, err = p.viewer.view(after, pixels, label)
	}
	var large *vm.NonFiniteError
	switch {
	case errors.As(err, &large), errors.Is(err, errNotFinite):
		fail(w, http.StatusUnprocessableEntity, "infinite", nil)
		return
	case err != nil:
		fail(w, http.StatusInternalServerError, "failed", err)
		return
	}
	v.Told.Before = before.Told.Cost
	v.Steps = t.steps + steps
	if v.Copy, ok = p.copies.put(id, after, v.Steps); !ok {
		fail(w, http.StatusGone, "gone", nil)
		return
	}
	send(w, http.StatusOK, v)
}

// reset throws the browser's copy away.
func (p *Page) reset(w http.ResponseWriter, r *http.Request) {
	p.copies.drop(r.Header.Get(copyHeader))
	w.WriteHeader(http.StatusNoContent)
}

// weights answers with the weights of the first hidden units as images: see
// state.images.
func (p *Page) weights(w http.ResponseWriter, r *http.Request) {
	t, _, ok := p.parameters(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Trainer-Version", strconv.FormatUint(t.state.version, 10))
	_, _ = w.Write(t.state.images(units(p.o.Network)))
}

// stroke is a line of the pen: x and y of each point, in parts of the paper's side.
type stroke [][2]number

// strokes answers with the lines of a built-in digit, in the middle of the paper.
func (p *Page) strokes(w http.ResponseWriter, r *http.Request) {
	digit, ok := query(w, r, "digit", 0, digits.Classes-1, 0)
	if !ok {
		return
	}
	index, ok := query(w, r, "index", 0, math.MaxInt32, 0)
	if !ok {
		return
	}
	streams := func(purpose string, n uint64) *rand.Rand { return data.Stream(p.o.Seed, purpose, n) }
	for i := index; i < index+maxDigit; i++ {
		lines, label := digits.Lines(streams, digits.Test, i)
		if int(label) == digit {
			send(w, http.StatusOK, map[string]any{"strokes": onPaper(lines), "next": i + 1})
			return
		}
	}
	fail(w, http.StatusNotFound, "bad", errors.New("no such digit"))
}

// onPaper returns lines scaled into the middle of the paper.
func onPaper(lines [][]digits.Point) []stroke {
	lo, hi := digits.Point{X: math.Inf(1), Y: math.Inf(1)}, digits.Point{X: math.Inf(-1), Y: math.Inf(-1)}
	for _, line := range lines {
		for _, p := range line {
			lo = digits.Point{X: min(lo.X, p.X), Y: min(lo.Y, p.Y)}
			hi = digits.Point{X: max(hi.X, p.X), Y: max(hi.Y, p.Y)}
		}
	}
	const size = 0.64
	scale := size / max(hi.X-lo.X, hi.Y-lo.Y)
	all := make([]stroke, len(lines))
	for k, line := range lines {
		for _, p := range line {
			all[k] = append(all[k], [2]number{
				number(0.5 + scale*(p.X-(lo.X+hi.X)/2)),
				number(0.5 + scale*(p.Y-(lo.Y+hi.Y)/2)),
			})
		}
	}
	return all
}

// sample answers with an image of the data set and its label.
func (p *Page) sample(w http.ResponseWriter, r *http.Request) {
	s := p.o.Samples
	i, ok := query(w, r, "index", 0, s.Len()-1, 0)
	if !ok {
		return
	}
	input := make(prediction.Pixels, s.Inputs())
	for k, pixel := range s.Image(i) {
		input[k] = p.levels[pixel]
	}
	send(w, http.StatusOK, map[string]any{"input": input, "label": s.Labels[i]})
}
