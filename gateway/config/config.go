// Package config reads what people wrote about a site, strictly: everything that
// is wrong is found at once and reported with file, line and what to write
// instead, and nothing that is wrong is ever run.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gengfu/configs"
	"gengfu/devices"
	"gengfu/devices/profile"
	"gengfu/facility"
	"gengfu/gateway/clock"
	"gengfu/rules"
)

// File is a site file as it is written: configs/example.yaml shows every key.
type File struct {
	Site      Site                   `yaml:"site"`
	Gateway   Gateway                `yaml:"gateway"`
	Places    []Place                `yaml:"places"`
	Profiles  string                 `yaml:"profiles"` // a folder with profiles of one's own, beside the built-in ones
	Lines     []devices.LineConfig   `yaml:"lines"`
	Devices   []devices.DeviceConfig `yaml:"devices"`
	Readers   []devices.ReaderConfig `yaml:"readers"`
	Patrol    Patrol                 `yaml:"patrol"`
	Calendars []Calendar             `yaml:"calendars"`
	Rules     []string               `yaml:"rules"` // names of built-in files, or paths that end in .yaml
	Alarms    Alarms                 `yaml:"alarms"`
	Journal   Journal                `yaml:"journal"`
	MQTT      MQTT                   `yaml:"mqtt"`
	History   History                `yaml:"history"`
	Dashboard Dashboard              `yaml:"dashboard"`
}

// Site is which estate this is.
type Site struct {
	ID       string        `yaml:"id"`
	Name     facility.Text `yaml:"name"`
	TimeZone string        `yaml:"time_zone"` // IANA name, as Asia/Shanghai
}

// Gateway is which box of the site this is.
type Gateway struct {
	ID   string `yaml:"id"`
	Role Role   `yaml:"role"`

	ClockLimit time.Duration `yaml:"clock_limit"` // how far off a clock may be before it counts as wrong
}

// Role is which half of the program runs here.
type Role string

// The roles of a gateway.
const (
	Both Role = "both"
	Edge Role = "edge" // reads the field and sends
	Hub  Role = "hub"  // receives, judges and shows
)

// Edge reports whether the field is read here.
func (r Role) Edge() bool { return r == Both || r == Edge }

// Hub reports whether facts are judged and shown here.
func (r Role) Hub() bool { return r == Both || r == Hub }

// Place is a room, building or area.
type Place struct {
	ID        string        `yaml:"id"`
	Name      facility.Text `yaml:"name"`
	DependsOn []string      `yaml:"depends_on"` // devices through which all in it is fed
}

// Patrol is who walks where and when.
type Patrol struct {
	Checkpoints []Checkpoint `yaml:"checkpoints"`
	Routes      []Route      `yaml:"routes"`
	Plans       []Plan       `yaml:"plans"`
}

// Checkpoint is a spot that a guard must reach.
type Checkpoint struct {
	ID    string        `yaml:"id"`
	Name  facility.Text `yaml:"name"`
	Place string        `yaml:"place"`
	Tags  []string      `yaml:"tags"`
	Token string        `yaml:"token"` // in the address on its tag: 16 to 64 letters, digits, "-"
}

// Route is the checkpoints of a walk.
type Route struct {
	ID          string        `yaml:"id"`
	Name        facility.Text `yaml:"name"`
	Checkpoints []string      `yaml:"checkpoints"`
	InOrder     bool          `yaml:"in_order"`
}

// Plan says when a route is walked, by times, every or cron.
type Plan struct {
	ID        string        `yaml:"id"`
	Name      facility.Text `yaml:"name"`
	Route     string        `yaml:"route"`
	Times     []string      `yaml:"times"`
	Every     time.Duration `yaml:"every"`
	From      string        `yaml:"from"`
	Until     string        `yaml:"until"`
	Cron      string        `yaml:"cron"`
	Days      []string      `yaml:"days"`
	Window    time.Duration `yaml:"window"`
	Tolerance time.Duration `yaml:"tolerance"`
	Grace     time.Duration `yaml:"grace"`
	Assignee  string        `yaml:"assignee"`
}

// Journal is how facts are kept at the edge until the hub has them.
type Journal struct {
	Sync      time.Duration `yaml:"sync"`      // how long samples may be in memory before they are on disk
	Telemetry int64         `yaml:"telemetry"` // MiB of samples; beyond, the oldest go
	Urgent    int64         `yaml:"urgent"`    // MiB of urgent facts
	Memory    int64         `yaml:"memory"`    // MiB of each kind that are held while the disk refuses
}

// MQTT is the way from edge to hub.
type MQTT struct {
	URL          string    `yaml:"url"`    // "embedded", or tcp://host:1883, ssl://host:8883
	Listen       string    `yaml:"listen"` // of the embedded broker; 127.0.0.1:0 keeps it to this process
	Root         string    `yaml:"root"`   // first level of all topics
	Username     string    `yaml:"username"`
	PasswordFile string    `yaml:"password_file"`
	PasswordEnv  string    `yaml:"password_env"` // the environment variable that holds it
	CAFile       string    `yaml:"ca_file"`
	CertFile     string    `yaml:"cert_file"`
	KeyFile      string    `yaml:"key_file"`
	KeepSession  bool      `yaml:"keep_session"`  // has the broker keep what comes while one end is away
	BacklogShare float64   `yaml:"backlog_share"` // of the way, for samples that have waited
	RateLimit    RateLimit `yaml:"rate_limit"`
}

// RateLimit is how much an edge sends at most, in bytes per second; 0 is no limit.
type RateLimit struct {
	Urgent    int64 `yaml:"urgent"`
	Telemetry int64 `yaml:"telemetry"`
}

// HasPassword reports whether it is said where the password is.
func (m MQTT) HasPassword() bool { return m.PasswordFile != "" || m.PasswordEnv != "" }

// Embedded reports whether the broker runs inside this program.
func (m MQTT) Embedded() bool { return m.URL == "embedded" }

// The engines that can keep the history.
const (
	EmbeddedEngine = "embedded"
	InfluxDBEngine = "influxdb"
)

// History is where time series are kept.
type History struct {
	Engine        string    `yaml:"engine"` // embedded or influxdb
	RetentionDays int       `yaml:"retention_days"`
	InfluxDB      *InfluxDB `yaml:"influxdb"`
}

// InfluxDB is a server that speaks the v2 write and query API: InfluxDB 2.x, or
// 1.8 with flux enabled (bucket "db/rp", token "user:password").
type InfluxDB struct {
	URL       string        `yaml:"url"`
	Org       string        `yaml:"org"`
	Bucket    string        `yaml:"bucket"`
	TokenFile string        `yaml:"token_file"`
	Timeout   time.Duration `yaml:"timeout"`
}

// Dashboard is what people see.
type Dashboard struct {
	Listen  string   `yaml:"listen"`
	BaseURL string   `yaml:"base_url"` // as phones reach it; for the addresses on tags
	Tiles   []string `yaml:"tiles"`    // points of the overview
	// TrustedProxies are the addresses or networks of proxies whose word on who
	// asks, and whether by HTTPS, is believed.
	TrustedProxies []string `yaml:"trusted_proxies"`
	CertFile       string   `yaml:"cert_file"`
	KeyFile        string   `yaml:"key_file"`
	// MonitorTokenFile holds the token by which a program on another machine may read
	// /metrics and /api/health; without one only this machine may, and who signs in.
	MonitorTokenFile string `yaml:"monitor_token_file"`
}

// Config is a site file that was found right, with everything that it names.
type Config struct {
	File
	Path     string // of the site file, "" for a built-in one
	Profiles map[string]profile.Profile
	Rules    []rules.Rule
	Estate   facility.Estate
	Tiles    []facility.PointID
	Proxies  []netip.Prefix
	Warnings Report // right, but worth a look
	Forced   bool   // lines that are planned above 90 % of their time may run

	ruleFiles []ruleFile
}

// Option changes what Load takes for right.
type Option func(*Config)

// Force lets lines run that are planned above 90 % of their time; they are warned
// of.
func Force(forced bool) Option { return func(c *Config) { c.Forced = forced } }

// Load reads and checks the site file at path and all that it names. The error
// is a Report when the file could be read.
func Load(path string, opts ...Option) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return parse(path, filepath.Dir(path), data, opts...)
}

// BuiltIn reads and checks a site file that is carried in the binary, "demo" or
// "example".
func BuiltIn(name string) (*Config, error) {
	data, err := configs.FS.ReadFile(name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("built-in configuration %s: %w", name, err)
	}
	return parse("configs/"+name+".yaml", "", data)
}

func parse(name, dir string, data []byte, opts ...Option) (*Config, error) {
	c := &Config{File: defaults()}
	for _, o := range opts {
		o(c)
	}
	if dir != "" {
		c.Path = name
	}
	doc, report := decode(name, data, &c.File)
	if len(report) > 0 {
		return nil, report
	}
	l := &loader{config: c, doc: doc, dir: dir}
	l.load()
	if len(l.report) > 0 {
		slices.SortStableFunc(l.report, func(a, b Finding) int {
			return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column)
		})
		return nil, l.report
	}
	return c, nil
}

func defaults() File {
	return File{
		Gateway:   Gateway{ID: "gw1", Role: Both, ClockLimit: clock.DefaultLimit},
		Journal:   Journal{Sync: 200 * time.Millisecond, Telemetry: 1024, Urgent: 256, Memory: 16},
		MQTT:      MQTT{URL: "embedded", Listen: "127.0.0.1:0", Root: "gengfu", BacklogShare: 0.5},
		History:   History{Engine: "embedded", RetentionDays: 400},
		Dashboard: Dashboard{Listen: "127.0.0.1:8080"},
	}
}

// loader collects what is wrong on the way to a Config.
type loader struct {
	config *Config
	doc    *document
	dir    string // of the site file; "" for a built-in one
	report Report
}

func (l *loader) bad(path, what, cure string) {
	l.add(facility.Problem{Path: path, What: what, Cure: cure})
}

func (l *loader) add(problems ...facility.Problem) {
	l.report = append(l.report, l.doc.find(problems)...)
}

// load checks in the order in which a person mends: what the site is, what its
// devices are, then what refers to them.
func (l *loader) load() {
	l.checkSite()
	l.checkConnections()
	l.loadProfiles()
	if len(l.report) > 0 {
		return
	}
	c := l.config
	l.add(devices.Mistakes(c.Lines, c.File.Devices, c.Readers, c.Profiles)...)
	l.checkPatrol()
	if len(l.report) > 0 {
		return
	}
	l.checkLoad()
	c.Warnings = append(c.Warnings, l.doc.find(devices.Warnings(c.Lines, c.File.Devices, c.Profiles))...)
	l.buildEstate()
	l.checkFeeds()
	l.checkMeters()
	l.buildCalendars()
	l.checkTiles()
	l.checkAlarms()
	l.loadRules()
}

// checkLoad refuses what a line cannot keep up with, or warns of it.
func (l *loader) checkLoad() {
	c := l.config
	over := devices.Overload(c.Lines, c.File.Devices, c.Profiles)
	if !c.Forced {
		for i := range over {
			over[i].Cure += " Or run it all the same, with --force."
		}
		l.add(over...)
		return
	}
	c.Warnings = append(c.Warnings, l.doc.find(over)...)
}

func (l *loader) loadProfiles() {
	c := l.config
	c.Profiles = map[string]profile.Profile{}
	l.readProfiles(configs.FS, "profiles", "configs/profiles")
	if c.File.Profiles != "" {
		dir := l.resolve(c.File.Profiles)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			l.bad("profiles", fmt.Sprintf("There is no folder %s.", dir), "Write a folder, relative to this file, or leave it out.")
			return
		}
		l.readProfiles(os.DirFS(dir), ".", dir)
	}
}

func (l *loader) readProfiles(fsys fs.FS, dir, shown string) {
	names, err := fs.Glob(fsys, strings.TrimPrefix(dir+"/*.yaml", "./"))
	if err != nil {
		l.report = append(l.report, Finding{File: shown, What: sentence(err.Error())})
		return
	}
	for _, name := range names {
		var p profile.Profile
		doc, ok := l.readFile(fsys, name, filepath.Join(shown, base(name)+".yaml"), &p)
		if !ok {
			continue
		}
		problems := p.Validate()
		if p.ID != base(name) {
			problems = append(problems, facility.Problem{Path: "id", What: fmt.Sprintf("The id %q is not the file's name.", p.ID), Cure: fmt.Sprintf("Write id: %s.", base(name))})
		}
		l.report = append(l.report, doc.find(problems)...)
		l.config.Profiles[p.ID] = p
	}
}

func (l *loader) readFile(fsys fs.FS, name, shown string, v any) (*document, bool) {
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		l.report = append(l.report, Finding{File: shown, What: sentence(err.Error()), Cure: "Check the path and the rights of the file."})
		return nil, false
	}
	doc, report := decode(shown, data, v)
	l.report = append(l.report, report...)
	return doc, len(report) == 0
}

func (l *loader) resolve(path string) string { return l.config.Resolve(path) }

// Resolve returns the path of a file that the site file names: it is relative
// to the site file.
func (c *Config) Resolve(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(c.Path), path)
}

func (l *loader) loadRules() {
	c := l.config
	owner := map[string]string{}
	for i, name := range c.File.Rules {
		at := fmt.Sprintf("rules[%d]", i)
		var file rules.File
		doc, ok := l.readRuleFile(at, name, &file)
		if !ok {
			continue
		}
		_, problems := rules.Compile(file.Rules, c.Estate, c.RuleOptions()...)
		l.report = append(l.report, doc.find(problems)...)
		for j, r := range file.Rules {
			if first, taken := owner[r.ID]; taken && first != doc.name {
				l.report = append(l.report, doc.find([]facility.Problem{{
					Path: fmt.Sprintf("rules[%d].id", j),
					What: fmt.Sprintf("Rule %q exists already in %s.", r.ID, first), Cure: "Give it another id.",
				}})...)
			}
			owner[r.ID] = doc.name
		}
		c.Rules = append(c.Rules, file.Rules...)
		c.ruleFiles = append(c.ruleFiles, ruleFile{doc, file.Rules})
	}
}

func (l *loader) readRuleFile(at, name string, file *rules.File) (*document, bool) {
	if strings.HasSuffix(name, ".yaml") {
		if l.dir == "" {
			l.bad(at, "A built-in site can only name built-in rules.", "Write the name without .yaml.")
			return nil, false
		}
		full := l.resolve(name)
		if _, err := os.Stat(full); err != nil {
			l.bad(at, fmt.Sprintf("There is no file %s.", full), "Check the path: it is relative to this file. Names of built-in rules have no .yaml.")
			return nil, false
		}
		return l.readFile(os.DirFS(filepath.Dir(full)), filepath.Base(full), full, file)
	}
	known := builtInRules()
	if !slices.Contains(known, name) {
		cure := "Write one of " + list(known) + ", or the path of a file that ends in .yaml."
		if near := facility.Nearest(name, known); near != "" {
			cure = fmt.Sprintf("Did you mean %q?", near)
		}
		l.bad(at, fmt.Sprintf("There are no built-in rules %q.", name), cure)
		return nil, false
	}
	return l.readFile(configs.FS, "rules/"+name+".yaml", "configs/rules/"+name+".yaml", file)
}

func builtInRules() []string {
	names, err := fs.Glob(configs.FS, "rules/*.yaml")
	if err != nil {
		panic(errors.New("configs: " + err.Error())) // the pattern is constant
	}
	for i := range names {
		names[i] = base(names[i])
	}
	return names
}
