package progress

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"trainer/data/lang"
	"trainer/train/terminal"
)

// fakeClock is a clock that the test sets.
type fakeClock struct{ t time.Time }

func (c *fakeClock) now() time.Time          { return c.t }
func (c *fakeClock) add(d time.Duration)     { c.t = c.t.Add(d) }
func newClock() *fakeClock                   { return &fakeClock{time.Unix(1000, 0)} }
func contains(t *testing.T, s, want string)  { t.Helper(); check(t, s, want, true) }
func containsNo(t *testing.T, s, not string) { t.Helper(); check(t, s, not, false) }

func check(t *testing.T, s, part string, want bool) {
	t.Helper()
	if strings.Contains(s, part) != want {
		t.Errorf("%q in %q: %v, want %v", part, s, !want, want)
	}
}

var third = EpochLine{Epoch: 3, Rate: 0.1, TrainCost: 0.03121, TrainAccuracy: 0.96412, TestCost: 0.03888, TestAccuracy: 0.957, SamplesPerSecond: 1.02e6, Seconds: 0.0588}

const thirdText = "epoch  3/50  rate 0.1      train cost 0.0312 acc 0.9641  test cost 0.0389 acc 0.9570  1.02 M samples/s  0.06 s"

func TestPlain(t *testing.T) {
	for _, dumb := range []bool{false, true} {
		if dumb {
			t.Setenv("TERM", "dumb")
		}
		var b bytes.Buffer
		p := New(&b, dumb, lang.English, 50, 60000) // a dumb terminal counts as no terminal
		for done := range 60000 {
			p.Advance(3, done)
		}
		p.Epoch(third)
		p.Print("saved")
		p.Close()
		if want := thirdText + "\nsaved\n"; b.String() != want {
			t.Errorf("got %q, want %q", b.String(), want)
		}
	}
}

func screenOf(b *bytes.Buffer, epochs, samples, width int) (*Progress, *fakeClock) {
	c := newClock()
	p := New(b, true, lang.English, epochs, samples)
	p.bar, p.color, p.unicode = true, false, false // independent of the environment
	p.width = func() int { return width }
	p.now = c.now
	return p, c
}

func TestBar(t *testing.T) {
	var b bytes.Buffer
	p, c := screenOf(&b, 4, 1000, 80)
	p.Advance(1, 0)
	if got, want := b.String(), "\repoch 1/4 "+strings.Repeat(" ", 29)+"   0 %\x1b[K"; got != want {
		t.Errorf("first %q, want %q", got, want)
	}
	b.Reset()
	c.add(time.Second)
	p.Advance(1, 500) // 500 samples a second: 3,500 take 7 seconds
	if got, want := b.String(), "\repoch 1/4 "+strings.Repeat("=", 4)+strings.Repeat(" ", 25)+"  12 %   500 samples/s  7.0 s left\x1b[K"; got != want {
		t.Errorf("then %q, want %q", got, want)
	}
	b.Reset()
	p.Epoch(third)
	if got := b.String(); !strings.HasPrefix(got, "\r\x1b[Kepoch 3/4  ") || !strings.HasSuffix(got, "\n") {
		t.Errorf("epoch %q", got)
	}
	b.Reset()
	p.Advance(2, 0) // at once after an epoch's line
	if b.Len() == 0 {
		t.Error("the bar is not drawn again")
	}
	b.Reset()
	p.Close()
	p.Close()
	if got := b.String(); got != "\r\x1b[K" {
		t.Errorf("close %q", got)
	}
}

func TestColor(t *testing.T) {
	line := third
	line.Best = true
	for _, noColor := range []string{"", "1"} {
		t.Setenv("NO_COLOR", noColor)
		t.Setenv("TERM", "xterm")
		t.Setenv("LC_ALL", "en_US.UTF-8")
		var b bytes.Buffer
		p := New(&b, true, lang.English, 50, 60000)
		p.Advance(1, 0)
		p.Epoch(line)
		check(t, b.String(), "━", noColor == "")
		check(t, b.String(), "\x1b[1mepoch", noColor == "")
		if noColor != "" {
			containsNo(t, strings.ReplaceAll(b.String(), "\x1b[K", ""), "\x1b")
		}
	}
}

// TestNote checks that a note follows the epoch, and that it is kept as long as the
// result on the test set.
func TestNote(t *testing.T) {
	line := third
	line.Note = "run 12"
	if got, want := line.format(50, 200), strings.Replace(thirdText, "  rate", "  run 12  rate", 1); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := line.format(50, 60), "epoch  3/50  run 12  test cost 0.0389 acc 0.9570"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestValidation checks that the validation set is shown between the others, and
// that it is kept when the line gets too long for the test set.
func TestValidation(t *testing.T) {
	line := third
	line.Validation = &Validation{Cost: 0.03777, Accuracy: 0.9588}
	const validation = "validation cost 0.0378 acc 0.9588"
	for columns, want := range map[int]string{
		200: strings.Replace(thirdText, "  test", "  "+validation+"  test", 1),
		119: "epoch  3/50  train cost 0.0312 acc 0.9641  " + validation + "  test cost 0.0389 acc 0.9570  0.06 s",
		79:  "epoch  3/50  train cost 0.0312 acc 0.9641  " + validation,
		50:  "epoch  3/50  " + validation,
	} {
		if got := line.format(50, columns); got != want {
			t.Errorf("%d columns: %q, want %q", columns, got, want)
		}
	}
}

// TestRedraws checks that a run that calls Advance for every sample draws the bar at
// most ten times per second.
func TestRedraws(t *testing.T) {
	var b bytes.Buffer
	p, c := screenOf(&b, 1, 100_000, 80)
	for i := range 100_000 { // 5 seconds
		p.Advance(1, i)
		c.add(50 * time.Microsecond)
	}
	if n := strings.Count(b.String(), "\r"); n < 45 || n > 50 {
		t.Errorf("%d drawings in 5 seconds, want 50 at most", n)
	}
	contains(t, b.String(), "20.0 k samples/s")
}

func TestNarrow(t *testing.T) {
	for width := 1; width < 200; width++ {
		var b bytes.Buffer
		p, c := screenOf(&b, 50, 60000, width)
		p.Advance(1, 0)
		c.add(time.Second)
		p.Advance(1, 3000)
		p.Epoch(third)
		for _, line := range strings.FieldsFunc(strings.ReplaceAll(b.String(), "\x1b[K", ""), func(r rune) bool { return r == '\r' || r == '\n' }) {
			if n := utf8.RuneCountInString(line); n > width-1 {
				t.Errorf("%d columns: a line of %d: %q", width, n, line)
			}
		}
	}
	for columns, want := range map[int]string{
		200: thirdText,
		79:  "epoch  3/50  train cost 0.0312 acc 0.9641  test cost 0.0389 acc 0.9570  0.06 s",
		40:  "epoch  3/50  test cost 0.0389 acc 0.9570",
		9:   "epoch  3/",
		0:   "",
	} {
		if got := third.format(50, columns); got != want {
			t.Errorf("%d columns: %q, want %q", columns, got, want)
		}
	}
}

// TestAligned checks that the columns of all epochs are aligned.
func TestAligned(t *testing.T) {
	var length int
	for i, l := range []EpochLine{
		third,
		{Epoch: 50, Rate: 0.0625, SamplesPerSecond: 976_123, Seconds: 9.99},
		{Epoch: 7, Rate: 0.03125, TrainAccuracy: 1, SamplesPerSecond: 2_000_000, Seconds: 0},
	} {
		s := l.format(50, math.MaxInt)
		at := strings.Index(s, "samples/s")
		if i > 0 && at != length {
			t.Errorf("samples/s is at %d and at %d: %s", length, at, s)
		}
		length = at
	}
}

// brokenPipe fails after the first write.
type brokenPipe struct{ writes int }

func (w *brokenPipe) Write(b []byte) (int, error) {
	if w.writes++; w.writes > 1 {
		return 0, errors.New("broken pipe")
	}
	return len(b), nil
}

func TestBrokenPipe(t *testing.T) {
	var w brokenPipe
	p := New(&w, false, lang.English, 50, 60000)
	for range 5 {
		p.Epoch(third)
	}
	p.Close()
	if w.writes != 2 {
		t.Errorf("%d writes, want none after the one that failed", w.writes)
	}
}

func TestAtOnce(t *testing.T) {
	var b bytes.Buffer
	t.Setenv("TERM", "xterm")
	p := New(&b, true, lang.English, 50, 60000)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 100 {
				p.Advance(1, i)
				p.Epoch(third)
			}
		})
	}
	wg.Wait()
	p.Close()
}

func TestResume(t *testing.T) {
	var b bytes.Buffer
	p, c := screenOf(&b, 10, 1000, 80)
	p.Advance(9, 0) // an earlier process did 8,000 samples
	c.add(time.Second)
	p.Advance(9, 1000)
	contains(t, b.String(), " 90 %  1.00 k samples/s  1.0 s left")
}

func TestFormat(t *testing.T) {
	for rate, want := range map[float64]string{
		0: "0.00 samples/s", 3.456: "3.46 samples/s", 99.96: " 100 samples/s", 999.6: "1.00 k samples/s",
		16_600: "16.6 k samples/s", 999_600: "1.00 M samples/s", 1.5e8: " 150 M samples/s", math.NaN(): " NaN samples/s",
	} {
		if got := formatRate(rate, lang.English); got != want {
			t.Errorf("%v: %q, want %q", rate, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0.0 s", 3140 * time.Millisecond: "3.1 s", 9960 * time.Millisecond: "10 s", 99 * time.Second: "99 s",
		100 * time.Second: "2 min", 5940 * time.Second: "99 min", 100 * time.Minute: "1.7 h", 90 * time.Hour: "90.0 h",
	} {
		if got := formatLeft(d, lang.English); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestIsTerminal(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if IsTerminal(f) || IsTerminal(&bytes.Buffer{}) {
		t.Error("a file and a buffer are no terminals")
	}
}

func BenchmarkAdvance(b *testing.B) {
	var out bytes.Buffer
	p := New(&out, true, lang.English, 1, math.MaxInt32)
	p.bar = true
	i := 0
	for b.Loop() {
		i++
		p.Advance(1, i)
	}
}

func ExampleProgress() {
	p := New(os.Stdout, false, lang.English, 50, 60000)
	p.Epoch(EpochLine{Epoch: 3, Rate: 0.1, TrainCost: 0.0312, TrainAccuracy: 0.9641, TestCost: 0.0389, TestAccuracy: 0.957, SamplesPerSecond: 1.02e6, Seconds: 0.06})
	fmt.Println("done")
	// Output:
	// epoch  3/50  rate 0.1      train cost 0.0312 acc 0.9641  test cost 0.0389 acc 0.9570  1.02 M samples/s  0.06 s
	// done
}

// TestListing: in Chinese the lines of an epoch are those of the textbook's listing,
// and the bar keeps to the columns of the terminal.
func TestListing(t *testing.T) {
	var b bytes.Buffer
	p := New(&b, false, lang.Chinese, 50, 60000)
	first := EpochLine{Epoch: 1, TrainAccuracy: 0.9316, TestAccuracy: 0.9302}
	p.Epoch(first)
	first.Epoch, first.Validation, first.Note = 12, &Validation{Accuracy: 0.95}, "训练 3"
	p.Epoch(first)
	if want := "第1次迭代...\n训练准确率: 0.931600\n测试准确率: 0.930200\n" +
		"第12次迭代... 训练 3\n训练准确率: 0.931600\n验证准确率: 0.950000\n测试准确率: 0.930200\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	for columns := range 100 {
		b.Reset()
		p, c := screenOf(&b, 50, 60000, columns)
		p.lang = lang.Chinese
		p.Advance(3, 0)
		c.add(time.Second)
		p.Advance(3, 30000)
		for line := range strings.SplitSeq(b.String(), "\r") {
			if line = strings.TrimSuffix(line, "\x1b[K"); terminal.Columns(line) > max(columns-1, 0) {
				t.Errorf("%d columns: %q has %d", columns, line, terminal.Columns(line))
			}
		}
	}
	contains(t, b.String(), "第  3/50 次迭代 ")
	contains(t, b.String(), "样本/秒  剩余 ")
}
