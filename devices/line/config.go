// Package line is one physical line of the field: a serial port or a TCP socket,
// held open by one owner. It moves bytes within deadlines and says when the line
// broke; it knows nothing of any protocol and never shares a line.
package line

import (
	"errors"
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

// TCP is a socket that the line dials.
type TCP struct {
	Address string `yaml:"address"` // "host:port"
	Baud    int    `yaml:"baud"`    // of the bus behind a serial server, to plan its time; 0 is unknown
}

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
