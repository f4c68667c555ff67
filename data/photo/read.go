package photo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"trainer/data/files"
)

// What is refused without decoding it. A file of a few kilobytes can decode to
// gigabytes, or take hours.
const (
	maxFile   = 64 << 20  // bytes of a file
	maxMemory = 512 << 20 // bytes of the decoded pixels
	maxScans  = 100       // passes over the picture in a progressive JPEG; encoders use about 10
)

// ReadFile returns the image of the picture in a PNG, JPEG or GIF file. Of an
// animation it takes the first frame.
func ReadFile(path string, o Options) ([]uint8, error) {
	f, err := files.OpenRegular(path)
	if err != nil {
		return nil, err // names the path
	}
	defer func() { _ = f.Close() }() // opened for reading: nothing to lose
	return Read(f, path, o)
}

// Read is ReadFile for a stream. name stands for it in errors.
func Read(r io.Reader, name string, o Options) ([]uint8, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = fmt.Errorf("larger than %d MiB: want a smaller picture", maxFile>>20)
	}
	var img image.Image
	var orientation int
	if err == nil {
		img, orientation, err = decode(content)
	}
	var pixels []uint8
	if err == nil {
		pixels, err = normalise(img, orientation, o)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return pixels, nil
}

// format is a file format that is read. The formats that other packages register
// with package image are not read: their decoders were not checked for bombs.
type format struct {
	name   string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

// formatOf returns the format that the first bytes show.
func formatOf(content []byte) (format, error) {
	switch {
	case len(content) == 0:
		return format{}, errors.New("empty file: want a PNG, JPEG or GIF picture")
	case bytes.HasPrefix(content, []byte("\x89PNG\r\n\x1a\n")):
		return format{"png", png.DecodeConfig, png.Decode}, nil
	case bytes.HasPrefix(content, []byte("\xff\xd8")):
		return format{"jpeg", jpeg.DecodeConfig, jpeg.Decode}, nil
	case bytes.HasPrefix(content, []byte("GIF8")):
		return format{"gif", gif.DecodeConfig, gif.Decode}, nil
	}
	for _, other := range []struct {
		name, magic string
		at          int
	}{
		{"WebP", "WEBP", 8}, {"HEIC or AVIF", "ftyp", 4}, {"TIFF", "II*\x00", 0}, {"TIFF", "MM\x00*", 0},
		{"BMP", "BM", 0}, {"PDF", "%PDF", 0}, {"SVG or HTML", "<", 0},
	} {
		if len(content) > other.at && bytes.HasPrefix(content[other.at:], []byte(other.magic)) {
			return format{}, fmt.Errorf("looks like %s: want a PNG, JPEG or GIF picture", other.name)
		}
	}
	return format{}, errors.New("not a picture that can be read: want PNG, JPEG or GIF")
}

// decode decodes a file after checking what it will cost. orientation is that of
// its EXIF data, 1 without.
func decode(content []byte) (img image.Image, orientation int, err error) {
	f, err := formatOf(content)
	if err != nil {
		return nil, 0, err
	}
	c, err := f.config(bytes.NewReader(content))
	if err != nil {
		return nil, 0, fmt.Errorf("damaged: %w", err)
	}
	bytesPerPixel, orientation := int64(4), 1
	switch {
	case f.name == "jpeg":
		// The decoder of a progressive file holds an int32 for each sample.
		var progressive bool
		if orientation, progressive = jpegHeader(content); progressive {
			bytesPerPixel = 20
		}
		// FF DA is a start of scan: within a scan, 0 follows each FF.
		if n := bytes.Count(content, []byte("\xff\xda")); n > maxScans {
			return nil, 0, fmt.Errorf("JPEG of %d scans, want at most %d", n, maxScans)
		}
	case c.ColorModel == color.RGBA64Model, c.ColorModel == color.NRGBA64Model:
		bytesPerPixel = 8
	}
	if c.Width < 1 || c.Height < 1 {
		return nil, 0, fmt.Errorf("%d×%d pixels: empty", c.Width, c.Height)
	}
	if most := maxMemory / bytesPerPixel; int64(c.Width) > most/int64(c.Height) {
		return nil, 0, fmt.Errorf("%d×%d pixels, want at most %d million: make the picture smaller", c.Width, c.Height, most/1e6)
	}
	if img, err = f.decode(bytes.NewReader(content)); err != nil {
		return nil, 0, fmt.Errorf("damaged: %w", err)
	}
	return img, orientation, nil
}

// jpegHeader returns the EXIF orientation of a JPEG file, 1 to 8, and whether the
// file is progressive. What is damaged counts as missing: the decoder judges it.
func jpegHeader(content []byte) (orientation int, progressive bool) {
	orientation = 1
	for b := content[2:]; len(b) >= 4 && b[0] == 0xff; {
		marker, size := b[1], int(binary.BigEndian.Uint16(b[2:]))
		if marker == 0xff { // a fill byte
			b = b[1:]
			continue
		}
		if marker == 0xda || size < 2 || len(b) < 2+size {
			break
		}
		segment := b[4 : 2+size]
		switch {
		case marker == 0xc2:
			progressive = true
		case marker == 0xe1 && bytes.HasPrefix(segment, []byte("Exif\x00\x00")):
			if o := exifOrientation(segment[6:]); o >= 1 && o <= 8 {
				orientation = o
			}
		}
		b = b[2+size:]
	}
	return orientation, progressive
}

// exifOrientation returns the value of the tag Orientation in the first directory
// of EXIF data, which has the form of a TIFF file. It returns 0 if there is none.
func exifOrientation(tiff []byte) int {
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case bytes.HasPrefix(tiff, []byte("MM\x00*")):
		order = binary.BigEndian
	case !bytes.HasPrefix(tiff, []byte("II*\x00")):
		return 0
	}
	if len(tiff) < 8 {
		return 0
	}
	at := int64(order.Uint32(tiff[4:]))
	if at > int64(len(tiff)-2) {
		return 0
	}
	directory := tiff[at:]
	n := int(order.Uint16(directory))
	for entries := directory[2:]; n > 0 && len(entries) >= 12; n, entries = n-1, entries[12:] {
		const orientationTag, short = 0x112, 3
		if order.Uint16(entries) == orientationTag && order.Uint16(entries[2:]) == short {
			return int(order.Uint16(entries[8:]))
		}
	}
	return 0
}
