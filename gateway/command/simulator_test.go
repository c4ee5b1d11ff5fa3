package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A line that the simulator serves is read by the gateway's own command.
func TestSimulatorServesALine(t *testing.T) {
	link := filepath.Join(t.TempDir(), "bus")
	g := launch(t, "simulator", "--link", link, "--baud", "19200", "--alive", "--seed", "7", "--fault", "late 100ms 1%", "--fault", "3: dead",
		"eastron-sdm120@1-3", "dlt645-2007@000000000161")
	eventually(t, "the simulator says where it is", func() bool { return strings.Contains(g.out.String(), "Ctrl-C") })
	for _, want := range []string{link + " (serial, 19200 baud, parity none)", "1             eastron-sdm120", "000000000161  dlt645-2007", "silent", "seed 7"} {
		if !strings.Contains(g.out.String(), want) {
			t.Errorf("it prints %q, want %q in it", g.out.String(), want)
		}
	}
	at := []string{"read", "--port", link, "--baud", "19200", "--profile"}
	run(t, "", append(at, "eastron-sdm120", "--address", "2")...).wants(t, done, "voltage", "")
	run(t, "", append(at, "dlt645-2007", "--address", "161")...).wants(t, done, "energy_import", "")
	run(t, "", append(at, "eastron-sdm120", "--address", "3")...).wants(t, failed, "", "no answer")
	if code, _ := g.stop(); code != done {
		t.Errorf("it ended with %d", code)
	}
	if _, err := os.Lstat(link); err == nil {
		t.Error("the link stayed")
	}
}

func TestSimulatorServesASocket(t *testing.T) {
	for _, c := range []struct {
		mode   string
		flags  []string
		device string
		read   []string
	}{
		{"Modbus TCP", nil, "pump-controller@2", []string{"--profile", "pump-controller", "--address", "2"}},
		{"transparent, 2400 baud", []string{"--transparent", "--baud", "2400", "--parity", "even"}, "cjt188-water@1", []string{"--profile", "cjt188-water", "--address", "1"}},
	} {
		args := append([]string{"simulator", "--tcp", "127.0.0.1:0", "--json", c.device}, c.flags...)
		g := launch(t, args...)
		var said struct {
			Listening, Mode string
			Devices         []struct{ Profile, Address string }
		}
		eventually(t, "the simulator says where it is", func() bool { return json.Unmarshal([]byte(g.out.String()), &said) == nil })
		if said.Mode != c.mode || len(said.Devices) != 1 {
			t.Errorf("it says %+v, want %s", said, c.mode)
		}
		run(t, "", append([]string{"read", "--port", said.Listening}, c.read...)...).wants(t, done, "good", "")
		if code, _ := g.stop(); code != done {
			t.Errorf("it ended with %d", code)
		}
	}
}

func TestSimulatorSaysWhatIsWrong(t *testing.T) {
	for args, want := range map[string]string{
		"eastron-sdm12@1":                                 "did you mean eastron-sdm120?",
		"eastron-sdm120":                                  "write it as eastron-sdm120@1",
		"eastron-sdm120@5-1":                              "no addresses",
		"eastron-sdm120@300":                              "not 1 to 247",
		"eastron-sdm120@1 eastron-sdm220@1":               "two devices",
		"eastron-sdm120@1 --parity strange":               "none, even, odd",
		"eastron-sdm120@1 --fault sleepy":                 "want one of",
		"eastron-sdm120@1 --fault 2:dead":                 "no device has the address 2",
		"dlt645-2007@161 --tcp 127.0.0.1:0":               "--transparent",
		"eastron-sdm120@1 --baud=-1":                      "cannot be below 0",
		"eastron-sdm120@1 --tcp no-such-host.invalid:99x": "simulate on",
	} {
		run(t, "", append([]string{"simulator"}, strings.Fields(args)...)...).wants(t, failed, "", want)
	}
}
