package data

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"trainer/data/files"
)

// world is a small stand-in for MNIST, and a machine to look for it on.
type world struct {
	*Finder
	d     *Dataset
	raw   [4][]byte // the files, unpacked
	local string    // ./data/mnist
	cache string    // the cache folder of the program
	env   string    // $TRAINER_DATA
}

func newWorld(t *testing.T, mirrors ...string) *world {
	t.Helper()
	root := t.TempDir()
	w := &world{d: testDataset(), local: filepath.Join(root, "data", "mnist"),
		cache: filepath.Join(root, "cache", "trainer", "mnist")}
	w.raw[trainImages], w.raw[trainLabels] = idxBytes(t, w.d.Train)
	w.raw[testImages], w.raw[testLabels] = idxBytes(t, w.d.Test)
	files := mnistFiles
	for i := range files {
		files[i].size, files[i].sum = int64(len(w.raw[i])), sum(w.raw[i])
	}
	w.Finder = &Finder{
		Mirrors: mirrors, Offline: len(mirrors) == 0,
		Timeout: 20 * time.Second, Stall: 10 * time.Second, Backoff: time.Millisecond,
		Getenv: func(name string) string {
			if name == EnvDir {
				return w.env
			}
			return ""
		},
		CacheDir: func() (string, error) { return filepath.Join(root, "cache"), nil },
		LocalDir: w.local,
		files:    &files,
	}
	return w
}

// folder makes dir and writes the stand-in into it.
func (w *world) folder(t *testing.T, dir string) string {
	t.Helper()
	if err := WriteIDX(dir, w.d); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (w *world) requireFound(t *testing.T, source string) {
	t.Helper()
	got, err := w.MNIST(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	requireSame(t, got.Train, w.d.Train)
	requireSame(t, got.Test, w.d.Test)
	if got.Name != "MNIST" || got.Train.Name != "MNIST train" || got.Test.Name != "MNIST test" {
		t.Errorf("names %q, %q, %q", got.Name, got.Train.Name, got.Test.Name)
	}
	if got.Source != source {
		t.Errorf("source %q, want %q", got.Source, source)
	}
}

// The places are asked in their order.
func TestMNISTPlaces(t *testing.T) {
	w := newWorld(t)
	w.folder(t, w.cache)
	w.requireFound(t, w.cache)
	w.folder(t, w.local)
	w.requireFound(t, w.local)
	w.env = w.folder(t, filepath.Join(t.TempDir(), "env"))
	w.requireFound(t, w.env)
	w.Dir = w.folder(t, filepath.Join(t.TempDir(), "dir"))
	w.requireFound(t, w.Dir)
}

// A folder that the user named is the only one that counts.
func TestMNISTNamedFolderWithoutIt(t *testing.T) {
	w := newWorld(t)
	w.folder(t, w.cache)
	w.env = t.TempDir()
	_, err := w.MNIST(context.Background())
	requireError(t, err, "mnist: TRAINER_DATA names a folder without MNIST: data: "+w.env, "the folder is empty")
	if errors.Is(err, ErrUnavailable) {
		t.Error("the error lets the built-in digits take the place of a folder that was named")
	}
	w.Dir = filepath.Join(w.env, "no")
	_, err = w.MNIST(context.Background())
	requireError(t, err, "mnist: data.dir names a folder without MNIST: data: "+w.Dir, "does not exist")
}

func TestMNISTFormats(t *testing.T) {
	for _, packed := range []bool{false, true} {
		w := newWorld(t)
		w.Dir = t.TempDir()
		putCSV(t, w.Dir, w.d, packed)
		w.requireFound(t, w.Dir)
	}
}

// TestSumsOfMNIST: the sums that verified the files are not those of what was made of them.
func TestSumsOfMNIST(t *testing.T) {
	w := newWorld(t)
	w.Dir = w.folder(t, filepath.Join(t.TempDir(), "dir"))
	for _, s := range []Spec{{}, {Transpose: true}, {Validation: 0.2}, {Validation: 0.2, Transpose: true}} {
		s.Dir = w.Dir
		d, _, err := s.open(t.Context(), w.Finder)
		if err != nil {
			t.Fatal(err)
		}
		sets := []*Set{d.Train, d.Test, d.Train.Slice(0, 1)}
		if d.Validation != nil {
			sets = append(sets, d.Validation)
		}
		for i, set := range sets {
			if got, _ := set.Sums(); got != sum(set.imagesHeader(), set.Pixels) {
				t.Errorf("%+v: set %d: the sum %s is of other images", s, i, got)
			}
		}
		if plain := s.Validation == 0 && !s.Transpose; plain != (d.Train.imagesSum != "") {
			t.Errorf("%+v: the sum is known: %t", s, !plain)
		}
	}
}

// What is not MNIST is not called MNIST.
func TestMNISTVerifies(t *testing.T) {
	for name, spoil := range map[string]func(d *Dataset) (file string){
		"a pixel":        func(d *Dataset) string { d.Train.Pixels[7]++; return trainImagesIDX },
		"a label":        func(d *Dataset) string { d.Train.Labels[7] = (d.Train.Labels[7] + 1) % 10; return trainLabelsIDX },
		"a test pixel":   func(d *Dataset) string { d.Test.Pixels[7]++; return testImagesIDX },
		"a test label":   func(d *Dataset) string { d.Test.Labels[4] = (d.Test.Labels[4] + 1) % 10; return testLabelsIDX },
		"fewer images":   func(d *Dataset) string { d.Train = d.Train.Slice(0, 11); return trainImagesIDX },
		"another format": func(d *Dataset) string { d.Test.Pixels[7]++; return testImagesIDX },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			d := testDataset()
			file := spoil(d)
			w.Dir = t.TempDir()
			path := filepath.Join(w.Dir, file)
			if name == "another format" {
				putCSV(t, w.Dir, d, false)
				path = filepath.Join(w.Dir, "mnist_test.csv")
			} else if err := WriteIDX(w.Dir, d); err != nil {
				t.Fatal(err)
			}
			_, err := w.MNIST(context.Background())
			requireError(t, err, "mnist: "+path+": these are not MNIST's ", "SHA-256 of "+file+" (unpacked IDX) is ",
				", want ", "set data.dataset to files")
		})
	}
}

// good serves the packed files.
func (w *world) good(t *testing.T) http.Handler {
	t.Helper()
	files := map[string][]byte{}
	for i, f := range mnistFiles {
		files["/"+f.name+".gz"] = gz(t, w.raw[i])
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(rw, r)
			return
		}
		rw.Header().Set("Content-Length", fmt.Sprint(len(b)))
		_, _ = rw.Write(b)
	})
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

var fourNames = []string{testImagesIDX, testLabelsIDX, trainImagesIDX, trainLabelsIDX}

func TestMNISTDownload(t *testing.T) {
	w := newWorld(t)
	mirror := serve(t, w.good(t))
	w.Mirrors, w.Offline = []string{mirror}, false // no slash at its end
	var last []string
	w.Progress = func(p Progress) {
		if p.Done > 0 && p.Done == p.Total {
			last = append(last, p.String())
		}
	}
	w.requireFound(t, w.cache+" (downloaded from "+mirror+"/)")
	if got := names(w.cache); !slices.Equal(got, fourNames) {
		t.Errorf("the cache holds %q", got)
	}
	for i, f := range mnistFiles {
		if b, err := os.ReadFile(filepath.Join(w.cache, f.name)); err != nil || string(b) != string(w.raw[i]) {
			t.Errorf("%s is not what the mirror has (%v)", f.name, err)
		}
	}
	host := strings.TrimPrefix(mirror, "http://")
	if len(last) == 0 || last[0] != "MNIST file 1 of 4: train-images-idx3-ubyte from "+host+": 0.0 of 0.0 MB" {
		t.Errorf("progress %q", last)
	}
	// From now on it is there.
	w.Offline = true
	w.requireFound(t, w.cache)
}

// A mirror with any fault is left for the next, and nothing partial stays.
func TestMNISTDownloadFaults(t *testing.T) {
	status := func(code int) func(*world) http.Handler {
		return func(*world) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(code) })
		}
	}
	body := func(b func(w *world, i int) []byte) func(*world) http.Handler {
		return func(w *world) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				i := slices.IndexFunc(mnistFiles[:], func(f mnistFile) bool { return "/"+f.name+".gz" == r.URL.Path })
				_, _ = rw.Write(b(w, i))
			})
		}
	}
	for name, c := range map[string]struct {
		mirror func(*world) http.Handler
		want   string // in the error where there is no other mirror
	}{
		"403": {status(403), "the mirror answered 403 Forbidden"},
		"404": {status(404), "the mirror answered 404 Not Found"},
		"500": {status(500), "the mirror answered 500 Internal Server Error"},
		"a web page": {body(func(*world, int) []byte { return []byte("<!DOCTYPE html><title>Log in</title>") }),
			"a web page came instead of the file"},
		"nothing":    {body(func(*world, int) []byte { return nil }), "wrong file: 0 bytes unpacked, want 124"},
		"cut gzip":   {body(func(w *world, i int) []byte { b := gz(t, w.raw[i]); return b[:len(b)-20] }), "the file is cut off"},
		"cut file":   {body(func(w *world, i int) []byte { return gz(t, w.raw[i][1:]) }), "wrong file: 123 bytes unpacked, want 124"},
		"longer":     {body(func(w *world, i int) []byte { return gz(t, append(slices.Clone(w.raw[i]), 0)) }), "wrong file: more than the 124 bytes"},
		"a bomb":     {body(func(*world, int) []byte { return gz(t, make([]byte, 10<<20)) }), "wrong file: more than the 124 bytes"},
		"wrong file": {body(func(w *world, i int) []byte { b := slices.Clone(w.raw[i]); b[len(b)-1]++; return gz(t, b) }), "wrong file: SHA-256"},
		"damaged": {body(func(w *world, i int) []byte { b := gz(t, w.raw[i]); b[10] = 0x07; return b }),
			"gzip: the file is damaged"},
		"silence": {func(*world) http.Handler {
			return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		}, "no bytes came for too long (stalled)"},
		"stall": {func(w *world) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				_, _ = rw.Write(gz(t, w.raw[0])[:30])
				_ = http.NewResponseController(rw).Flush()
				<-r.Context().Done()
			})
		}, "no bytes came for too long (stalled)"},
		"cut connection": {func(*world) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Length", "1000")
				_, _ = rw.Write([]byte{0x1f, 0x8b})
			})
		}, "unexpected EOF"},
		"a redirect without end": {func(*world) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, r.URL.Path, http.StatusFound) })
		}, "stopped after 10 redirects"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			bad, good := serve(t, c.mirror(w)), serve(t, w.good(t))
			w.Offline = false
			if strings.Contains(c.want, "stalled") {
				w.Stall = time.Second
			}

			w.Mirrors = []string{bad}
			_, err := w.MNIST(context.Background())
			requireError(t, err, c.want, bad+"/train-images-idx3-ubyte.gz", "to get it by hand, download these four files",
				w.local, w.cache, "TRAINER_DATA", "data.fallback")
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("error %v does not wrap ErrUnavailable", err)
			}
			if got := names(w.cache); len(got) > 0 {
				t.Errorf("left behind: %q", got)
			}

			var left atomic.Bool
			w.Progress = func(p Progress) { left.Store(left.Load() || p.Err != nil) }
			w.Mirrors = []string{bad + "/", good + "/"}
			w.requireFound(t, w.cache+" (downloaded from "+good+"/)")
			if got := names(w.cache); !slices.Equal(got, fourNames) {
				t.Errorf("the cache holds %q", got)
			}
			if !left.Load() {
				t.Error("nobody was told that the first mirror failed")
			}
		})
	}
}

// A fault that passes is not the end of a mirror, and the mirror that gave the
// first file is the first to be asked for the others.
func TestMNISTDownloadTriesAgain(t *testing.T) {
	w := newWorld(t)
	var asked, dead atomic.Int32
	good := w.good(t)
	first := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		dead.Add(1)
		rw.WriteHeader(http.StatusForbidden)
	}))
	second := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if asked.Add(1)%2 == 1 {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		good.ServeHTTP(rw, r)
	}))
	w.Mirrors, w.Offline = []string{first, second}, false
	w.requireFound(t, w.cache+" (downloaded from "+second+"/)")
	if dead.Load() != 1 || asked.Load() != 8 {
		t.Errorf("mirrors asked %d and %d times, want 1 and 4 × 2", dead.Load(), asked.Load())
	}
}

// Some servers unpack what they send, or mark it as packed.
func TestMNISTDownloadEncodings(t *testing.T) {
	w := newWorld(t)
	mirror := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		i := slices.IndexFunc(mnistFiles[:], func(f mnistFile) bool { return "/"+f.name+".gz" == r.URL.Path })
		if i%2 == 0 {
			_, _ = rw.Write(w.raw[i])
			return
		}
		rw.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(rw)
		_, _ = z.Write(w.raw[i])
		_ = z.Close()
	}))
	for _, client := range []*http.Client{nil, {}} { // ours leaves the encoding alone, the usual one does not
		w := newWorld(t, mirror)
		w.Client = client
		w.requireFound(t, w.cache+" (downloaded from "+mirror+"/)")
	}
}

// The cache is completed and repaired: only what is missing or damaged comes
// again, and what a killed download left is removed.
func TestMNISTCacheRepair(t *testing.T) {
	w := newWorld(t)
	var asked atomic.Int32
	good := w.good(t)
	mirror := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		good.ServeHTTP(rw, r)
	}))
	w.Mirrors, w.Offline = []string{mirror}, false
	w.folder(t, w.cache)
	if err := os.Remove(filepath.Join(w.cache, testLabelsIDX)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(w.cache, trainLabelsIDX)); err != nil {
		t.Fatal(err)
	}
	put(t, w.cache, trainLabelsIDX+".gz", gz(t, w.raw[trainLabels]))
	put(t, w.cache, testImagesIDX, w.raw[testImages][1:])
	stale, fresh := put(t, w.cache, files.TempPrefix+"1", nil), put(t, w.cache, files.TempPrefix+"2", nil)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(stale, old, old); err != nil {
		t.Fatal(err)
	}
	w.requireFound(t, w.cache+" (downloaded from "+mirror+"/)")
	if asked.Load() != 2 {
		t.Errorf("%d files came, want 2", asked.Load())
	}
	want := []string{filepath.Base(fresh), testImagesIDX, testLabelsIDX, trainImagesIDX, trainLabelsIDX + ".gz"}
	if got := names(w.cache); !slices.Equal(got, want) {
		t.Errorf("the cache holds %q, want %q", got, want)
	}

	// All four there, one of them damaged, packed.
	put(t, w.cache, trainLabelsIDX+".gz", gz(t, w.raw[trainLabels][1:]))
	w.requireFound(t, w.cache+" (downloaded from "+mirror+"/)")
	want[4] = trainLabelsIDX
	if got := names(w.cache); !slices.Equal(got, want) {
		t.Errorf("the cache holds %q, want %q", got, want)
	}

	// The same without a network: an error that names the damage.
	put(t, w.cache, trainLabelsIDX, w.raw[trainLabels][1:])
	w.Offline = true
	_, err := w.MNIST(context.Background())
	requireError(t, err, filepath.Join(w.cache, trainLabelsIDX)+": offset 0: magic number", "offline")
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("error %v does not wrap ErrUnavailable", err)
	}
}

// Without a network the error comes at once, and lists every place.
func TestMNISTNoNetwork(t *testing.T) {
	var closed [2]string
	for i := range closed {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		closed[i] = "http://" + l.Addr().String() + "/"
		if err := l.Close(); err != nil { // nobody listens there now
			t.Fatal(err)
		}
	}
	w := newWorld(t, closed[:]...)
	w.Backoff = time.Hour // what cannot be reached is not tried twice
	start := time.Now()
	_, err := w.MNIST(context.Background())
	requireError(t, err, w.local+": the folder does not exist", w.cache+": the folder does not exist",
		closed[0]+trainImagesIDX+".gz: dial tcp", closed[1]+trainImagesIDX+".gz: dial tcp",
		"into "+w.local+" or "+w.cache)
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("error %v does not wrap ErrUnavailable", err)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("that took %v", d)
	}
}

// Ctrl-C during a download.
func TestMNISTDownloadCancelled(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(context.Background())
	mirror := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = rw.Write(gz(t, w.raw[0])[:30])
		_ = http.NewResponseController(rw).Flush()
		cancel()
		<-r.Context().Done()
	}))
	w.Mirrors, w.Offline, w.Stall = []string{mirror}, false, time.Minute
	_, err := w.MNIST(ctx)
	requireError(t, err, "mnist: download stopped")
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
		t.Errorf("error %v, want one that wraps context.Canceled and not ErrUnavailable", err)
	}
	if got := names(w.cache); len(got) > 0 {
		t.Errorf("left behind: %q", got)
	}
}

// A mirror that sends a byte now and then does not stall; its share of the time
// ends.
func TestMNISTDownloadTrickle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	slow := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = io.WriteString(rw, "\x00")
			_ = http.NewResponseController(rw).Flush()
			time.Sleep(50 * time.Millisecond)
		}
	}))
	good := serve(t, w.good(t))
	w.Mirrors, w.Offline, w.Stall, w.Timeout = []string{slow, good}, false, time.Minute, 3*time.Second
	w.requireFound(t, w.cache+" (downloaded from "+good+"/)")

	w = newWorld(t, slow)
	w.Stall, w.Timeout = time.Minute, 200*time.Millisecond
	_, err := w.MNIST(context.Background())
	requireError(t, err, "took too long", "to get it by hand")
}

// No place to keep a download: said before a mirror is asked.
func TestMNISTDownloadNoFolder(t *testing.T) {
	w := newWorld(t)
	var asked atomic.Int32
	mirror := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	w.Mirrors, w.Offline = []string{mirror}, false
	file := put(t, t.TempDir(), "file", nil)
	w.CacheDir = func() (string, error) { return file, nil }
	_, err := w.MNIST(context.Background())
	requireError(t, err, "cannot keep a download", file)
	if !errors.Is(err, ErrUnavailable) || asked.Load() != 0 {
		t.Errorf("error %v, mirror asked %d times", err, asked.Load())
	}

	// No cache folder at all: ./data/mnist keeps it.
	w = newWorld(t, serve(t, w.good(t)))
	w.CacheDir = func() (string, error) { return "", errors.New("HOME is not set") }
	w.requireFound(t, w.local+" (downloaded from "+w.Mirrors[0]+"/)")
}

// Real MNIST, and the CSV of its test set.
func TestRealMNIST(t *testing.T) {
	d := realMNIST(t)
	for _, c := range []struct {
		s *Set
		n int
	}{{d.Train, 60000}, {d.Test, 10000}} {
		if err := c.s.Check(); err != nil {
			t.Error(err)
		}
		if c.s.Len() != c.n || c.s.Rows != 28 || c.s.Cols != 28 || c.s.Classes != 10 {
			t.Errorf("%s: %d images of %d×%d, %d classes", c.s.Name, c.s.Len(), c.s.Rows, c.s.Cols, c.s.Classes)
		}
	}
	// The first labels of the training set, as printed in many a book.
	if got, want := d.Train.Labels[:5], []uint8{5, 0, 4, 1, 9}; !slices.Equal(got, want) {
		t.Errorf("the first labels are %v, want %v", got, want)
	}
	got, err := readCSVBytes(csvBytes(t, d.Test), 10)
	if err != nil {
		t.Fatal(err)
	}
	requireSame(t, got, d.Test)
}
