package data

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"

	"trainer/data/files"
)

// What a gzipped file may unpack to: unpackRatio times its own size and
// unpackFloor more, and never over unpackMost. MNIST's files have ratios of 5
// (IDX) to 8 (CSV); gzip can reach 1,032 with nothing but zeros.
const (
	unpackRatio = 100
	unpackFloor = 64 << 20
	unpackMost  = 8 << 30
)

// input is a file that is being read, unpacked on the way if its first bytes
// are those of gzip. Offsets count unpacked bytes.
type input struct {
	format string // "idx", "csv": how errors begin
	path   string
	size   int64 // of the file as it is
	packed bool
	head   []byte // its first bytes, unpacked
	html   bool   // it looks like a web page
	limit  int64  // most unpacked bytes, where packed
	off    int64  // unpacked bytes read so far
	r      io.Reader
	file   io.Closer
}

// openInput opens a regular file. The caller closes it.
func openInput(format, path string) (*input, error) {
	f, err := files.OpenRegular(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", format, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", format, err), f.Close())
	}
	in, err := newInput(format, path, f, info.Size())
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	if in.html {
		_ = f.Close()
		return nil, in.errorf(0, "this is a web page; get the file again")
	}
	in.file = f
	return in, nil
}

// newInput returns the input for a file of size bytes whose content is r.
func newInput(format, path string, r io.Reader, size int64) (*input, error) {
	b := bufio.NewReaderSize(r, 1<<17)
	in := &input{format: format, path: path, size: size, r: b}
	if err := in.peek(b); err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(in.head, gzipMagic) {
		return in, nil
	}
	in.packed = true
	in.limit = unpackMost
	if size < (unpackMost-unpackFloor)/unpackRatio {
		in.limit = unpackFloor + unpackRatio*size
	}
	z, err := newGzipReader(b)
	if err != nil {
		return nil, in.gzipError(err)
	}
	unpacked := bufio.NewReaderSize(z, 1<<12)
	if err := in.peek(unpacked); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(in.head, gzipMagic) {
		return nil, in.errorf(0, "gzip in gzip: the file was packed twice; unpack it once (gunzip)")
	}
	in.r = unpacked
	return in, nil
}

// peek looks at the first bytes of the file.
func (in *input) peek(b *bufio.Reader) error {
	head, err := b.Peek(64)
	if err != nil && !errors.Is(err, io.EOF) {
		if in.packed {
			return in.gzipError(err)
		}
		return in.errorf(0, "%w", err)
	}
	in.head = bytes.Clone(head)
	in.html = bytes.HasPrefix(bytes.TrimLeft(head, "\ufeff \t\r\n"), []byte("<"))
	return nil
}

var gzipMagic = []byte{0x1f, 0x8b}

// foreign says what a file is whose first bytes are those of another format than
// text; "" for text.
func (in *input) foreign() string {
	for _, f := range []struct{ magic, what string }{
		{"\xff\xfe\x00\x00", utf("UTF-32")},
		{"\x00\x00\xfe\xff", utf("UTF-32")},
		{"\xff\xfe", utf("UTF-16")},
		{"\xfe\xff", utf("UTF-16")},
		{"PK\x03\x04", "this is a zip archive, or a spreadsheet (.xlsx), or an .npz: unpack it, or save it as CSV"},
		{"BZh", "this is a bzip2 file: unpack it (bunzip2)"},
		{"\xfd7zXZ\x00", "this is an xz file: unpack it (unxz)"},
		{"\x28\xb5\x2f\xfd", "this is a zstd file: unpack it (unzstd)"},
		{"7z\xbc\xaf\x27\x1c", "this is a 7-Zip archive: unpack it"},
		{"\x93NUMPY", "this is a NumPy file (.npy): save it as CSV (numpy.savetxt) or IDX"},
		{"MATLAB", "this is a MATLAB file: save it as CSV (writematrix) or IDX"},
		{"\x89HDF", "this is an HDF5 file: save it as CSV or IDX"},
		{"PAR1", "this is a Parquet file: save it as CSV"},
		{"\x89PNG", "this is a PNG image: images go into a folder for each class, and data.train or data.dir names the folder of these"},
		{"\xff\xd8\xff", "this is a JPEG image: images go into a folder for each class, and data.train or data.dir names the folder of these"},
		{"\x00\x00\x08", "this is an IDX file: set data.dataset to idx"},
		{"\x00\x00\x0c", "this is an IDX file: set data.dataset to idx"},
	} {
		if bytes.HasPrefix(in.head, []byte(f.magic)) {
			return f.what
		}
	}
	zeros := bytes.Count(in.head, []byte{0})
	switch {
	case zeros > 0 && 3*zeros > len(in.head):
		return utf("UTF-16")
	case zeros > 0:
		return "this is no text, and no format that is known here: want CSV or IDX"
	}
	return ""
}

func utf(name string) string {
	return "this text is in " + name + ", as PowerShell's > writes it: save it as UTF-8 (Out-File -Encoding utf8)"
}

func (in *input) close() {
	if in.file != nil {
		_ = in.file.Close() // opened for reading: nothing to lose
	}
}

// Read implements io.Reader. It refuses to unpack more than in.limit bytes.
func (in *input) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	in.off += int64(n)
	if in.packed && in.off > in.limit {
		return n, in.tooBig()
	}
	if err == nil || err == io.EOF {
		return n, err
	}
	if in.packed {
		return n, in.gzipError(err)
	}
	return n, in.errorf(in.off, "%w", err)
}

// tooBig is the error for a gzip bomb, or for what looks like one.
func (in *input) tooBig() error {
	return in.errorf(in.off, "%d bytes of gzip unpack to more than %d bytes, which no images do; "+
		"if the file is right, unpack it first (gunzip)", in.size, in.limit)
}

func (in *input) gzipError(err error) error {
	switch {
	case errors.Is(err, gzip.ErrChecksum):
		return in.errorf(in.off, "gzip: wrong checksum: the file is damaged; get it again")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return in.errorf(in.off, "gzip: the file is cut off; get it again: %w", io.ErrUnexpectedEOF)
	case errors.Is(err, gzip.ErrHeader):
		return in.errorf(in.off, "gzip: wrong header; get the file again")
	case errors.As(err, new(flate.CorruptInputError)):
		return in.errorf(in.off, "gzip: the file is damaged; get it again: %w", err)
	}
	return in.errorf(in.off, "%w", err)
}

// errorf returns an error that begins with the format, the file and the place;
// without the first two for an input that has none.
func (in *input) errorf(off int64, format string, args ...any) error {
	place := fmt.Sprintf("offset %d", off)
	if in.packed {
		place += " unpacked"
	}
	if in.format == "" {
		return fmt.Errorf("%s: %w", place, fmt.Errorf(format, args...))
	}
	return fmt.Errorf("%s: %s: %s: %w", in.format, in.path, place, fmt.Errorf(format, args...))
}

// checkClasses refuses a number of classes that labels of one byte cannot have.
func checkClasses(format string, classes int) error {
	if classes < 1 || classes > math.MaxUint8+1 {
		return fmt.Errorf("%s: %d classes, want 1 to 256", format, classes)
	}
	return nil
}

// isLocal tells whether err comes from this machine's file system.
func isLocal(err error) bool {
	var p *fs.PathError
	var l *os.LinkError
	return errors.As(err, &p) || errors.As(err, &l)
}
