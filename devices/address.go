package devices

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"gengfu/devices/cjt188"
	"gengfu/devices/dlt645"
	"gengfu/devices/mbus"
	"gengfu/devices/profile"
)

// Address is the address of a device on its line, as it stands on the device: a
// number on Modbus, the digits of a meter otherwise, whose leading zeros count.
type Address string

// Unit returns the address of a Modbus slave, or the primary one of an M-Bus meter.
func Unit(n int) Address { return Address(strconv.Itoa(n)) }

// UnmarshalYAML takes the text as it was written, so that 000000000161 stays what
// it is, with and without quotes.
func (a *Address) UnmarshalYAML(b []byte) error {
	s := strings.TrimSpace(string(b))
	if strings.HasPrefix(s, `"`) || strings.HasPrefix(s, "'") {
		if err := yaml.Unmarshal(b, &s); err != nil {
			return err
		}
	}
	if strings.ContainsAny(s, "[]{}\n:") {
		return fmt.Errorf("cannot unmarshal %q as an address", s)
	}
	*a = Address(s)
	return nil
}

// Unit returns the address as the number that it is; false when it is none of 0 to
// 255.
func (a Address) Unit() (byte, bool) {
	n, err := strconv.ParseUint(string(a), 10, 8)
	return byte(n), err == nil
}

// byProtocol returns the address in its one way of writing for what the device
// speaks, so that two are the same when they are equal.
func (a Address) byProtocol(p profile.Protocol) (Address, error) {
	switch p {
	case profile.DLT645:
		m, err := dlt645.ParseAddress(string(a))
		return Address(m.String()), err
	case profile.CJT188:
		m, err := cjt188.ParseAddress(string(a))
		return Address(m.String()), err
	case profile.MBus:
		if unit, ok := a.Unit(); ok && len(a) <= len("250") {
			return Unit(int(unit)), primary(unit)
		}
		m, err := mbus.ParseSecondary(string(a))
		return Address(m.String()), err
	}
	unit, ok := a.Unit()
	if !ok {
		return "", fmt.Errorf("%q is no number of 0 to 255", string(a))
	}
	return Unit(int(unit)), nil
}

// covers reports whether a device with the other address answers to this one, in
// which digits may stand for any. Both are written in their one way.
func (a Address) covers(p profile.Protocol, other Address) bool {
	if a == other {
		return true
	}
	switch p {
	case profile.DLT645:
		x, errX := dlt645.ParseAddress(string(a))
		y, errY := dlt645.ParseAddress(string(other))
		return errX == nil && errY == nil && x.Covers(y)
	case profile.CJT188:
		x, errX := cjt188.ParseAddress(string(a))
		y, errY := cjt188.ParseAddress(string(other))
		return errX == nil && errY == nil && x.Covers(y)
	case profile.MBus:
		x, errX := mbus.ParseSecondary(string(a))
		y, errY := mbus.ParseSecondary(string(other))
		return min(len(a), len(other)) > len("250") && errX == nil && errY == nil && x.Covers(y)
	}
	return false
}

func primary(unit byte) error {
	if unit > mbus.MaxAddress {
		return fmt.Errorf("%d is above %d", unit, mbus.MaxAddress)
	}
	return nil
}
