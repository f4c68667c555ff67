package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // image.Decode reads these two
	_ "image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"trainer/data/files"
	"trainer/data/lang"
)

// maxImageFile is the largest file of an image that is read, in bytes.
const maxImageFile = 64 << 20

// isClassFolders tells whether a folder holds folders with images, one a class.
func isClassFolders(dir string) bool {
	classes, err := visible(dir)
	if err != nil {
		return false
	}
	for _, c := range classes {
		if !c.IsDir() {
			continue
		}
		files, err := visible(filepath.Join(dir, c.Name()))
		if err == nil && slices.ContainsFunc(files, func(f fs.DirEntry) bool { return isImageName(f.Name()) }) {
			return true
		}
	}
	return false
}

func isImageName(name string) bool {
	return slices.Contains([]string{".png", ".jpg", ".jpeg"}, strings.ToLower(filepath.Ext(name)))
}

// visible lists a folder, without what systems and editors leave in one.
func visible(dir string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		return strings.HasPrefix(e.Name(), ".") || slices.Contains([]string{"__MACOSX", "Thumbs.db", "desktop.ini"}, e.Name())
	}), err
}

// readClassFolders reads a folder of folders of PNG and JPEG images. The name of a
// folder is the label of its images, which are in the order of their names, class
// by class. Colours become grey by luminance; what is transparent becomes black.
// All images must have the size of the first, which bounds the memory: a file is
// decoded only when its header says that it has that size.
func readClassFolders(ctx context.Context, dir string) (*table, error) {
	classes, err := visible(dir)
	if err != nil {
		return nil, folderError(dir, err)
	}
	t := &table{path: dir, labelled: true}
	var files, others []string
	for _, c := range classes {
		folder := filepath.Join(dir, c.Name())
		if info, err := os.Stat(folder); err != nil {
			return nil, folderError(folder, err)
		} else if !info.IsDir() {
			others = append(others, c.Name())
			continue
		}
		code, problem := t.names.code([]byte(c.Name()), folderNumber)
		if problem != "" {
			return nil, fmt.Errorf("data: %s: the name of the folder is the label, %s", folder, problem)
		}
		list, err := visible(folder)
		if err != nil {
			return nil, folderError(folder, err)
		}
		before := len(files)
		for _, f := range list {
			switch path := filepath.Join(folder, f.Name()); {
			case f.IsDir():
				return nil, fmt.Errorf("data: %s: a folder in the folder of a class, which has images only", path)
			case isImageName(f.Name()):
				files = append(files, path)
				t.labels = append(t.labels, code)
			default:
				others = append(others, filepath.Join(c.Name(), f.Name()))
			}
		}
		if len(files) == before {
			return nil, fmt.Errorf("data: %s: no PNG or JPEG image in the folder of a class", folder)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("data: %s: no folders with PNG or JPEG images: %s", dir, contents(dir))
	}
	if len(others) > 0 {
		t.notes = append(t.notes, remark(lang.Text{En: "%s: left out, as they are no PNG or JPEG images: %s", Zh: "%s：略去以下文件，它们不是 PNG 或 JPEG 图像：%s"}, dir, shorten(others)))
	}
	t.place = func(image int) string { return "data: " + files[image] }
	if err := t.decodeAll(ctx, files); err != nil {
		return nil, err
	}
	blank := 0
	for i := range files {
		if one := t.pixels[i*t.inputs() : (i+1)*t.inputs()]; bytes.Count(one, one[:1]) == len(one) {
			if blank++; blank == 1 {
				t.notes = append(t.notes, warning(lang.Text{En: "%s: an image of one colour only", Zh: "%s：图像只有一种颜色"}, files[i]))
			}
		}
	}
	if blank > 1 {
		t.notes[len(t.notes)-1] = warning(lang.Text{En: "%s: %d images are of one colour only", Zh: "%s：%d 幅图像只有一种颜色"}, dir, blank)
	}
	return t, nil
}

// folderNumber reads a folder's name as a number: only 7 is one, not 07 or 7.0.
func folderNumber(name []byte) (float64, bool) {
	v, ok := labelNumber(string(name))
	return float64(v), ok
}

// decodeAll reads the pixels of all files, on all cores.
func (t *table) decodeAll(ctx context.Context, files []string) error {
	first, err := decodeGrey(files[0], image.Point{})
	if err != nil {
		return err
	}
	size := first.Rect.Size()
	t.rows, t.cols = size.Y, size.X
	// As for gzip: PNG packs blank images by a factor of a thousand.
	packed := int64(0)
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			packed += info.Size()
		}
	}
	if need := int64(len(files)) * int64(t.inputs()); need > unpackFloor+unpackRatio*packed {
		return fmt.Errorf("data: %s: %d images of %d×%d pixels, %d bytes, in %d bytes of files: too much to be true",
			t.path, len(files), t.rows, t.cols, need, packed)
	}
	t.pixels = make([]uint8, len(files)*t.inputs())
	cores := min(runtime.GOMAXPROCS(0), len(files))
	errs := make([]error, cores)
	var wait sync.WaitGroup
	for c := range cores {
		wait.Go(func() {
			for i := len(files) * c / cores; i < len(files)*(c+1)/cores; i++ {
				if errs[c] = ctx.Err(); errs[c] != nil {
					return
				}
				grey, err := decodeGrey(files[i], size)
				if err != nil {
					errs[c] = err
					return
				}
				copy(t.pixels[i*t.inputs():], grey.Pix)
			}
		})
	}
	wait.Wait()
	return firstError(errs)
}

func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// decodeGrey reads an image of a size, in grey. The zero size is any.
func decodeGrey(path string, size image.Point) (*image.Gray, error) {
	f, err := files.OpenRegular(path)
	if err != nil {
		return nil, folderError(path, err)
	}
	defer func() { _ = f.Close() }() // opened for reading: nothing to lose
	source, err := io.ReadAll(io.LimitReader(f, maxImageFile+1))
	if err != nil {
		return nil, folderError(path, err)
	}
	if len(source) > maxImageFile {
		return nil, fmt.Errorf("data: %s: over %d bytes, the most for an image", path, maxImageFile)
	}
	c, _, err := image.DecodeConfig(bytes.NewReader(source))
	switch {
	case errors.Is(err, image.ErrFormat):
		return nil, fmt.Errorf("data: %s: neither PNG nor JPEG", path)
	case err != nil:
		return nil, fmt.Errorf("data: %s: %w", path, err)
	case int64(c.Width)*int64(c.Height) > maxImage || c.Width < 1 || c.Height < 1:
		return nil, fmt.Errorf("data: %s: an image of %d×%d pixels, want at most %d pixels", path, c.Height, c.Width, maxImage)
	case size != image.Point{} && size != image.Pt(c.Width, c.Height):
		return nil, fmt.Errorf("data: %s: an image of %d×%d pixels, and those before it have %d×%d: all images need one size",
			path, c.Height, c.Width, size.Y, size.X)
	}
	decoded, _, err := image.Decode(bytes.NewReader(source))
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	box := decoded.Bounds()
	if box.Size() != image.Pt(c.Width, c.Height) {
		return nil, fmt.Errorf("data: %s: the header says %d×%d pixels, the image has %d×%d", path, c.Height, c.Width, box.Dy(), box.Dx())
	}
	grey := image.NewGray(image.Rect(0, 0, box.Dx(), box.Dy()))
	for y := range box.Dy() {
		for x := range box.Dx() {
			g, _ := color.GrayModel.Convert(decoded.At(box.Min.X+x, box.Min.Y+y)).(color.Gray)
			grey.Pix[y*grey.Stride+x] = g.Y
		}
	}
	return grey, nil
}
