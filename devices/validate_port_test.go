package devices

import (
	"strings"
	"testing"
)

// ports is a site whose lines are where they can be.
const ports = `lines:
  - {id: bus, protocol: modbus-rtu, serial: {port: /dev/ttyS1, low_latency: false, rs485: {rts_on_send: false, delay_before: 1ms, delay_after: 2ms, rx_during_tx: true}}}
  - {id: auto, protocol: modbus-rtu, serial: {port: /dev/ttyS2, rs485: {}}}
  - {id: box-1, protocol: modbus-rtu, tcp: {listen: ":9000", registration: BOX-1, heartbeat: "hex:FE", baud: 9600}}
  - {id: box-2, protocol: dlt645, tcp: {listen: ":9000", registration: "hex:D8 B0 4C 12 34 56"}}
  - {id: box-3, protocol: modbus-rtu, tcp: {listen: ":9001", peer: 192.168.1.50}}
  - {id: box-4, protocol: modbus-rtu, tcp: {listen: ":9001", peer: 192.168.1.51}}
  - {id: chip, protocol: pn532, serial: {port: /dev/ttyUSB2}, reader: {debounce: 3s}}
  - {id: keys, protocol: keyboard, evdev: {device: /dev/input/by-id/usb-reader-event-kbd}, reader: {encoding: decimal}}
`

func TestValidatePorts(t *testing.T) {
	d := parse(t, ports)
	if problems := Validate(d.Lines, nil, nil, nil); len(problems) > 0 {
		t.Fatalf("got %v", problems)
	}
	if d.Lines[1].Serial.RS485 == nil {
		t.Error("an empty rs485 does not switch it on")
	}
	cases := []struct{ name, old, new, path, what, cure string }{
		{"delay of less than a millisecond", "delay_before: 1ms", "delay_before: 500us", "lines[0].serial.rs485.delay_before", "500µs cannot be set", "whole milliseconds"},
		{"long delay", "delay_after: 2ms", "delay_after: 1s", "lines[0].serial.rs485.delay_after", "1s cannot be set", "100ms"},
		{"bad packet", "hex:FE", "hex:F", "lines[2].tcp.heartbeat", "pairs of hex digits", "hex:"},
		{"no registration", "registration: BOX-1, ", "", "lines[3].tcp.registration", `the line "box-1"`, "registration packet"},
		{"one the beginning of the other", "hex:D8 B0 4C 12 34 56", "BOX-12", "lines[3].tcp.registration", `the line "box-1"`, "none the beginning of another"},
		{"one box, two lines", "192.168.1.51", "192.168.1.50", "lines[5].tcp.listen", `the line "box-3" already`, "One port is one line"},
		{"a peer and none", ", peer: 192.168.1.51", "", "lines[5].tcp.registration", `the line "box-3"`, "peer's address"},
		{"one port twice", `listen: ":9000", registration: "hex`, `listen: "0.0.0.0:9000", registration: "hex`, "lines[3].tcp.listen", "are one port", "both the same"},
		{"keyboard on a port", "evdev: {device: /dev/input/by-id/usb-reader-event-kbd}", "serial: {port: /dev/ttyUSB3}", "lines[7]", "no input device", "evdev"},
		{"another reader on evdev", "keyboard", "nfc-ascii", "lines[7].evdev", "does not run", "keyboard"},
		{"two places", "keyboard, ", "keyboard, serial: {port: /dev/ttyUSB3}, ", "lines[7].evdev", "two places", "take serial"},
		{"no device", "/dev/input/by-id/usb-reader-event-kbd", `""`, "lines[7].evdev.device", "no name", "-event-kbd"},
		{"encoding of a chip", "{debounce: 3s}", "{encoding: hex}", "lines[6].reader.encoding", "frames of pn532", "Take the key away"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(ports, c.old) {
				t.Fatalf("%q is not in the site", c.old)
			}
			bad := parse(t, strings.Replace(ports, c.old, c.new, 1))
			problems := Validate(bad.Lines, nil, nil, nil)
			if len(problems) == 0 {
				t.Fatal("no problem was found")
			}
			p := problems[0]
			if p.Path != c.path || !strings.Contains(p.What, c.what) || !strings.Contains(p.Cure, c.cure) {
				t.Errorf("got %+v", problems)
			}
		})
	}
}
