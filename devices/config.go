// Package devices is the field side: it reads the devices and readers on all
// lines of one gateway, each line in its own time, and hands over readings and
// taps. It judges nothing, and it never books a value to a point that it did not
// come from.
package devices

import (
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/line"
	"gengfu/devices/nfc"
	"gengfu/facility"
)

// Protocol is what is spoken on a line.
type Protocol string

// The protocols. Modbus RTU on a TCP line is the transparent mode of a serial
// server: raw frames with their CRC.
const (
	ModbusRTU Protocol = "modbus-rtu"
	ModbusTCP Protocol = "modbus-tcp"
	NFCASCII  Protocol = "nfc-ascii"
	RDM6300   Protocol = "rdm6300"
)

// ofReader reports whether a card reader speaks it, and not devices.
func (p Protocol) ofReader() bool { return p == NFCASCII || p == RDM6300 }

// SerialConfig and TCPConfig say where a line is; a line has one of them.
type (
	SerialConfig = line.Serial
	TCPConfig    = line.TCP
)

// ReaderOptions says how a serial reader writes the cards that it sees.
type ReaderOptions struct {
	Debounce time.Duration `yaml:"debounce"` // the same card again within this is the same visit; 3s to 10s, 0 is 5s
	Encoding nfc.Encoding  `yaml:"encoding"` // of nfc-ascii only: hex, hex-reversed or decimal; "" is hex
}

// LineConfig is one line as the configuration says it.
type LineConfig struct {
	ID       string         `yaml:"id"`
	Protocol Protocol       `yaml:"protocol"`
	Serial   *SerialConfig  `yaml:"serial"`
	TCP      *TCPConfig     `yaml:"tcp"`
	Timeout  time.Duration  `yaml:"timeout"` // until a reply has begun; 10ms to 30s; 0 is 1s, over TCP 1.5s
	Gap      time.Duration  `yaml:"gap"`     // silence before each request, at least 3.5 characters; at most 1s; 0 is 10ms on RTU
	Echo     bus.Echo       `yaml:"echo"`    // whether the adapter returns what is sent: auto, on or off; "" is auto
	Reader   *ReaderOptions `yaml:"reader"`  // of an nfc-ascii or rdm6300 line
}

// DeviceConfig is one device as the configuration says it.
type DeviceConfig struct {
	ID      string                   `yaml:"id"`
	Name    facility.Text            `yaml:"name"`
	Profile string                   `yaml:"profile"`
	Line    string                   `yaml:"line"`
	Address Address                  `yaml:"address"` // Modbus: 1 to 247, over TCP also 0 and 255; a meter's digits
	Place   string                   `yaml:"place"`
	Periods map[string]time.Duration `yaml:"periods"` // by quantity, instead of the profile's; 100ms to 24h
}

// ReaderConfig is one fixed reader as the configuration says it.
type ReaderConfig struct {
	ID         string        `yaml:"id"`
	Name       facility.Text `yaml:"name"`
	Line       string        `yaml:"line"`
	Checkpoint string        `yaml:"checkpoint"`
}

// Defaults of a line.
const (
	defaultSerialTimeout = time.Second
	defaultTCPTimeout    = 1500 * time.Millisecond
	defaultGap           = 10 * time.Millisecond
)

func (c LineConfig) timeout() time.Duration {
	switch {
	case c.Timeout != 0:
		return c.Timeout
	case c.TCP != nil:
		return defaultTCPTimeout
	}
	return defaultSerialTimeout
}

// wire returns how the bytes of the line are timed.
func (c LineConfig) wire() bus.Wire {
	w := bus.Wire{Gap: c.Gap}
	if c.Gap == 0 && c.Protocol == ModbusRTU {
		w.Gap = defaultGap
	}
	switch {
	case c.Serial != nil:
		w.Character = c.Serial.Character()
	case c.TCP != nil && c.TCP.Baud > 0:
		w.Character = line.Serial{Baud: c.TCP.Baud}.Character()
	}
	return w
}
