package devices

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/line"
	"gengfu/devices/nfc"
	"gengfu/devices/profile"
	"gengfu/facility"
)

// Bounds of what a configuration may say.
const (
	minTimeout, maxTimeout = 10 * time.Millisecond, 30 * time.Second
	maxGap                 = time.Second
	minPeriod, maxPeriod   = 100 * time.Millisecond, 24 * time.Hour
	minBaud, maxBaud       = 300, 4_000_000
)

var identifier = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// Validate returns every mistake in the lines, devices and readers of a gateway, and
// when there is none, the lines that are overloaded. The paths begin with "lines",
// "devices" or "readers".
func Validate(lines []LineConfig, devs []DeviceConfig, readers []ReaderConfig, profiles map[string]profile.Profile) []facility.Problem {
	if problems := Mistakes(lines, devs, readers, profiles); len(problems) > 0 {
		return problems
	}
	return Overload(lines, devs, profiles)
}

// Mistakes is Validate without a look at the load.
func Mistakes(lines []LineConfig, devs []DeviceConfig, readers []ReaderConfig, profiles map[string]profile.Profile) []facility.Problem {
	c := checker{lines: map[string]LineConfig{}, profiles: profiles}
	c.checkLines(lines)
	c.checkDevices(devs)
	c.checkReaders(readers)
	return c.problems
}

type checker struct {
	lines    map[string]LineConfig
	profiles map[string]profile.Profile
	problems []facility.Problem
}

func (c *checker) bad(path, what, cure string) {
	c.problems = append(c.problems, facility.Problem{Path: path, What: what, Cure: cure})
}

// checkID reports an id that is missing, malformed or taken.
func (c *checker) checkID(path, id, thing string, taken map[string]bool) {
	switch {
	case id == "":
		c.bad(path, fmt.Sprintf("The %s has no id.", thing), "Give it one, as \"id: pump-house\".")
	case !identifier.MatchString(id):
		c.bad(path, fmt.Sprintf("%q cannot be the id of a %s.", id, thing), "Use lower-case letters, digits and single dashes, as pump-house.")
	case taken[id]:
		c.bad(path, fmt.Sprintf("There are two of the id %q.", id), "Give each its own.")
	}
	taken[id] = true
}

func (c *checker) checkLines(lines []LineConfig) {
	ids, ports := map[string]bool{}, map[string]string{}
	for i, l := range lines {
		at := fmt.Sprintf("lines[%d]", i)
		c.checkID(at+".id", l.ID, "line", ids)
		c.checkProtocol(at, l)
		c.checkPort(at, l, ports)
		c.checkTimes(at, l)
		if l.ID != "" {
			c.lines[l.ID] = l
		}
	}
	c.checkBoxes(lines)
}

func (c *checker) checkProtocol(at string, l LineConfig) {
	switch l.Protocol {
	case "":
		c.bad(at+".protocol", "The line has no protocol.", "Write one of: "+protocols()+".")
		return
	default:
		if !slices.Contains(Protocols(), l.Protocol) {
			c.bad(at+".protocol", fmt.Sprintf("The protocol %q is not known.", l.Protocol), "Write one of: "+protocols()+".")
			return
		}
	}
	if l.Protocol == ModbusTCP && l.Serial != nil {
		c.bad(at+".serial", "Modbus TCP does not run on a serial port.", "Write \"protocol: modbus-rtu\", or \"tcp: {address: HOST:502}\" instead of serial.")
	}
	if l.Reader != nil && !l.Protocol.ofReader() {
		c.bad(at+".reader", fmt.Sprintf("A %s line has no reader.", l.Protocol), "Take the key away, or write the protocol of a card reader: nfc-ascii, rdm6300, pn532 or keyboard.")
	}
	if r := l.Reader; r != nil && l.Protocol.ofReader() {
		c.checkReaderOptions(at+".reader", l.Protocol, *r)
	}
	switch l.Echo {
	case "", bus.EchoAuto, bus.EchoOn, bus.EchoOff:
	default:
		c.bad(at+".echo", fmt.Sprintf("Echo %q is not known.", l.Echo), "Write auto, on or off.")
	}
}

func protocols() string {
	var names []string
	for _, p := range Protocols() {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}

func (c *checker) checkReaderOptions(at string, p Protocol, r ReaderOptions) {
	if r.Debounce != 0 && (r.Debounce < nfc.MinDebounce || r.Debounce > nfc.MaxDebounce) {
		c.bad(at+".debounce", fmt.Sprintf("A debounce of %s is out of bounds.", r.Debounce), "Write 3s to 10s; 5s is usual.")
	}
	if r.Encoding != "" && (p == RDM6300 || p == PN532) {
		c.bad(at+".encoding", fmt.Sprintf("The frames of %s have one encoding.", p), "Take the key away, or write \"protocol: nfc-ascii\" for a reader that sends lines of text.")
		return
	}
	if r.Encoding != "" && !slices.Contains(nfc.Encodings, r.Encoding) {
		c.bad(at+".encoding", fmt.Sprintf("The encoding %q is not known.", r.Encoding), "Write hex, hex-reversed or decimal, whichever matches what the reader sends.")
	}
}

func (c *checker) checkPort(at string, l LineConfig, ports map[string]string) {
	var port, where string
	switch {
	case l.Evdev != nil || l.Protocol == Keyboard:
		if !c.checkEvdev(at, l) {
			return
		}
		port, where = filepath.Clean(l.Evdev.Device), at+".evdev.device"
	case l.Serial == nil && l.TCP == nil:
		c.bad(at, "The line is nowhere.", "Write \"serial: {port: /dev/ttyUSB0}\" or \"tcp: {address: HOST:PORT}\".")
		return
	case l.Serial != nil && l.TCP != nil:
		c.bad(at+".tcp", "The line is both on a serial port and on TCP.", "Keep one of the two.")
		return
	case l.Serial != nil:
		c.checkSerial(at+".serial", *l.Serial)
		if l.Serial.DataBits == 7 && !l.Protocol.ofReader() && l.Protocol != ModbusASCII {
			c.bad(at+".serial.data_bits", fmt.Sprintf("A line of %s has bytes of 8 bits.", l.Protocol), "Write 8, or \"protocol: modbus-ascii\" when the devices speak it.")
		}
		port, where = filepath.Clean(l.Serial.Port), at+".serial.port"
	default:
		c.checkTCP(at+".tcp", *l.TCP)
		port, where = l.TCP.Address, at+".tcp.address"
		if l.TCP.Listen != "" {
			port, where = strings.Join([]string{l.TCP.Listen, string(l.TCP.Registration), l.TCP.Peer}, " "), at+".tcp.listen"
		}
	}
	if other, taken := ports[port]; taken {
		c.bad(where, fmt.Sprintf("%s is the line %q already.", port, other), "One port is one line: put all its devices on that line, or correct the port.")
		return
	}
	ports[port] = l.ID
}

func (c *checker) checkSerial(at string, s line.Serial) {
	if s.Port == "" {
		c.bad(at+".port", "The serial port has no name.", "Write the device file, as \"port: /dev/ttyUSB0\"; names under /dev/serial/by-id survive replugging.")
	}
	if s.Baud != 0 && (s.Baud < minBaud || s.Baud > maxBaud) {
		c.bad(at+".baud", fmt.Sprintf("%d baud is no speed of a serial port.", s.Baud), "Write what the devices are set to, often 2400, 9600 or 19200.")
	}
	switch s.Parity {
	case "", "none", "even", "odd":
	default:
		c.bad(at+".parity", fmt.Sprintf("The parity %q is not known.", s.Parity), "Write none, even or odd.")
	}
	if s.DataBits != 0 && s.DataBits != 7 && s.DataBits != 8 {
		c.bad(at+".data_bits", fmt.Sprintf("A character has 7 or 8 data bits, not %d.", s.DataBits), "Write 8, which Modbus RTU needs.")
	}
	if s.StopBits != 0 && s.StopBits != 1 && s.StopBits != 2 {
		c.bad(at+".stop_bits", fmt.Sprintf("A character has 1 or 2 stop bits, not %d.", s.StopBits), "Write 1 or 2.")
	}
	if s.RS485 != nil {
		c.checkRS485(at+".rs485", *s.RS485)
	}
}

func (c *checker) checkTCP(at string, t line.TCP) {
	switch {
	case t.Address != "" && t.Listen != "":
		c.bad(at+".listen", "The line both dials and is dialled.", "Keep address for a gateway that is dialled, or listen for a box that dials in.")
	case t.Listen != "":
		c.checkListen(at, t)
	default:
		c.checkDial(at, t)
	}
	for key, p := range map[string]line.Packet{"registration": t.Registration, "heartbeat": t.Heartbeat} {
		if _, err := p.Bytes(); err != nil {
			c.bad(at+"."+key, fmt.Sprintf("%q is not what a box can send: %v.", string(p), err), "Write its text, or \"hex:\" and its bytes, as it is set in the box.")
		}
	}
	if t.Baud != 0 && (t.Baud < minBaud || t.Baud > maxBaud) {
		c.bad(at+".baud", fmt.Sprintf("%d baud is no speed of a serial port.", t.Baud), "Write the speed of the bus behind the serial server, or leave it out.")
	}
}

func (c *checker) checkDial(at string, t line.TCP) {
	host, port, err := net.SplitHostPort(t.Address)
	n, numErr := strconv.ParseUint(port, 10, 16)
	if err != nil || numErr != nil || host == "" || n == 0 {
		c.bad(at+".address", fmt.Sprintf("%q is not an address.", t.Address), "Write host and port, as \"192.168.1.50:502\"; or listen, as \":9000\", for a box that dials in.")
	}
	if t.Peer != "" {
		c.bad(at+".peer", "A peer belongs to a line that listens.", "Take the key away, or write listen instead of address.")
	}
}

func (c *checker) checkListen(at string, t line.TCP) {
	_, port, err := net.SplitHostPort(t.Listen)
	n, numErr := strconv.ParseUint(port, 10, 16)
	if err != nil || numErr != nil || n == 0 {
		c.bad(at+".listen", fmt.Sprintf("%q is not an address to listen on.", t.Listen), "Write the port where the box dials in, as \":9000\".")
	}
	if _, err := netip.ParseAddr(t.Peer); t.Peer != "" && err != nil {
		c.bad(at+".peer", fmt.Sprintf("%q is not an IP address.", t.Peer), "Write where the box dials in from, as 192.168.1.50, or leave it out for anywhere.")
	}
}

func (c *checker) checkTimes(at string, l LineConfig) {
	c.checkTimeout(at+".timeout", l.Timeout)
	c.checkTimeout(at+".timeout_min", l.TimeoutMin)
	if l.Timeout != 0 && l.TimeoutMin > l.Timeout {
		c.bad(at+".timeout_min", fmt.Sprintf("The least timeout of %s is above the timeout of %s.", l.TimeoutMin, l.Timeout), "Write less, or leave it out.")
	}
	c.checkGap(at+".gap", l.Gap)
}

func (c *checker) checkTimeout(at string, t time.Duration) {
	if t != 0 && (t < minTimeout || t > maxTimeout) {
		c.bad(at, fmt.Sprintf("A timeout of %s is out of bounds.", t), "Write 10ms to 30s; 500ms to 2s are usual.")
	}
}

func (c *checker) checkGap(at string, t time.Duration) {
	if t < 0 || t > maxGap {
		c.bad(at, fmt.Sprintf("A gap of %s is out of bounds.", t), "Write 0ms to 1s; 10ms is usual.")
	}
}
