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

	"trainer/internal/files"
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
	html   bool  // it looks like a web page
	limit  int64 // most unpacked bytes, where packed
	off    int64 // unpacked bytes read so far
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
	head, err := b.Peek(64)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, in.errorf(0, "%w", err)
	}
	in.html = bytes.HasPrefix(bytes.TrimLeft(head, "\ufeff \t\r\n"), []byte("<"))
	if !bytes.HasPrefix(head, []byte{0x1f, 0x8b}) {
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
	in.r = z
	return in, nil
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

// isRegular tells whether path is a file, or a link to one.
func isRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// isLocal tells whether err comes from this machine's file system.
func isLocal(err error) bool {
	var p *fs.PathError
	var l *os.LinkError
	return errors.As(err, &p) || errors.As(err, &l)
}
