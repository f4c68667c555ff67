package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/machines"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/report"
	"trainer/train/serve"
	"trainer/train/terminal"
)

// pageAddress is where the page is, if the user does not say.
const pageAddress = "127.0.0.1:7840"

// The lines of a page.
var (
	pageLine = lang.Text{En: "the page is at %s", Zh: "页面地址：%s"}
	pageStop = lang.Text{En: "Ctrl-C ends it", Zh: "按 Ctrl-C 结束"}
	pageStay = lang.Text{En: "the page stays at %s until Ctrl-C", Zh: "页面仍在 %s，按 Ctrl-C 结束"}
	pageOpen = lang.Text{
		En: "warning: %s is not this computer only: everybody who reaches it can use the page",
		Zh: "警告：%s 不限于本机，能访问它的人都可以使用本页面",
	}
	pageNoSamples = lang.Text{En: "note: the page has no test images: %s", Zh: "提示：页面没有测试图片：%s"}
)

// serveCommand shows a trained model on a page for the browser, until a signal ends
// it.
func serveCommand(args []string, stdout, stderr io.Writer) (err error) {
	f := flag.NewFlagSet("serve", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	path := f.String("model", "", modelUsage)
	listen := f.String("listen", pageAddress, "the `address` of the page: HOST:PORT, or a port of this computer; port 0 is a free one")
	var pictures pictureFlags
	f.StringVar(&pictures.size, "size", "", "`ROWSxCOLS` of the network's input; without it, that of the data set, or a square")
	if err := parseFlags(f, args, stdout); err != nil {
		return err
	}
	if *path == "" {
		return usageError("serve: no model: give a run folder or a safetensors file")
	}
	at, err := parseAddress(*listen)
	if err != nil {
		return usageError("serve: -listen " + err.Error())
	}
	c, m, err := flags.readModel(*path, stderr)
	if err != nil {
		return err
	}
	words := c.Language(os.Getenv)
	ctx, stop := untilSignal(func(os.Signal) {})
	defer stop()
	options := pageOptions(c)
	options.Name = filepath.Base(filepath.Clean(*path))
	options.NewMachine = func() (vm.VM, error) {
		machine, _, err := newMachine(c)
		return machine, err
	}
	var samples error
	if options.Samples, samples = pageSamples(ctx, c); samples != nil && ctx.Err() == nil {
		note := terminal.Shorten(terminal.Line(samples.Error()), 300)
		_, _ = fmt.Fprintln(stderr, pageNoSamples.Format(words, note))
	}
	if err := shape(&options, pictures, options.Samples); err != nil {
		return err
	}
	l, err := listenAt(at, !isGiven(f, "listen"))
	if err != nil {
		return err
	}
	options.Hosts = []string{at.host}
	page, err := serve.New(options)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer func() { err = errors.Join(err, page.Close()) }()
	if err := page.SetParameters(m.Parameters); err != nil {
		return errors.Join(err, l.Close())
	}
	if m.Config != "" {
		page.SetReport(reportOf(ctx, func() (report.Source, error) {
			d, _, err := data.Open(ctx, here(c))
			return reportSource(filepath.Dir(m.File), c, m, d, err), nil
		}))
	}
	if isOpen(l) {
		_, _ = fmt.Fprintln(stderr, pageOpen.Format(words, l.Addr()))
	}
	_, _ = fmt.Fprintf(stdout, "%s (%s)\n", pageLine.Format(words, pageURL(l, at)), pageStop.In(words))
	return page.Serve(ctx, l) // a signal is its usual end
}

// pageLanguage returns the language that the configuration chooses; nil: the browser's.
func pageLanguage(c config.Config) *lang.Language {
	if c.Lang == "auto" {
		return nil
	}
	l := c.Language(os.Getenv)
	return &l
}

// pageOptions returns what a configuration says about the page of its network.
func pageOptions(c config.Config) serve.Options {
	n := c.Network()
	return serve.Options{
		Language: pageLanguage(c), Network: n, Classes: c.Data.Classes, Rate: c.Train.Rate.Initial, Seed: c.Seed,
		Scale:  data.Scale{Inputs: c.Data.Inputs.Range(), Targets: c.Data.Targets.Range()},
		Digits: serve.AreDigits(n.Outputs(), c.Data.Classes),
	}
}

// pageSamples opens the test set of a configuration, if it is here: nothing is
// downloaded for it.
func pageSamples(ctx context.Context, c config.Config) (*data.Set, error) {
	const most = 1000 // built-in digits
	spec := here(c)
	spec.TestOnly, spec.Test = true, most
	d, _, err := data.Open(ctx, spec)
	if err == nil {
		err = vm.CheckSet(d.Test, c.Network())
	}
	if err != nil {
		return nil, err
	}
	return d.Test, nil
}

// here returns what a configuration says about its data set, which is not downloaded.
func here(c config.Config) data.Spec {
	spec := datasetSpec(c, io.Discard)
	spec.Classes, spec.Offline, spec.Fallback = c.Network().Outputs(), true, false
	return spec
}

// reportOf makes the report of a run when the page is first asked for it.
func reportOf(ctx context.Context, source func() (report.Source, error)) serve.Report {
	gather := sync.OnceValues(func() (*report.Data, error) {
		s, err := source()
		if err != nil {
			return nil, err
		}
		return report.Gather(ctx, s)
	})
	return func(w io.Writer, l lang.Language) error {
		d, err := gather()
		if err != nil {
			return err
		}
		return d.HTML(w, l)
	}
}

// leastSide is the least height and width of an image that shows anything.
const leastSide = 3

// shape sets the size of the images: that of the flag, of the samples, or a square.
// Samples of another size are left out.
func shape(o *serve.Options, pictures pictureFlags, samples *data.Set) error {
	inputs := o.Network.Inputs()
	if samples != nil && samples.Inputs() == inputs && pictures.size == "" {
		pictures.size = fmt.Sprintf("%dx%d", samples.Rows, samples.Cols)
	}
	size, err := pictures.options(inputs)
	if err != nil {
		return err
	}
	if min(size.Rows, size.Cols) < leastSide {
		return usageError(fmt.Sprintf("the network sees %d×%d pixels, and the page needs images, of %d pixels or more in height and width: "+
			"for rows of numbers there is trainer predict -data", size.Rows, size.Cols, leastSide))
	}
	o.Rows, o.Cols, o.Samples = size.Rows, size.Cols, samples
	if samples != nil && (samples.Rows != o.Rows || samples.Cols != o.Cols) {
		o.Samples = nil
	}
	return nil
}

// address is where to listen.
type address struct{ host, port string }

func (a address) String() string { return net.JoinHostPort(a.host, a.port) }

// parseAddress reads HOST:PORT, or PORT of this computer.
func parseAddress(text string) (address, error) {
	host, port, err := net.SplitHostPort(text)
	if !strings.Contains(text, ":") {
		host, port, err = "127.0.0.1", text, nil
	}
	if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 0 || n > 65535 {
		return address{}, fmt.Errorf("%q: want HOST:PORT or PORT, such as %s", text, pageAddress)
	}
	return address{host, port}, nil
}

// listenAt listens at an address; if its port is in use and another will do, at a free
// one.
func listenAt(a address, another bool) (net.Listener, error) {
	l, err := net.Listen("tcp", a.String())
	if err != nil && another && errors.Is(err, syscall.EADDRINUSE) {
		l, err = net.Listen("tcp", address{a.host, "0"}.String())
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w: choose another port, or 0 for a free one", err)
	}
	return l, err
}

// isOpen reports whether others than this computer reach a listener.
func isOpen(l net.Listener) bool {
	a, ok := l.Addr().(*net.TCPAddr)
	return !ok || !a.IP.IsLoopback()
}

// pageURL returns where the page of a listener is. Where it listens on all addresses,
// that is the computer's first one that others reach.
func pageURL(l net.Listener, a address) string {
	host := a.host
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if bound, ok := l.Addr().(*net.TCPAddr); ok && bound.IP.IsUnspecified() {
		host = cmp.Or(outside(), "localhost")
	}
	return "http://" + net.JoinHostPort(host, port) + "/"
}

// outside returns an address of this computer that others reach, or "".
func outside() string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	i := slices.IndexFunc(all, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.IsGlobalUnicast()
	})
	if i < 0 {
		return ""
	}
	return all[i].(*net.IPNet).IP.String()
}

// pageFlag is the value of -serve of the command train: it may stand without an
// address.
type pageFlag struct{ at *address }

// String implements flag.Value.
func (p *pageFlag) String() string {
	if p.at == nil {
		return ""
	}
	return p.at.String()
}

// Set implements flag.Value.
func (p *pageFlag) Set(text string) error {
	switch text {
	case "true": // without an address
		text = pageAddress
	case "false":
		p.at = nil
		return nil
	}
	a, err := parseAddress(text)
	p.at = &a
	return err
}

// IsBoolFlag tells package flag that the value may be missing.
func (p *pageFlag) IsBoolFlag() bool { return true }

// watched is the page of a training (train -serve). The methods of nil, for a training
// without one, do nothing.
type watched struct {
	at       address
	listener net.Listener
	live     *serve.Live
	page     *serve.Page // nil: it was not started
	stop     context.CancelFunc
	ended    chan error
}

// watchedAt listens for the page of a training, so that a wrong address is known before
// there is a run folder; nil for no page.
func watchedAt(p pageFlag) (*watched, error) {
	if p.at == nil {
		return nil, nil
	}
	l, err := listenAt(*p.at, p.at.String() == pageAddress)
	if err != nil {
		return nil, err
	}
	return &watched{at: *p.at, listener: l}, nil
}

// attach starts the page, and has it told of the session.
func (w *watched) attach(s *train.Session, say func(text lang.Text, args ...any)) error {
	if w == nil {
		return nil
	}
	c, d := s.Config, s.Dataset
	options := pageOptions(c)
	// On the CPU: the training has the other device.
	mine := machineOptions(c)
	mine.Device, mine.Kind, mine.Cores, mine.Runs, mine.Batch = machines.CPU, machines.Compiled, 1, 1, 1
	options.NewMachine = func() (vm.VM, error) {
		m, _, err := machines.Open(c.Network(), mine)
		return m, err
	}
	w.live = serve.NewLive(c.Train.Epochs, d.Train.Len(), s.Fleet.Len())
	options.Name, options.Live, options.Hosts = c.Name, w.live, []string{w.at.host}
	if err := shape(&options, pictureFlags{}, d.Test); err != nil {
		return err
	}
	page, err := serve.New(options)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	w.page, w.stop, w.ended = page, stop, make(chan error, 1)
	go func() { w.ended <- page.Serve(ctx, w.listener) }()
	s.Watch = watchers{s.Watch, w.live}
	s.Parameters = func(p model.Parameters) {
		_ = page.SetParameters(p) // an error of the page is no error of the training
	}
	if isOpen(w.listener) {
		say(pageOpen, w.listener.Addr())
	}
	say(pageLine, pageURL(w.listener, w.at))
	return nil
}

// report gives the page the report of a session that is over.
func (w *watched) report(s *train.Session) {
	if w == nil || w.page == nil {
		return
	}
	w.page.SetReport(reportOf(context.Background(), func() (report.Source, error) {
		folder, _ := s.Dir.Where()
		m, err := train.OpenModel(folder)
		return reportSource(folder, s.Config, m, s.Dataset, nil), err
	}))
}

// finish ends the page after the training, which returned err: after one that was done,
// when a signal comes.
func (w *watched) finish(err error, l lang.Language, stdout io.Writer) error {
	if w == nil {
		return err
	}
	if w.page == nil {
		_ = w.listener.Close() // nothing was written to it
		return err
	}
	w.live.End(err, errors.As(err, new(signalError)))
	if err == nil {
		ctx, stop := untilSignal(func(os.Signal) {})
		defer stop()
		_, _ = fmt.Fprintln(stdout, pageStay.Format(l, pageURL(w.listener, w.at)))
		select {
		case <-ctx.Done():
		case broken := <-w.ended:
			w.ended <- broken
		}
	}
	w.stop()
	return errors.Join(err, <-w.ended, w.page.Close())
}

// watchers tells several watchers.
type watchers []train.Watcher

// Batch implements train.Watcher.
func (w watchers) Batch(epoch, done int) {
	for _, each := range w {
		each.Batch(epoch, done)
	}
}

// Epoch implements train.Watcher.
func (w watchers) Epoch(runs []train.RunMetrics, top int, best bool) {
	for _, each := range w {
		each.Epoch(runs, top, best)
	}
}
