// Package scan finds out who is on a line and how it is set: it plans what to try
// and in which order, asks, and names the models that it recognises. Planning and
// recognising are pure; only Sweep talks.
package scan

import (
	"fmt"
	"slices"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/line"
	"gengfu/devices/sniff"
)

// Setting is how a serial port is set. The zero one is a socket's, which has none.
type Setting struct {
	Baud     int    `json:"baud,omitempty"`
	Parity   string `json:"parity,omitempty"` // none, even, odd
	DataBits int    `json:"data_bits,omitempty"`
	StopBits int    `json:"stop_bits,omitempty"`
}

// String writes it as people say it: 9600 8N1.
func (s Setting) String() string {
	if s.Baud == 0 {
		return "as it is"
	}
	letter := map[string]string{"none": "N", "even": "E", "odd": "O"}[s.Parity]
	return fmt.Sprintf("%d %d%s%d", s.Baud, s.DataBits, letter, s.StopBits)
}

// Serial returns the port with the setting.
func (s Setting) Serial(port string) line.Serial {
	return line.Serial{Port: port, Baud: s.Baud, Parity: s.Parity, DataBits: s.DataBits, StopBits: s.StopBits}
}

// Wire returns how bytes are timed.
func (s Setting) Wire() bus.Wire {
	if s.Baud == 0 {
		return bus.Wire{}
	}
	return bus.Wire{Character: s.Serial("").Character(), Gap: 2 * time.Millisecond}
}

// Framings are the parities and stop bits as --parity takes them.
func Framings() []string { return []string{"8N1", "8E1", "8O1", "8N2", "7E1"} }

// ParseFraming returns one of Framings as a setting without a baud rate.
func ParseFraming(framing string) Setting { return setting(0, framing) }

func setting(baud int, framing string) Setting {
	s := Setting{Baud: baud, DataBits: int(framing[0] - '0'), StopBits: int(framing[2] - '0')}
	s.Parity = map[byte]string{'N': "none", 'E': "even", 'O': "odd"}[framing[1]]
	return s
}

// Options narrow what is tried. What is empty is everything.
type Options struct {
	Socket    bool             // a TCP address, whose serial side cannot be set from here
	Bauds     []int            // in the order of likelihood when empty
	Framings  []string         // of Framings
	First     *Setting         // tried before all others, also when it is none of them; nil for none
	Protocols []sniff.Protocol // of those of package sniff
	Addresses []int            // of Modbus slaves and primary ones of M-Bus
	Thorough  bool             // ask silent addresses in a second way, and try all settings even when one has answered
	Patience  time.Duration    // that a Modbus slave gets to begin its reply; 0 is 100 ms, 300 ms over a socket
}

// Step is one thing to try.
type Step struct {
	Setting  Setting
	Protocol sniff.Protocol
	Address  int  // of Modbus and M-Bus; of other protocols all meters are asked at once
	Input    bool // ask for an input register instead of a holding one
	Rest     bool // of the second round, over all addresses
	Takes    time.Duration
}

// common are the addresses that makers and installers use, which are tried at all
// settings before the others.
const common = 8

// The bauds by likelihood.
func bauds() []int { return []int{9600, 2400, 19200, 4800, 38400, 115200, 57600} }

// Settings returns the settings to try, the likely ones first.
func Settings(o Options) []Setting {
	if o.Socket {
		return []Setting{{}}
	}
	framings := o.Framings
	if len(framings) == 0 {
		framings = []string{"8N1", "8E1", "8O1", "8N2"}
		if len(o.Protocols) == 0 || slices.Contains(o.Protocols, sniff.ModbusASCII) {
			framings = append(framings, "7E1")
		}
	}
	rates := o.Bauds
	if len(rates) == 0 {
		rates = bauds()
	}
	var out []Setting
	for _, pair := range [][]string{{"8N1", "8E1"}, {"8O1", "8N2"}, {"7E1"}} {
		for _, baud := range rates {
			order := pair
			if baud == 2400 && len(pair) == 2 {
				order = []string{pair[1], pair[0]} // meters: 8E1
			}
			for _, f := range order {
				if slices.Contains(framings, f) {
					out = append(out, setting(baud, f))
				}
			}
		}
	}
	if first := o.First; first != nil {
		out = slices.DeleteFunc(out, func(s Setting) bool { return s == *first })
		out = slices.Insert(out, 0, *first)
	}
	return out
}

// Plan returns what to try, in its order: at each setting first the common addresses
// and the meters that answer to no address of theirs, then at each all the rest.
func Plan(o Options) []Step {
	var out []Step
	settings := Settings(o)
	for _, s := range settings {
		out = append(out, firstRound(s, o)...)
	}
	for _, s := range settings {
		out = append(out, secondRound(s, o)...)
	}
	return out
}

// Estimate returns how long the steps take when nobody answers.
func Estimate(steps []Step) (d time.Duration) {
	for _, s := range steps {
		d += s.Takes
	}
	return d
}

func firstRound(s Setting, o Options) (out []Step) {
	for _, p := range protocolsAt(s, o) {
		switch {
		case p.Modbus():
			for _, a := range o.addresses() {
				if few(a, o) {
					out = append(out, o.step(Step{Setting: s, Protocol: p, Address: a}))
				}
			}
		default:
			out = append(out, o.step(Step{Setting: s, Protocol: p}))
		}
	}
	return out
}

func secondRound(s Setting, o Options) (out []Step) {
	for _, p := range protocolsAt(s, o) {
		if !p.Modbus() {
			continue
		}
		for _, a := range o.addresses() {
			if !few(a, o) {
				out = append(out, o.step(Step{Setting: s, Protocol: p, Address: a, Rest: true}))
			}
		}
		for _, a := range o.addresses() {
			if o.Thorough {
				out = append(out, o.step(Step{Setting: s, Protocol: p, Address: a, Rest: true, Input: true}))
			}
		}
	}
	return out
}

// few reports whether an address is tried in the first round.
func few(address int, o Options) bool {
	return address <= common || len(o.Addresses) > 0 && len(o.Addresses) <= common
}

// protocolsAt returns what may be spoken at a setting.
func protocolsAt(s Setting, o Options) (out []sniff.Protocol) {
	may := map[sniff.Protocol]bool{
		sniff.ModbusRTU:   s.DataBits != 7,
		sniff.ModbusTCP:   o.Socket,
		sniff.ModbusASCII: s.DataBits == 7 || asked(o, sniff.ModbusASCII),
		sniff.DLT645:      s.Baud <= 19200 && s.DataBits != 7 && s.Parity != "odd",
		sniff.CJT188:      s.Baud <= 9600 && s.DataBits != 7 && s.Parity != "odd",
		sniff.MBus:        s.Baud <= 9600 && s.DataBits != 7 && s.Parity != "odd",
	}
	all := []sniff.Protocol{sniff.ModbusTCP, sniff.ModbusRTU, sniff.ModbusASCII, sniff.DLT645, sniff.CJT188, sniff.MBus}
	if s.Baud == 2400 {
		all = []sniff.Protocol{sniff.DLT645, sniff.CJT188, sniff.MBus, sniff.ModbusRTU, sniff.ModbusASCII}
	}
	for _, p := range all {
		if asked(o, p) || len(o.Protocols) == 0 && may[p] {
			if p == sniff.ModbusTCP && !o.Socket {
				continue
			}
			out = append(out, p)
		}
	}
	return out
}

func asked(o Options, p sniff.Protocol) bool { return slices.Contains(o.Protocols, p) }

func (o Options) addresses() []int {
	if len(o.Addresses) > 0 {
		return o.Addresses
	}
	all := make([]int, 247)
	for i := range all {
		all[i] = i + 1
	}
	return all
}

// How long meters may take to begin a reply, with the time between bytes.
const (
	meterPatience = 550 * time.Millisecond
	mbusPatience  = 250 * time.Millisecond
)

func (o Options) patience() time.Duration {
	switch {
	case o.Patience > 0:
		return o.Patience
	case o.Socket:
		return 300 * time.Millisecond
	}
	return 100 * time.Millisecond
}

func (o Options) step(s Step) Step {
	wire := s.Setting.Wire()
	switch s.Protocol {
	case sniff.DLT645: // both editions
		s.Takes = 2*meterPatience + wire.Of(2*(16+22)) + 2*wire.Silence()
	case sniff.CJT188: // both orders
		s.Takes = 2*meterPatience + wire.Of(2*(20+39)) + 2*wire.Silence()
	case sniff.MBus:
		s.Takes = 2*mbusPatience + wire.Of(2*(5+100)) + 2*wire.Silence()
	case sniff.ModbusASCII:
		s.Takes = o.patience() + wire.Of(17+15) + wire.Silence()
	default:
		s.Takes = o.patience() + wire.Of(8+7) + wire.Silence()
	}
	return s
}
