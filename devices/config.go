// Package devices is the field side: it reads the devices and readers on all
// lines of one gateway, each line in its own time, and hands over readings and
// taps. It judges nothing, and it never books a value to a point that it did not
// come from.
package devices

import (
	"slices"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/line"
	"gengfu/devices/nfc"
	"gengfu/facility"
)

// Protocol is what is spoken on a line.
type Protocol string

// The protocols. Modbus RTU on a TCP line is the transparent mode of a serial
// server: raw frames with their CRC. On a line of Modbus RTU or of meters devices of
// all of these may be mixed, when their serial parameters agree: the protocol of the
// line says what it is mainly for.
const (
	ModbusRTU   Protocol = "modbus-rtu"
	ModbusASCII Protocol = "modbus-ascii"
	ModbusTCP   Protocol = "modbus-tcp"
	DLT645      Protocol = "dlt645"
	CJT188      Protocol = "cjt188"
	MBus        Protocol = "mbus"
	NFCASCII    Protocol = "nfc-ascii"
	RDM6300     Protocol = "rdm6300"
	PN532       Protocol = "pn532"
	Keyboard    Protocol = "keyboard"
)

// Protocols lists what a line may speak.
func Protocols() []Protocol {
	return []Protocol{ModbusRTU, ModbusASCII, ModbusTCP, DLT645, CJT188, MBus, NFCASCII, RDM6300, PN532, Keyboard}
}

// ofReader reports whether a card reader speaks it, and not devices.
func (p Protocol) ofReader() bool {
	return p == NFCASCII || p == RDM6300 || p == PN532 || p == Keyboard
}

// ofMeters reports whether a line is mainly for meters that do not speak Modbus.
func (p Protocol) ofMeters() bool { return p == DLT645 || p == CJT188 || p == MBus }

// SerialConfig, TCPConfig and EvdevConfig say where a line is; a line has one of
// them.
type (
	SerialConfig = line.Serial
	TCPConfig    = line.TCP
	EvdevConfig  = line.Evdev
)

// ReaderOptions says how a serial reader writes the cards that it sees.
type ReaderOptions struct {
	Debounce time.Duration `yaml:"debounce"` // the same card again within this is the same visit; 3s to 10s, 0 is 5s
	Encoding nfc.Encoding  `yaml:"encoding"` // of nfc-ascii and keyboard: hex, hex-reversed or decimal; "" is hex
}

// LineConfig is one line as the configuration says it.
type LineConfig struct {
	ID       string        `yaml:"id"`
	Protocol Protocol      `yaml:"protocol"`
	Serial   *SerialConfig `yaml:"serial"`
	TCP      *TCPConfig    `yaml:"tcp"`
	Evdev    *EvdevConfig  `yaml:"evdev"`   // a USB reader that types, of protocol keyboard
	Timeout  time.Duration `yaml:"timeout"` // until a reply has begun, at most; 10ms to 30s; 0 is by protocol: Modbus 1s, over TCP 1.5s

	// TimeoutMin is the least that a timeout is shortened to, once it is known how soon
	// a device answers; 0 is 250ms, over TCP 500ms.
	TimeoutMin time.Duration `yaml:"timeout_min"`

	Gap    time.Duration  `yaml:"gap"`    // silence before each request, at least 3.5 characters; at most 1s; 0 is 10ms on RTU
	Echo   bus.Echo       `yaml:"echo"`   // whether the adapter returns what is sent: auto, on or off; "" is auto
	Reader *ReaderOptions `yaml:"reader"` // of the line of a card reader

	DependsOn []string `yaml:"depends_on"` // devices through which its converter is fed
}

// DeviceConfig is one device as the configuration says it.
type DeviceConfig struct {
	ID      string                   `yaml:"id"`
	Name    facility.Text            `yaml:"name"`
	Profile string                   `yaml:"profile"`
	Line    string                   `yaml:"line"`
	Address Address                  `yaml:"address"` // Modbus: 1 to 247, over TCP also 0 and 255; a meter's digits
	Place   string                   `yaml:"place"`
	Timeout time.Duration            `yaml:"timeout"` // instead of the line's and the profile's
	Gap     time.Duration            `yaml:"gap"`     // silence before each request, instead of the line's and the profile's
	Write   Writes                   `yaml:"write"`   // what may be written of what the profile has writable: true, or a list of quantities
	Periods map[string]time.Duration `yaml:"periods"` // by quantity, instead of the profile's; 100ms to 24h

	DependsOn []string `yaml:"depends_on"` // devices through which it is fed, as the meter before it

	Parent  string            `yaml:"parent"`  // of a sub-meter the meter through which all goes that it counts
	Ratings map[string]string `yaml:"ratings"` // what it is made for or allowed, as current: 100 A; rules ask for it by name
}

// ReaderConfig is one fixed reader as the configuration says it.
type ReaderConfig struct {
	ID         string        `yaml:"id"`
	Name       facility.Text `yaml:"name"`
	Line       string        `yaml:"line"`
	Checkpoint string        `yaml:"checkpoint"`
}

// Writes says which quantities of a device may be written. The zero value is none.
type Writes struct {
	All  bool
	Only []string
}

// UnmarshalYAML reads true, false or a list of quantities.
func (w *Writes) UnmarshalYAML(unmarshal func(any) error) error {
	if err := unmarshal(&w.All); err == nil {
		return nil
	}
	w.All = false
	return unmarshal(&w.Only)
}

// Allow reports whether the quantity may be written.
func (w Writes) Allow(quantity string) bool { return w.All || slices.Contains(w.Only, quantity) }

// serial returns the port with the speed that the protocol has by itself.
func (c LineConfig) serial() SerialConfig {
	const ofPN532 = 115_200
	s := *c.Serial
	if s.Baud == 0 && c.Protocol == PN532 {
		s.Baud = ofPN532
	}
	return s
}
