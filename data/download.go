package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"trainer/data/files"
)

// DefaultMirrors returns the folders on the web from which MNIST is downloaded.
func DefaultMirrors() []string {
	return []string{
		"https://storage.googleapis.com/cvdf-datasets/mnist/",
		"https://ossci-datasets.s3.amazonaws.com/mnist/",
	}
}

// Progress is the state of a download.
type Progress struct {
	File   string // the file's name
	Number int    // 1 to Files
	Files  int
	Mirror string // host that it comes from
	Done   int64  // bytes of the file so far
	Total  int64  // bytes of the file, 0 if the mirror does not say
	Err    error  // not nil: why this mirror is asked again or left for the next
}

// String returns the progress as one line without its end.
func (p Progress) String() string {
	const mb = 1e6
	head := fmt.Sprintf("MNIST file %d of %d: %s from %s: ", p.Number, p.Files, p.File, p.Mirror)
	switch {
	case p.Err != nil:
		return head + p.Err.Error()
	case p.Total > 0:
		return fmt.Sprintf("%s%.1f of %.1f MB", head, float64(p.Done)/mb, float64(p.Total)/mb)
	default:
		return fmt.Sprintf("%s%.1f MB", head, float64(p.Done)/mb)
	}
}

// tries is how often a mirror is asked for a file when it fails in a way that
// may pass.
const tries = 2

var (
	errStalled = errors.New("no bytes came for too long (stalled)")
	errSlow    = errors.New("took too long")
)

// download brings the four files into dir, unpacked, and returns their paths and
// the mirror that the last one came from. A file that is there and whole is
// kept; then the mirror may be empty.
func (f *Finder) download(ctx context.Context, dir string) (have found, mirror string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return found{}, "", fmt.Errorf("cannot keep a download: %w", err)
	}
	if err := files.Sweep(dir); err != nil { // what killed downloads left
		return found{}, "", fmt.Errorf("cannot keep a download: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, f.timeout(), errSlow)
	defer cancel()

	var paths [4]string
	mirrors := append([]string(nil), f.mirrors()...)
	for i, file := range f.truth() {
		old, _ := pick(dir, file.want) // what is broken is replaced
		if old != "" && wholeFile(old, file) {
			paths[i] = old
			continue
		}
		last, err := f.fromMirrors(ctx, mirrors, dir, i)
		if err != nil {
			return found{}, "", err
		}
		// The mirror that works is the first to be asked for the next file.
		mirror = mirrors[last]
		mirrors[0], mirrors[last] = mirrors[last], mirrors[0]
		paths[i] = filepath.Join(dir, file.name)
		if old != "" && old != paths[i] {
			_ = os.Remove(old) // damaged, and now replaced
		}
	}
	return found{dir: dir, format: IDX,
		train: pair{paths[trainImages], paths[trainLabels]},
		test:  pair{paths[testImages], paths[testLabels]}}, mirror, nil
}

// wholeFile tells whether the unpacked bytes of the file at path are file's.
func wholeFile(path string, file mnistFile) bool {
	in, err := openInput("mnist", path)
	if err != nil {
		return false
	}
	defer in.close()
	return copyVerified(io.Discard, in, file) == nil
}

// copyVerified writes the unpacked bytes of in, and fails if they are not
// file's. It reads at most one byte more than file has.
func copyVerified(w io.Writer, in *input, file mnistFile) error {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), io.LimitReader(in, file.size+1))
	if err != nil {
		return err
	}
	if in.html {
		return errors.New("a web page came instead of the file (a proxy or a log-in page?)")
	}
	if n < file.size {
		return fmt.Errorf("wrong file: %d bytes unpacked, want %d", n, file.size)
	}
	if n > file.size {
		return fmt.Errorf("wrong file: more than the %d bytes wanted", file.size)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != file.sum {
		return fmt.Errorf("wrong file: SHA-256 of the unpacked bytes is %s, want %s", got, file.sum)
	}
	return nil
}

// fromMirrors downloads file number i from the first mirror that gives it, and
// returns that mirror's index.
func (f *Finder) fromMirrors(ctx context.Context, mirrors []string, dir string, i int) (int, error) {
	var failed []error
	for m, mirror := range mirrors {
		for try := 1; ; try++ {
			again, err := f.fetch(ctx, mirror, dir, i, f.timeout()/time.Duration(len(mirrors)))
			if err == nil {
				return m, nil
			}
			if ctx.Err() != nil {
				return 0, fmt.Errorf("download of %s: %w", f.truth()[i].name, context.Cause(ctx))
			}
			if isLocal(err) {
				return 0, fmt.Errorf("cannot keep a download: %w", err)
			}
			f.report(i, mirror, Progress{Err: err})
			if !again || try == tries {
				failed = append(failed, fmt.Errorf("%s%s.gz: %w", mirror, f.truth()[i].name, err))
				break
			}
			select {
			case <-ctx.Done():
			case <-time.After(f.backoff()):
			}
		}
	}
	return 0, errors.Join(failed...)
}

// fetch downloads file number i from a mirror into dir, within limit. again
// tells whether another try at the same mirror may help.
func (f *Finder) fetch(ctx context.Context, mirror, dir string, i int, limit time.Duration) (again bool, err error) {
	file := f.truth()[i]
	outer := ctx
	ctx, stop := context.WithTimeoutCause(ctx, limit, errSlow)
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(f.stall(), func() { cancel(errStalled) })
	defer watch.Stop()
	// What ended the request is more telling than how the request says it.
	defer func() {
		if err != nil && ctx.Err() != nil && outer.Err() == nil {
			again, err = false, context.Cause(ctx)
		}
	}()

	address := mirror + file.name + ".gz"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false, err
	}
	req.Header.Set("User-Agent", "trainer")
	resp, err := f.client().Do(req)
	if err != nil {
		var u *url.Error // its text repeats the address
		if errors.As(err, &u) {
			err = u.Err
		}
		// What cannot be reached now is not worth waiting for.
		var op *net.OpError
		return !errors.As(err, &op) || op.Op != "dial", err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		again := resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests
		return again, fmt.Errorf("the mirror answered %s", resp.Status)
	}

	body := &meter{
		r:    io.LimitReader(resp.Body, file.size+1<<20), // packed, it is smaller
		tick: func() { watch.Reset(f.stall()) },
		show: func(done int64) { f.report(i, mirror, Progress{Done: done, Total: max(resp.ContentLength, 0)}) },
	}
	in, err := newInput("", "", body, file.size)
	if err == nil {
		err = files.Write(filepath.Join(dir, file.name), func(w io.Writer) error { return copyVerified(w, in, file) })
	}
	if err == nil {
		body.show(body.done)
	}
	return body.failed, err
}

// meter counts the bytes of a download.
type meter struct {
	r      io.Reader
	tick   func()           // something came
	show   func(done int64) // called ten times a second at most
	done   int64
	shown  time.Time
	failed bool // reading failed, so the connection is at fault, not the bytes
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if n > 0 {
		m.done += int64(n)
		m.tick()
		if now := time.Now(); now.Sub(m.shown) >= 100*time.Millisecond {
			m.shown = now
			m.show(m.done)
		}
	}
	m.failed = err != nil && err != io.EOF
	return n, err
}

// report completes p and hands it to the user's callback.
func (f *Finder) report(i int, mirror string, p Progress) {
	if f.Progress == nil {
		return
	}
	p.File, p.Number, p.Files = f.truth()[i].name, i+1, len(f.truth())
	p.Mirror = mirror
	if u, err := url.Parse(mirror); err == nil && u.Host != "" {
		p.Mirror = u.Host
	}
	f.Progress(p)
}

// mirrors returns at least one mirror, each ending in a slash.
func (f *Finder) mirrors() []string {
	if len(f.Mirrors) == 0 {
		return DefaultMirrors()
	}
	m := make([]string, len(f.Mirrors))
	for i, s := range f.Mirrors {
		m[i] = strings.TrimSuffix(s, "/") + "/"
	}
	return m
}

func (f *Finder) client() *http.Client {
	if f.Client != nil {
		return f.Client
	}
	return defaultClient
}

// defaultClient asks the usual proxies, and soon finds out that there is no
// network. Once connected, Stall and Timeout are the limits.
var defaultClient = &http.Client{Transport: &http.Transport{
	Proxy:               http.ProxyFromEnvironment,
	DialContext:         (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
	TLSHandshakeTimeout: 5 * time.Second,
	ForceAttemptHTTP2:   true,
	IdleConnTimeout:     10 * time.Second,
	DisableCompression:  true, // the bytes as the mirror keeps them
}}

func (f *Finder) timeout() time.Duration { return orElse(f.Timeout, 10*time.Minute) }
func (f *Finder) stall() time.Duration   { return orElse(f.Stall, 15*time.Second) }
func (f *Finder) backoff() time.Duration { return orElse(f.Backoff, 300*time.Millisecond) }

func orElse(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}
