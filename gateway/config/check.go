package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"gengfu/devices"
	"gengfu/facility"
	"gengfu/gateway/broker"
	"gengfu/gateway/intake"
)

var (
	identifier = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	tagToken   = regexp.MustCompile(`^[A-Za-z0-9-]{16,64}$`)
	clockTime  = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
	topicLevel = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

const identifierCure = "Use lower-case letters, digits and single dashes, as pump-room."

// ids checks that each id is well formed and stands once.
func (l *loader) ids(section string, n int, id func(int) string) map[string]bool {
	seen := map[string]bool{}
	for i := range n {
		at := fmt.Sprintf("%s[%d].id", section, i)
		switch v := id(i); {
		case v == "":
			l.bad(at, "The id is missing.", identifierCure)
		case !identifier.MatchString(v):
			l.bad(at, fmt.Sprintf("%q cannot be an id.", v), identifierCure)
		case seen[v]:
			l.bad(at, fmt.Sprintf("The id %q stands twice.", v), "Give each its own id.")
		default:
			seen[v] = true
		}
	}
	return seen
}

// refers checks that a name that is not empty is one of the known.
func (l *loader) refers(at, name, kind string, known map[string]bool) {
	if name == "" || known[name] {
		return
	}
	names := make([]string, 0, len(known))
	for k := range known {
		names = append(names, k)
	}
	cure := "Write one of: " + list(names) + "."
	if len(names) == 0 {
		cure = "None is defined: add one, or leave this out."
	} else if near := facility.Nearest(name, names); near != "" {
		cure = fmt.Sprintf("Did you mean %q?", near)
	}
	l.bad(at, fmt.Sprintf("There is no %s %q.", kind, name), cure)
}

func (l *loader) checkSite() {
	c := l.config
	if !identifier.MatchString(c.Site.ID) {
		l.bad("site.id", fmt.Sprintf("%q cannot be the id of a site.", c.Site.ID), identifierCure)
	}
	if c.Site.Name.Empty() {
		l.bad("site.name", "The site has no name.", "Write name: {zh: …, en: …}.")
	}
	zone, err := time.LoadLocation(c.Site.TimeZone)
	if c.Site.TimeZone == "" || c.Site.TimeZone == "Local" || err != nil {
		l.bad("site.time_zone", fmt.Sprintf("%q is not a time zone.", c.Site.TimeZone), "Write an IANA name, as Asia/Shanghai or Europe/Berlin.")
	}
	c.Estate.Site = facility.Site{ID: c.Site.ID, Name: c.Site.Name, Zone: zone}
	if !identifier.MatchString(c.Gateway.ID) {
		l.bad("gateway.id", fmt.Sprintf("%q cannot be the id of a gateway.", c.Gateway.ID), identifierCure)
	}
	if c.Gateway.ID == intake.LocalGateway {
		l.bad("gateway.id", fmt.Sprintf("The id %q is the hub's own.", c.Gateway.ID), "Give the gateway another, as gw1.")
	}
	if r := c.Gateway.Role; r != Both && r != Edge && r != Hub {
		l.bad("gateway.role", fmt.Sprintf("%q is not a role.", r), "Write both, edge or hub.")
	}
	places := l.ids("places", len(c.Places), func(i int) string { return c.Places[i].ID })
	for i, p := range c.Places {
		if p.Name.Empty() {
			l.bad(fmt.Sprintf("places[%d].name", i), fmt.Sprintf("Place %s has no name.", p.ID), "Write name: {zh: …, en: …}.")
		}
		c.Estate.Places = append(c.Estate.Places, facility.Place(p))
	}
	for i, d := range c.File.Devices {
		l.refers(fmt.Sprintf("devices[%d].place", i), d.Place, "place", places)
	}
	for i, p := range c.Patrol.Checkpoints {
		l.refers(fmt.Sprintf("patrol.checkpoints[%d].place", i), p.Place, "place", places)
	}
}

func (l *loader) checkConnections() {
	c := l.config
	if err := broker.CheckURL(c.MQTT.URL); !c.MQTT.Embedded() && err != nil {
		l.bad("mqtt.url", fmt.Sprintf("%q is not the address of a broker: %v.", c.MQTT.URL, err), "Write embedded, tcp://host:1883 or ssl://host:8883; name and password have keys of their own.")
	}
	if c.MQTT.Embedded() && (c.MQTT.Username != "") != c.MQTT.HasPassword() {
		l.bad("mqtt", "The embedded broker knows people by name and password.", "Write both username and password_file, or neither.")
	}
	if !topicLevel.MatchString(c.MQTT.Root) {
		l.bad("mqtt.root", fmt.Sprintf("%q cannot be the first level of a topic.", c.MQTT.Root), "Use letters, digits, “_” and “-”, without “/”.")
	}
	l.address("mqtt.listen", c.MQTT.Listen)
	l.checkEmbedded()
	l.checkFlow()
	for at, path := range map[string]string{
		"mqtt.password_file": c.MQTT.PasswordFile, "mqtt.ca_file": c.MQTT.CAFile, "mqtt.cert_file": c.MQTT.CertFile,
		"mqtt.key_file": c.MQTT.KeyFile, "dashboard.cert_file": c.Dashboard.CertFile, "dashboard.key_file": c.Dashboard.KeyFile,
		"dashboard.monitor_token_file": c.Dashboard.MonitorTokenFile,
	} {
		l.file(at, path)
	}
	l.certificate("mqtt", c.MQTT.CertFile, c.MQTT.KeyFile)
	l.certificate("dashboard", c.Dashboard.CertFile, c.Dashboard.KeyFile)
	l.address("dashboard.listen", c.Dashboard.Listen)
	if u, err := url.Parse(c.Dashboard.BaseURL); c.Dashboard.BaseURL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		l.bad("dashboard.base_url", fmt.Sprintf("%q is not an address.", c.Dashboard.BaseURL), "Write it as phones reach it, as https://gengfu.example.cn.")
	}
	l.checkProxies()
	l.checkHistory()
}

func (l *loader) checkProxies() {
	for i, p := range l.config.Dashboard.TrustedProxies {
		prefix, err := netip.ParsePrefix(p)
		if address, alone := netip.ParseAddr(p); alone == nil {
			prefix, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil {
			l.bad(fmt.Sprintf("dashboard.trusted_proxies[%d]", i), fmt.Sprintf("%q is not an address or network.", p), "Write 127.0.0.1 or 10.0.0.0/8.")
			continue
		}
		l.config.Proxies = append(l.config.Proxies, prefix)
	}
}

// checkEmbedded checks that those who need the embedded broker can reach it.
func (l *loader) checkEmbedded() {
	c := l.config
	host, port, err := net.SplitHostPort(c.MQTT.Listen)
	if !c.MQTT.Embedded() || err != nil {
		return
	}
	switch ip := net.ParseIP(host); {
	case c.Gateway.Role == Edge:
		l.bad("mqtt.url", "An edge alone has nobody to send to on an embedded broker.", "Write the address of the hub's broker, as tcp://hub:1883.")
	case c.Gateway.Role == Hub && port == "0":
		l.bad("mqtt.listen", "A hub alone hears nobody on an embedded broker without a fixed port.", "Write listen: 0.0.0.0:1883 with username and password_file, or the url of another broker.")
	case (ip == nil || !ip.IsLoopback()) && host != "localhost" && (c.MQTT.Username == "" || !c.MQTT.HasPassword()):
		l.bad("mqtt.listen", "The embedded broker lets nobody from other machines in without a password.", "Write username and password_file, or listen on 127.0.0.1.")
	}
}

// checkFlow checks how much is kept and sent.
func (l *loader) checkFlow() {
	j, m := l.config.Journal, l.config.MQTT
	if j.Sync < 0 || j.Sync > 10*time.Second {
		l.bad("journal.sync", fmt.Sprintf("Samples cannot be %v from disk.", j.Sync), "Write 0s to 10s: what a power cut may take.")
	}
	if limit := l.config.Gateway.ClockLimit; limit < 100*time.Millisecond || limit > time.Hour {
		l.bad("gateway.clock_limit", fmt.Sprintf("A clock that may be off by %v cannot be judged.", limit), "Write 100ms to 1h; 2s is usual.")
	}
	for at, mib := range map[string]int64{"journal.telemetry": j.Telemetry, "journal.urgent": j.Urgent, "journal.memory": j.Memory} {
		if mib < 1 || mib > 1<<20 {
			l.bad(at, fmt.Sprintf("%d MiB cannot be kept.", mib), "Write a number of MiB, from 1 to 1048576.")
		}
	}
	if m.BacklogShare < 0.01 || m.BacklogShare > 1 {
		l.bad("mqtt.backlog_share", fmt.Sprintf("%v is no share.", m.BacklogShare), "Write 0.01 to 0.99, or 1 to send all samples in their order.")
	}
	for at, rate := range map[string]int64{"mqtt.rate_limit.urgent": m.RateLimit.Urgent, "mqtt.rate_limit.telemetry": m.RateLimit.Telemetry} {
		if rate != 0 && rate < 100 {
			l.bad(at, fmt.Sprintf("%d bytes per second carry nothing.", rate), "Write bytes per second, at least 100, or leave it out.")
		}
	}
	if m.PasswordFile != "" && m.PasswordEnv != "" {
		l.bad("mqtt.password_env", "The password is in two places.", "Write password_file or password_env.")
	}
	if _, set := os.LookupEnv(m.PasswordEnv); m.PasswordEnv != "" && !set {
		l.bad("mqtt.password_env", fmt.Sprintf("There is no environment variable %s.", m.PasswordEnv), "Set it for the service, or write password_file.")
	}
}

// certificate checks a certificate and its key.
func (l *loader) certificate(section, cert, key string) {
	if (cert == "") != (key == "") {
		l.bad(section, "A certificate and its key belong together.", "Write both cert_file and key_file, or neither.")
		return
	}
	if cert == "" {
		return
	}
	_, err := tls.LoadX509KeyPair(l.resolve(cert), l.resolve(key))
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) { // those are told of the file
		l.bad(section+".cert_file", fmt.Sprintf("The certificate cannot be used: %v.", err), "Write PEM files, of which the key is the certificate's.")
	}
}

func (l *loader) checkHistory() {
	h := l.config.History
	if h.RetentionDays < 1 || h.RetentionDays > 36500 {
		l.bad("history.retention_days", fmt.Sprintf("%d days cannot be kept.", h.RetentionDays), "Write 1 to 36500; 400 keeps a year and a month.")
	}
	switch h.Engine {
	case "embedded":
		if h.InfluxDB != nil {
			l.bad("history.influxdb", "InfluxDB is configured but not chosen.", "Write engine: influxdb, or remove this.")
		}
	case "influxdb":
		l.checkInfluxDB()
	default:
		l.bad("history.engine", fmt.Sprintf("%q is not an engine.", h.Engine), "Write embedded or influxdb.")
	}
}

func (l *loader) checkInfluxDB() {
	db := l.config.History.InfluxDB
	if db == nil {
		l.bad("history", "It is not said where InfluxDB is.", "Add influxdb: {url: …, org: …, bucket: …, token_file: …}.")
		return
	}
	if u, err := url.Parse(db.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		l.bad("history.influxdb.url", fmt.Sprintf("%q is not the address of a server.", db.URL), "Write http://host:8086.")
	}
	if db.Bucket == "" {
		l.bad("history.influxdb.bucket", "The bucket is missing.", "Write the bucket's name; for InfluxDB 1.8 database/retention-policy.")
	}
	if db.Timeout < 0 || db.Timeout > 5*time.Minute {
		l.bad("history.influxdb.timeout", fmt.Sprintf("A timeout of %v is not sensible.", db.Timeout), "Write 1s to 5m, or leave it out for 30s.")
	}
	l.file("history.influxdb.token_file", db.TokenFile)
}

func (l *loader) address(at, address string) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		l.bad(at, fmt.Sprintf("%q is not an address to listen on.", address), "Write host:port, as 127.0.0.1:8080, or 0.0.0.0:8080 for all networks.")
	}
}

func (l *loader) file(at, path string) {
	if path == "" {
		return
	}
	f, err := os.Open(l.resolve(path))
	if err != nil {
		l.bad(at, fmt.Sprintf("The file cannot be read: %v.", err), "Check the path (relative to this file) and its rights.")
		return
	}
	_ = f.Close()
}

// Secret reads a file that holds one secret, without the line's end.
func (c *Config) Secret(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := os.ReadFile(c.Resolve(path))
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

func (l *loader) checkPatrol() {
	p := l.config.Patrol
	points := l.ids("patrol.checkpoints", len(p.Checkpoints), func(i int) string { return p.Checkpoints[i].ID })
	l.checkCheckpoints()
	for i, r := range l.config.Readers {
		l.refers(fmt.Sprintf("readers[%d].checkpoint", i), r.Checkpoint, "checkpoint", points)
	}
	routes := l.ids("patrol.routes", len(p.Routes), func(i int) string { return p.Routes[i].ID })
	for i, r := range p.Routes {
		if len(r.Checkpoints) == 0 {
			l.bad(fmt.Sprintf("patrol.routes[%d].checkpoints", i), fmt.Sprintf("Route %s leads nowhere.", r.ID), "List at least one checkpoint.")
		}
		for j, name := range r.Checkpoints {
			at := fmt.Sprintf("patrol.routes[%d].checkpoints[%d]", i, j)
			l.refers(at, name, "checkpoint", points)
			if slices.Index(r.Checkpoints, name) < j {
				l.bad(at, fmt.Sprintf("Checkpoint %q stands twice in route %s.", name, r.ID), "Keep one of the two; a second visit is a route of its own.")
			}
		}
	}
	l.ids("patrol.plans", len(p.Plans), func(i int) string { return p.Plans[i].ID })
	for i, plan := range p.Plans {
		at := fmt.Sprintf("patrol.plans[%d]", i)
		if plan.Route == "" {
			l.bad(at+".route", fmt.Sprintf("Plan %s has no route.", plan.ID), "Name one of the routes.")
		}
		l.refers(at+".route", plan.Route, "route", routes)
		l.checkPlan(at, plan)
	}
}

func (l *loader) checkCheckpoints() {
	tags, tokens := map[string]string{}, map[string]string{}
	for i, c := range l.config.Patrol.Checkpoints {
		at := fmt.Sprintf("patrol.checkpoints[%d]", i)
		if c.Token != "" && !tagToken.MatchString(c.Token) {
			l.bad(at+".token", "The token cannot stand in an address.", "Write 16 to 64 letters, digits and dashes that nobody can guess.")
		}
		if strings.HasPrefix(c.Token, "change-me") {
			l.config.Warnings = append(l.config.Warnings, l.doc.find([]facility.Problem{{
				Path: at + ".token", What: "The token is the example's, which everybody can read.", Cure: "Write one that nobody can guess before the tag is made.",
			}})...)
		}
		if other, taken := tokens[c.Token]; c.Token != "" && taken {
			l.bad(at+".token", fmt.Sprintf("Checkpoint %s has the same token.", other), "Give each checkpoint its own.")
		}
		tokens[c.Token] = c.ID
		for j, tag := range c.Tags {
			uid, err := facility.NormaliseUID(tag)
			if err != nil {
				l.bad(fmt.Sprintf("%s.tags[%d]", at, j), sentence(err.Error()), "Write the UID in hex, as 04:A0:35:B2:BC:2B:80.")
				continue
			}
			if other, taken := tags[uid]; taken {
				l.bad(fmt.Sprintf("%s.tags[%d]", at, j), fmt.Sprintf("Tag %s hangs at %s already.", uid, other), "A tag is at one checkpoint.")
			}
			tags[uid] = c.ID
		}
	}
}

func (l *loader) checkPlan(at string, p Plan) {
	ways := 0
	for _, given := range []bool{len(p.Times) > 0, p.Every != 0, p.Cron != ""} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		l.bad(at, fmt.Sprintf("Plan %s must say in exactly one way when it starts.", p.ID), `Write times: ["22:00"], or every: 2h with from and until, or cron: "0 22 * * *".`)
	}
	for i, t := range p.Times {
		l.clock(fmt.Sprintf("%s.times[%d]", at, i), t)
	}
	if p.Every != 0 {
		if p.Every < time.Minute || p.Every > 24*time.Hour {
			l.bad(at+".every", fmt.Sprintf("A round every %v is not possible.", p.Every), "Write 1m to 24h.")
		}
		for key, t := range map[string]string{"from": p.From, "until": p.Until} {
			if t != "" {
				l.clock(at+"."+key, t)
			}
		}
		if (p.From == "") != (p.Until == "") {
			l.bad(at, fmt.Sprintf("Plan %s has only one end of its day.", p.ID), "Write both from and until, or neither for all day.")
		}
	} else if p.From != "" || p.Until != "" {
		l.bad(at, "From and until belong to every.", "Remove them, or write every: 2h.")
	}
	if p.Cron != "" {
		if _, err := cron.ParseStandard(p.Cron); err != nil || strings.HasPrefix(p.Cron, "@") || strings.Contains(p.Cron, "TZ=") {
			l.bad(at+".cron", fmt.Sprintf("%q is not a crontab expression.", p.Cron), `Write five fields — minute hour day month weekday — as "30 22 * * 1-5".`)
		}
	}
	for i, d := range p.Days {
		if _, ok := weekdays[d]; !ok {
			l.bad(fmt.Sprintf("%s.days[%d]", at, i), fmt.Sprintf("%q is not a day.", d), "Write mon, tue, wed, thu, fri, sat or sun.")
		}
	}
	if p.Window < 10*time.Second || p.Window > 24*time.Hour {
		l.bad(at+".window", fmt.Sprintf("A window of %v is not possible.", p.Window), "Write how long the walk may take, 10s to 24h.")
	}
	if p.Tolerance < 0 || p.Tolerance > 12*time.Hour {
		l.bad(at+".tolerance", fmt.Sprintf("A tolerance of %v is not possible.", p.Tolerance), "Write 0s to 12h.")
	}
	if p.Grace < 0 || p.Grace > 72*time.Hour {
		l.bad(at+".grace", fmt.Sprintf("A grace of %v is not possible.", p.Grace), "Write 0s to 72h.")
	}
}

var weekdays = map[string]time.Weekday{
	"sun": time.Sunday, "mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday,
	"thu": time.Thursday, "fri": time.Friday, "sat": time.Saturday,
}

func (l *loader) clock(at, t string) {
	if !clockTime.MatchString(t) {
		l.bad(at, fmt.Sprintf("%q is not a time of day.", t), `Write it with quotes in 24 hours, as "22:30".`)
	}
}

func (l *loader) buildEstate() {
	c := l.config
	e := &c.Estate
	e.Devices, e.Readers = devices.Describe(c.Lines, c.File.Devices, c.Readers, c.Profiles)
	for _, line := range c.Lines {
		described := facility.Line{ID: line.ID, DependsOn: line.DependsOn}
		if c.Gateway.Role.Edge() { // a hub alone does not know which gateway reads it
			described.Gateway = c.Gateway.ID
		}
		e.Lines = append(e.Lines, described)
	}
	for _, p := range c.Patrol.Checkpoints {
		cp := facility.Checkpoint{ID: p.ID, Name: p.Name, Place: p.Place, Token: p.Token}
		for _, tag := range p.Tags {
			uid, err := facility.NormaliseUID(tag)
			if err == nil { // a wrong one was reported above
				cp.Tags = append(cp.Tags, uid)
			}
		}
		e.Checkpoints = append(e.Checkpoints, cp)
	}
	for _, r := range c.Patrol.Routes {
		e.Routes = append(e.Routes, facility.Route(r))
	}
	for _, p := range c.Patrol.Plans {
		plan := facility.Plan{
			ID: p.ID, Name: p.Name, Route: p.Route, Times: p.Times, Every: p.Every, From: p.From, Until: p.Until,
			Cron: p.Cron, Window: p.Window, Tolerance: p.Tolerance, Grace: p.Grace, Assignee: p.Assignee,
		}
		for _, d := range p.Days {
			plan.Days = append(plan.Days, weekdays[d])
		}
		e.Plans = append(e.Plans, plan)
	}
}

func (l *loader) checkTiles() {
	c := l.config
	known := map[string]bool{}
	for _, d := range c.Estate.Devices {
		for _, p := range d.Points {
			known[p.ID.String()] = true
		}
	}
	for i, t := range c.Dashboard.Tiles {
		at := fmt.Sprintf("dashboard.tiles[%d]", i)
		id, err := facility.ParsePointID(t)
		if err != nil {
			l.bad(at, fmt.Sprintf("%q is not a point.", t), "Write device/quantity, as pump-1/outlet_pressure.")
			continue
		}
		l.refers(at, t, "point", known)
		c.Tiles = append(c.Tiles, id)
	}
}
