package digits

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"

	"trainer/data"
)

// Sheet writes the first columns × rows images of a set as one PNG, row by row:
// dark ink on white, with a grey line between images. If the set has fewer images,
// the rest of the sheet is grey.
func Sheet(w io.Writer, s *data.Set, columns, rows int) error {
	if columns < 1 || rows < 1 {
		return fmt.Errorf("sheet of %d×%d images: want at least 1×1", columns, rows)
	}
	dx, dy := s.Cols+1, s.Rows+1
	sheet := image.NewGray(image.Rect(0, 0, columns*dx+1, rows*dy+1))
	for i := range sheet.Pix {
		sheet.Pix[i] = 0xd0
	}
	for n := range min(columns*rows, s.Len()) {
		left, top := n%columns*dx+1, n/columns*dy+1
		for i, ink := range s.Image(n) {
			sheet.SetGray(left+i%s.Cols, top+i/s.Cols, color.Gray{Y: 255 - ink})
		}
	}
	if err := png.Encode(w, sheet); err != nil {
		return fmt.Errorf("sheet of %s: %w", s.Name, err)
	}
	return nil
}
