package serve

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	cdpnet "github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/rundir"
)

var inBrowser = flag.Bool("browser", false, "test the page in a real browser too, which takes a minute")
var screenshots = flag.String("screenshots", "", "keep the browser tests' screenshots in this folder")

// chromium returns the path of a browser, or skips the test.
func chromium(t *testing.T) string {
	t.Helper()
	if !*inBrowser {
		t.Skip("the page was not tested in a browser: make browser does it")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium is installed: the page was not tested in a browser (apt-get install chromium)")
	return ""
}

// browser is a browser with a page in it. At the end of the test it reports what the
// page did wrong.
type browser struct {
	t   *testing.T
	ctx context.Context
	url string

	mu       sync.Mutex
	problems []string
	asked    int // requests
}

// start starts a browser, which lives until the test ends.
func start(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WSURLReadTimeout(90*time.Second),
	)
	allocated, done := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(done)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// open goes to a page in a window of a browser, which shares nothing with its other
// windows.
func open(t *testing.T, process context.Context, url string, width, height int64) *browser {
	t.Helper()
	b := &browser{t: t, url: url}
	ctx, cancel := chromedp.NewContext(process, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.listen))
	t.Cleanup(cancel)
	b.ctx = ctx
	b.do() // opens it
	b.ctx, cancel = context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(cancel)
	view := []chromedp.EmulateViewportOption{}
	if width < 500 {
		view = append(view, chromedp.EmulateMobile)
	}
	b.do(
		call(cdpnet.Enable, cdpnet.EnableParams{}), call(log.Enable, cdp.Empty{}),
		chromedp.EmulateViewport(width, height, view...),
		call(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
			window.measured = [];
			new PerformanceObserver((list) => { for (const e of list.getEntries()) window.measured.push(e.duration); })
				.observe({ type: "measure" });`}),
		chromedp.Navigate(url),
		chromedp.WaitVisible(chromedp.CSS("#pad")),
	)
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, p := range b.problems {
			t.Errorf("the page: %s", p)
		}
		if b.asked == 0 {
			t.Error("no request was seen: the test does not watch the page")
		}
	})
	return b
}

// call is the action of a command of the protocol.
func call[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// click clicks on an element, and run evaluates an expression.
func click(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(selector))
}
func run(expression string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](expression, chromedp.EvalAwaitPromise)
}

// listen notes errors, and requests to other hosts.
func (b *browser) listen(event any) {
	problem := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		problem = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			problem += ": " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			problem = fmt.Sprintf("console.%s: %s", e.Type, e.Args[0].Description+string(e.Args[0].Value))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			problem = fmt.Sprintf("%s: %s", e.Entry.Text, e.Entry.URL)
		}
	case *cdpnet.EventRequestWillBeSent:
		b.mu.Lock()
		b.asked++
		b.mu.Unlock()
		if own, _, _ := strings.Cut(b.url, "?"); !strings.HasPrefix(e.Request.URL, own) {
			problem = "request of another host: " + e.Request.URL
		}
	}
	if problem == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, problem)
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// read returns the value of an expression.
func read[T any](b *browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits until an expression is true.
func (b *browser) until(expression string) {
	b.t.Helper()
	for began := time.Now(); !read[bool](b, expression); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			b.t.Fatalf("never true: %s; the notice is %q", expression, read[string](b, `document.getElementById("notice").textContent`))
		}
	}
}

func text(id string) string { return fmt.Sprintf("document.getElementById(%q).textContent", id) }

// draw draws strokes with the mouse.
func (b *browser) draw(strokes []stroke) {
	b.t.Helper()
	b.do(chromedp.ScrollIntoView(chromedp.CSS("#pad")))
	box := read[[]float64](b, `(() => { const r = document.getElementById("pad").getBoundingClientRect(); return [r.left, r.top, r.width]; })()`)
	at := func(p [2]number) (x, y float64) { return box[0] + float64(p[0])*box[2], box[1] + float64(p[1])*box[2] }
	var actions []chromedp.Action[chromedp.Void]
	down := func(p *input.DispatchMouseEventParams) {
		p.Button, p.Buttons, p.ClickCount = input.MouseButtonLeft, 1, 1
	}
	up := func(p *input.DispatchMouseEventParams) { p.Button, p.ClickCount = input.MouseButtonLeft, 1 }
	for _, s := range strokes {
		x, y := at(s[0])
		actions = append(actions, chromedp.MouseEvent(chromedp.MousePressed, x, y, down))
		for k, p := range s[1:] {
			if k%2 == 0 && k < len(s)-2 { // a hand is not followed in more places
				continue
			}
			x, y = at(p)
			actions = append(actions, chromedp.MouseEvent(chromedp.MouseMoved, x, y, down))
		}
		actions = append(actions, chromedp.MouseEvent(chromedp.MouseReleased, x, y, up))
	}
	b.do(actions...)
	b.settle()
}

// settle waits until the page has shown the last answer.
func (b *browser) settle() {
	b.t.Helper()
	before := ""
	for {
		time.Sleep(150 * time.Millisecond)
		now := read[string](b, `[...document.querySelectorAll("#bars .value")].map((e) => e.textContent).join()`)
		if now == before {
			return
		}
		before = now
	}
}

func (b *browser) outputs() string {
	b.t.Helper()
	return read[string](b, `[...document.querySelectorAll("#bars .value")].map((e) => e.textContent).join(" ")`)
}

// serving serves a page, and returns where.
func serving(t *testing.T, p *Page) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server: %v", err)
		}
	})
	return "http://" + l.Addr().String() + "/"
}

// shoot takes a screenshot of the whole page.
func (b *browser) shoot(name string) {
	b.t.Helper()
	// The whole page, not the part in the window.
	size := read[[]int64](b, "[innerWidth, document.documentElement.scrollHeight]")
	b.do(chromedp.EmulateViewport(size[0], size[1]), chromedp.Sleep(300*time.Millisecond))
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if len(picture) < 5000 {
		b.t.Errorf("%s: a screenshot of %d bytes", name, len(picture))
	}
	if *screenshots != "" {
		if err := errors.Join(os.MkdirAll(*screenshots, 0o777), os.WriteFile(filepath.Join(*screenshots, name+".png"), picture, 0o666)); err != nil {
			b.t.Fatal(err)
		}
	}
}

// TestBrowserDraw: strokes of the built-in digits, drawn with the mouse, get their
// labels.
func TestBrowserDraw(t *testing.T) {
	b := open(t, start(t), serving(t, newPage(t, nil))+"?lang=en", 1400, 900)
	const each = 1
	right := 0
	for digit := range 10 {
		for n := range each {
			b.draw(written(digit, n))
			if got := read[string](b, text("answer")); got == fmt.Sprint(digit) {
				right++
			} else {
				t.Logf("digit %d, number %d: taken for %s", digit, n, got)
			}
			if n == 0 {
				b.until(`document.getElementById("spoken").textContent.startsWith("It is a ")`)
			}
			b.do(click("#clear"))
			b.until(text("answer") + ` === "?"`)
		}
	}
	// The network itself is right for 97 of 100 of these images.
	if right < 10*each-1 {
		t.Errorf("%d of %d digits are right", right, 10*each)
	}
	times := read[[]float64](b, "window.measured")
	if len(times) < 50 {
		t.Fatalf("%d measurements of a stroke", len(times))
	}
	slices.Sort(times)
	paint := read[float64](b, `performance.getEntriesByName("first-contentful-paint")[0].startTime`)
	t.Logf("%d of %d digits are right; from the stroke to the bars on the screen: median %.1f ms, 95 %% under %.1f ms, at most %.1f ms (%d measurements); first pixel after %.0f ms",
		right, 10*each, times[len(times)/2], times[len(times)*95/100], times[len(times)-1], len(times), paint)
}

// TestBrowserTools: undo, clear, the keyboard's pen, a digit by its button, a picture
// that is pasted.
func TestBrowserTools(t *testing.T) {
	b := open(t, start(t), serving(t, newPage(t, nil))+"?lang=en", 1400, 900)
	one := written(1, 0)
	b.draw(one)
	first := b.outputs()
	b.draw([]stroke{{{0.1, 0.9}, {0.9, 0.9}}})
	if b.outputs() == first {
		t.Error("a second stroke changes nothing")
	}
	b.do(click("#undo"))
	b.settle()
	if got := b.outputs(); got != first {
		t.Errorf("after Undo the outputs are %s, want %s", got, first)
	}
	b.do(click("#clear"))
	b.settle()
	if got := read[string](b, text("answer")); got != "?" {
		t.Errorf("after Clear the answer is %q", got)
	}
	b.do(click("#undo"))
	b.settle()
	if got := b.outputs(); got != first {
		t.Errorf("Undo after Clear: the outputs are %s, want %s", got, first)
	}
	b.do(click("#clear"))

	// A thicker pen draws another image.
	b.do(run(`(() => { const e = document.getElementById("thickness"); e.value = 18; e.dispatchEvent(new Event("input")); })()`))
	b.draw(one)
	if b.outputs() == first {
		t.Error("a thicker pen changes nothing")
	}
	b.do(click("#clear"), run(`(() => { const e = document.getElementById("thickness"); e.value = 9; e.dispatchEvent(new Event("input")); })()`))

	// A vertical line by the keyboard is a 1.
	keys := []chromedp.Action[chromedp.Void]{chromedp.Focus(chromedp.CSS("#pad")), chromedp.KeyEvent(" ")}
	for range 16 {
		keys = append(keys, chromedp.KeyEvent(kb.ArrowDown))
	}
	b.do(keys...)
	b.settle()
	if got := read[string](b, text("answer")); got != "1" {
		t.Errorf("a vertical line by the keyboard is taken for %q", got)
	}

	// Digits by their buttons.
	right := 0
	for digit := range 10 {
		b.do(run(fmt.Sprintf(`document.querySelector('[data-write="%d"]').focus()`, digit)), chromedp.KeyEvent("\r"))
		time.Sleep(900 * time.Millisecond)
		b.settle()
		if read[string](b, text("answer")) == fmt.Sprint(digit) {
			right++
		}
	}
	if right < 9 {
		t.Errorf("%d of 10 digits by their buttons are right", right)
	}

	// A picture that is dropped: the pad's own drawing of a 7, light on dark.
	b.do(click("#clear"))
	b.draw(written(7, 0))
	b.do(run(`(async () => {
		const pad = document.getElementById("pad"), c = document.createElement("canvas");
		c.width = c.height = 300;
		const ctx = c.getContext("2d");
		ctx.fillStyle = "#123";
		ctx.fillRect(0, 0, 300, 300);
		ctx.filter = "invert(1)";
		ctx.drawImage(pad, 40, 60, 200, 200);
		const blob = await new Promise((done) => c.toBlob(done, "image/png"));
		document.getElementById("clear").click();
		const data = new DataTransfer();
		data.items.add(new File([blob], "seven.png", { type: "image/png" }));
		document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
	})()`))
	b.until(text("answer") + ` === "7"`)
}

// TestBrowserTrain: training steps with another label change the outputs, and reset
// undoes it; another browser sees nothing of it.
func TestBrowserTrain(t *testing.T) {
	at := serving(t, newPage(t, nil)) + "?lang=en"
	b, other := open(t, start(t), at, 1400, 900), open(t, start(t), at, 1400, 900)
	seven := written(7, 0)
	b.draw(seven)
	other.draw(seven)
	before := b.outputs()
	exact := func() string {
		return read[string](b, `[...document.querySelectorAll("#bars .bar")].map((e) => e.style.transform).join()`)
	}
	start := exact()
	if got := read[string](b, text("answer")); got != "7" {
		t.Fatalf("the answer is %q", got)
	}
	if other.outputs() != before {
		t.Errorf("two browsers: %s and %s", before, other.outputs())
	}
	if !read[bool](b, `document.getElementById("step").disabled`) {
		t.Error("a step without the right answer")
	}
	b.do(click(`#labels input[value="1"] + span`))
	b.until(text("cost") + `.startsWith("E = ")`)
	if !read[bool](b, `document.querySelectorAll("#bars .delta")[1].textContent.startsWith("δ −")`) {
		t.Errorf("δ of the right answer is %q, want a negative number", read[string](b, `document.querySelectorAll("#bars .delta")[1].textContent`))
	}
	if got := b.outputs(); got != before {
		t.Errorf("the right answer alone changes the outputs: %s", got)
	}
	// The network is so sure that the textbook's rate changes next to nothing.
	b.do(run(`document.getElementById("rate").value = "10"`), click("#step"))
	b.until(text("whose") + `.includes("so far: 1.")`)
	b.settle()
	if exact() == start {
		t.Error("a step changes nothing")
	}
	for done := 11; done <= 91 && read[string](b, text("answer")) != "1"; done += 10 {
		b.do(click("#steps"))
		b.until(text("whose") + fmt.Sprintf(`.includes("so far: %d.")`, done))
		b.settle()
	}
	if got := read[string](b, text("answer")); got != "1" {
		t.Errorf("after some training with the label 1 the answer is %q", got)
	}
	b.shoot("trained")
	other.do(click(`#labels input[value="7"] + span`))
	other.settle()
	if got := other.outputs(); got != before {
		t.Errorf("the other browser sees %s, want %s", got, before)
	}
	b.do(click("#reset"))
	b.settle()
	if got := b.outputs(); got != before {
		t.Errorf("after Reset the outputs are %s, want %s", got, before)
	}
}

// TestBrowserLooks: the page at two widths, in both themes and both languages: nothing
// is wider than the screen.
func TestBrowserLooks(t *testing.T) {
	at := serving(t, newPage(t, func(o *Options) { o.Name = "mnist-50" }))
	process := start(t)
	for _, width := range []int64{390, 1400} {
		for _, theme := range []string{"light", "dark"} {
			for _, language := range []string{"en", "zh"} {
				t.Run(fmt.Sprintf("%d-%s-%s", width, theme, language), func(t *testing.T) {
					b := open(t, process, at+"?lang="+language, width, 900)
					b.do(call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
						Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
					}))
					b.draw(written(3, 1))
					b.do(click(`#labels input[value="5"] + span`))
					b.until(`!document.getElementById("slope-figure").hidden`)
					b.settle()
					if wide := read[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); wide > 0 {
						t.Errorf("the page is %d pixels wider than the screen", wide)
					}
					if language == "zh" {
						if title := read[string](b, "document.querySelector('h1').textContent"); title != texts["title"].In(lang.Chinese) {
							t.Errorf("the title is %q", title)
						}
					}
					b.shoot(fmt.Sprintf("page-%d-%s-%s", width, theme, language))
				})
			}
		}
	}
}

// TestBrowserOther: a network that is not the textbook's: other images, names of
// classes, several hidden layers, tanh, samples of a data set.
func TestBrowserOther(t *testing.T) {
	n := model.Network{Layers: []int{64, 30, 20, 26}, Activation: model.Tanh, Bias: true}
	names := []string{"猫", "a very long name of a class", "<i>x</i>"}
	samples := data.Set{Name: "s", Rows: 8, Cols: 8, Classes: 26, Labels: []uint8{2, 1}, Pixels: make([]uint8, 128)}
	for i := range 8 {
		samples.Pixels[8*i+i], samples.Pixels[64+8*i+3] = 255, 200
	}
	p := newPage(t, func(o *Options) {
		o.Network, o.Rows, o.Cols, o.NewMachine, o.Digits, o.Classes, o.Samples = n, 8, 8, newMachine(n), false, names, &samples
	})
	if err := p.SetParameters(model.NormalLayers(n, model.FanInRule(n), data.Stream(1, "serve test", 2))); err != nil {
		t.Fatal(err)
	}
	b := open(t, start(t), serving(t, p)+"?lang=en", 390, 900)
	b.draw(written(2, 0))
	drawn := b.outputs()
	b.do(run(`(() => { const e = document.getElementById("sample"); e.value = 1; e.dispatchEvent(new Event("change")); })()`))
	b.until(text("sample-of") + ` === "of 2; its label is a very long name of a class"`)
	b.settle()
	if b.outputs() == drawn {
		t.Error("a sample changes nothing")
	}
	b.do(click(`#labels input[value="0"] + span`))
	b.until(text("cost") + `.startsWith("E = ")`)
	b.do(run(`(() => { const e = document.getElementById("show"); e.value = "gradient"; e.dispatchEvent(new Event("change")); })()`))
	for done := 10; done <= 50; done += 10 {
		b.do(click("#steps"))
		b.until(text("whose") + fmt.Sprintf(`.includes("so far: %d.")`, done))
	}
	if got := read[string](b, text("answer")); got != "猫" {
		t.Errorf("after training the answer is %q", got)
	}
	if wide := read[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); wide > 0 {
		t.Errorf("the page is %d pixels wider than the screen", wide)
	}
	b.shoot("other-390")
}

// slowly is a fleet that takes its time for a pass, so that there is something to
// watch.
type slowly struct{ vm.Fleet }

func (s slowly) Train(ctx context.Context, runs []int, passes []vm.Pass) error {
	time.Sleep(400 * time.Millisecond)
	return s.Fleet.Train(ctx, runs, passes)
}

// TestBrowserWatch: a training is watched while it runs, with the drawing on the
// current weights.
func TestBrowserWatch(t *testing.T) {
	const epochs = 6
	c, err := config.Read("", []string{"data.dataset=digits", fmt.Sprintf("train.epochs=%d", epochs), "train.rate.initial=0.3"})
	if err != nil {
		t.Fatal(err)
	}
	live := NewLive(epochs, 3000, 1)
	p := newPage(t, func(o *Options) { o.Live = live; o.Name = "digits" })
	if err := p.SetParameters(model.NewParameters(network)); err != nil {
		t.Fatal(err)
	}
	at := serving(t, p)
	process := start(t)
	b := open(t, process, at+"?lang=en", 1400, 900)
	phone := open(t, process, at+"?lang=zh", 390, 900)
	seven := written(7, 0)
	b.draw(seven)
	untrained := b.outputs()
	if untrained != strings.TrimSpace(strings.Repeat("0.500 ", 10)) {
		t.Fatalf("the outputs of a network of zeros are %s", untrained)
	}

	fleet, err := vm.NewFleet(1, newMachine(c.Network()))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := rundir.Create(filepath.Join(t.TempDir(), "run"), "watch", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	session := &train.Session{
		Config: c, Dataset: data.GenerateDigits(7, 3000, 500), Fleet: slowly{fleet}, Dir: dir, Watch: live,
		Parameters: func(m model.Parameters) {
			if err := p.SetParameters(m); err != nil {
				t.Error(err)
			}
		},
	}
	ended := make(chan error, 1)
	go func() {
		_, err := session.Run(context.Background())
		live.End(err, false)
		ended <- errors.Join(err, dir.Close(), fleet.Close())
	}()
	// The curves grow, and the outputs change without a stroke.
	points := `((document.querySelector("#accuracy-chart path.train") || { getAttribute: () => "" }).getAttribute("d") || "").split("L").length`
	b.until(points + " === 2")
	early := b.outputs()
	if early == untrained {
		t.Error("the outputs do not follow the training")
	}
	// What is drawn while the weights change stays.
	phone.draw(written(1, 0))
	b.until(fmt.Sprintf("%s === %d", points, epochs))
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for _, each := range []*browser{b, phone} {
		each.until(text("end") + ` !== ""`)
		each.until(fmt.Sprintf(`document.getElementById("progress").value === %d`, epochs))
	}
	b.settle()
	if b.outputs() == early || read[string](b, text("answer")) != "7" {
		t.Errorf("after the training the outputs are %s, the answer %s", b.outputs(), read[string](b, text("answer")))
	}
	phone.settle()
	if got := read[string](phone, text("answer")); got != "1" {
		t.Errorf("what was drawn during the training is taken for %q, want 1", got)
	}
	if got := read[string](phone, text("end")); got != texts["done"].In(lang.Chinese) {
		t.Errorf("at the end the page says %q", got)
	}
	if read[string](b, text("latest")) == "" || math.Abs(read[float64](b, `document.getElementById("progress").max`)-epochs) > 0 {
		t.Error("no progress")
	}
	b.shoot("watch-1400")
	phone.shoot("watch-390")
}
