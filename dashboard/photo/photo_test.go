package photo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"
)

// quarters draws a w by h picture whose four quarters are red, green, blue and
// white: top left, top right, bottom left, bottom right.
func quarters(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	colours := [2][2]color.RGBA{{{255, 0, 0, 255}, {0, 255, 0, 255}}, {{0, 0, 255, 255}, {255, 255, 255, 255}}}
	for y := range h {
		for x := range w {
			m.SetRGBA(x, y, colours[y*2/h][x*2/w])
		}
	}
	return m
}

// withExif puts an EXIF block with the orientation and a telltale comment behind
// the start marker of a JPEG.
func withExif(jpg []byte, order binary.AppendByteOrder, mark string, orientation uint16) []byte {
	tiff := []byte(mark)
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 1) // one entry
	tiff = order.AppendUint16(tiff, 0x0112)
	tiff = order.AppendUint16(tiff, 3) // SHORT
	tiff = order.AppendUint32(tiff, 1)
	tiff = order.AppendUint16(tiff, orientation)
	tiff = order.AppendUint16(tiff, 0)
	tiff = append(tiff, "the guard's home"...)
	segment := append([]byte("Exif\x00\x00"), tiff...)
	out := append([]byte{0xFF, 0xD8, 0xFF, 0xE1}, binary.BigEndian.AppendUint16(nil, uint16(len(segment)+2))...)
	return append(append(out, segment...), jpg[2:]...)
}

func encodeJPEG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func name(c color.Color) string {
	r, g, b, _ := c.RGBA()
	switch {
	case r > 0xC000 && g > 0xC000 && b > 0xC000:
		return "white"
	case r > 0xC000 && g < 0x4000:
		return "red"
	case g > 0xC000 && r < 0x4000:
		return "green"
	case b > 0xC000 && r < 0x4000:
		return "blue"
	}
	return fmt.Sprint(c)
}

func corners(t *testing.T, jpg []byte) [4]string {
	t.Helper()
	m, err := jpeg.Decode(bytes.NewReader(jpg))
	if err != nil {
		t.Fatal(err)
	}
	r := m.Bounds()
	return [4]string{
		name(m.At(4, 4)), name(m.At(r.Max.X-5, 4)),
		name(m.At(4, r.Max.Y-5)), name(m.At(r.Max.X-5, r.Max.Y-5)),
	}
}

func TestCleanTurnsUprightAndStripsExif(t *testing.T) {
	plain := encodeJPEG(t, quarters(64, 32))
	want := map[uint16][4]string{
		1: {"red", "green", "blue", "white"},
		2: {"green", "red", "white", "blue"},
		3: {"white", "blue", "green", "red"},
		4: {"blue", "white", "red", "green"},
		5: {"red", "blue", "green", "white"},
		6: {"blue", "red", "white", "green"},
		7: {"white", "green", "blue", "red"},
		8: {"green", "white", "red", "blue"},
		9: {"red", "green", "blue", "white"}, // no such orientation
	}
	for o, corner := range want {
		for mark, order := range map[string]binary.AppendByteOrder{"II*\x00": binary.LittleEndian, "MM\x00*": binary.BigEndian} {
			out, err := Clean(withExif(plain, order, mark, o))
			if err != nil {
				t.Fatalf("orientation %d: %v", o, err)
			}
			if got := corners(t, out); got != corner {
				t.Errorf("orientation %d (%q): corners %v, want %v", o, mark[:2], got, corner)
			}
			if bytes.Contains(out, []byte("Exif")) || bytes.Contains(out, []byte("guard's home")) {
				t.Errorf("orientation %d: EXIF is still there", o)
			}
		}
	}
}

func TestCleanShrinks(t *testing.T) {
	out, err := Clean(encodeJPEG(t, quarters(4096, 1024)))
	if err != nil {
		t.Fatal(err)
	}
	header, err := jpeg.DecodeConfig(bytes.NewReader(out))
	if err != nil || header.Width != 2048 || header.Height != 512 {
		t.Errorf("4096 by 1024 became %d by %d (%v)", header.Width, header.Height, err)
	}
	if got := corners(t, out); got != [4]string{"red", "green", "blue", "white"} {
		t.Errorf("corners are %v", got)
	}
}

func TestCleanPaintsTransparencyWhite(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewNRGBA(image.Rect(0, 0, 32, 32))); err != nil {
		t.Fatal(err)
	}
	out, err := Clean(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if got := corners(t, out); got != [4]string{"white", "white", "white", "white"} {
		t.Errorf("corners are %v", got)
	}
}

// webpPixel is one lossless WebP pixel.
var webpPixel = []byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00")

func TestCleanReadsWebP(t *testing.T) {
	out, err := Clean(webpPixel)
	if err != nil {
		t.Fatal(err)
	}
	if header, err := jpeg.DecodeConfig(bytes.NewReader(out)); err != nil || header.Width != 1 || header.Height != 1 {
		t.Errorf("header %+v, %v", header, err)
	}
}

func TestCleanRefuses(t *testing.T) {
	huge := encodePNGHeader(60000, 60000)
	jpg := encodeJPEG(t, quarters(64, 32))
	tests := map[string]struct {
		upload []byte
		want   error
	}{
		"empty":          {nil, ErrType},
		"text":           {[]byte("<svg onload=alert(1)>"), ErrType},
		"html":           {[]byte("<html><script>"), ErrType},
		"gif":            {[]byte("GIF89a\x01\x00\x01\x00"), ErrType},
		"bomb":           {huge, ErrLarge},
		"too many bytes": {append(jpg, make([]byte, MaxBytes)...), ErrLarge},
		"cut off":        {jpg[:len(jpg)/2], ErrBroken},
		"header only":    {jpg[:20], ErrBroken},
	}
	for name, test := range tests {
		if _, err := Clean(test.upload); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// encodePNGHeader is a PNG that claims a size and holds nothing: what a
// decompression bomb looks like before it is decoded.
func encodePNGHeader(w, h uint32) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		panic(err)
	}
	file := b.Bytes()
	binary.BigEndian.PutUint32(file[16:], w)
	binary.BigEndian.PutUint32(file[20:], h)
	binary.BigEndian.PutUint32(file[29:], crc32.ChecksumIEEE(file[12:29]))
	return file
}

func FuzzClean(f *testing.F) {
	jpg := encodeJPEG(f, quarters(16, 8))
	f.Add(jpg)
	f.Add(withExif(jpg, binary.BigEndian, "MM\x00*", 6))
	f.Add(webpPixel)
	f.Add(encodePNGHeader(9, 9))
	f.Fuzz(func(t *testing.T, upload []byte) {
		if header, _, err := image.DecodeConfig(bytes.NewReader(upload)); err == nil && header.Width*header.Height > 1<<20 {
			t.Skip("lawful but slow")
		}
		out, err := Clean(upload)
		if err != nil {
			if !errors.Is(err, ErrType) && !errors.Is(err, ErrLarge) && !errors.Is(err, ErrBroken) {
				t.Errorf("an error that callers cannot tell: %v", err)
			}
			return
		}
		if _, err := jpeg.DecodeConfig(bytes.NewReader(out)); err != nil {
			t.Errorf("what came out is no JPEG: %v", err)
		}
	})
}
