// Package photo makes of whatever somebody uploads a plain JPEG that is safe to
// keep and to show. It never passes on a byte of the upload: no EXIF, no place,
// no second file hidden behind the first.
package photo

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	_ "image/png" // decoder
	"net/http"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // decoder
)

// Limits of an upload and of what is kept of it.
const (
	MaxBytes  = 10 << 20   // of the upload
	maxPixels = 25_000_000 // decoding a progressive JPEG takes 6 bytes a pixel
	maxSide   = 2048       // pixels of the longer side that are kept
	quality   = 82         // of the JPEG, 1-100
)

// Errors of Clean.
var (
	ErrType   = errors.New("not a JPEG, PNG or WebP picture")
	ErrLarge  = errors.New("the picture is too large")
	ErrBroken = errors.New("the picture is damaged")
)

// ContentType is the type of every cleaned picture.
const ContentType = "image/jpeg"

// Clean decodes a JPEG, PNG or WebP picture, turns it upright, makes it no
// larger than 2048 pixels a side and returns it as a JPEG. It fails with
// ErrType, ErrLarge or ErrBroken.
func Clean(upload []byte) ([]byte, error) {
	if len(upload) > MaxBytes {
		return nil, fmt.Errorf("%d bytes: %w", len(upload), ErrLarge)
	}
	kind := http.DetectContentType(upload)
	if kind != "image/jpeg" && kind != "image/png" && kind != "image/webp" {
		return nil, fmt.Errorf("%s: %w", kind, ErrType)
	}
	header, _, err := image.DecodeConfig(bytes.NewReader(upload))
	if err != nil {
		return nil, fmt.Errorf("header of a %s: %w: %w", kind, ErrBroken, err)
	}
	if header.Width < 1 || header.Height < 1 {
		return nil, fmt.Errorf("%d by %d pixels: %w", header.Width, header.Height, ErrBroken)
	}
	if header.Width > maxPixels/header.Height {
		return nil, fmt.Errorf("%d by %d pixels: %w", header.Width, header.Height, ErrLarge)
	}
	picture, _, err := image.Decode(bytes.NewReader(upload))
	if err != nil {
		return nil, fmt.Errorf("body of a %s: %w: %w", kind, ErrBroken, err)
	}
	turn := upright
	if kind == "image/jpeg" {
		turn = orientation(upload)
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, turned(shrunk(picture), turn), &jpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("encode the picture: %w", err)
	}
	return out.Bytes(), nil
}

// shrunk draws the picture on white, because JPEG has no transparency.
func shrunk(src image.Image) *image.RGBA {
	w, h := src.Bounds().Dx(), src.Bounds().Dy()
	if longer := max(w, h); longer > maxSide {
		w, h = max(w*maxSide/longer, 1), max(h*maxSide/longer, 1)
	}
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(dst, dst.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	if w == src.Bounds().Dx() && h == src.Bounds().Dy() {
		draw.Draw(dst, dst.Bounds(), src, src.Bounds().Min, draw.Over)
	} else {
		draw.BiLinear.Scale(dst, dst.Bounds(), src, src.Bounds(), draw.Over, nil)
	}
	return dst
}
