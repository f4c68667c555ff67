package data

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// errTrailing says that a gzipped file goes on after its end.
var errTrailing = errors.New("bytes after the end of the gzip data; get the file again")

// gzipReader reads the members of a gzipped file. gzip.Reader takes few bytes after the
// last one for a member that is cut off.
type gzipReader struct {
	in *bufio.Reader
	z  *gzip.Reader
}

func newGzipReader(in *bufio.Reader) (*gzipReader, error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &gzipReader{in, z}, nil
}

// Read implements io.Reader.
func (g *gzipReader) Read(p []byte) (int, error) {
	n, err := g.z.Read(p)
	switch end := errors.Is(err, io.EOF); {
	case end && n > 0:
		return n, nil // the next call sees it again
	case !end:
		return n, err
	}
	switch head, err := g.in.Peek(2); {
	case len(head) == 0:
		return 0, err // io.EOF
	case len(head) < 2 || head[0] != 0x1f || head[1] != 0x8b:
		return 0, fmt.Errorf("gzip: %w", errTrailing)
	}
	if err := g.z.Reset(g.in); err != nil {
		return 0, err
	}
	g.z.Multistream(false)
	return g.Read(p)
}
