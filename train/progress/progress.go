// Package progress shows the progress of training.
//
// On a terminal, the bottom line shows a bar, the samples per second, and the
// remaining time of the whole run. It is drawn at most ten times per second:
//
//	epoch  3/50 ━━━━━━━━━━━━━━━━━━━━━━━━              62 %  1.02 M samples/s  3.1 s left
//
// Above it there is one line per finished epoch. If the output is not a terminal,
// only the lines of the epochs are written, without control characters:
//
//	epoch  3/50  rate 0.1      train cost 0.0312 acc 0.9641  test cost 0.0389 acc 0.9570  1.02 M samples/s  0.06 s
//
// In Chinese, an epoch has the lines of the textbook's listing (appendix A.5):
//
//	第3次迭代...
//	训练准确率: 0.964100
//	测试准确率: 0.957000
//
// After the first error of the writer, such as a closed pipe, the package writes
// nothing more, and the run continues. For standard output the program must also
// ignore SIGPIPE. A Progress that writes to a Queue does not wait for a reader who does
// not read.
package progress

import (
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"trainer/data/lang"
	"trainer/train/terminal"

	"golang.org/x/term"
)

// redrawEvery is the minimum time between two drawings of the bar.
const redrawEvery = 100 * time.Millisecond

// The words of the bar. Those of the line of an epoch are English only: in Chinese it
// has those of the listing.
var (
	epochText   = lang.Text{En: "epoch %*d/%d", Zh: "第 %*d/%d 次迭代"}
	samplesText = lang.Text{En: " samples/s", Zh: " 样本/秒"}
	secondsText = lang.Text{En: "%.*f s", Zh: "%.*f 秒"}
	minutesText = lang.Text{En: "%.0f min", Zh: "%.0f 分钟"}
	hoursText   = lang.Text{En: "%.1f h", Zh: "%.1f 小时"}
	leftText    = lang.Text{En: "%s left", Zh: "剩余 %s"}
)

// The listing's lines, and one for a validation set.
var listing = struct{ epoch, train, validation, test string }{
	"第%d次迭代...", "训练准确率: %f", "验证准确率: %f", "测试准确率: %f",
}

// Progress shows the progress of one run. It is safe for concurrent use.
type Progress struct {
	epochs  int
	samples int // samples per epoch
	lang    lang.Language
	bar     bool
	color   bool
	unicode bool
	width   func() int // columns of the terminal
	now     func() time.Time

	mu     sync.Mutex
	out    io.Writer
	failed bool
	drawn  bool      // whether the bar is on the terminal
	last   time.Time // when the bar was last drawn
	meter  meter
}

// EpochLine holds the values in the line of an epoch.
type EpochLine struct {
	Epoch            int     // counted from 1
	Note             string  // shown after the epoch: "run 12"; "": none
	Rate             float64 // η
	TrainCost        float64
	TrainAccuracy    float64     // 0 to 1
	Validation       *Validation // nil: there is no validation set
	TestCost         float64
	TestAccuracy     float64
	SamplesPerSecond float64
	Seconds          float64 // duration of the training, without the evaluation
	Best             bool    // the best epoch so far
}

// Validation is the result on a validation set. In a narrow terminal it has
// precedence over the result on the test set.
type Validation struct{ Cost, Accuracy float64 }

// IsTerminal reports whether w is a terminal that supports control characters.
func IsTerminal(w io.Writer) bool {
	f := fileOf(w)
	return f != nil && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// isUTF8 reports whether the user's locale uses UTF-8.
func isUTF8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} { // the first one that is set has precedence
		if v := strings.ToLower(os.Getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

// New returns the progress of a run. isTerminal says whether w supports control
// characters: see IsTerminal. Colours are off if the environment variable NO_COLOR
// is set.
func New(w io.Writer, isTerminal bool, l lang.Language, epochs, samplesPerEpoch int) *Progress {
	p := &Progress{
		epochs:  epochs,
		samples: samplesPerEpoch,
		lang:    l,
		bar:     isTerminal && os.Getenv("TERM") != "dumb",
		color:   os.Getenv("NO_COLOR") == "",
		unicode: isUTF8(),
		width:   func() int { return 80 },
		now:     time.Now,
		out:     w,
	}
	if f := fileOf(w); f != nil {
		p.width = func() int {
			columns, _, err := term.GetSize(int(f.Fd()))
			if err != nil || columns < 1 {
				return 80
			}
			return columns
		}
	}
	return p
}

// Advance reports that done samples of an epoch are done. Epochs are counted from
// 1. A call that does not draw the bar takes well under a microsecond.
func (p *Progress) Advance(epoch, done int) {
	if !p.bar {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if p.meter.start.IsZero() {
		p.meter.begin(now, (epoch-1)*p.samples+done)
	}
	if now.Sub(p.last) < redrawEvery {
		return
	}
	p.last = now
	total := (epoch-1)*p.samples + done
	p.meter.add(now, total)
	fraction := min(float64(total)/max(float64(p.epochs*p.samples), 1), 1)
	left := p.meter.left(now, p.epochs*p.samples)
	// The escape sequence clears the line after the new text.
	p.draw("\r" + p.barLine(epoch, fraction, p.meter.rate, left) + "\x1b[K")
	p.drawn = true
}

// Epoch prints the line of a finished epoch.
func (p *Progress) Epoch(line EpochLine) {
	columns := math.MaxInt
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar {
		columns = p.width() - 1
	}
	lines := []string{line.format(p.epochs, columns)}
	if p.lang == lang.Chinese {
		lines = line.listing(columns)
	}
	text := p.clear()
	for _, s := range lines {
		if p.bar && p.color && line.Best {
			s = "\x1b[1m" + s + "\x1b[0m" // bold
		}
		text += s + "\n"
	}
	p.write(text)
	p.last = time.Time{} // draw the bar again at the next Advance
}

// Print prints a message on its own line. s must not end with a newline.
func (p *Progress) Print(s string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write(p.clear() + s + "\n")
	p.last = time.Time{}
}

// Close removes the bar.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write(p.clear())
}

// clear returns the text that removes the bar.
func (p *Progress) clear() string {
	if !p.drawn {
		return ""
	}
	p.drawn = false
	return "\r\x1b[K"
}

func (p *Progress) write(s string) {
	if p.failed || s == "" {
		return
	}
	_, err := io.WriteString(p.out, s)
	p.failed = err != nil
}

// draw is write for the bar.
func (p *Progress) draw(s string) {
	q, ok := p.out.(*Queue)
	if !ok {
		p.write(s)
		return
	}
	if !p.failed {
		p.failed = q.Draw(s) != nil
	}
}

// barLine returns the bottom line. It is at least one column narrower than the
// terminal.
func (p *Progress) barLine(epoch int, fraction, rate float64, left time.Duration) string {
	head := epochOf(epoch, p.epochs, p.lang) + " "
	tail := fmt.Sprintf(" %3.0f %%", math.Floor(100*fraction))
	if rate > 0 {
		tail += "  " + formatRate(rate, p.lang)
	}
	if left >= 0 {
		tail += "  " + leftText.Format(p.lang, formatLeft(left, p.lang))
	}
	columns := p.width() - 1
	const tailRoom = 40 // for the longest tail, so that the bar keeps its length
	size := min(columns-terminal.Columns(head)-tailRoom, 40)
	if size < 5 {
		return truncate(head+strings.TrimSpace(tail), columns)
	}
	done := int(fraction*float64(size) + 0.5)
	line, rest := "=", " "
	if p.unicode {
		line = "━"
	}
	if p.color {
		rest = line
	}
	line, rest = strings.Repeat(line, done), strings.Repeat(rest, size-done)
	if p.color {
		line, rest = "\x1b[32m"+line, "\x1b[90m"+rest+"\x1b[0m"
	}
	return head + line + rest + tail
}

func epochOf(epoch, epochs int, l lang.Language) string {
	return epochText.Format(l, len(strconv.Itoa(epochs)), epoch, epochs)
}

// listing returns the lines of an epoch as the textbook's listing prints them, each
// with at most the given number of columns.
func (l EpochLine) listing(columns int) []string {
	first := fmt.Sprintf(listing.epoch, l.Epoch)
	if l.Note != "" {
		first += " " + l.Note
	}
	lines := []string{first, fmt.Sprintf(listing.train, l.TrainAccuracy)}
	if v := l.Validation; v != nil {
		lines = append(lines, fmt.Sprintf(listing.validation, v.Accuracy))
	}
	lines = append(lines, fmt.Sprintf(listing.test, l.TestAccuracy))
	for i := range lines {
		lines[i] = truncate(lines[i], columns)
	}
	return lines
}

// format returns the line of an epoch, with at most the given number of columns. If
// the whole line does not fit, it omits the least important parts.
func (l EpochLine) format(epochs, columns int) string {
	type part struct {
		text  string
		worth int
	}
	validation, test := part{}, part{fmt.Sprintf("test cost %.4f acc %.4f", l.TestCost, l.TestAccuracy), 5}
	if v := l.Validation; v != nil {
		validation = part{fmt.Sprintf("validation cost %.4f acc %.4f", v.Cost, v.Accuracy), 5}
		test.worth = 3
	}
	parts := []part{
		{epochOf(l.Epoch, epochs, lang.English), 6},
		{l.Note, 5},
		{fmt.Sprintf("rate %-7.4g", l.Rate), 2},
		{fmt.Sprintf("train cost %.4f acc %.4f", l.TrainCost, l.TrainAccuracy), 4},
		validation,
		test,
		{formatRate(l.SamplesPerSecond, lang.English), 1},
		{fmt.Sprintf("%.2f s", l.Seconds), 3},
	}
	for least := 1; ; least++ {
		var kept []string
		for _, p := range parts {
			if p.worth >= least && p.text != "" {
				kept = append(kept, p.text)
			}
		}
		s := strings.Join(kept, "  ")
		if len(s) <= columns || len(kept) == 1 { // all parts are ASCII, so len(s) is the number of columns
			return truncate(s, columns)
		}
	}
}

// formatRate formats a number of samples per second with three digits:
// "1.02 M samples/s".
func formatRate(rate float64, l lang.Language) string {
	unit := samplesText.In(l)
	switch {
	case rate >= 999_500:
		rate, unit = rate/1e6, " M"+unit
	case rate >= 999.5:
		rate, unit = rate/1e3, " k"+unit
	}
	decimals := 0
	switch {
	case rate < 9.995:
		decimals = 2
	case rate < 99.95:
		decimals = 1
	}
	return fmt.Sprintf("%4.*f", decimals, rate) + unit
}

// formatLeft formats an estimated time, with few digits.
func formatLeft(d time.Duration, l lang.Language) string {
	switch s := d.Seconds(); {
	case s < 9.95:
		return secondsText.Format(l, 1, s)
	case s < 99.5:
		return secondsText.Format(l, 0, s)
	case s < 99.5*60:
		return minutesText.Format(l, s/60)
	default:
		return hoursText.Format(l, s/3600)
	}
}

// truncate cuts s to at most the given number of columns.
func truncate(s string, columns int) string {
	used := 0
	for i, r := range s {
		if used += terminal.Columns(string(r)); used > columns {
			return s[:i]
		}
	}
	return s
}
