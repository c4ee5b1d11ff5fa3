package devices

import (
	"bytes"
	"fmt"
	"net"
	"time"

	"gengfu/devices/line"
)

// checkEvdev reports whether the line is an input device, with a name.
func (c *checker) checkEvdev(at string, l LineConfig) bool {
	switch {
	case l.Evdev == nil:
		c.bad(at, "The line of a reader that types has no input device.",
			"Write \"evdev: {device: /dev/input/by-id/NAME-event-kbd}\" instead of serial or tcp.")
	case l.Protocol != Keyboard:
		c.bad(at+".evdev", fmt.Sprintf("%s does not run on an input device.", l.Protocol), "Write \"protocol: keyboard\", or serial or tcp instead of evdev.")
	case l.Serial != nil || l.TCP != nil:
		c.bad(at+".evdev", "The line is in two places.", "Keep evdev for a reader that types, and take serial and tcp away.")
	case l.Evdev.Device == "":
		c.bad(at+".evdev.device", "The input device has no name.", "Write the reader's name under /dev/input/by-id that ends in -event-kbd.")
	default:
		return true
	}
	return false
}

const maxRS485Delay = 100 * time.Millisecond

func (c *checker) checkRS485(at string, r line.RS485) {
	for _, d := range []struct {
		key   string
		delay time.Duration
	}{{"delay_before", r.DelayBefore}, {"delay_after", r.DelayAfter}} {
		if d.delay < 0 || d.delay > maxRS485Delay || d.delay%time.Millisecond != 0 {
			c.bad(at+"."+d.key, fmt.Sprintf("A delay of %s cannot be set.", d.delay), "Write whole milliseconds, 0ms to 100ms; most adapters need none.")
		}
	}
}

// checkBoxes sees to it that every box that dials in can be told from the others
// on its address.
func (c *checker) checkBoxes(lines []LineConfig) {
	for i, l := range lines {
		if l.TCP == nil || l.TCP.Listen == "" {
			continue
		}
		for _, m := range lines[:i] {
			if m.TCP == nil || m.TCP.Listen == "" || l.TCP.Registration == m.TCP.Registration && l.TCP.Peer == m.TCP.Peer {
				continue // checkPort has told of the same
			}
			at := fmt.Sprintf("lines[%d].tcp.", i)
			switch {
			case l.TCP.Listen != m.TCP.Listen && overlap(l.TCP.Listen, m.TCP.Listen):
				c.bad(at+"listen", fmt.Sprintf("%q and %q of the line %q are one port.", l.TCP.Listen, m.TCP.Listen, m.ID), "Write both the same.")
			case l.TCP.Listen == m.TCP.Listen && confused(*l.TCP, *m.TCP):
				c.bad(at+"registration", fmt.Sprintf("Its box cannot be told from that of the line %q.", m.ID),
					"Set a registration packet in each box and write it here, none the beginning of another; or give each line the peer's address.")
			}
		}
	}
}

// overlap reports whether two addresses to listen on cannot both be had.
func overlap(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB {
		return false
	}
	every := func(host string) bool { return host == "" || net.ParseIP(host).IsUnspecified() }
	return every(hostA) || every(hostB) || hostA == hostB
}

// confused reports whether a connection could be of both boxes.
func confused(a, b line.TCP) bool {
	if a.Peer != "" && b.Peer != "" && a.Peer != b.Peer {
		return false
	}
	sayA, errA := a.Registration.Bytes()
	sayB, errB := b.Registration.Bytes()
	return errA == nil && errB == nil && (bytes.HasPrefix(sayA, sayB) || bytes.HasPrefix(sayB, sayA))
}
