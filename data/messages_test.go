package data

import (
	"context"
	"testing"
)

// TestCauses: errors name the cause, also where another one is near.
func TestCauses(t *testing.T) {
	ctx := context.Background()
	page := []byte("\n <!DOCTYPE html><html>1,2,3</html>")
	dir := t.TempDir()
	_, err := ReadCSV(ctx, put(t, dir, "page.csv", page), 10)
	requireError(t, err, "page.csv", "this is a web page")
	_, err = ReadRows(ctx, put(t, dir, "page-rows.csv", page), RowOptions{Inputs: 3})
	requireError(t, err, "page-rows.csv", "this is a web page")
	packed := gz(t, []byte("1,2\n3,4\n"))
	for _, tail := range []string{"x", "xy", "\x00", "trailing bytes", "\x1f"} {
		_, err := ReadCSV(ctx, put(t, dir, "tail.csv", append(packed[:len(packed):len(packed)], tail...)), 10)
		requireError(t, err, "tail.csv", "bytes after the end of the gzip data")
	}
	// Members one after the other are one file.
	s, err := ReadCSV(ctx, put(t, dir, "two.csv", append(packed[:len(packed):len(packed)], gz(t, []byte("5,6\n"))...)), 10)
	if err != nil || s.Len() != 3 {
		t.Errorf("two members: %v", err)
	}
	_, err = ReadCSV(ctx, put(t, dir, "cut.csv", packed[:len(packed)-3]), 10)
	requireError(t, err, "cut.csv", "cut off")
}
