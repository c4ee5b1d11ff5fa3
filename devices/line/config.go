// Package line is one physical line of the field: a serial port or a TCP socket,
// held open by one owner. It moves bytes within deadlines and says when the line
// broke; it knows nothing of any protocol and never shares a line.
package line

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Serial is a serial port and how its characters look.
type Serial struct {
	Port     string `yaml:"port"`      // "/dev/ttyUSB0"; better a name under /dev/serial/by-id
	Baud     int    `yaml:"baud"`      // 300 to 4000000; 0 is 9600
	Parity   string `yaml:"parity"`    // none, even or odd; "" is none
	DataBits int    `yaml:"data_bits"` // 7 or 8; 0 is 8
	StopBits int    `yaml:"stop_bits"` // 1 or 2; 0 is 1

	RS485      *RS485 `yaml:"rs485"`       // nil leaves the direction of the bus to the adapter
	LowLatency *bool  `yaml:"low_latency"` // nil and true: bytes are handed over as they come, where the driver can do it
}

// RS485 is how the driver of a port switches the direction of the bus, by the RTS
// line. Only few adapters need it; most switch by themselves.
type RS485 struct {
	RTSOnSend   *bool         `yaml:"rts_on_send"`  // level of RTS while sending, the other one after it; nil is true
	DelayBefore time.Duration `yaml:"delay_before"` // between switching and the first bit; whole ms, at most 100ms
	DelayAfter  time.Duration `yaml:"delay_after"`  // between the last bit and switching back; whole ms, at most 100ms
	RxDuringTx  bool          `yaml:"rx_during_tx"` // receive what is sent; it then echoes
}

// TCP is a socket: one that the line dials, or one on which a box dials in. It
// has Address or Listen.
type TCP struct {
	Address string `yaml:"address"` // "host:port" of a gateway or serial server
	Listen  string `yaml:"listen"`  // "host:port" here, where the box dials in; several lines may share one
	Baud    int    `yaml:"baud"`    // of the bus behind a serial server, to plan its time; 0 is unknown

	// What boxes say on their own.
	Registration Packet `yaml:"registration"` // names the box, first on each connection; "" where there is none
	Heartbeat    Packet `yaml:"heartbeat"`    // sent every now and then, and passed over; "" where there is none

	Peer string `yaml:"peer"` // IP address from which the box dials in; "" is any
}

// Packet is what a box sends on its own: text as it is, or "hex:" and its bytes,
// as "hex:D8 B0 4C 12 34 56" of a box that registers with its MAC.
type Packet string

// longestPacket is more than any box sends on its own.
const longestPacket = 256

// Bytes returns the packet as it is sent.
func (p Packet) Bytes() ([]byte, error) {
	b := []byte(p)
	if digits, ok := strings.CutPrefix(string(p), "hex:"); ok {
		var err error
		if b, err = hex.DecodeString(separators.Replace(digits)); err != nil {
			return nil, fmt.Errorf("packet %q: not pairs of hex digits", string(p))
		}
		if len(b) == 0 {
			return nil, fmt.Errorf("packet %q: nothing after \"hex:\"", string(p))
		}
	}
	if len(b) > longestPacket {
		return nil, fmt.Errorf("packet of %d bytes: want at most %d", len(b), longestPacket)
	}
	return b, nil
}

var separators = strings.NewReplacer(" ", "", ":", "", "-", "")

// The values of what a configuration leaves out.
const (
	DefaultBaud     = 9600
	DefaultParity   = "none"
	DefaultDataBits = 8
	DefaultStopBits = 1
)

// ErrBusy says that another program, or another line, holds the port.
var ErrBusy = errors.New("in use by another program")

// WithDefaults returns the port with everything filled in.
func (s Serial) WithDefaults() Serial {
	if s.Baud == 0 {
		s.Baud = DefaultBaud
	}
	if s.Parity == "" {
		s.Parity = DefaultParity
	}
	if s.DataBits == 0 {
		s.DataBits = DefaultDataBits
	}
	if s.StopBits == 0 {
		s.StopBits = DefaultStopBits
	}
	return s
}

// Character returns how long one character is on the wire: start bit, data,
// parity and stop bits.
func (s Serial) Character() time.Duration {
	s = s.WithDefaults()
	bits := 1 + s.DataBits + s.StopBits
	if s.Parity != "none" {
		bits++
	}
	return time.Duration(bits) * time.Second / time.Duration(s.Baud)
}
