package broker

import (
	"fmt"
	"net"
)

// checked is a connection to a broker that ends when what comes in is more than the
// client can bear: paho panics on a confirmation of more subscriptions than were
// asked for, and makes room for a packet of any length before it has come.
type checked struct {
	net.Conn
	frames frames
	heard  func()
}

// Read implements net.Conn.
func (c *checked) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard()
	}
	if bad := c.frames.see(p[:n]); bad != nil {
		return 0, bad
	}
	return n, err
}

// frames follows the packets of MQTT 3.1.1 by their fixed headers.
type frames struct {
	kind   byte
	header int // bytes of the header that were seen
	length int // of the rest, as far as it is known
	rest   int // bytes of it that are still to come
}

const subAck = 9 // the kind of packet that confirms subscriptions

func (f *frames) see(p []byte) error {
	for len(p) > 0 {
		if f.rest > 0 {
			n := min(f.rest, len(p))
			f.rest -= n
			p = p[n:]
			continue
		}
		b := p[0]
		p = p[1:]
		if f.header == 0 {
			f.kind, f.header, f.length = b>>4, 1, 0
			continue
		}
		f.length |= int(b&0x7F) << (7 * (f.header - 1))
		f.header++
		switch {
		case b&0x80 != 0 && f.header > 4:
			return fmt.Errorf("a packet of kind %d has no length", f.kind)
		case b&0x80 != 0:
			continue
		case f.length > maxPacket:
			return fmt.Errorf("a packet of kind %d is of %d bytes, at most %d are taken", f.kind, f.length, maxPacket)
		case f.kind == subAck && f.length != 3: // its number, and one result: filters go one by one
			return fmt.Errorf("a confirmation of subscriptions is of %d bytes, want 3", f.length)
		}
		f.rest, f.header = f.length, 0
	}
	return nil
}
