package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gengfu/rules/discipline"
)

func site(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("testdata/site.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// write puts a site file with its helpers into a folder.
func write(t *testing.T, text string, more map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	more["site.yaml"] = text
	for name, content := range more {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "site.yaml")
}

func TestARightSiteIsTaken(t *testing.T) {
	c, err := Load(write(t, site(t), map[string]string{}))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Estate.Devices) != 3 || len(c.Estate.Checkpoints) != 2 || len(c.Rules) == 0 || len(c.Tiles) != 1 {
		t.Errorf("loaded %d devices, %d checkpoints, %d rules, %d tiles", len(c.Estate.Devices), len(c.Estate.Checkpoints), len(c.Rules), len(c.Tiles))
	}
	if got := c.Estate.Checkpoints[1].Tags[0]; got != "04A035B2BC2B80" {
		t.Errorf("tag %q is not normalised", got)
	}
	if c.Estate.Site.Zone.String() != "Asia/Shanghai" {
		t.Errorf("zone %v", c.Estate.Site.Zone)
	}
}

func TestBuiltInSitesAreRight(t *testing.T) {
	for _, name := range []string{"example", "demo"} {
		t.Run(name, func(t *testing.T) {
			c, err := BuiltIn(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range c.Warnings {
				t.Logf("warning: %v", w)
			}
		})
	}
}

// TestAWrongSiteIsRefused changes one thing of a right site at a time. The
// finding must stand at the line of the change (or, where something is missing,
// of what it is missing from), say what is wrong and what to write instead.
func TestAWrongSiteIsRefused(t *testing.T) {
	ownProfile := `id: my-meter
name: {zh: 我的表, en: My meter}
kind: electricity_meter
source: manual page 3
points:
  - {id: active_power, name: {zh: 功率, en: Power}, kind: measure, unit: kilowatt, table: input, address: 0, type: f32}
`
	ownRule := `rules:
  - id: low-pressure
    name: {zh: 压力低, en: Low pressure}
    priority: P2
    for: {kinds: [pump]}
    when: outlet_presure < 2
`
	tests := []struct {
		name     string
		old, new string
		more     map[string]string
		file     string // site.yaml unless given
		at       string // a piece of the line where the finding must stand
		what     string
		cure     string
	}{
		{name: "unknown key", old: "    timeout: 500ms", new: "    time_out: 500ms", at: "time_out", what: `Unknown key "lines[0].time_out"`, cure: `"timeout"`},
		{name: "unknown key at the top", old: "mqtt: {url: embedded}", new: "mqt: {url: embedded}", at: "mqt:", what: `Unknown key "mqt"`, cure: `"mqtt"`},
		{name: "key written twice", old: "gateway: {id: gw1, role: both}", new: "gateway: {id: gw1, role: both, role: hub}", at: "gateway:", what: "role"},
		{name: "broken YAML", old: "rules: [pump-house]", new: "rules: [pump-house", at: "mqtt:", what: ""},
		{name: "text for a number", old: "baud: 9600, parity: none", new: "baud: fast, parity: none", at: "baud: fast", what: "Here stands a text where a number is expected"},
		{name: "duration without unit", old: "timeout: 500ms", new: "timeout: fast", at: "timeout: fast", what: "duration", cure: "500ms"},
		{name: "bad time zone", old: "Asia/Shanghai", new: "Asia/Peking-City", at: "Peking-City", what: "not a time zone", cure: "Asia/Shanghai"},
		{name: "bad site id", old: "id: garden", new: "id: Garden East", at: "Garden East", what: "cannot be the id of a site", cure: "lower-case"},
		{name: "bad role", old: "role: both", new: "role: boss", at: "role: boss", what: "not a role", cure: "edge"},
		{name: "duplicate address on a line", old: "address: 12", new: "address: 11", at: "id: pump-2", what: "11", cure: "address"},
		{name: "address out of range", old: "address: 12", new: "address: 300", at: "id: pump-2", what: "300", cure: "247"},
		{name: "duplicate device", old: "id: pump-2", new: "id: pump-1", at: "2号泵", what: "pump-1"},
		{name: "missing profile", old: "profile: eastron-sdm630", new: "profile: eastron-sdm631", at: "eastron-sdm631", what: "eastron-sdm631", cure: "eastron-sdm630"},
		{name: "unknown line", old: "line: meters", new: "line: meter", at: "line: meter,", what: "meter", cure: "meters"},
		{name: "bad parity", old: "parity: none", new: "parity: mark", at: "parity: mark", what: "mark", cure: "even"},
		{name: "bad baud", old: "port: /dev/ttyUSB0, baud: 9600", new: "port: /dev/ttyUSB0, baud: 17", at: "baud: 17", what: "17"},
		{name: "two lines on one port", old: "/dev/ttyUSB1", new: "/dev/ttyUSB0", at: "port: /dev/ttyUSB0, baud: 9600}", what: "/dev/ttyUSB0"},
		{name: "neither serial nor TCP", old: `    tcp: {address: "192.0.2.50:502"}`, new: "", at: "id: meters", what: "nowhere", cure: "tcp:"},
		{name: "bad protocol", old: "protocol: modbus-tcp", new: "protocol: modbus", at: "protocol: modbus", what: "modbus", cure: "modbus-tcp"},
		{name: "unknown place", old: "address: 11, place: pump-room", new: "address: 11, place: pumproom", at: "id: pump-1", what: `no place "pumproom"`, cure: `"pump-room"`},
		{name: "fed through nothing", old: "address: 12, place: pump-room", new: "address: 12, place: pump-room, depends_on: [main-powr]", at: "id: pump-2", what: `no device "main-powr"`, cure: `"main-power"`},
		{name: "place fed through nothing", old: "name: {zh: 泵房, en: Pump room}}", new: "name: {zh: 泵房, en: Pump room}, depends_on: [mains]}", at: "id: pump-room", what: `no device "mains"`, cure: "main-power"},
		{name: "line fed twice", old: "    timeout: 500ms", new: "    depends_on: [main-power, main-power]", at: "depends_on", what: "stands twice", cure: "one of the two"},
		{name: "group of hours", old: "site:\n", new: "alarms: {group: 2h}\nsite:\n", at: "group: 2h", what: "cannot wait for 2h", cure: "1s to 1m"},
		{name: "nobody on duty", old: "site:\n", new: "alarms: {duty: -1}\nsite:\n", at: "duty: -1", what: "cannot be on duty", cure: "from 1"},
		{name: "fed by itself", old: "line: meters, address: 1}", new: "line: meters, address: 1, depends_on: [main-water]}\n  - {id: main-water, name: 总水表, profile: tuf-2000, line: pump-house, address: 31, depends_on: [main-power]}", at: "depends_on: [main-", what: "fed by itself", cure: "one way"},
		{name: "bad unit in a profile", old: "site:\n", new: "profiles: profiles\nsite:\n", more: map[string]string{"profiles/my-meter.yaml": ownProfile}, file: "my-meter.yaml", at: "kilowatt", what: `"kilowatt" is not a known unit`, cure: "kW"},
		{name: "no folder of profiles", old: "site:\n", new: "profiles: nowhere\nsite:\n", at: "profiles: nowhere", what: "no folder"},
		{name: "bad cron", old: `every: 2h, from: "20:00", until: "06:00"`, new: `cron: "0 25 * * *"`, at: "cron:", what: "not a crontab expression", cure: "five fields"},
		{name: "two ways to start", old: "every: 2h,", new: `every: 2h, cron: "0 22 * * *",`, at: "cron:", what: "exactly one way", cure: "times"},
		{name: "bad time of day", old: `from: "20:00"`, new: `from: "8 pm"`, at: "8 pm", what: "not a time of day", cure: "22:30"},
		{name: "a shelf of no priority", old: "mqtt: {url: embedded}", new: "mqtt: {url: embedded}\nalarms: {max_shelf: {P1: 30m, p2: 2h}}", at: "alarms:", what: `"p2" is not a priority`, cure: "P2"},
		{name: "a shelf for ever", old: "mqtt: {url: embedded}", new: "mqtt: {url: embedded}\nalarms: {max_shelf: {P4: 9000h}}", at: "alarms:", what: "9000h", cure: "744h"},
		{name: "a shelf without unit", old: "mqtt: {url: embedded}", new: "mqtt: {url: embedded}\nalarms: {max_shelf: {P4: 24}}", at: "alarms:", what: "not a duration", cure: "2h"},
		{name: "a note twice", old: "mqtt: {url: embedded}", new: "mqtt: {url: embedded}\nalarms: {acknowledge_note: [P1, P1]}", at: "alarms:", what: "stands twice", cure: "once"},
		{name: "a note of no priority", old: "mqtt: {url: embedded}", new: "mqtt: {url: embedded}\nalarms: {acknowledge_note: [high]}", at: "alarms:", what: `"high" is not a priority`, cure: "P1, P2"},
		{name: "bad weekday", old: "window: 45m", new: "days: [montag], window: 45m", at: "montag", what: "not a day", cure: "mon"},
		{name: "no window", old: "window: 45m, ", new: "", at: "id: night, name: 夜巡", what: "window", cure: "10s to 24h"},
		{name: "route to nowhere", old: "checkpoints: [gate, pumps]", new: "checkpoints: [gate, pump]", at: "[gate, pump]", what: `no checkpoint "pump"`, cure: `"pumps"`},
		{name: "bad tag", old: "04:A0:35:B2:BC:2B:80", new: "04:A0:XY", at: "04:A0:XY", what: "hex", cure: "04:A0:35:B2:BC:2B:80"},
		{name: "guessable token", old: "gate-7f3a91c2d4e5", new: "gate", at: "token: gate", what: "token", cure: "guess"},
		{name: "reader at no checkpoint", old: "checkpoint: gate}", new: "checkpoint: gat}", at: "checkpoint: gat}", what: `no checkpoint "gat"`, cure: `"gate"`},
		{name: "no such rules", old: "rules: [pump-house]", new: "rules: [pumphouse]", at: "rules: [pumphouse]", what: "pumphouse", cure: `"pump-house"`},
		{name: "unknown quantity in a rule", old: "rules: [pump-house]", new: "rules: [own.yaml]", more: map[string]string{"own.yaml": ownRule}, file: "own.yaml", at: "outlet_presure", what: "outlet_presure", cure: "outlet_pressure"},
		{name: "bad broker", old: "url: embedded", new: "url: broker.local", at: "broker.local", what: "not the address of a broker", cure: "tcp://"},
		{name: "broker with a path", old: "url: embedded", new: `url: "tcp://broker:1883/gengfu"`, at: "broker:1883", what: "not the address of a broker", cure: "tcp://"},
		{name: "name without password", old: "url: embedded", new: "url: embedded, username: joe", at: "username: joe", what: "name and password", cure: "password_file"},
		{name: "the hub's own id", old: "id: gw1", new: "id: hub", at: "id: hub", what: "hub's own", cure: "gw1"},
		{name: "bad proxy", old: "dashboard: {", new: "dashboard: {trusted_proxies: [nginx], ", at: "nginx", what: "not an address or network", cure: "127.0.0.1"},
		{name: "rules that are not there", old: "rules: [pump-house]", new: "rules: [rules/own.yaml]", at: "rules/own.yaml", what: "no file", cure: "relative"},
		{name: "bad listen address", old: "127.0.0.1:8080", new: "8080", at: "listen:", what: "not an address to listen on", cure: "127.0.0.1:8080"},
		{name: "InfluxDB without address", old: "engine: embedded", new: "engine: influxdb", at: "engine: influxdb", what: "where InfluxDB is", cure: "url"},
		{name: "secret that is not there", old: "url: embedded", new: "url: embedded, password_file: none.txt", at: "none.txt", what: "cannot be read", cure: "relative"},
		{name: "secret in an environment that has none", old: "url: embedded", new: "url: embedded, username: joe, password_env: NO_SUCH_SECRET", at: "NO_SUCH_SECRET", what: "no environment variable", cure: "password_file"},
		{name: "no share for a backlog", old: "url: embedded", new: "url: embedded, backlog_share: 0", at: "backlog_share: 0", what: "no share", cure: "0.01"},
		{name: "rate that carries nothing", old: "url: embedded", new: "url: embedded, rate_limit: {telemetry: 9}", at: "telemetry: 9", what: "carry nothing", cure: "100"},
		{name: "journal of no size", old: "site:\n", new: "journal: {urgent: 0}\nsite:\n", at: "urgent: 0", what: "cannot be kept", cure: "MiB"},
		{name: "loss window of hours", old: "site:\n", new: "journal: {sync: 1h}\nsite:\n", at: "sync: 1h", what: "from disk", cure: "10s"},
		{name: "edge on an embedded broker", old: "role: both", new: "role: edge", at: "url: embedded", what: "nobody to send to", cure: "tcp://hub:1883"},
		{name: "hub that nobody finds", old: "role: both", new: "role: hub", at: "url: embedded", what: "hears nobody", cure: "0.0.0.0:1883"},
		{name: "open broker without password", old: "url: embedded", new: `url: embedded, listen: "0.0.0.0:1883"`, at: "0.0.0.0:1883", what: "without a password", cure: "password_file"},
		{name: "certificate that is none", old: "dashboard: {", new: "dashboard: {cert_file: site.yaml, key_file: site.yaml, ", at: "cert_file: site.yaml", what: "cannot be used", cure: "PEM"},
		{name: "certificate without key", old: "dashboard: {", new: "dashboard: {cert_file: site.yaml, ", at: "cert_file", what: "belong together", cure: "key_file"},
		{name: "tile of nothing", old: "tiles: [pump-1/running]", new: "tiles: [pump-9/running]", at: "pump-9/running", what: `no point "pump-9/running"`, cure: "pump-"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := site(t)
			if strings.Count(text, tt.old) == 0 {
				t.Fatalf("the site has no %q to change", tt.old)
			}
			text = strings.Replace(text, tt.old, tt.new, 1)
			if tt.more == nil {
				tt.more = map[string]string{}
			}
			path := write(t, text, tt.more)
			_, err := Load(path)
			var report Report
			if !errors.As(err, &report) {
				t.Fatalf("want a report, got %v", err)
			}
			file := tt.file
			if file == "" {
				file = "site.yaml"
			}
			for _, f := range report {
				if filepath.Base(f.File) == file && f.Line > 0 && strings.Contains(f.Excerpt, tt.at) &&
					strings.Contains(f.What, tt.what) && strings.Contains(f.Cure, tt.cure) && f.Cure != "" {
					return
				}
			}
			t.Errorf("no finding at %q with %q and cure %q in:\n%v", tt.at, tt.what, tt.cure, report)
		})
	}
}

// What hangs on what is known without a word in the configuration, and what is fed
// through what is taken from it.
func TestTheEstateSaysWhatHangsOnWhat(t *testing.T) {
	text := strings.Replace(site(t), "en: Pump room}}", "en: Pump room}, depends_on: [main-power]}", 1)
	text = strings.Replace(text, "line: meters, address: 1}", "line: meters, address: 1, depends_on: [main-power]}", 1)
	c, err := Load(write(t, text, map[string]string{}))
	if err != nil {
		t.Fatal(err)
	}
	top, err := discipline.NewTopology(c.Estate)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(top.Above(discipline.Node{Kind: discipline.DeviceAt, ID: "pump-1"}))
	if want := "[gateway/gw1 line/pump-house place/pump-room supply/main-power]"; got != want {
		t.Errorf("pump-1 hangs on %s, want %s", got, want)
	}
}

func TestAllMistakesAreFoundAtOnce(t *testing.T) {
	text := strings.NewReplacer("parity: none", "parity: mark", "address: 12", "address: 11", "route: night,", "route: nigth,").Replace(site(t))
	_, err := Load(write(t, text, map[string]string{}))
	var report Report
	if !errors.As(err, &report) {
		t.Fatalf("want a report, got %v", err)
	}
	for _, piece := range []string{"mark", "11", "nigth"} {
		if !strings.Contains(report.Error(), piece) {
			t.Errorf("%q is not in:\n%v", piece, report)
		}
	}
	for i := 1; i < len(report); i++ {
		if report[i].File == report[i-1].File && report[i].Line < report[i-1].Line {
			t.Errorf("findings are not in the order of the lines:\n%v", report)
		}
	}
}

func FuzzSite(f *testing.F) {
	b, err := os.ReadFile("testdata/site.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	f.Add("site: [1, 2]")
	f.Add("site: &a {id: *a}")
	f.Add("---\n---\n")
	f.Add("devices:\n  ! 00000000\n0000008:\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parse("fuzz.yaml", "", []byte(text))
		if (c == nil) == (err == nil) {
			t.Errorf("got %v and %v", c, err)
		}
		var report Report
		if errors.As(err, &report) && len(report) == 0 {
			t.Error("refused without a reason")
		}
	})
}
