package devices

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gengfu/devices/profile"
)

func (c *checker) checkDevices(devs []DeviceConfig) {
	ids := map[string]bool{}
	var taken []place
	for i, d := range devs {
		at := fmt.Sprintf("devices[%d]", i)
		c.checkID(at+".id", d.ID, "device", ids)
		l, known := c.checkLineOf(at, d.Line, false)
		if !known {
			c.checkProfile(at, d)
			continue
		}
		c.checkProfile(at, d)
		c.checkMix(at, d, l)
		c.checkTimeout(at+".timeout", d.Timeout)
		c.checkGap(at+".gap", d.Gap)
		own := place{l.ID, c.profiles[d.Profile].Language(), c.checkAddress(at, d, l), d.ID}
		if other := slices.IndexFunc(taken, own.collides); other >= 0 {
			c.bad(at+".address", fmt.Sprintf("The address %s on the line %q is the device %q already.", d.Address, l.ID, taken[other].device),
				"Every device on a line needs its own address: read it off the device, or change one of them. One that stands for any fits a line with a single meter.")
		}
		taken = append(taken, own)
	}
}

// checkMix sees to it that a device can be on the line.
func (c *checker) checkMix(at string, d DeviceConfig, l LineConfig) {
	speaks := c.profiles[d.Profile].Language()
	switch {
	case speaks == profile.Modbus:
	case l.Protocol == ModbusTCP:
		c.bad(at+".line", fmt.Sprintf("The device speaks %s, which the line %q of modbus-tcp does not carry.", speaks, l.ID),
			"Put it on a serial line, or on a serial server in transparent mode, as \"protocol: "+string(speaks)+"\".")
	case l.Protocol == ModbusASCII:
		c.bad(at+".line", fmt.Sprintf("The device speaks %s, which cannot be mixed with modbus-ascii on the line %q.", speaks, l.ID),
			"Put it on another line: devices of modbus-ascii take its frames for noise, and often have 7 data bits.")
	}
}

// checkWrites sees to it that what is allowed can be done.
func (c *checker) checkWrites(at string, w Writes, p profile.Profile) {
	writable := slices.ContainsFunc(p.Points, func(pt profile.Point) bool { return pt.Writable })
	if w.All && !writable {
		c.bad(at+".write", fmt.Sprintf("The profile %q has nothing that can be written.", p.ID), "Take the key away.")
	}
	for _, q := range w.Only {
		pt, known := p.Point(q)
		switch {
		case !known:
			c.bad(at+".write", fmt.Sprintf("The profile %q has no quantity %q.", p.ID, q), "Write one of: "+quantities(p)+".")
		case !pt.Writable:
			c.bad(at+".write", fmt.Sprintf("The profile %q does not say that %q can be written.", p.ID, q), "Take it away.")
		}
	}
}

// place is where a device is: the same number is another device in another
// protocol.
type place struct {
	line     string
	protocol profile.Protocol
	address  Address // in its one way of writing
	device   string
}

// collides reports whether one request would reach both.
func (p place) collides(q place) bool {
	return p.line == q.line && p.protocol == q.protocol &&
		(p.address.covers(p.protocol, q.address) || q.address.covers(p.protocol, p.address))
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
	c.checkWrites(at, d.Write, p)
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
