// Package daemon puts the rooms of the house together as a configuration asks:
// edge, hub, or both, with the embedded broker, ledger and history or with
// servers. It holds no logic of its own, and knows nothing of any demo.
package daemon

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gengfu/dashboard"
	"gengfu/devices"
	"gengfu/facility"
	"gengfu/gateway/broker"
	"gengfu/gateway/clock"
	"gengfu/gateway/config"
	"gengfu/gateway/hub"
	"gengfu/gateway/intake"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
	"gengfu/gateway/uplink"
	"gengfu/storage/history"
	"gengfu/storage/history/quarantine"
	"gengfu/storage/ledger"
)

// Files in the data folder.
const (
	LedgerFile  = "ledger.db"
	historyFile = "history.db"

	QuarantineFile = "history-refused.db"
	hubFile        = "hub-journal.db"
	lettersFile    = "hub-dead-letters.db"
	urgentFile     = "edge-urgent.db"
	telemetryFile  = "edge-telemetry.db"
	clockFile      = "clock.json"
)

// Options are what Run needs.
type Options struct {
	Config  *config.Config
	Data    string // folder for everything that must last; it exists
	Listen  string // instead of the configuration's address
	Version string
	Logger  *slog.Logger
	Clock   clock.Source // nil is this machine's; a test may put one that lies
	// Prepare is called before anything runs, with what is about to be used.
	Prepare func(ctx context.Context, l *ledger.Ledger, h history.Store) error
	// Listening is called with the dashboard's URL when it takes connections.
	Listening func(url string)
	// DemoLogins and Extensions are handed to the dashboard.
	DemoLogins []dashboard.DemoLogin
	Extensions []dashboard.Extension
}

// daemon is one running gateway.
type daemon struct {
	Options
	started time.Time
	secrets secrets
	clock   *clock.Clock

	ledger  *ledger.Ledger
	history history.Store
	refused *quarantine.Store
	broker  *broker.Embedded // nil when the broker is elsewhere
	url     string           // of the broker
	hubLog  *journal.Journal
	letters *intake.Letters
	edgeLog map[facility.Stream]*journal.Journal

	intake    *intake.Intake
	book      *hub.Book
	hub       *hub.Hub
	collector *uplink.Collector
	uplink    *uplink.Uplink
	field     *devices.Field
	watch     watch
}

// secrets are what is read from files at the start.
type secrets struct {
	mqttUsername string
	mqttPassword string
	mqttTLS      *tls.Config
}

// Run works until ctx ends and everything has stopped.
func Run(ctx context.Context, o Options) (err error) {
	release, err := claim(o.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	d := &daemon{Options: o, started: time.Now()}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.readSecrets(); err != nil {
		return err
	}
	d.clock = clock.Open(clock.Options{
		Source: o.Clock, File: filepath.Join(o.Data, clockFile), Limit: o.Config.Gateway.ClockLimit,
		Alone: o.Config.Gateway.Role.Hub(), Logger: o.Logger.With("part", "clock"),
	})
	ln, err := d.listen(ctx)
	if err != nil {
		return err
	}
	defer ln.Close()
	kept := newReserve(o.Data, o.Logger)
	kept.open()
	if err := d.open(ctx); err != nil {
		return err
	}
	parts := []part{{"reserve", kept.keep}, {"clock", d.clock.Run}}
	if o.Config.Gateway.Role.Hub() {
		if parts, err = d.hubParts(parts); err != nil {
			return err
		}
	}
	if o.Config.Gateway.Role.Edge() {
		if parts, err = d.edgeParts(parts); err != nil {
			return err
		}
	}
	serve, err := d.serving(ln)
	if err != nil {
		return err
	}
	if o.Listening != nil {
		o.Listening(d.address(ln))
	}
	return runParts(ctx, append(parts, part{"watch", d.watching}, serve))
}

func (d *daemon) readSecrets() error {
	c := d.Config
	var err error
	d.secrets.mqttUsername = c.MQTT.Username
	if d.secrets.mqttPassword, err = c.Secret(c.MQTT.PasswordFile); err != nil {
		return err
	}
	if c.MQTT.PasswordEnv != "" {
		d.secrets.mqttPassword = os.Getenv(c.MQTT.PasswordEnv)
	}
	if c.MQTT.CAFile == "" && c.MQTT.CertFile == "" {
		return nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.MQTT.CAFile != "" {
		pem, err := os.ReadFile(c.Resolve(c.MQTT.CAFile))
		if err != nil {
			return fmt.Errorf("read the broker's authority: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s holds no certificate", c.MQTT.CAFile)
		}
	}
	if c.MQTT.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.Resolve(c.MQTT.CertFile), c.Resolve(c.MQTT.KeyFile))
		if err != nil {
			return fmt.Errorf("read the certificate for MQTT: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	d.secrets.mqttTLS = conf
	return nil
}

func (d *daemon) listen(ctx context.Context) (net.Listener, error) {
	address := d.Listen
	if address == "" {
		address = d.Config.Dashboard.Listen
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen for browsers on %s: another program does so already; stop it, or choose another address with --listen (%w)", address, err)
	case err != nil:
		return nil, fmt.Errorf("listen for browsers on %s: %w", address, err)
	}
	return ln, nil
}

// address is where a browser on this machine finds the listener.
func (d *daemon) address(ln net.Listener) string {
	scheme := "http"
	if d.Config.Dashboard.CertFile != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return scheme + "://" + ln.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// open opens the files and the broker.
func (d *daemon) open(ctx context.Context) error {
	d.url = d.Config.MQTT.URL
	if d.Config.Gateway.Role.Hub() {
		if err := d.openHub(ctx); err != nil {
			return err
		}
	}
	if !d.Config.Gateway.Role.Edge() {
		return nil
	}
	d.edgeLog = map[facility.Stream]*journal.Journal{}
	for stream, file := range map[facility.Stream]string{facility.Urgent: urgentFile, facility.Telemetry: telemetryFile} {
		keep := d.Config.Journal
		o := journal.Options{
			Cursors: []string{uplink.Cursor}, Logger: d.Logger.With("journal", stream),
			MaxBytes: keep.Urgent << 20, Memory: keep.Memory << 20, Facts: payload.Facts, Now: d.clock.Best,
		}
		if stream == facility.Telemetry {
			o.Evict, o.Sync, o.MaxBytes = true, keep.Sync, keep.Telemetry<<20
		}
		j, err := journal.Open(filepath.Join(d.Data, file), o)
		if err != nil {
			return err
		}
		d.edgeLog[stream] = j
	}
	return nil
}

func (d *daemon) openHub(ctx context.Context) error {
	c := d.Config
	var err error
	if d.ledger, err = ledger.Open(ctx, filepath.Join(d.Data, LedgerFile), ledger.Options{Site: c.Estate.Site, Sole: true, Logger: d.Logger}); err != nil {
		return err
	}
	if err := d.ledger.Provision(ctx, c.Estate, d.clock.Best()); err != nil {
		return err
	}
	if d.history, err = OpenHistory(ctx, c, d.Data); err != nil {
		return err
	}
	if st := d.history.Stats(); st.Damage != "" {
		d.Logger.Error("the history's file could not be used as it was", "damage", st.Damage, "readings_lost", st.Damaged)
	}
	if d.refused, err = OpenQuarantine(ctx, d.Data); err != nil {
		return err
	}
	if err := noteEngine(d.Data, c.History.Engine, d.Logger); err != nil {
		return err
	}
	if d.Prepare != nil {
		if err := d.Prepare(ctx, d.ledger, d.history); err != nil {
			return err
		}
	}
	if err := d.openBook(ctx); err != nil {
		return err
	}
	if d.hubLog, err = openHubLog(d.Data, d.Logger, d.clock.Best); err != nil {
		return err
	}
	d.letters, err = intake.OpenLetters(filepath.Join(d.Data, lettersFile), d.Logger.With("journal", "dead letters"), nil)
	if err != nil || !c.MQTT.Embedded() {
		return err
	}
	if c.MQTT.Username == "" && strings.HasSuffix(c.MQTT.Listen, ":0") {
		// Nobody else can know where it listens; nobody else shall get in either.
		d.secrets.mqttUsername, d.secrets.mqttPassword = rand.Text(), rand.Text()
	}
	d.broker, err = broker.Embed(broker.EmbeddedOptions{
		Address: c.MQTT.Listen, Username: d.secrets.mqttUsername, Password: d.secrets.mqttPassword, Logger: d.Logger,
	})
	if err != nil {
		return err
	}
	d.url = d.broker.URL()
	return nil
}

// hubParts adds the receiving half: the hub itself, then what feeds it.
func (d *daemon) hubParts(parts []part) ([]part, error) {
	c := d.Config
	var err error
	d.intake, err = intake.New(intake.Options{
		Root: c.MQTT.Root, Site: c.Site.ID, Version: d.Version, ClientID: hubClient(c), KeepSession: c.MQTT.KeepSession, URL: d.url, Username: d.secrets.mqttUsername, Password: d.secrets.mqttPassword,
		TLS: d.secrets.mqttTLS, Journal: d.hubLog, Letters: d.letters, Logger: d.Logger.With("part", "intake"),
		Room: room(d.Data), Time: func() (time.Time, bool) { return d.clock.Best(), !d.clock.Doubtful() },
		Ahead: func(head payload.Header, readings []facility.Reading, taps []facility.Tap) bool { // made below
			return d.hub.Ahead(head, readings, taps)
		},
		Taking: func(record []byte, head payload.Header, readings []facility.Reading, taps []facility.Tap) {
			d.hub.Expect(record, head, readings, taps)
		},
	})
	if err != nil {
		return nil, err
	}
	d.hub = hub.New(hub.Options{
		Estate: c.Estate, Rules: d.book.Engine(), Book: d.book, Discipline: c.Alarms.Discipline(), Ledger: d.ledger, History: d.history, Journal: d.hubLog,
		TakeTaps: func(ctx context.Context, taps []facility.Tap) error {
			return d.intake.Local(ctx, c.Site.ID, taps)
		},
		SetAside: d.refused.Add,
		Quiet:    func() bool { return d.intake.Quiet(time.Now()) },
		Health:   func(context.Context) any { return d.health() },
		Waiting:  d.waiting,
		Logger:   d.Logger.With("part", "hub"),
		Now:      d.clock.Best,
		Doubt:    d.clock.Doubtful,
	})
	return append(parts, part{"hub", d.timely(d.hub.Run)}, part{"intake", d.timely(d.intake.Run)}), nil
}

// hubClient is the hub's name at the broker where that is to know it again; else it is
// another at each start.
func hubClient(c *config.Config) string {
	if !c.MQTT.KeepSession {
		return ""
	}
	return "gengfu-" + c.Site.ID + "-hub"
}

// edgeParts adds the field and the way from it.
func (d *daemon) edgeParts(parts []part) ([]part, error) {
	c := d.Config
	streams := map[facility.PointID]facility.Stream{}
	for _, dev := range c.Estate.Devices {
		for _, p := range dev.Points {
			streams[p.ID] = p.Kind.Stream()
		}
	}
	d.collector = uplink.NewCollector(uplink.CollectorOptions{
		Urgent: d.edgeLog[facility.Urgent], Telemetry: d.edgeLog[facility.Telemetry],
		StreamOf: func(p facility.PointID) facility.Stream {
			if s, ok := streams[p]; ok {
				return s
			}
			return facility.Telemetry
		},
		Clock: d.clock, Logger: d.Logger.With("part", "collector"),
	})
	var err error
	d.uplink, err = uplink.New(uplink.Options{
		Site: c.Site.ID, Gateway: c.Gateway.ID, Root: c.MQTT.Root, URL: d.url,
		Username: d.secrets.mqttUsername, Password: d.secrets.mqttPassword, TLS: d.secrets.mqttTLS,
		Streams: d.edgeLog, Version: d.Version, Logger: d.Logger.With("part", "uplink"),
		Clock: d.clock, KeepSession: c.MQTT.KeepSession, BacklogShare: c.MQTT.BacklogShare,
		RateLimits: map[facility.Stream]int64{
			facility.Urgent: c.MQTT.RateLimit.Urgent, facility.Telemetry: c.MQTT.RateLimit.Telemetry,
		},
	})
	if err != nil {
		return nil, err
	}
	learned := openMemory(d.Data, c.File.Devices, d.Logger.With("part", "memory"))
	d.field, err = devices.New(c.Lines, c.File.Devices, c.Readers, c.Profiles, devices.Options{
		Sink: d.collector, Now: d.clock.Now, Logger: d.Logger.With("part", "field"), Memory: learned, Force: c.Forced,
	})
	if err != nil {
		return nil, err
	}
	return append(parts,
		part{"uplink", d.uplink.Run}, part{"collector", d.collector.Run}, part{"memory", learned.Run}, part{"field", d.field.Run},
		part{"control", d.control().run}), nil
}

// waiting returns what beside the hub is not ready: facts must have a way from
// the field to it.
func (d *daemon) waiting() []string {
	var out []string
	if d.intake != nil && !d.intake.Connected() {
		out = append(out, "intake")
	}
	if d.uplink == nil {
		return out
	}
	for _, s := range d.uplink.Stats() {
		if !s.Connected {
			out = append(out, "uplink "+string(s.Stream))
		}
	}
	return out
}

func (d *daemon) close() error {
	var errs []error
	for _, j := range d.edgeLog {
		errs = append(errs, j.Close())
	}
	if d.broker != nil {
		errs = append(errs, d.broker.Close())
	}
	if d.hubLog != nil {
		errs = append(errs, d.hubLog.Close())
	}
	if d.letters != nil {
		errs = append(errs, d.letters.Close())
	}
	if d.history != nil {
		errs = append(errs, d.history.Close())
	}
	if d.refused != nil {
		errs = append(errs, d.refused.Close())
	}
	if d.ledger != nil {
		errs = append(errs, d.ledger.Close())
	}
	return errors.Join(errs...)
}
