package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"trainer/data"
)

// page runs a command that shows a page, until stop is called, and returns the page's
// address.
func page(t *testing.T, args ...string) (at string, stop func() (code int, stdout, stderr string)) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("ends the page with a signal")
	}
	r, w := io.Pipe()
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run(args, w, &stderr)
		_ = w.Close()
	}()
	var stdout strings.Builder
	lines := bufio.NewScanner(r)
	for at == "" && lines.Scan() {
		stdout.WriteString(lines.Text() + "\n")
		at = regexp.MustCompile(`http://\S+/`).FindString(lines.Text())
	}
	if at == "" {
		t.Fatalf("no page: exit code %d, %q, %q", <-code, stdout.String(), stderr.String())
	}
	rest := make(chan string, 1)
	go func() {
		var b strings.Builder
		for lines.Scan() {
			b.WriteString(lines.Text() + "\n")
		}
		rest <- b.String()
	}()
	return at, func() (int, string, string) {
		t.Helper()
		me, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = me.Signal(os.Interrupt)
		}
		if err != nil {
			t.Fatal(err)
		}
		select {
		case c := <-code:
			return c, stdout.String() + <-rest, stderr.String()
		case <-time.After(time.Minute):
			t.Fatal("the page does not end")
			return 0, "", ""
		}
	}
}

// TestServe: the page of a trained model answers, and a signal ends it with exit code
// 0; its samples are those of the test set, without a download.
func TestServe(t *testing.T) {
	flags := rows(t)
	dir := filepath.Join(t.TempDir(), "run")
	if code, _, stderr := trainer(append(flags, "-out", dir)...); code != exitDone {
		t.Fatal(stderr)
	}
	at, stop := page(t, "serve", dir, "-listen", "0", "-lang", "en")
	w, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	html, err := io.ReadAll(w.Body)
	if err != nil || w.StatusCode != http.StatusOK || !bytes.Contains(html, []byte("16-5-3")) || !bytes.Contains(html, []byte(`id="another"`)) {
		t.Errorf("status %d, %v: %s", w.StatusCode, err, html)
	}
	_ = w.Body.Close()
	w, err = http.Post(at+"api/input?label=2", "application/octet-stream", bytes.NewReader(make([]byte, 16)))
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ Outputs []float64 }
	if err := json.NewDecoder(w.Body).Decode(&v); err != nil || len(v.Outputs) != 3 {
		t.Errorf("%v, %v", v, err)
	}
	_ = w.Body.Close()
	if code, stdout, stderr := stop(); code != exitDone || stderr != "" || stdout != "the page is at "+at+" (Ctrl-C ends it)\n" {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}

	// Where the data are gone, the page goes without samples. It is said in the language
	// that was chosen.
	for i, f := range flags {
		if folder, ok := strings.CutPrefix(f, "data.dir="); ok {
			if err := os.RemoveAll(folder); err != nil {
				t.Fatal(err, i)
			}
		}
	}
	_, stop = page(t, "serve", dir, "-listen", "127.0.0.1:0", "-lang", "zh")
	if code, stdout, stderr := stop(); code != exitDone || !strings.HasPrefix(stderr, "提示：页面没有测试图片") || !strings.HasPrefix(stdout, "页面地址：") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
}

// TestServeErrors: what is wrong is said before there is a page.
func TestServeErrors(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if code, _, stderr := trainer(append(rows(t), "-out", dir)...); code != exitDone {
		t.Fatal(stderr)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	table := filepath.Join(t.TempDir(), "table")
	flat := data.Set{Rows: 1, Cols: 5, Classes: 2, Pixels: make([]byte, 50), Labels: make([]byte, 10)}
	for i := range 10 {
		flat.Labels[i] = uint8(i % 2)
		flat.Image(i)[i%5] = 200
	}
	own := t.TempDir()
	if err := data.WriteIDX(own, &data.Dataset{Train: &flat, Test: &flat}); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := trainer("-set", "data.dataset=idx", "-set", "data.dir="+own, "-set", "model.layers=[5, 2]", "-set", "train.epochs=1", "-out", table); code != exitDone {
		t.Fatal(stderr)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"serve"}, exitUsage, "no model"},
		{[]string{"serve", dir, "-lang", "fr"}, exitUsage, "auto, en or zh"},
		{[]string{"serve", dir, "-listen", "here"}, exitUsage, "HOST:PORT"},
		{[]string{"serve", dir, "-listen", "127.0.0.1:99999"}, exitUsage, "HOST:PORT"},
		{[]string{"serve", dir, "-size", "4x5"}, exitUsage, "16 inputs"},
		{[]string{"serve", dir, "-listen", taken.Addr().String()}, exitFailed, "choose another port"},
		{[]string{"serve", filepath.Join(dir, "nothing")}, exitFailed, "nothing"},
		{[]string{"serve", table}, exitUsage, "1×5 pixels, and the page needs images"},
		{[]string{"serve", table, "-size", "2x2"}, exitUsage, "5 inputs"},
		{[]string{"train", "-serve=x"}, exitUsage, "HOST:PORT"},
		{[]string{"train", "-serve=" + taken.Addr().String()}, exitFailed, "choose another port"},
	} {
		if code, stdout, stderr := trainer(c.args...); code != c.code || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit code %d, %q, %q; want %d and %q", c.args, code, stdout, stderr, c.code, c.want)
		}
	}
}

// TestTrainServe: the page of a training tells its epochs, and stays after its end until
// a signal; the run is the same as without.
func TestTrainServe(t *testing.T) {
	flags := rows(t)
	out := t.TempDir()
	plain, watchedRun := filepath.Join(out, "plain"), filepath.Join(out, "watched")
	if code, _, stderr := trainer(append(flags, "-out", plain)...); code != exitDone {
		t.Fatal(stderr)
	}
	at, stop := page(t, append(flags, "-out", watchedRun, "-serve=0")...)
	w, err := http.Get(at + "api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Body.Close() }()
	epochs, events := 0, bufio.NewScanner(w.Body)
	for events.Scan() && events.Text() != "event: end" {
		if events.Text() == "event: epoch" {
			epochs++
		}
	}
	if events.Scan(); epochs != 3 || !strings.Contains(events.Text(), `"state":"done"`) {
		t.Errorf("%d epochs, and the end %q", epochs, events.Text())
	}
	v, err := http.Post(at+"api/input", "application/octet-stream", bytes.NewReader(make([]byte, 16)))
	if err != nil || v.StatusCode != http.StatusOK {
		t.Errorf("after the training: %v, %v", v, err)
	} else {
		_ = v.Body.Close()
	}
	code, stdout, stderr := stop()
	if code != exitDone || stderr != "" || !strings.Contains(stdout, "epoch 3/3") || !strings.Contains(stdout, "the page stays at "+at) {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	a, err := os.ReadFile(filepath.Join(plain, "model.safetensors"))
	b, err2 := os.ReadFile(filepath.Join(watchedRun, "model.safetensors"))
	if err != nil || err2 != nil || !bytes.Equal(a, b) {
		t.Errorf("a run that is watched comes to other parameters: %v, %v", err, err2)
	}
}
