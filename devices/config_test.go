package devices

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"gengfu/devices/profile"
	"gengfu/facility"
)

// document is the part of a site's file that concerns the field.
type document struct {
	Lines   []LineConfig   `yaml:"lines"`
	Devices []DeviceConfig `yaml:"devices"`
	Readers []ReaderConfig `yaml:"readers"`
}

func parse(t testing.TB, text string) document {
	t.Helper()
	var d document
	if err := yaml.NewDecoder(strings.NewReader(text), yaml.DisallowUnknownField()).Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}

const site = `lines:
  - {id: bus, protocol: modbus-rtu, serial: {port: /dev/ttyUSB0, baud: 9600, parity: none, data_bits: 8, stop_bits: 1}, timeout: 500ms, gap: 10ms}
  - {id: net, protocol: modbus-tcp, tcp: {address: "192.168.1.50:502"}, timeout: 1s}
  - {id: gate, protocol: nfc-ascii, serial: {port: /dev/ttyUSB1}, reader: {debounce: 5s, encoding: hex}}
devices:
  - {id: pump-1, name: {zh: 1号泵, en: Pump 1}, profile: pump, line: bus, address: 11, place: room, periods: {pressure: 5s}}
  - {id: pump-2, name: Pump 2, profile: pump, line: net, address: 255}
readers:
  - {id: reader-gate, name: {zh: 东门读卡器}, line: gate, checkpoint: gate}
`

func TestValidateAcceptsASite(t *testing.T) {
	d := parse(t, site)
	if problems := Validate(d.Lines, d.Devices, d.Readers, models); len(problems) > 0 {
		t.Errorf("got %v", problems)
	}
	if w := Warnings(d.Lines, d.Devices, models); len(w) > 0 {
		t.Errorf("warned of %v", w)
	}
}

func TestValidateFindsEveryMistake(t *testing.T) {
	cases := []struct {
		name, old, new string // what is changed in the good site
		path           string
		what, cure     string // words in them
	}{
		{"no id", "{id: bus,", "{", "lines[0].id", "no id", "pump-house"},
		{"bad id", "{id: pump-1,", "{id: Pump 1,", "devices[0].id", `"Pump 1" cannot`, "lower-case"},
		{"two lines of one id", "{id: net,", "{id: bus,", "lines[1].id", "two of the id", "its own"},
		{"two devices of one id", "{id: pump-2,", "{id: pump-1,", "devices[1].id", "two of the id", "its own"},
		{"no protocol", "protocol: modbus-rtu, ", "", "lines[0].protocol", "no protocol", "modbus-rtu, modbus-ascii, modbus-tcp, dlt645"},
		{"unknown protocol", "modbus-rtu", "modbus-plus", "lines[0].protocol", "modbus-plus", "modbus-rtu, modbus-ascii, modbus-tcp, dlt645"},
		{"modbus tcp on serial", "modbus-rtu", "modbus-tcp", "lines[0].serial", "does not run", "modbus-rtu"},
		{"nowhere", `tcp: {address: "192.168.1.50:502"}, `, "", "lines[1]", "nowhere", "serial"},
		{"both", "protocol: modbus-rtu,", `protocol: modbus-rtu, tcp: {address: "h:1"},`, "lines[0].tcp", "both", "one of the two"},
		{"one port, two lines", "ttyUSB1", "ttyUSB0", "lines[2].serial.port", `the line "bus" already`, "One port is one line"},
		{"one port in other words", "/dev/ttyUSB1", "/dev/../dev/ttyUSB0", "lines[2].serial.port", `the line "bus" already`, "One port"},
		{"no port", "/dev/ttyUSB0", `""`, "lines[0].serial.port", "no name", "by-id"},
		{"baud", "baud: 9600", "baud: 96", "lines[0].serial.baud", "96 baud", "9600"},
		{"parity", "parity: none", "parity: mark", "lines[0].serial.parity", "mark", "none, even or odd"},
		{"data bits", "data_bits: 8", "data_bits: 9", "lines[0].serial.data_bits", "not 9", "8"},
		{"stop bits", "stop_bits: 1", "stop_bits: 3", "lines[0].serial.stop_bits", "not 3", "1 or 2"},
		{"address of a socket", "192.168.1.50:502", "192.168.1.50", "lines[1].tcp.address", "is not an address", "host and port"},
		{"port of a socket", "192.168.1.50:502", "192.168.1.50:99999", "lines[1].tcp.address", "is not an address", "host and port"},
		{"timeout", "timeout: 500ms", "timeout: 1ms", "lines[0].timeout", "1ms", "10ms to 30s"},
		{"gap", "gap: 10ms", "gap: 2s", "lines[0].gap", "2s", "10ms"},
		{"negative gap", "gap: 10ms", "gap: -10ms", "lines[0].gap", "-10ms", "10ms"},
		{"echo", "gap: 10ms", "gap: 10ms, echo: maybe", "lines[0].echo", "maybe", "auto, on or off"},
		{"debounce", "debounce: 5s", "debounce: 1m", "lines[2].reader.debounce", "1m0s", "3s to 10s"},
		{"encoding", "encoding: hex", "encoding: octal", "lines[2].reader.encoding", "octal", "hex-reversed"},
		{"encoding of frames", "protocol: nfc-ascii", "protocol: rdm6300", "lines[2].reader.encoding", "one encoding", "nfc-ascii"},
		{"debounce of frames", "nfc-ascii, serial: {port: /dev/ttyUSB1}, reader: {debounce: 5s", "rdm6300, serial: {port: /dev/ttyUSB1}, reader: {debounce: 1s", "lines[2].reader.debounce", "1s", "3s to 10s"},
		{"device on a reader of frames", "protocol: nfc-ascii, serial: {port: /dev/ttyUSB1}, reader: {debounce: 5s, encoding: hex}}\ndevices:\n", "protocol: rdm6300, serial: {port: /dev/ttyUSB1}}\ndevices:\n  - {id: x, profile: pump, line: gate, address: 1}\n", "devices[0].line", "rdm6300", "bus, net"},
		{"reader of a bus", "gap: 10ms", "gap: 10ms, reader: {debounce: 5s}", "lines[0].reader", "no reader", "nfc-ascii"},
		{"unknown line", "line: bus", "line: buss", "devices[0].line", `no line "buss"`, "bus, net"},
		{"device on a reader's line", "line: bus", "line: gate", "devices[0].line", "nfc-ascii", "bus, net"},
		{"reader on a bus", "line: gate", "line: bus", "readers[0].line", "modbus-rtu", "gate"},
		{"unknown profile", "profile: pump, line: bus", "profile: pomp, line: bus", "devices[0].profile", `no profile "pomp"`, "pump"},
		{"address 0 on a bus", "address: 11", "address: 0", "devices[0].address", "0 is no address", "1 to 247"},
		{"address 248", "address: 11", "address: 248", "devices[0].address", "248 is no address", "1 to 247"},
		{"address 255 on a bus", "address: 11", "address: 255", "devices[0].address", "255 is no address", "1 to 247"},
		{"address 250 over TCP", "address: 255", "address: 250", "devices[1].address", "250 is no address", "255"},
		{"one address, two devices", "line: net, address: 255", "line: bus, address: 11", "devices[1].address", `the device "pump-1" already`, "own address"},
		{"unknown quantity", "periods: {pressure", "periods: {presure", "devices[0].periods.presure", `no quantity "presure"`, "pressure"},
		{"period", "pressure: 5s", "pressure: 5ms", "devices[0].periods.pressure", "5ms", "100ms to 24h"},
		{"two readers on a port", "readers:\n", "readers:\n  - {id: other, line: gate}\n", "readers[1].line", `the reader "other" already`, "a port of its own"},
		{"overload", "baud: 9600", "baud: 300", "lines[0]", "% of its time", "longer periods"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(site, c.old, c.new, 1)
			if text == site {
				t.Fatalf("%q is not in the site", c.old)
			}
			d := parse(t, text)
			for _, p := range Validate(d.Lines, d.Devices, d.Readers, models) {
				if p.Path == c.path && strings.Contains(p.What, c.what) && strings.Contains(p.Cure, c.cure) {
					return
				}
			}
			t.Errorf("no problem at %s with %q and %q in %v", c.path, c.what, c.cure, Validate(d.Lines, d.Devices, d.Readers, models))
		})
	}
}

func TestAFullLineIsAWarning(t *testing.T) {
	d := parse(t, strings.Replace(site, "baud: 9600", "baud: 600", 1))
	load := PlannedLoad(d.Lines[0], d.Devices, models)
	if load < 0.6 || load > 0.9 {
		t.Fatalf("the load is %.2f; the case no longer fits", load)
	}
	if p := Validate(d.Lines, d.Devices, d.Readers, models); len(p) > 0 {
		t.Errorf("refused: %v", p)
	}
	if w := Warnings(d.Lines, d.Devices, models); len(w) != 1 || w[0].Path != "lines[0]" {
		t.Errorf("warned of %v", w)
	}
}

func TestPlannedLoad(t *testing.T) {
	// Ten devices with two registers every ten seconds at 9600 baud, 8N1: 17 bytes,
	// 30 ms for the slave and 10 ms of gap each.
	p := profile.Profile{ID: "meter", Points: []profile.Point{
		{ID: "energy", Kind: facility.Counter, Table: profile.Input, Type: profile.U32, Period: 10 * time.Second},
	}}
	l := LineConfig{ID: "bus", Protocol: ModbusRTU, Serial: &SerialConfig{Port: "x"}}
	var devs []DeviceConfig
	for a := range 10 {
		devs = append(devs, DeviceConfig{Line: "bus", Profile: "meter", Address: Unit(a + 1)})
	}
	got := PlannedLoad(l, devs, map[string]profile.Profile{"meter": p})
	if want := (17*10.0/9600 + 0.040); got < want-1e-6 || got > want+1e-6 {
		t.Errorf("got %.5f, want %.5f", got, want)
	}
	if got := PlannedLoad(LineConfig{ID: "bus", Protocol: ModbusTCP, TCP: &TCPConfig{}}, devs, map[string]profile.Profile{"meter": p}); got != 0 {
		t.Errorf("over TCP %.5f", got)
	}
}

func TestDescribe(t *testing.T) {
	d := parse(t, site)
	devices, readers := Describe(d.Lines, d.Devices, d.Readers, models)
	if len(devices) != 2 || len(readers) != 1 {
		t.Fatalf("%d devices and %d readers", len(devices), len(readers))
	}
	first := devices[0]
	if first.Kind != "pump" || first.Line != "bus" || first.Address != "11" || first.Place != "room" || first.Name.EN != "Pump 1" {
		t.Errorf("device %+v", first)
	}
	periods := map[string]time.Duration{}
	for _, p := range first.Points {
		periods[p.ID.String()] = p.Period
	}
	want := map[string]time.Duration{
		"pump-1/fault": time.Second, "pump-1/state": time.Second, "pump-1/door": time.Second,
		"pump-1/pressure": 5 * time.Second, "pump-1/starts": time.Minute, "pump-1/online": time.Minute,
	}
	if diff := cmp.Diff(want, periods); diff != "" {
		t.Error(diff)
	}
	if got := devices[1].Points[2].Period; got != 10*time.Second {
		t.Errorf("a period of pump-1 is pump-2's too: %s", got)
	}
	if diff := cmp.Diff(facility.Reader{ID: "reader-gate", Name: facility.Text{ZH: "东门读卡器"}, Line: "gate", Checkpoint: "gate"}, readers[0]); diff != "" {
		t.Error(diff)
	}
}

// The example that people copy says nothing that these structures do not know.
func TestTheExampleIsUnderstood(t *testing.T) {
	text, err := os.ReadFile("../configs/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := yaml.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Lines) == 0 || len(d.Devices) == 0 || len(d.Readers) == 0 {
		t.Fatalf("read %+v", d)
	}
	profiles := map[string]profile.Profile{}
	for _, dev := range d.Devices {
		profiles[dev.Profile] = shipped(t, dev.Profile)
	}
	if problems := Validate(d.Lines, d.Devices, d.Readers, profiles); len(problems) > 0 {
		t.Errorf("got %v", problems)
	}
}

// tryParse is parse for text that may be anything; goccy/go-yaml panics on some of
// it, which is for whoever reads files to catch.
func tryParse(text []byte) (d document, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	err = yaml.NewDecoder(bytes.NewReader(text), yaml.DisallowUnknownField()).Decode(&d)
	return d, err
}

// Whatever a file says, Validate answers, and what it accepts can be built.
func FuzzConfiguration(f *testing.F) {
	f.Add([]byte(site))
	f.Add([]byte("lines: [{id: a, protocol: rdm6300, tcp: {address: 'h:1'}, reader: {debounce: 3s}}]\nreaders: [{id: r, line: a, checkpoint: c}]"))
	f.Add([]byte("lines: [{id: a, protocol: nfc-ascii, tcp: {address: ':1'}}]\nreaders: [{line: a}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := tryParse(text)
		if err != nil {
			return
		}
		problems := Validate(d.Lines, d.Devices, d.Readers, models)
		for _, p := range problems {
			if p.What == "" || p.Cure == "" || p.Path == "" {
				t.Fatalf("a problem without place or cure: %+v", p)
			}
		}
		_, err = New(d.Lines, d.Devices, d.Readers, models, Options{Sink: newMemory()})
		if (err == nil) != (len(problems) == 0) {
			t.Fatalf("%d problems, and New said %v", len(problems), err)
		}
		if err == nil {
			Describe(d.Lines, d.Devices, d.Readers, models)
		}
	})
}
