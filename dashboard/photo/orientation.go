package photo

import (
	"bytes"
	"encoding/binary"
	"image"
)

// upright is the EXIF orientation of a picture that needs no turning (EXIF 2.32,
// table 4: tag 0x0112, values 1 to 8).
const upright = 1

// orientation returns the EXIF orientation of a JPEG, 1 when it states none.
func orientation(file []byte) int {
	for rest := file[min(2, len(file)):]; len(rest) >= 4 && rest[0] == 0xFF; {
		marker, length := rest[1], int(binary.BigEndian.Uint16(rest[2:]))
		if marker == 0xDA || length < 2 || len(rest) < 2+length { // start of scan: no header follows
			return upright
		}
		segment := rest[4 : 2+length]
		if marker == 0xE1 && bytes.HasPrefix(segment, []byte("Exif\x00\x00")) {
			return tiffOrientation(segment[6:])
		}
		rest = rest[2+length:]
	}
	return upright
}

// tiffOrientation looks the tag up in the first directory of a TIFF header.
func tiffOrientation(tiff []byte) int {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(tiff, []byte("II*\x00")):
		order = binary.LittleEndian
	case bytes.HasPrefix(tiff, []byte("MM\x00*")):
		order = binary.BigEndian
	default:
		return upright
	}
	if len(tiff) < 8 {
		return upright
	}
	start := int64(order.Uint32(tiff[4:]))
	if start+2 > int64(len(tiff)) {
		return upright
	}
	entries := tiff[start+2:]
	for range order.Uint16(tiff[start:]) {
		if len(entries) < 12 {
			return upright
		}
		if order.Uint16(entries) == 0x0112 {
			if o := int(order.Uint16(entries[8:])); o >= 1 && o <= 8 {
				return o
			}
			return upright
		}
		entries = entries[12:]
	}
	return upright
}

// turned returns the picture as it must be seen: the EXIF orientation undone.
func turned(src *image.RGBA, orientation int) *image.RGBA {
	if orientation <= upright || orientation > 8 {
		return src
	}
	w, h := src.Bounds().Dx(), src.Bounds().Dy()
	size := image.Rect(0, 0, w, h)
	if orientation >= 5 {
		size = image.Rect(0, 0, h, w)
	}
	dst := image.NewRGBA(size)
	for y := range size.Dy() {
		for x := range size.Dx() {
			sx, sy := source(orientation, x, y, w, h)
			copy(dst.Pix[dst.PixOffset(x, y):][:4], src.Pix[src.PixOffset(sx, sy):][:4])
		}
	}
	return dst
}

// source says which pixel of a w by h picture stands at (x, y) when it is upright.
func source(orientation, x, y, w, h int) (sx, sy int) {
	switch orientation {
	case 2: // mirrored
		return w - 1 - x, y
	case 3: // upside down
		return w - 1 - x, h - 1 - y
	case 4: // mirrored and upside down
		return x, h - 1 - y
	case 5: // mirrored, turned left
		return y, x
	case 6: // turned left: the camera was held with its right side down
		return y, h - 1 - x
	case 7: // mirrored, turned right
		return w - 1 - y, h - 1 - x
	default: // 8: turned right
		return w - 1 - y, x
	}
}
