package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A site with one line of so many baud.
func metered(t *testing.T, baud string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "site.yaml")
	site := `site: {id: estate, name: {zh: 小区}, time_zone: Asia/Shanghai}
lines:
  - {id: bus, protocol: modbus-rtu, serial: {port: /dev/ttyUSB0, baud: ` + baud + `, parity: even}}
devices:
  - {id: grid, profile: dlt645-2007, line: bus, address: 000000000161}
  - {id: pump, profile: pump-controller, line: bus, address: 1}
`
	if err := os.WriteFile(path, []byte(site), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckShowsTheLoadOfLines(t *testing.T) {
	r := run(t, "", "check", "--config", metered(t, "9600"))
	if r.code != 0 || !strings.Contains(r.out, "line bus: 2 devices, planned for ") {
		t.Errorf("%d %s %s", r.code, r.out, r.err)
	}
	r = run(t, "", "check", "--json", "--config", metered(t, "9600"))
	var said struct {
		OK    bool `json:"ok"`
		Lines []struct {
			ID      string  `json:"id"`
			Devices int     `json:"devices"`
			Planned float64 `json:"planned"`
		} `json:"lines"`
	}
	if err := json.Unmarshal([]byte(r.out), &said); err != nil || !said.OK || len(said.Lines) != 1 || said.Lines[0].Planned <= 0 || said.Lines[0].Devices != 2 {
		t.Errorf("%v %s", err, r.out)
	}
}

func TestCheckRefusesAnOverloadedLineUnlessForced(t *testing.T) {
	path := metered(t, "300")
	r := run(t, "", "check", "--config", path)
	if r.code == 0 || !strings.Contains(r.err, "% of its time") || !strings.Contains(r.err, "--force") {
		t.Errorf("%d %s %s", r.code, r.out, r.err)
	}
	r = run(t, "", "check", "--force", "--config", path)
	if r.code != 0 || !strings.Contains(r.out, "warning") || !strings.Contains(r.out, "ok: site estate") {
		t.Errorf("%d %s %s", r.code, r.out, r.err)
	}
}
