package data

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// few keeps the built-in digits of a test few.
func few(s Spec) Spec {
	s.Seed, s.Train, s.Test = 3, 20, 10
	return s
}

func requireDigits(t *testing.T, d *Dataset) {
	t.Helper()
	want := GenerateDigits(3, 20, 10)
	requireSame(t, d.Train, want.Train)
	requireSame(t, d.Test, want.Test)
	if d.Source != BuiltIn || d.Name != want.Name {
		t.Errorf("%s from %s, want %s from %s", d.Name, d.Source, want.Name, BuiltIn)
	}
}

// TestOpenFallback: the built-in digits take MNIST's place where that is allowed
// and no folder was named, and the warning says so and why. Nothing else is
// replaced.
func TestOpenFallback(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	d, notes, err := few(Spec{Fallback: true}).open(ctx, w.Finder)
	if err != nil {
		t.Fatal(err)
	}
	requireDigits(t, d)
	if len(notes) == 0 || !notes[0].Warning {
		t.Fatalf("notes %v, want a warning", notes)
	}
	for _, want := range []string{"WARNING: THIS IS NOT MNIST", "offline", w.local, EnvDir} {
		if !strings.Contains(notes[0].Text.En, want) {
			t.Errorf("the warning lacks %q:\n%s", want, notes[0].Text)
		}
	}

	d, notes, err = few(Spec{}).open(ctx, w.Finder)
	if d != nil || notes != nil || !errors.Is(err, ErrUnavailable) {
		t.Errorf("no fallback: %v, %v, %v; want ErrUnavailable", d, notes, err)
	}

	w.env = t.TempDir()
	d, notes, err = few(Spec{Fallback: true}).open(ctx, w.Finder)
	if d != nil || notes != nil || err == nil || errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), w.env) {
		t.Errorf("a named folder without MNIST: %v, %v, %v; want an error with the folder", d, notes, err)
	}

	w.env = w.folder(t, filepath.Join(t.TempDir(), "env"))
	d, notes, err = few(Spec{Fallback: true}).open(ctx, w.Finder)
	if err != nil || notes != nil || d.Name != "MNIST" {
		t.Errorf("MNIST that is there: %v, %v, %v", d, notes, err)
	}

	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	away := newWorld(t, "http://mirror.invalid/")
	d, notes, err = few(Spec{Fallback: true}).open(cancelled, away.Finder)
	if d != nil || notes != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, %v, %v; want the context's error", d, notes, err)
	}
}

// TestOpenProgress: a download is reported to the caller.
func TestOpenProgress(t *testing.T) {
	w := newWorld(t)
	w.Mirrors, w.Offline = []string{serve(t, w.good(t))}, false
	var files []string
	report := func(p Progress) {
		if p.Done > 0 && p.Done == p.Total && !slices.Contains(files, p.File) {
			files = append(files, p.File)
		}
	}
	if _, _, err := (Spec{Progress: report}).open(context.Background(), w.Finder); err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	if !slices.Equal(files, fourNames) {
		t.Errorf("reported whole: %q, want %q", files, fourNames)
	}
}

func TestOpenKinds(t *testing.T) {
	ctx := context.Background()
	d, notes, err := Open(ctx, few(Spec{Kind: Digits}))
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0].Text.En, "no image of class 5, which digits (built in) test has") {
		t.Fatalf("%v, %v", notes, err)
	}
	requireDigits(t, d)

	dir, want := t.TempDir(), testDataset()
	putIDX(t, dir, want, true, func(s, k, d string) string { return dashed(s, k, d) + ".gz" })
	putCSV(t, dir, want, false)
	for _, kind := range []Kind{IDX, CSV, Files} {
		d, notes, err := Open(ctx, Spec{Kind: kind, Dir: dir, Classes: 10})
		if err != nil || len(notes) != 1 || !strings.Contains(notes[0].Text.En, "no image of the classes 0 and 6") {
			t.Fatalf("%s: %v, %v", kind, notes, err)
		}
		requireSame(t, d.Train, want.Train)
		requireSame(t, d.Test, want.Test)
		_, _, err = Open(ctx, Spec{Kind: kind, Classes: 10, Fallback: true})
		requireError(t, err, "data: "+string(kind)+" needs the folder", "data.dir")
		_, _, err = Open(ctx, Spec{Kind: kind, Dir: filepath.Join(dir, "none"), Classes: 10, Fallback: true})
		requireError(t, err, "the folder does not exist")
	}
	_, _, err = Open(ctx, Spec{Kind: MNIST, Dir: filepath.Join(dir, "none"), Fallback: true})
	requireError(t, err, "names a folder without MNIST")
	_, _, err = Open(ctx, Spec{Kind: "png"})
	requireError(t, err, `unknown kind "png"`, "mnist", "digits")
}

// TestOpenOffline: Offline asks no mirror.
func TestOpenOffline(t *testing.T) {
	w := newWorld(t)
	w.Mirrors, w.Offline = []string{"http://127.0.0.1:1/"}, false
	_, _, err := few(Spec{Offline: true}).open(context.Background(), w.Finder)
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "not allowed (offline)") || strings.Contains(err.Error(), "refused") {
		t.Errorf("%v; want ErrUnavailable without a download", err)
	}
}
