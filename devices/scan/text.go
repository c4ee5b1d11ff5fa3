package scan

import (
	"fmt"
	"strconv"
)

func itoa(n int) string { return strconv.Itoa(n) }

func hexByte(b byte) string { return fmt.Sprintf("%02X", b) }
