package line_test

import (
	"io"
	"testing"
	"time"

	"gengfu/devices/line"
)

// What a line costs in every request must not grow: hundreds of them are polled
// at once.
func TestALineAllocatesNothing(t *testing.T) {
	c, peer := socket(t)
	p := openPTY(t, "")
	s := openSerial(t, p.Path())
	request, reply, buf := []byte{1, 2, 3}, []byte{4, 5, 6, 7}, make([]byte, 64)
	for name, l := range map[string]struct {
		conn *line.Conn
		peer io.ReadWriter
	}{"tcp": {c, peer}, "serial": {s, p}} {
		got := make([]byte, 64)
		exchange := func() {
			if err := l.conn.Discard(); err != nil {
				t.Fatal(err)
			}
			if err := l.conn.Write(t.Context(), request); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(l.peer, got[:len(request)]); err != nil {
				t.Fatal(err)
			}
			if _, err := l.peer.Write(reply); err != nil {
				t.Fatal(err)
			}
			for n := 0; n < len(reply); {
				k, err := l.conn.Read(t.Context(), buf, time.Now().Add(soon))
				if err != nil {
					t.Fatal(err)
				}
				n += k
			}
		}
		const byTheRaceDetector = 1
		if got := testing.AllocsPerRun(200, exchange); got > byTheRaceDetector {
			t.Errorf("%s: %.1f allocations for an exchange", name, got)
		}
	}
}
