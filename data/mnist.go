package data

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"trainer/data/homedir"
)

// ErrUnavailable is in the error of Finder.MNIST when no folder was named and
// MNIST was neither found nor could be downloaded. Then, and only then, the
// built-in digits may take its place.
var ErrUnavailable = errors.New("not found, and not downloaded")

// EnvDir is the environment variable that names the folder of MNIST.
const EnvDir = "TRAINER_DATA"

// MNIST's numbers of digits and of images.
const (
	mnistClasses = 10
	mnistTrain   = 60_000
	mnistTest    = 10_000
)

// mnistFile is one of MNIST's four files as they are when unpacked.
type mnistFile struct {
	name string
	want []string // names that it may have in a folder
	size int64
	sum  string // SHA-256, in hexadecimal
}

// mnistFiles are the files of MNIST, in the order of the indices below.
var mnistFiles = [4]mnistFile{
	{trainImagesIDX, wantTrainImages, 47040016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
	{trainLabelsIDX, wantTrainLabels, 60008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
	{testImagesIDX, wantTestImages, 7840016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
	{testLabelsIDX, wantTestLabels, 10008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"},
}

const (
	trainImages = iota
	trainLabels
	testImages
	testLabels
)

// Finder finds MNIST. The zero value looks where users keep it and downloads it
// if need be; every field changes one thing about that.
type Finder struct {
	// Dir is the only folder that is looked into, if it is not empty.
	Dir string
	// Offline means: never download.
	Offline bool
	// Progress is called while files are downloaded, on the caller's goroutine,
	// some ten times a second at most.
	Progress func(Progress)

	// Mirrors are the folders on the web that hold the four files, each .gz.
	// Nil means DefaultMirrors.
	Mirrors []string
	// Client makes the requests; nil means one that gives up connecting after
	// 3 seconds.
	Client *http.Client
	// Timeout bounds the whole download (10 minutes if 0), and Stall the time
	// that a mirror may take to send the next byte (15 seconds if 0).
	Timeout, Stall time.Duration
	// Backoff is the wait before a mirror is asked again (300 ms if 0).
	Backoff time.Duration

	// Getenv, CacheDir and LocalDir stand for os.Getenv, os.UserCacheDir and the
	// folder data/mnist.
	Getenv   func(string) string
	CacheDir func() (string, error)
	LocalDir string

	testOnly bool          // whether the training set is not needed
	files    *[4]mnistFile // nil means mnistFiles
}

// MNIST returns MNIST from the first of these places:
//
//  1. f.Dir; where it is set, no other place is looked at,
//  2. the folder in the environment variable TRAINER_DATA; the same,
//  3. ./data/mnist,
//  4. trainer/mnist in the user's cache folder,
//  5. the mirrors; the files are kept in the cache folder.
//
// A folder holds the files of IDX or CSV: see Spec.Dir. Whatever the place and the
// format, the SHA-256 sums of the pixels and labels that are returned, with the
// IDX headers that belong to them, are MNIST's; anything else is an error.
//
// If places 1 and 2 are not set and the rest fails, the error wraps
// ErrUnavailable and says how to get the files by hand. When ctx ends, its error
// is returned and nothing half done is left behind.
func (f *Finder) MNIST(ctx context.Context) (*Dataset, error) {
	if f.Dir != "" {
		return f.named(ctx, f.Dir, "data.dir")
	}
	getenv := f.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	if dir := getenv(EnvDir); dir != "" {
		dir, err := homedir.Expand(dir)
		if err != nil {
			return nil, fmt.Errorf("mnist: %s: %w", EnvDir, err)
		}
		return f.named(ctx, dir, EnvDir)
	}

	var tried []error
	local := f.local()
	files, err := find(local, f.testOnly, IDX, CSV)
	if err == nil {
		return f.load(ctx, files)
	}
	if !errors.Is(err, errNoFiles) {
		return nil, err
	}
	tried = append(tried, fmt.Errorf("%s: %s", local, contents(local)))

	cache, err := f.cache()
	if err != nil {
		tried = append(tried, fmt.Errorf("no cache folder: %w", err))
		cache = local
	} else if files, err = find(cache, f.testOnly, IDX, CSV); err == nil {
		d, err := f.load(ctx, files)
		if err == nil || ctx.Err() != nil {
			return d, err
		}
		// The cache is the trainer's own: what is damaged there is replaced.
		tried = append(tried, err)
	} else if errors.Is(err, errNoFiles) {
		tried = append(tried, fmt.Errorf("%s: %s", cache, contents(cache)))
	} else {
		tried = append(tried, err)
	}

	if f.Offline {
		tried = append(tried, errors.New("download: not allowed (offline)"))
		return nil, f.unavailable(cache, tried)
	}
	files, mirror, err := f.download(ctx, cache)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("mnist: download stopped: %w", ctx.Err())
		}
		return nil, f.unavailable(cache, append(tried, err))
	}
	d, err := f.load(ctx, files)
	if err != nil {
		return nil, err
	}
	if mirror != "" {
		d.Source += " (downloaded from " + mirror + ")"
	}
	return d, nil
}

// named loads MNIST from a folder that the user named by means of what.
func (f *Finder) named(ctx context.Context, dir, what string) (*Dataset, error) {
	files, err := find(dir, f.testOnly, IDX, CSV)
	if err != nil {
		hint := ""
		if errors.Is(err, errNoFiles) {
			hint = "; data.dataset is mnist: for a data set of your own, set it to files"
		}
		return nil, fmt.Errorf("mnist: %s names a folder without MNIST: %w%s", what, err, hint)
	}
	return f.load(ctx, files)
}

// load reads MNIST and verifies it, both sets at the same time.
func (f *Finder) load(ctx context.Context, files found) (*Dataset, error) {
	if f.testOnly {
		files.train = pair{}
	}
	d := &Dataset{Name: "MNIST", Source: files.dir}
	_, _, err := files.read(ctx, func(ctx context.Context, p pair) (*table, error) {
		var t *table
		var err error
		if files.format == IDX {
			t, err = readIDXFiles(ctx, p, true)
		} else {
			t, err = readPair(ctx, files.format, p, csvOptions{values: Range{0, 255}})
		}
		if err != nil {
			return nil, err
		}
		s, err := t.set(mnistClasses)
		if err != nil {
			return nil, fmt.Errorf("%w; data.dataset is mnist, which has the digits 0 to 9: for a data set of your own, set it to %s", err, files.format)
		}
		s.imagesSum = t.imagesSum
		test := p == files.test
		if test {
			d.Test, s.Name = s, "MNIST test"
		} else {
			d.Train, s.Name = s, "MNIST train"
		}
		return t, f.verify(s, p, test)
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// verify compares a set, as the bytes of IDX files, with MNIST's sums.
func (f *Finder) verify(s *Set, p pair, test bool) error {
	images, labels := trainImages, trainLabels
	if test {
		images, labels = testImages, testLabels
	}
	if p.labels == "" {
		p.labels = p.images
	}
	imagesSum, labelsSum := s.Sums()
	for _, c := range []struct {
		path string
		sum  string
		want mnistFile
		what string
	}{
		{p.images, imagesSum, f.truth()[images], "images"},
		{p.labels, labelsSum, f.truth()[labels], "labels"},
	} {
		if c.sum != c.want.sum {
			return fmt.Errorf("mnist: %s: these are not MNIST's %s: SHA-256 of %s (unpacked IDX) is %s, want %s; "+
				"get the file again, or, for a data set of your own, set data.dataset to files",
				c.path, c.what, c.want.name, c.sum, c.want.sum)
		}
	}
	return nil
}

// unavailable is the error when every place failed: why, and the steps by hand.
func (f *Finder) unavailable(dir string, tried []error) error {
	var b strings.Builder
	for _, err := range tried {
		fmt.Fprintf(&b, "\n  %s", strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	b.WriteString("\nto get it by hand, download these four files (no need to unpack them)\n")
	mirrors := f.mirrors()
	for _, file := range f.truth() {
		fmt.Fprintf(&b, "  %s%s.gz\n", mirrors[0], file.name)
	}
	if len(mirrors) > 1 {
		fmt.Fprintf(&b, "or the same from %s\n", strings.Join(mirrors[1:], " or "))
	}
	fmt.Fprintf(&b, "into %s or %s, or into any folder that you name\n"+
		"in the environment variable %s or as data.dir in the configuration;\n"+
		"or set data.fallback to digits, to train on the built-in digits without MNIST", f.local(), dir, EnvDir)
	return fmt.Errorf("mnist: %w:%s", ErrUnavailable, b.String())
}

func (f *Finder) local() string {
	if f.LocalDir == "" {
		return filepath.Join("data", "mnist")
	}
	return f.LocalDir
}

// cache returns the folder that downloads are kept in.
func (f *Finder) cache() (string, error) {
	base := f.CacheDir
	if base == nil {
		base = os.UserCacheDir
	}
	dir, err := base()
	if err == nil && !filepath.IsAbs(dir) {
		err = fmt.Errorf("%q is not an absolute path", dir)
	}
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "trainer", "mnist"), nil
}

func (f *Finder) truth() *[4]mnistFile {
	if f.files == nil {
		return &mnistFiles
	}
	return f.files
}
