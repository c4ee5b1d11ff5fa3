package devices

import (
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"gengfu/devices/profile"
)

// A site with devices of every protocol.
const metered = `lines:
  - {id: bus, protocol: dlt645, serial: {port: /dev/ttyUSB0, baud: 2400, parity: even}}
  - {id: box, protocol: cjt188, tcp: {listen: ":9000", registration: "hex:D8 B0 4C 12 34 56", heartbeat: ping, baud: 2400}}
  - {id: net, protocol: modbus-tcp, tcp: {address: "192.168.1.50:502"}}
  - {id: ascii, protocol: modbus-ascii, serial: {port: /dev/ttyUSB1, data_bits: 7, parity: even}, timeout: 2s, timeout_min: 500ms}
devices:
  - {id: grid, profile: dlt645-2007, line: bus, address: 000000000161, timeout: 800ms, gap: 50ms}
  - {id: pump, profile: valve, line: bus, address: 161, write: [setpoint]}
  - {id: water, profile: cjt188-water, line: box, address: "78330000000161"}
  - {id: heat, profile: mbus-heat, line: bus, address: 161}
  - {id: heat-2, profile: mbus-heat, line: bus, address: 12345678}
  - {id: far, profile: valve, line: net, address: 1, write: true}
  - {id: old, profile: valve, line: ascii, address: 1}
`

func meteredModels(t *testing.T) map[string]profile.Profile {
	models := map[string]profile.Profile{"valve": valve(), "pump": pump()}
	for _, id := range []string{"dlt645-2007", "cjt188-water", "mbus-heat"} {
		models[id] = shipped(t, id)
	}
	return models
}

func TestValidateAcceptsLinesOfMeters(t *testing.T) {
	d, models := parse(t, metered), meteredModels(t)
	if problems := Validate(d.Lines, d.Devices, d.Readers, models); len(problems) > 0 {
		t.Errorf("got %v", problems)
	}
	if w := Warnings(d.Lines, d.Devices, models); len(w) > 0 {
		t.Errorf("warned of %v", w)
	}
	if a := d.Devices[0].Address; a != "000000000161" {
		t.Errorf("the address is %s", a)
	}
	if w := d.Devices[1].Write; !w.Allow("setpoint") || w.Allow("limit") || !d.Devices[5].Write.Allow("limit") || d.Devices[0].Write.Allow("limit") {
		t.Errorf("writes %+v", d.Devices)
	}
	f, err := New(d.Lines, d.Devices, d.Readers, models, Options{Sink: newMemory()})
	if err != nil {
		t.Fatal(err)
	}
	timing := f.lines[0].(*busLine).devices[0].timing
	if timing.Timeout != 800*time.Millisecond || timing.Pause != 50*time.Millisecond {
		t.Errorf("the meter's timing is %+v", timing)
	}
}

func TestValidateFindsMistakesOfMeters(t *testing.T) {
	for _, c := range []struct{ name, old, new, path, what, cure string }{
		{"digits", "address: 000000000161", "address: 0000000001610", "devices[0].address", "no address of a device that speaks dlt645", "twelve digits"},
		{"letters", "address: 000000000161", "address: 16x", "devices[0].address", "16x", "twelve digits"},
		{"broadcast", "address: 000000000161", "address: 999999999999", "devices[0].address", "999999999999", "twelve digits"},
		{"no digits", `address: "78330000000161"`, `address: ""`, "devices[2].address", "no address of a device that speaks cjt188", "fourteen digits"},
		{"above the primary", "line: bus, address: 161}", "line: bus, address: 251}", "devices[3].address", "251", "0 to 250"},
		{"same meter otherwise written", "line: bus, address: 161}", "line: bus, address: 12345678FFFFFFFF}", "devices[4].address", `the device "heat" already`, "own address"},
		{"any meter beside one", "{id: pump, profile: valve, line: bus, address: 161, write: [setpoint]}", "{id: pump, profile: dlt645-2007, line: bus, address: AAAAAAAAAAAA}", "devices[1].address", `the device "grid" already`, "single meter"},
		{"any M-Bus meter beside one", "line: bus, address: 161}", "line: bus, address: 123456FF}", "devices[4].address", `the device "heat" already`, "single meter"},
		{"meter on modbus-tcp", "cjt188-water, line: box", "cjt188-water, line: net", "devices[2].line", "speaks cjt188", "protocol: cjt188"},
		{"meter on modbus-ascii", "cjt188-water, line: box", "cjt188-water, line: ascii", "devices[2].line", "cannot be mixed", "another line"},
		{"seven bits", "parity: even}}\n  - {id: box", "parity: even, data_bits: 7}}\n  - {id: box", "lines[0].serial.data_bits", "8 bits", "modbus-ascii"},
		{"least timeout", "timeout_min: 500ms", "timeout_min: 3s", "lines[3].timeout_min", "above the timeout", "less"},
		{"timeout of a device", "timeout: 800ms", "timeout: 1ms", "devices[0].timeout", "1ms", "10ms to 30s"},
		{"gap of a device", "gap: 50ms", "gap: 5s", "devices[0].gap", "5s", "0ms to 1s"},
		{"write what there is not", "write: [setpoint]", "write: [setpiont]", "devices[1].write", `no quantity "setpiont"`, "setpoint"},
		{"write what cannot be", "write: [setpoint]", "write: [pressure]", "devices[1].write", "does not say", "Take it away"},
		{"write a meter", "gap: 50ms", "gap: 50ms, write: true", "devices[0].write", "nothing that can be written", "Take the key away"},
		{"both ways", `listen: ":9000"`, `listen: ":9000", address: "h:1"`, "lines[1].tcp.listen", "both dials", "Keep"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(metered, c.old, c.new, 1)
			if text == metered {
				t.Fatalf("%q is not in the site", c.old)
			}
			d := parse(t, text)
			problems := Validate(d.Lines, d.Devices, d.Readers, meteredModels(t))
			for _, p := range problems {
				if p.Path == c.path && strings.Contains(p.What, c.what) && strings.Contains(p.Cure, c.cure) {
					return
				}
			}
			t.Errorf("no problem at %s with %q and %q in %v", c.path, c.what, c.cure, problems)
		})
	}
}

func TestMetersWantEvenParity(t *testing.T) {
	d := parse(t, strings.Replace(metered, "baud: 2400, parity: even", "baud: 9600", 1))
	if w := Warnings(d.Lines, d.Devices, meteredModels(t)); len(w) != 1 || w[0].Path != "lines[0].serial" || !strings.Contains(w[0].What, "even parity") {
		t.Errorf("warned of %v", w)
	}
}

func TestForceRunsAnOverloadedLine(t *testing.T) {
	d := parse(t, strings.Replace(site, "baud: 9600", "baud: 300", 1))
	if _, err := New(d.Lines, d.Devices, d.Readers, models, Options{Sink: newMemory()}); err == nil {
		t.Error("it runs without force")
	}
	if _, err := New(d.Lines, d.Devices, d.Readers, models, Options{Sink: newMemory(), Force: true}); err != nil {
		t.Error(err)
	}
}

func TestAddressIsWhatWasWritten(t *testing.T) {
	for in, want := range map[string]Address{
		"1": "1", "000000000161": "000000000161", "000000000891": "000000000891", `"0161"`: "0161", "'0161'": "0161",
		"12345678901234 # on its front": "12345678901234", "0x10": "0x10", "1e3": "1e3", "12345678A5110107": "12345678A5110107",
	} {
		var v struct {
			Address Address `yaml:"address"`
		}
		if err := yaml.Unmarshal([]byte("address: "+in+"\n"), &v); err != nil || v.Address != want {
			t.Errorf("%s became %q, %v", in, v.Address, err)
		}
	}
	for _, in := range []string{"[1]", "{a: 1}"} {
		var v struct {
			Address Address `yaml:"address"`
		}
		if err := yaml.Unmarshal([]byte("address: "+in+"\n"), &v); err == nil {
			t.Errorf("%s became %q", in, v.Address)
		}
	}
}

// The addresses of all protocols are read without a panic, and what is read is
// written in one way.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"1", "000000000161", "78330000123456", "12345678A5110107", "AAAAAAAAAAAA", "251", "一"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, p := range []profile.Protocol{profile.Modbus, profile.DLT645, profile.CJT188, profile.MBus} {
			a, err := Address(s).byProtocol(p)
			if err != nil {
				continue
			}
			if again, err := a.byProtocol(p); err != nil || again != a {
				t.Errorf("%s: %q is written %q, and that %q, %v", p, s, a, again, err)
			}
		}
	})
}
