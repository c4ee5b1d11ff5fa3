package payload

import (
	"bytes"
	"encoding/hex"
	"hash/crc32"
)

// A payload and a control message begin with a checksum, CRC-32C in hexadecimal of
// all bytes from sealed on. What carries them has checksums that are weak (TCP) or
// ends before the fact is durable (TLS up to the broker): a bit that turns in a
// number makes another number, and in an acknowledgement it makes the gateway forget
// what nobody has.
const (
	sealLabel = `{"crc":"`
	sealBlank = `00000000",`
	sealed    = len(sealLabel) + len(sealBlank)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal writes the checksum of object into its beginning, which is sealLabel and
// sealBlank.
func seal(object []byte) {
	sum := crc32.Checksum(object[sealed:], castagnoli)
	digits := [4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}
	hex.Encode(object[len(sealLabel):], digits[:])
}

// intact reports whether an object is as it was sealed, or was never sealed: other
// programs need not, nor did earlier versions. One that has the shape of a seal but
// not its words is damaged.
func intact(object []byte) bool {
	if len(object) < sealed || object[sealed-1] != ',' || object[sealed-2] != '"' || object[len(sealLabel)-1] != '"' {
		return !bytes.HasPrefix(object, []byte(sealLabel))
	}
	var digits [4]byte
	if _, err := hex.Decode(digits[:], object[len(sealLabel):sealed-2]); err != nil {
		return !bytes.HasPrefix(object, []byte(sealLabel))
	}
	sum := uint32(digits[0])<<24 | uint32(digits[1])<<16 | uint32(digits[2])<<8 | uint32(digits[3])
	return bytes.HasPrefix(object, []byte(sealLabel)) && sum == crc32.Checksum(object[sealed:], castagnoli)
}
