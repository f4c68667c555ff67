package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/delta"
	"trainer/graph/gradcheck"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/train"
)

// ask sends a request as our page does, and returns the answer.
func ask(p *Page, method, path string, body []byte, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:7840/"+path, bytes.NewReader(body))
	r.Header.Set("Origin", "http://127.0.0.1:7840")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, r)
	return w
}

// answer returns the view in an answer.
func answer(t *testing.T, w *httptest.ResponseRecorder) (v view) {
	t.Helper()
	var raw struct {
		view
		Input []uint16 `json:"input"` // written as numbers
	}
	if err := json.Unmarshal(w.Body.Bytes(), &raw); w.Code != http.StatusOK || err != nil {
		t.Errorf("status %d, %v: %s", w.Code, err, w.Body) // it may be called from any goroutine
	}
	v = raw.view
	for _, x := range raw.Input {
		v.Input = append(v.Input, uint8(x))
	}
	return v
}

// problemOf returns the error of an answer.
func problemOf(w *httptest.ResponseRecorder) string {
	var p problem
	if json.Unmarshal(w.Body.Bytes(), &p) != nil {
		return "no JSON: " + w.Body.String()
	}
	return p.Code
}

// sample is a built-in digit.
func sample(i int) (pixels []uint8, label int) {
	s := data.GenerateDigits(1, 0, i+1).Test
	return s.Image(i), int(s.Labels[i])
}

// TestView: all values of an answer are those of the equations.
func TestView(t *testing.T) {
	p := newPage(t, nil)
	pixels, label := sample(3)
	v := answer(t, ask(p, "POST", fmt.Sprintf("api/input?label=%d", label), pixels))
	parameters, _ := learned()
	net := gradcheck.ToDelta(network, parameters)
	x, y := make(delta.Vector, 784), make(delta.Vector, 10)
	for i := range x {
		x[i] = float64(pixels[i]) / 255
	}
	y[label] = 1
	pass := delta.Forward(net, x)
	d := delta.Deltas(net, pass, y)
	slope := make(delta.Vector, 784) // by ∂E/∂x_j = Σ_i δ_i w_ij
	for j := range slope {
		for i := range d[2] {
			slope[j] += d[2][i] * net.W[2][i][j]
		}
	}
	for name, c := range map[string]struct{ got, want []float64 }{
		"a^3": {v.Outputs, pass.A[3]}, "a^2": {v.Hidden[0], pass.A[2]},
		"δ^2": {v.Told.Deltas[0], d[2]}, "δ^3": {v.Told.Deltas[1], d[3]},
		"∂E/∂x": {v.Told.Slope, slope}, "E": {[]float64{float64(v.Told.Cost)}, []float64{delta.Cost(y, pass.A[3])}},
	} {
		if len(c.got) != len(c.want) {
			t.Fatalf("%s has %d values, want %d", name, len(c.got), len(c.want))
		}
		for k := range c.want {
			// Six digits are written, and the machine computes in float32.
			if math.Abs(c.got[k]-c.want[k]) > 1e-5*math.Abs(c.want[k])+1e-5 {
				t.Fatalf("%s[%d] is %v, want %v", name, k, c.got[k], c.want[k])
			}
		}
	}
	if !slices.Equal(v.Input, pixels) || v.Answer != label || v.Copy != "" || v.Steps != 0 || v.Told.Label != label {
		t.Errorf("answer %d, copy %q, %d steps, label %d; want %d, none, 0, %[1]d", v.Answer, v.Copy, v.Steps, v.Told.Label, label)
	}
	if got := answer(t, ask(p, "POST", "api/input", pixels)); got.Told != nil {
		t.Error("without a label there are deltas")
	}
}

// TestDrawing: a drawing gives the image that the same drawing gives as a picture.
func TestDrawing(t *testing.T) {
	p := newPage(t, nil)
	paper := bytes.Repeat([]byte{255}, paperSide*paperSide)
	if w := ask(p, "POST", "api/drawing", paper); w.Code != http.StatusOK || problemOf(w) != "blank" {
		t.Errorf("a blank drawing: %d, %s", w.Code, w.Body)
	}
	for i := 20; i < 110; i++ {
		for j := 58; j < 68; j++ {
			paper[i*paperSide+j] = 0
		}
	}
	v := answer(t, ask(p, "POST", "api/drawing", paper))
	if v.Answer != 1 {
		t.Errorf("a vertical line is taken for %d", v.Answer)
	}
	sheet := image.NewGray(image.Rect(0, 0, paperSide, paperSide))
	copy(sheet.Pix, paper)
	var file bytes.Buffer
	if err := png.Encode(&file, sheet); err != nil {
		t.Fatal(err)
	}
	if same := answer(t, ask(p, "POST", "api/picture", file.Bytes())); !slices.Equal(same.Input, v.Input) {
		t.Error("the drawing as a picture is another image")
	}
	// Ink to the very border is ink.
	for i := range paperSide {
		for j := range 10 {
			paper[i*paperSide+j] = 0
		}
	}
	if w := ask(p, "POST", "api/drawing", paper); problemOf(w) != "" {
		t.Errorf("ink at the border: %s", w.Body)
	}
}

// TestStep: a step is the textbook's, on a copy of the parameters that others do not
// see and that reset throws away.
func TestStep(t *testing.T) {
	p := newPage(t, nil)
	pixels, label := sample(3)
	other := (label + 1) % 10
	before := answer(t, ask(p, "POST", "api/input", pixels))
	path := fmt.Sprintf("api/step?label=%d&steps=3&rate=2", other)
	v := answer(t, ask(p, "POST", path, pixels))
	parameters, _ := learned()
	net := gradcheck.ToDelta(network, parameters.Clone())
	x, y := make(delta.Vector, 784), make(delta.Vector, 10)
	for i := range x {
		x[i] = float64(pixels[i]) / 255
	}
	y[other] = 1
	first := delta.Cost(y, delta.Output(net, x))
	for range 3 {
		delta.StepSample(net, x, y, 2)
	}
	want := delta.Output(net, x)
	for k := range want {
		if math.Abs(v.Outputs[k]-want[k]) > 1e-4 {
			t.Errorf("after three steps output %d is %v, want %v", k, v.Outputs[k], want[k])
		}
	}
	if math.Abs(float64(v.Told.Before)-first) > 1e-5 || v.Steps != 3 || v.Copy == "" || slices.Equal(v.Outputs, before.Outputs) {
		t.Errorf("E before %v, want %v; %d steps; copy %q", v.Told.Before, first, v.Steps, v.Copy)
	}
	// Another browser sees nothing of it.
	if got := answer(t, ask(p, "POST", "api/input", pixels)); !slices.Equal(got.Outputs, before.Outputs) || got.Version != before.Version {
		t.Error("the page's parameters have changed")
	}
	// The copy goes on where it was.
	again := answer(t, ask(p, "POST", path, pixels, copyHeader, v.Copy))
	if again.Copy != v.Copy || again.Steps != 6 || math.Abs(float64(again.Told.Before-v.Told.Cost)) > 1e-6 {
		t.Errorf("copy %q, %d steps, E before %v; want %q, 6, %v", again.Copy, again.Steps, again.Told.Before, v.Copy, v.Told.Cost)
	}
	if a, b := ask(p, "GET", "api/weights", nil).Body.Bytes(), ask(p, "GET", "api/weights", nil, copyHeader, v.Copy).Body.Bytes(); len(a) != 50*784 || len(b) != len(a) || bytes.Equal(a, b) {
		t.Errorf("the weights have %d and %d bytes, or are equal", len(a), len(b))
	}
	if w := ask(p, "POST", "api/reset", nil, copyHeader, v.Copy); w.Code != http.StatusNoContent {
		t.Errorf("reset: %d", w.Code)
	}
	if w := ask(p, "POST", path, pixels, copyHeader, v.Copy); w.Code != http.StatusGone || problemOf(w) != "gone" {
		t.Errorf("a copy that was thrown away: %d, %s", w.Code, w.Body)
	}
	// Numbers without bounds are no answer, and the copy stays as it was.
	w := ask(p, "POST", fmt.Sprintf("api/step?label=%d&steps=100&rate=1e6", other), bytes.Repeat([]byte{255}, 784))
	if c := problemOf(w); w.Code == http.StatusOK && !json.Valid(w.Body.Bytes()) || w.Code != http.StatusOK && c != "infinite" {
		t.Errorf("a huge rate: %d, %s", w.Code, c)
	}
}

// TestBadRequests: what is malformed, huge or of another site is refused with an
// answer, and the page goes on.
func TestBadRequests(t *testing.T) {
	set := data.GenerateDigits(1, 0, 5).Test
	p := newPage(t, func(o *Options) { o.Samples = set })
	pixels, _ := sample(0)
	bomb := pngHeader(60_000, 60_000)
	for _, c := range []struct {
		method, path string
		body         []byte
		header       []string
		want         int
	}{
		{"POST", "api/input", pixels[:783], nil, 400},
		{"POST", "api/input", append(slices.Clone(pixels), 0), nil, 413},
		{"POST", "api/input", nil, nil, 400},
		{"POST", "api/input?label=10", pixels, nil, 400},
		{"POST", "api/input?label=-1", pixels, nil, 400},
		{"POST", "api/input?label=x", pixels, nil, 400},
		{"POST", "api/input?label=99999999999999999999", pixels, nil, 400},
		{"POST", "api/input", pixels, []string{copyHeader, "../../etc/passwd"}, 410},
		{"POST", "api/input", pixels, []string{copyHeader, strings.Repeat("x", 5000)}, 410},
		{"POST", "api/drawing", make([]byte, paperSide*paperSide-1), nil, 400},
		{"POST", "api/drawing", make([]byte, 1<<20), nil, 413},
		{"POST", "api/step", pixels, nil, 400},
		{"POST", "api/step?label=1&steps=0", pixels, nil, 400},
		{"POST", "api/step?label=1&steps=101", pixels, nil, 400},
		{"POST", "api/step?label=1&rate=NaN", pixels, nil, 400},
		{"POST", "api/step?label=1&rate=-1", pixels, nil, 400},
		{"POST", "api/step?label=1&rate=Inf", pixels, nil, 400},
		{"POST", "api/step?label=1&rate=1e7", pixels, nil, 400},
		{"POST", "api/picture", []byte("<svg/>"), nil, 422},
		{"POST", "api/picture", nil, nil, 422},
		{"POST", "api/picture", bomb, nil, 422},
		{"POST", "api/picture", make([]byte, maxPicture+1), nil, 413},
		{"GET", "api/strokes?digit=10", nil, nil, 400},
		{"GET", "api/strokes?digit=1&index=-1", nil, nil, 400},
		{"GET", "api/sample?index=5", nil, nil, 400},
		{"GET", "api/sample?index=4", nil, nil, 200},
		{"GET", "api/input", nil, nil, 405},
		{"PUT", "api/input", pixels, nil, 405},
		{"GET", "api/events", nil, nil, 404}, // nothing to watch
		{"GET", "report", nil, nil, 404},
		{"GET", "page/index.html", nil, nil, 404},
		{"GET", "index.html", nil, nil, 404},
		{"GET", "main.js/", nil, nil, 404},
		{"GET", "..%2f..%2fetc%2fpasswd", nil, nil, 404},
		{"GET", "%2e%2e/api.go", nil, nil, 0},
		{"POST", "", nil, nil, 405},
		// Other sites.
		{"POST", "api/input", pixels, []string{"Origin", "http://evil.example"}, 403},
		{"POST", "api/input", pixels, []string{"Origin", "null"}, 403},
		{"POST", "api/step?label=1", pixels, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"POST", "api/reset", nil, []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"POST", "api/input", pixels, []string{"Sec-Fetch-Site", "same-origin"}, 200},
	} {
		w := ask(p, c.method, c.path, c.body, c.header...)
		if c.want == 0 {
			if w.Code < 300 {
				t.Errorf("%s %s: %d", c.method, c.path, w.Code)
			}
			continue
		}
		if w.Code != c.want {
			t.Errorf("%s %s %v: status %d, want %d: %.100s", c.method, c.path, c.header, w.Code, c.want, w.Body)
		}
		if w.Header().Get("Content-Security-Policy") == "" || w.Header().Get("X-Content-Type-Options") != "nosniff" ||
			w.Header().Get("X-Frame-Options") != "DENY" || w.Header().Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s %s: headers %v", c.method, c.path, w.Header())
		}
	}
}

// pngHeader is the beginning of a PNG file of a size.
func pngHeader(width, height int) []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1)))
	content := b.Bytes()[:33]
	for i := range 4 {
		content[16+i], content[20+i] = byte(width>>(24-8*i)), byte(height>>(24-8*i))
	}
	// The sum of the header is wrong now; a decoder that looks at the size first would
	// take memory for it.
	return content
}

// TestHosts: only names of this server are answered.
func TestHosts(t *testing.T) {
	p := newPage(t, func(o *Options) { o.Hosts = []string{"Classroom", ""} })
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	for host, want := range map[string]int{
		"127.0.0.1:7840": 200, "localhost": 200, "LOCALHOST:1": 200, "localhost.": 200, "[::1]:7840": 200, "192.168.1.20:80": 200,
		"classroom:7840": 200, name: 200,
		"evil.example": 421, "127.0.0.1.evil.example:7840": 421, "localhost.evil.example": 421, "": 421, "[::1": 200, "a b": 421, "1.2.3": 421,
	} {
		r := httptest.NewRequest(http.MethodGet, "http://x/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("host %q: %d, want %d", host, w.Code, want)
		}
	}
}

// TestCopies: there are so many copies and no more; the one that was unused for the
// longest gives way; those that nobody uses expire.
func TestCopies(t *testing.T) {
	c := newCopies(39_760)
	now := time.Now()
	c.now = func() time.Time { return now }
	s := &state{}
	var ids []string
	for range maxCopies {
		now = now.Add(time.Second)
		id, _ := c.put("", s, 1)
		ids = append(ids, id)
	}
	if _, ok := c.get(ids[0]); !ok {
		t.Fatal("the first copy is gone")
	}
	now = now.Add(time.Second)
	if _, ok := c.put("", s, 1); !ok || len(c.byID) != maxCopies {
		t.Errorf("%d copies, want %d", len(c.byID), maxCopies)
	}
	if _, ok := c.get(ids[1]); ok {
		t.Error("the copy that was unused for the longest is there")
	}
	if _, ok := c.get(ids[0]); !ok {
		t.Error("a copy that was used is gone")
	}
	if _, ok := c.put(ids[1], s, 2); ok {
		t.Error("a copy that is gone was trained")
	}
	now = now.Add(copyLife + time.Second)
	if _, ok := c.get(ids[0]); ok || len(c.byID) != 0 {
		t.Errorf("%d copies after their time", len(c.byID))
	}
	if few := newCopies(100_000_000).most; few != 2 {
		t.Errorf("%d copies of a huge network, want 2", few)
	}
}

// TestTogether: many browsers at once, while the parameters change, each with its own
// copy. It is for the race detector.
func TestTogether(t *testing.T) {
	p := newPage(t, func(o *Options) { o.Live = NewLive(3, 100, 1) })
	pixels, label := sample(1)
	want := answer(t, ask(p, "POST", "api/input", pixels)).Outputs
	parameters, _ := learned()
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			id := ""
			for n := range 3 {
				v := answer(t, ask(p, "POST", fmt.Sprintf("api/step?label=%d", (label+k)%10), pixels, copyHeader, id))
				if id = v.Copy; v.Steps != n+1 {
					t.Errorf("%d steps, want %d", v.Steps, n+1)
				}
			}
			ask(p, "GET", "api/weights", nil, copyHeader, id)
		})
		wg.Go(func() {
			for range 5 {
				if got := answer(t, ask(p, "POST", "api/input?label=1", pixels)).Outputs; !slices.Equal(got, want) {
					t.Errorf("outputs %v, want %v", got, want)
				}
			}
		})
	}
	for range 5 {
		if err := p.SetParameters(parameters.Clone()); err != nil {
			t.Error(err)
		}
		p.o.Live.Batch(1, 10)
	}
	wg.Wait()
}

// TestEvents: a browser gets the epochs that were, and those that come; it goes on
// where it was cut off; a browser that does not read delays nobody; and the server
// stops though browsers watch.
func TestEvents(t *testing.T) {
	live := NewLive(3, 100, 2)
	p := newPage(t, func(o *Options) { o.Live = live })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(ctx, l) }()
	epoch := func(n int) {
		v := &train.Validation{ValidationAccuracy: 0.5, ValidationCost: 1}
		m := train.Metrics{Epoch: n, LearningRate: 0.1, TestAccuracy: 0.25, SamplesPerSecond: math.Inf(1), Validation: v}
		live.Epoch([]train.RunMetrics{{}, {RunID: train.RunID{Run: 1}, Metrics: m}}, 1, n == 2)
	}
	epoch(1)
	follow := func(last string) *bufio.Scanner {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.Addr().String()+"/api/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		if last != "" {
			r.Header.Set("Last-Event-ID", last)
		}
		w, err := http.DefaultClient.Do(r)
		if err != nil || w.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("%v, %v", w, err)
		}
		t.Cleanup(func() { _ = w.Body.Close() })
		return bufio.NewScanner(w.Body)
	}
	until := func(s *bufio.Scanner, name, in string) string {
		t.Helper()
		for event := ""; s.Scan(); {
			if e, ok := strings.CutPrefix(s.Text(), "event: "); ok {
				event = e
			}
			if event == name && strings.HasPrefix(s.Text(), "data: ") && strings.Contains(s.Text(), in) {
				return s.Text()
			}
		}
		t.Fatalf("the stream ends before %s with %q: %v", name, in, s.Err())
		return ""
	}
	// One that does not read.
	deaf, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = deaf.Close() }()
	if _, err := io.WriteString(deaf, "GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	a := follow("")
	if got := until(a, "epoch", `"epoch":1`); !strings.Contains(got, `"run":1`) || !strings.Contains(got, `"validation_accuracy":0.5`) || !strings.Contains(got, `"best":false`) {
		t.Error(got)
	}
	live.Batch(2, 150)
	if got := until(a, "progress", `"epoch":2`); !strings.Contains(got, `"done":150`) || !strings.Contains(got, `"samples":200`) {
		t.Error(got)
	}
	epoch(2)
	until(a, "epoch", `"epoch":2`)
	parameters, _ := learned()
	if err := p.SetParameters(parameters); err != nil {
		t.Fatal(err)
	}
	until(a, "weights", "")
	b := follow(live.id + "-1")
	first := func(s *bufio.Scanner) string {
		for s.Scan() && !strings.HasPrefix(s.Text(), "id: ") {
		}
		return s.Text()
	}
	if got := first(b); got != "id: "+live.id+"-2" {
		t.Errorf("after an interruption the first event is %q, want the second epoch's", got)
	}
	if got := first(follow("another-1")); got != "id: "+live.id+"-1" {
		t.Errorf("after another training the first event is %q, want the first epoch's", got)
	}
	p.SetReport(func(w io.Writer, l lang.Language) error {
		_, err := fmt.Fprintf(w, "the report in %v", l)
		return err
	})
	until(a, "report", "true")
	live.End(errors.New("the disk is full"), false)
	if got := until(a, "end", "failed"); !strings.Contains(got, "the disk is full") {
		t.Error(got)
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the server does not stop")
	}
}

// TestSlow: a client that sends its request byte by byte, or not at all, is cut off,
// and others are served meanwhile.
func TestSlow(t *testing.T) {
	p := newPage(t, nil)
	p.times.header, p.times.read, p.times.idle = 100*time.Millisecond, 300*time.Millisecond, 200*time.Millisecond
	at := strings.TrimSuffix(strings.TrimPrefix(serving(t, p), "http://"), "/")
	for name, begin := range map[string]string{
		"nothing": "",
		"head":    "POST /api/input HTTP/1.1\r\nHost: ",
		"body":    "POST /api/input HTTP/1.1\r\nHost: localhost\r\nContent-Length: 784\r\n\r\nx",
		"chunks":  "POST /api/picture HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
		"next":    "GET /icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"endless": "GET /icon.svg HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", maxHeader+8192),
	} {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, begin) // a long one may be cut off early
		w, err := http.Get("http://" + at + "/")
		if err != nil || w.StatusCode != http.StatusOK {
			t.Fatalf("beside %s: %v, %v", name, w, err)
		}
		_ = w.Body.Close()
		// A server without limits would wait for ever.
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		var late net.Error
		if _, err := io.ReadAll(c); errors.As(err, &late) && late.Timeout() {
			t.Errorf("%s: not cut off", name)
		}
		_ = c.Close()
	}
}

// TestConnections: further connections wait until there is room.
func TestConnections(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newBounded(inner, 1)
	for range 2 {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
	}
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			err = c.Close()
		}
		second <- err
	}()
	select {
	case err := <-second:
		t.Fatalf("a second connection where there is room for one: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := errors.Join(first.Close()); err != nil {
		t.Fatal(err)
	}
	_ = first.Close() // twice: the room is given back once
	if err := <-second; err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestLanguages: the page is in the language that is asked for, else of the options,
// else of the browser; and each language has all words.
func TestLanguages(t *testing.T) {
	title := func(l lang.Language) string { return "<h1>" + texts["title"].In(l) + "</h1>" }
	chinese := lang.Chinese
	for _, c := range []struct {
		set            *lang.Language
		path, accepted string
		want           lang.Language
	}{
		{nil, "", "", lang.English},
		{nil, "", "zh-CN,zh;q=0.9,en;q=0.8", lang.Chinese},
		{nil, "", "de, en;q=0.5, zh;q=0.7", lang.Chinese},
		{nil, "", "zh;q=0, en;q=0.1", lang.English},
		{nil, "", "zh;q=x", lang.English},
		{nil, "?lang=zh", "en", lang.Chinese},
		{nil, "?lang=fr", "zh", lang.Chinese},
		{&chinese, "", "en", lang.Chinese},
		{&chinese, "?lang=en", "", lang.English},
	} {
		p := newPage(t, func(o *Options) { o.Language = c.set })
		w := ask(p, "GET", c.path, nil, "Accept-Language", c.accepted)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), title(c.want)) {
			t.Errorf("%+v: %d, want %v", c, w.Code, c.want)
		}
	}
}

// TestWords: each word of the page has a text, and each text is used.
func TestWords(t *testing.T) {
	used := map[string]bool{}
	files, err := filepath.Glob("page/*")
	if err != nil || len(files) < 8 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\{\{say "(\w+)"\}\}|\bsay\("(\w+)"`).FindAllStringSubmatch(string(content), -1) {
			used[m[1]+m[2]] = true
		}
	}
	// Chosen while the page runs.
	for _, key := range []string{"penDown", "penUp", "train", "test", "validation", "costs", "accuracy", "done", "stopped", "failed"} {
		used[key] = true
	}
	// Of answers: see net.js.
	source, err := os.ReadFile("api.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`fail\(w, [\w.]+, "(\w+)"|Code: "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		if c := m[1] + m[2]; c != "bad" { // our page does not send such
			used["err"+strings.ToUpper(c[:1])+c[1:]] = true
		}
	}
	for key := range used {
		if _, ok := texts[key]; !ok {
			t.Errorf("no text for %q", key)
		}
	}
	for key := range texts {
		if !used[key] {
			t.Errorf("nothing uses the text %q", key)
		}
	}
}

// TestOffline: no file of the page names another host.
func TestOffline(t *testing.T) {
	p := newPage(t, nil)
	all := map[string]string{"the page": ask(p, "GET", "", nil).Body.String()}
	for name := range p.files {
		w := ask(p, "GET", name, nil)
		if w.Code != http.StatusOK || w.Header().Get("ETag") == "" {
			t.Errorf("%s: %d", name, w.Code)
		}
		if again := ask(p, "GET", name, nil, "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified {
			t.Errorf("%s again: %d", name, again.Code)
		}
		all[name] = w.Body.String()
	}
	for name, content := range all {
		for _, m := range regexp.MustCompile(`(https?:)?//\w[\w.]*\.\w+[^\s"']*`).FindAllString(content, -1) {
			if !strings.HasPrefix(m, "http://www.w3.org/2000/svg") {
				t.Errorf("%s names %s", name, m)
			}
		}
		if strings.Contains(content, "style=\"") {
			t.Errorf("%s has a style attribute, which the policy forbids", name)
		}
	}
}

// TestReport: the report is written once in each language, as large as it may be.
func TestReport(t *testing.T) {
	p := newPage(t, nil)
	if strings.Contains(ask(p, "GET", "", nil).Body.String(), `">Report`) {
		t.Error("a link to no report")
	}
	written := 0
	p.SetReport(func(w io.Writer, l lang.Language) error {
		written++
		_, err := fmt.Fprintf(w, "<title>%v</title>", l)
		return err
	})
	for range 2 {
		w := ask(p, "GET", "report?lang=zh", nil)
		if w.Body.String() != "<title>zh</title>" || w.Header().Get("Content-Security-Policy") != reportPolicy {
			t.Errorf("%s, %v", w.Body, w.Header())
		}
	}
	if written != 1 {
		t.Errorf("written %d times", written)
	}
	p.SetReport(func(io.Writer, lang.Language) error { return errors.New("no data") })
	if w := ask(p, "GET", "report", nil); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "no data") {
		t.Errorf("%d, %s", w.Code, w.Body)
	}
	p.SetReport(func(w io.Writer, _ lang.Language) error {
		_, err := io.Copy(w, io.LimitReader(zeros{}, maxReport+1))
		return err
	})
	if w := ask(p, "GET", "report", nil); w.Code != http.StatusInternalServerError {
		t.Errorf("a report without end: %d", w.Code)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// TestOtherNetworks: other sizes of images, other classes, no or many hidden layers,
// tanh, a network without parameters, names that are HTML.
func TestOtherNetworks(t *testing.T) {
	for _, n := range []model.Network{
		{Layers: []int{64, 3}, Bias: true},
		{Layers: []int{64, 20, 12, 26}, Activation: model.Tanh, Precision: model.Float64},
		{Layers: []int{24, 700, 2}, Bias: true},
	} {
		rows, cols := 8, n.Inputs()/8
		samples := &data.Set{Name: "s", Rows: rows, Cols: cols, Classes: 2, Labels: []uint8{1}, Pixels: bytes.Repeat([]byte{16, 8}, n.Inputs()/2),
			Scale: data.Scale{Pixels: data.Range{Low: 0, High: 16}}}
		p := newPage(t, func(o *Options) {
			o.Network, o.Rows, o.Cols, o.NewMachine, o.Digits = n, rows, cols, newMachine(n), false
			o.Classes, o.Samples, o.Name = []string{"<b>猫</b>"}, samples, `"</script><i>`
		})
		if w := ask(p, "POST", "api/input", make([]byte, n.Inputs())); w.Code != http.StatusServiceUnavailable || problemOf(w) != "early" {
			t.Errorf("%v without parameters: %d, %s", n, w.Code, w.Body)
		}
		if err := p.SetParameters(model.NormalLayers(n, model.FanInRule(n), data.Stream(1, "serve test", 1))); err != nil {
			t.Fatal(err)
		}
		if html := ask(p, "GET", "", nil).Body.String(); strings.Contains(html, "<b>猫") || strings.Contains(html, "<i>") || strings.Contains(html, "data-write") {
			t.Errorf("%v: the page has the markup of a name, or digits to write:\n%s", n, html)
		}
		paper := bytes.Repeat([]byte{255}, paperSide*paperSide)
		for i := 30; i < 90; i++ {
			copy(paper[i*paperSide+40:], make([]byte, 12))
		}
		v := answer(t, ask(p, "POST", "api/drawing?label=1", paper))
		if len(v.Input) != n.Inputs() || len(v.Outputs) != n.Outputs() || len(v.Hidden) != len(n.Layers)-2 ||
			len(v.Told.Deltas) != len(n.Layers)-1 || len(v.Told.Slope) != n.Inputs() {
			t.Errorf("%v: %d inputs, %d outputs, %d hidden layers, %d deltas", n, len(v.Input), len(v.Outputs), len(v.Hidden), len(v.Told.Deltas))
		}
		if got := ask(p, "GET", "api/weights", nil).Body.Len(); got != units(n)*n.Inputs() || units(n) > maxUnits {
			t.Errorf("%v: %d bytes of weights", n, got)
		}
		answer(t, ask(p, "POST", "api/step?label=1&steps=2", make([]byte, n.Inputs())))
		if w := ask(p, "GET", "api/sample", nil); !strings.HasPrefix(w.Body.String(), `{"input":[255,128,255,128`) {
			t.Errorf("%v: the sample is %.60s", n, w.Body)
		}
		if w := ask(p, "GET", "api/strokes", nil); w.Code != http.StatusNotFound {
			t.Errorf("%v: strokes of digits: %d", n, w.Code)
		}
	}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Network: model.Network{Layers: []int{5, 2}}, Rows: 2, Cols: 2}, "2×2 pixels, and a network of 5 inputs"},
		{Options{Network: model.Network{Layers: []int{5}}, Rows: 1, Cols: 5}, "network of 1 layers"},
		{Options{Network: model.Network{Layers: []int{4, 300}}, Rows: 2, Cols: 2}, "300 outputs"},
		{Options{Network: network, Rows: 28, Cols: 28, NewMachine: func() (vm.VM, error) { return nil, errors.New("no machine") }}, "no machine"},
	} {
		if _, err := New(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.o.Network, err, c.want)
		}
	}
	bad := model.NewParameters(network)
	bad[0].Weight[3] = math.NaN()
	if err := newPage(t, nil).SetParameters(bad); err == nil {
		t.Error("parameters that are not finite")
	}
	for _, c := range []struct {
		outputs int
		names   []string
		want    bool
	}{
		{10, nil, true}, {10, []string{"0", "1", ""}, true}, {10, []string{"T-shirt"}, false}, {26, nil, false},
	} {
		if got := AreDigits(c.outputs, c.names); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestPolarity: a picture of light ink on a dark ground is the same digit.
func TestPolarity(t *testing.T) {
	p := newPage(t, nil)
	pixels, label := sample(2)
	img := image.NewRGBA(image.Rect(0, 0, 300, 200))
	for y := range 200 {
		for x := range 300 {
			v := uint8(20)
			if i, j := (y-30)/5, (x-60)/5; y >= 30 && x >= 60 && i < 28 && j < 28 {
				v = max(20, pixels[i*28+j])
			}
			img.Set(x, y, color.RGBA{v, v, v, 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	if v := answer(t, ask(p, "POST", "api/picture", b.Bytes())); v.Answer != label {
		t.Errorf("the answer is %d, want %d", v.Answer, label)
	}
}
