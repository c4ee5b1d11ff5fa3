package devices

import (
	"fmt"
	"maps"
	"net"
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

// Validate returns every mistake in the lines, devices and readers of a gateway.
// The paths begin with "lines", "devices" or "readers".
func Validate(lines []LineConfig, devs []DeviceConfig, readers []ReaderConfig, profiles map[string]profile.Profile) []facility.Problem {
	c := checker{lines: map[string]LineConfig{}, profiles: profiles}
	c.checkLines(lines)
	c.checkDevices(devs)
	c.checkReaders(readers)
	if len(c.problems) == 0 {
		c.checkLoad(lines, devs)
	}
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
}

func (c *checker) checkProtocol(at string, l LineConfig) {
	switch l.Protocol {
	case ModbusRTU, ModbusTCP, NFCASCII, RDM6300:
	case "":
		c.bad(at+".protocol", "The line has no protocol.", "Write modbus-rtu, modbus-tcp, nfc-ascii or rdm6300.")
		return
	default:
		c.bad(at+".protocol", fmt.Sprintf("The protocol %q is not known.", l.Protocol), "Write modbus-rtu, modbus-tcp, nfc-ascii or rdm6300.")
		return
	}
	if l.Protocol == ModbusTCP && l.Serial != nil {
		c.bad(at+".serial", "Modbus TCP does not run on a serial port.", "Write \"protocol: modbus-rtu\", or \"tcp: {address: HOST:502}\" instead of serial.")
	}
	if l.Reader != nil && !l.Protocol.ofReader() {
		c.bad(at+".reader", fmt.Sprintf("A %s line has no reader.", l.Protocol), "Take the key away, or write \"protocol: nfc-ascii\" or \"rdm6300\".")
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

func (c *checker) checkReaderOptions(at string, p Protocol, r ReaderOptions) {
	if r.Debounce != 0 && (r.Debounce < nfc.MinDebounce || r.Debounce > nfc.MaxDebounce) {
		c.bad(at+".debounce", fmt.Sprintf("A debounce of %s is out of bounds.", r.Debounce), "Write 3s to 10s; 5s is usual.")
	}
	if r.Encoding != "" && p == RDM6300 {
		c.bad(at+".encoding", "The frames of an rdm6300 reader have one encoding.", "Take the key away, or write \"protocol: nfc-ascii\" for a reader that sends lines of text.")
		return
	}
	if r.Encoding != "" && !slices.Contains(nfc.Encodings, r.Encoding) {
		c.bad(at+".encoding", fmt.Sprintf("The encoding %q is not known.", r.Encoding), "Write hex, hex-reversed or decimal, whichever matches what the reader sends.")
	}
}

func (c *checker) checkPort(at string, l LineConfig, ports map[string]string) {
	var port, where string
	switch {
	case l.Serial == nil && l.TCP == nil:
		c.bad(at, "The line is nowhere.", "Write \"serial: {port: /dev/ttyUSB0}\" or \"tcp: {address: HOST:PORT}\".")
		return
	case l.Serial != nil && l.TCP != nil:
		c.bad(at+".tcp", "The line is both on a serial port and on TCP.", "Keep one of the two.")
		return
	case l.Serial != nil:
		c.checkSerial(at+".serial", *l.Serial)
		port, where = filepath.Clean(l.Serial.Port), at+".serial.port"
	default:
		c.checkTCP(at+".tcp", *l.TCP)
		port, where = l.TCP.Address, at+".tcp.address"
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
}

func (c *checker) checkTCP(at string, t line.TCP) {
	host, port, err := net.SplitHostPort(t.Address)
	n, numErr := strconv.ParseUint(port, 10, 16)
	if err != nil || numErr != nil || host == "" || n == 0 {
		c.bad(at+".address", fmt.Sprintf("%q is not an address.", t.Address), "Write host and port, as \"192.168.1.50:502\".")
	}
	if t.Baud != 0 && (t.Baud < minBaud || t.Baud > maxBaud) {
		c.bad(at+".baud", fmt.Sprintf("%d baud is no speed of a serial port.", t.Baud), "Write the speed of the bus behind the serial server, or leave it out.")
	}
}

func (c *checker) checkTimes(at string, l LineConfig) {
	if l.Timeout != 0 && (l.Timeout < minTimeout || l.Timeout > maxTimeout) {
		c.bad(at+".timeout", fmt.Sprintf("A timeout of %s is out of bounds.", l.Timeout), "Write 10ms to 30s; 500ms to 2s are usual.")
	}
	if l.Gap < 0 || l.Gap > maxGap {
		c.bad(at+".gap", fmt.Sprintf("A gap of %s is out of bounds.", l.Gap), "Write 0ms to 1s; 10ms is usual.")
	}
}

func (c *checker) checkDevices(devs []DeviceConfig) {
	ids := map[string]bool{}
	addresses := map[place]string{}
	for i, d := range devs {
		at := fmt.Sprintf("devices[%d]", i)
		c.checkID(at+".id", d.ID, "device", ids)
		l, known := c.checkLineOf(at, d.Line, false)
		if !known {
			c.checkProfile(at, d)
			continue
		}
		c.checkProfile(at, d)
		where := place{l.ID, c.profiles[d.Profile].Language(), c.checkAddress(at, d, l)}
		if other, taken := addresses[where]; taken {
			c.bad(at+".address", fmt.Sprintf("The address %s on the line %q is the device %q already.", d.Address, l.ID, other),
				"Every device on a line needs its own address: read it off the device, or change one of them.")
		}
		addresses[where] = d.ID
	}
}

// place is where a device is: the same number is another device in another
// protocol.
type place struct {
	line     string
	protocol profile.Protocol
	address  Address
}

// checkLineOf returns the line of a device or reader; false when it is not fit.
func (c *checker) checkLineOf(at, id string, reader bool) (LineConfig, bool) {
	l, ok := c.lines[id]
	switch {
	case !ok:
		c.bad(at+".line", fmt.Sprintf("There is no line %q.", id), "Write the id of one of the lines: "+c.lineIDs(reader)+".")
		return l, false
	case reader != l.Protocol.ofReader():
		c.bad(at+".line", fmt.Sprintf("The line %q speaks %s.", id, l.Protocol), "Write the id of one of the lines: "+c.lineIDs(reader)+".")
		return l, false
	}
	return l, true
}

func (c *checker) lineIDs(reader bool) string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(c.lines)) {
		if reader == c.lines[id].Protocol.ofReader() {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return "there is none yet of the right protocol"
	}
	return strings.Join(ids, ", ")
}

// checkAddress returns the address in its one way of writing.
func (c *checker) checkAddress(at string, d DeviceConfig, l LineConfig) Address {
	protocol := c.profiles[d.Profile].Language()
	a, err := d.Address.byProtocol(protocol)
	if err == nil && (protocol != profile.Modbus || unitOf(l, a)) {
		return a
	}
	cure := map[profile.Protocol]string{
		profile.Modbus: "Write 1 to 247, as it is set on the device; on Modbus TCP also 255.",
		profile.DLT645: "Write the twelve digits on the meter, as \"000000000161\".",
		profile.CJT188: "Write the fourteen digits of the meter, as \"78330000123456\": maker's code and number.",
		profile.MBus:   "Write the primary address, 0 to 250, or the eight digits on the meter, or sixteen with maker, version and medium.",
	}[protocol]
	c.bad(at+".address", fmt.Sprintf("%s is no address of a device that speaks %s.", d.Address, protocol), cure)
	return a
}

func unitOf(l LineConfig, a Address) bool {
	n, _ := a.Unit()
	return n >= 1 && n <= 247 || l.Protocol == ModbusTCP && (n == 0 || n == 255)
}

func (c *checker) checkProfile(at string, d DeviceConfig) {
	p, ok := c.profiles[d.Profile]
	if !ok {
		c.bad(at+".profile", fmt.Sprintf("There is no profile %q.", d.Profile),
			"Write one of: "+strings.Join(slices.Sorted(maps.Keys(c.profiles)), ", ")+"; or add a file of that name to the profiles.")
		return
	}
	for _, q := range slices.Sorted(maps.Keys(d.Periods)) {
		path := at + ".periods." + q
		if _, known := p.Point(q); !known {
			c.bad(path, fmt.Sprintf("The profile %q has no quantity %q.", p.ID, q), "Write one of: "+quantities(p)+".")
			continue
		}
		if t := d.Periods[q]; t < minPeriod || t > maxPeriod {
			c.bad(path, fmt.Sprintf("A period of %s is out of bounds.", t), "Write 100ms to 24h.")
		}
	}
}

func quantities(p profile.Profile) string {
	ids := make([]string, len(p.Points))
	for i, pt := range p.Points {
		ids[i] = pt.ID
	}
	return strings.Join(ids, ", ")
}

func (c *checker) checkReaders(readers []ReaderConfig) {
	ids, lines := map[string]bool{}, map[string]string{}
	for i, r := range readers {
		at := fmt.Sprintf("readers[%d]", i)
		c.checkID(at+".id", r.ID, "reader", ids)
		if _, ok := c.checkLineOf(at, r.Line, true); !ok {
			continue
		}
		if other, taken := lines[r.Line]; taken {
			c.bad(at+".line", fmt.Sprintf("The line %q has the reader %q already.", r.Line, other), "A serial reader has a port of its own: add a line for this one.")
		}
		lines[r.Line] = r.ID
	}
}
