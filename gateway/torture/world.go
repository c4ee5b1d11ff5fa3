package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"gengfu/facility"
	"gengfu/gateway/config"
	"gengfu/storage/history"
	"gengfu/storage/history/embedded"
	"gengfu/storage/history/influx"
	"gengfu/storage/ledger"
)

// programs are what a world is made of.
type programs struct {
	self      string   // this program, as the edge
	selfEnv   []string // that makes it one
	gengfu    string
	gengfuEnv []string
	mosquitto string // empty: not here
	influxd   string // empty: not here
}

// setting is one way of putting the processes together.
type setting struct {
	Mosquitto bool
	InfluxDB  bool
}

func (s setting) String() string {
	broker, store := "embedded broker", "embedded history"
	if s.Mosquitto {
		broker = "Mosquitto"
	}
	if s.InfluxDB {
		store = "InfluxDB"
	}
	return broker + ", " + store
}

// world is one edge, one hub and what they need, with a proxy in each way.
type world struct {
	programs
	setting
	dir    string
	random *rand.Rand
	truth  *truth
	points map[facility.PointID]facility.Point
	disks  map[string]bool // folders that are file systems of their own

	edge, hub, broker, influx       *process
	toBroker, hubToBroker, toInflux *proxy
	brokerPort, influxPort          string
	edgeRoom                        int64 // bytes of the telemetry journal; 0 is the usual
	rate                            int   // samples each second
	only                            string
	lostBatches                     int64 // of samples, until now
	unknowable                      int64 // batches that the last damage may have cost without a trace

	mu     sync.Mutex
	hubURL string
}

const siteFile = `site: {id: garden, name: {zh: 花园, en: Garden}, time_zone: Asia/Shanghai}
gateway: {id: hub1, role: hub}
lines:
  - {id: socket, protocol: modbus-tcp, tcp: {address: "127.0.0.1:1"}, timeout: 500ms}
devices:
  - {id: pump-1, name: 1号泵, profile: pump-controller, line: socket, address: 11}
rules: [rules.yaml]
mqtt: %s
history: %s
dashboard: {listen: "127.0.0.1:0"}
`

const rulesFile = `rules:
  - id: torture
    name: {zh: 故障, en: fault}
    advice: {zh: 查, en: look}
    priority: P2
    for: {kinds: [pump]}
    when: fault
    order: {category: pump}
`

// newWorld makes a world and starts all of it.
func newWorld(ctx context.Context, p programs, s setting, dir string, seed uint64) (w *world, err error) {
	w = &world{
		programs: p, setting: s, dir: dir, disks: map[string]bool{}, points: map[facility.PointID]facility.Point{},
		random: rand.New(rand.NewPCG(seed, 0)),
		truth:  newTruth(numbering{time.Now().Add(-6 * time.Hour).Truncate(time.Second)}),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.end())
		}
	}()
	for _, folder := range []string{"edge", "hub", "influx"} {
		path := filepath.Join(dir, folder)
		if err := os.MkdirAll(path, 0o700); err != nil {
			return w, err
		}
		if folder != "influx" || s.InfluxDB {
			w.disks[folder] = mountDisk(path) == nil
		}
	}
	if err := w.wire(seed); err != nil {
		return w, err
	}
	if err := w.configure(); err != nil {
		return w, err
	}
	return w, w.heal(ctx)
}

// wire chooses ports and puts a proxy before each server.
func (w *world) wire(seed uint64) (err error) {
	if w.brokerPort, err = w.port(); err != nil {
		return err
	}
	if w.toBroker, err = newProxy("127.0.0.1:"+w.brokerPort, seed); err != nil {
		return err
	}
	if w.hubToBroker, err = newProxy("127.0.0.1:"+w.brokerPort, seed+1); err != nil {
		return err
	}
	if w.influxPort, err = w.port(); err != nil {
		return err
	}
	w.toInflux, err = newProxy("127.0.0.1:"+w.influxPort, seed+2)
	return err
}

// port chooses one below those that the system gives to outgoing connections, so
// that nobody takes it while its server is dead.
func (w *world) port() (string, error) {
	for range 100 {
		port := strconv.Itoa(10000 + w.random.IntN(20000))
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err == nil {
			return port, l.Close()
		}
	}
	return "", errors.New("no free port")
}

func (w *world) configure() error {
	mqtt := fmt.Sprintf(`{url: embedded, listen: "127.0.0.1:%s"}`, w.brokerPort)
	if w.Mosquitto {
		mqtt = fmt.Sprintf(`{url: "tcp://%s"}`, w.hubToBroker.address())
	}
	store := `{engine: embedded}`
	if w.InfluxDB {
		store = fmt.Sprintf(`{engine: influxdb, influxdb: {url: "http://%s", org: estate, bucket: estate/autogen, token_file: token, timeout: 2s}}`, w.toInflux.address())
	}
	for name, text := range map[string]string{
		"site.yaml": fmt.Sprintf(siteFile, mqtt, store), "rules.yaml": rulesFile, "token": influxUser + ":" + influxPassword,
		"mosquitto.conf": fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\n", w.brokerPort),
	} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	c, err := config.Load(filepath.Join(w.dir, "site.yaml"))
	if err != nil {
		return err
	}
	for _, d := range c.Estate.Devices {
		for _, p := range d.Points {
			w.points[p.ID] = p
		}
	}
	used := map[facility.PointID]facility.Point{fault: w.points[fault]}
	for n := range quantities {
		id := samplePoint(n)
		used[id] = w.points[id]
		if used[id].Kind.Stream() != facility.Telemetry || w.points[fault].Kind.Stream() != facility.Urgent {
			return fmt.Errorf("the points are not of the streams that they should be of: %+v", used[id])
		}
	}
	w.points = used
	return nil
}

// heal starts whatever does not run and makes all ways good.
func (w *world) heal(ctx context.Context) error {
	for _, p := range []*proxy{w.toBroker, w.hubToBroker, w.toInflux} {
		p.be(harm{})
	}
	for folder, own := range w.disks {
		if own {
			if err := freeDisk(filepath.Join(w.dir, folder)); err != nil {
				return err
			}
		}
	}
	return w.restart(ctx)
}

// restart starts whatever does not run.
func (w *world) restart(ctx context.Context) error {
	if w.InfluxDB && down(w.influx) {
		if err := w.startInflux(ctx); err != nil {
			return err
		}
	}
	if w.Mosquitto && down(w.broker) {
		if err := w.startMosquitto(); err != nil {
			return err
		}
	}
	if down(w.hub) {
		if err := w.startHub(); err != nil {
			return err
		}
	}
	if down(w.edge) {
		return w.startEdge()
	}
	return nil
}

func down(p *process) bool { return p == nil || p.gone() }

func (w *world) log(name string) string { return filepath.Join(w.dir, name+".log") }

func (w *world) startMosquitto() (err error) {
	// In its default configuration, for the user that this program runs as.
	w.broker, err = start("mosquitto", w.mosquitto, []string{"-c", filepath.Join(w.dir, "mosquitto.conf")}, nil, w.log("mosquitto"), func(string) {})
	return err
}

func (w *world) startHub() (err error) {
	w.mu.Lock()
	w.hubURL = ""
	w.mu.Unlock()
	args := []string{"run", "--config", filepath.Join(w.dir, "site.yaml"), "--data", filepath.Join(w.dir, "hub")}
	w.hub, err = start("hub", w.gengfu, args, w.gengfuEnv, w.log("hub"), func(line string) {
		if i := strings.Index(line, "http://"); i >= 0 {
			w.mu.Lock()
			w.hubURL = line[i:]
			w.mu.Unlock()
		}
	})
	return err
}

func (w *world) startEdge() (err error) {
	next := w.truth.begin()
	args := []string{
		"-data", filepath.Join(w.dir, "edge"), "-url", "tcp://" + w.toBroker.address(),
		"-base", strconv.FormatInt(w.truth.base.UnixMilli(), 10), "-room", strconv.FormatInt(w.edgeRoom, 10),
	}
	for k, n := range next {
		args = append(args, "-"+string(k), strconv.Itoa(n))
	}
	if w.edge, err = start("edge", w.self, args, w.selfEnv, w.log("edge"), w.truth.hear); err != nil {
		return err
	}
	return w.tellEdge(fmt.Sprint("rate ", w.rate))
}

// tellEdge gives the edge an order; one that is dead gets it when it starts.
func (w *world) tellEdge(order string) error {
	if down(w.edge) {
		return nil
	}
	if err := w.edge.tell(order); err != nil && !w.edge.gone() {
		return fmt.Errorf("tell the edge: %w", err)
	}
	return nil
}

// end stops everything, the hard way.
func (w *world) end() (err error) {
	for _, p := range []*process{w.edge, w.hub, w.broker, w.influx} {
		if p != nil {
			p.kill()
		}
	}
	for _, p := range []*proxy{w.toBroker, w.hubToBroker, w.toInflux} {
		if p != nil {
			err = errors.Join(err, p.close())
		}
	}
	for folder, mounted := range w.disks {
		if mounted {
			err = errors.Join(err, unmountDisk(filepath.Join(w.dir, folder)))
		}
	}
	return err
}

// hasReserve reports whether the hub keeps room for a start on a full disk.
func (w *world) hasReserve() bool { return size(filepath.Join(w.dir, "hub", "gengfu.reserve")) > 0 }

// serves waits until the hub takes connections.
func (w *world) serves(ctx context.Context) error {
	deadline := time.After(patience)
	for {
		w.mu.Lock()
		url := w.hubURL
		w.mu.Unlock()
		if url != "" {
			return nil
		}
		select {
		case <-w.hub.ended:
			return fmt.Errorf("it has ended: %s", lastLines(w.log("hub")))
		case <-deadline:
			return errors.New("it does not take connections")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

var errNoFigure = errors.New("the hub has no figure")

// metric asks the hub for one of its figures, added up over its labels.
func (w *world) metric(ctx context.Context, name string) (float64, error) {
	w.mu.Lock()
	url := w.hubURL
	w.mu.Unlock()
	if url == "" {
		return 0, errors.New("the hub is not up yet")
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	sum, found := 0.0, false
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok && strings.ContainsAny(rest[:1], "{ ") {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndex(rest, " "):]), 64)
			if err != nil {
				return 0, err
			}
			sum, found = sum+v, true
		}
	}
	if !found {
		return 0, fmt.Errorf("%w %s", errNoFigure, name)
	}
	return sum, nil
}

// arrived reads what came to the end of the way.
func (w *world) arrived(ctx context.Context) (a *arrived, err error) {
	var store history.Store
	if w.InfluxDB {
		store, err = influx.New(influx.Options{URL: "http://127.0.0.1:" + w.influxPort, Org: "estate", Bucket: "estate/autogen", Token: influxUser + ":" + influxPassword, Site: site})
	} else {
		store, err = embedded.Open(ctx, embedded.Options{Path: filepath.Join(w.dir, "hub", "history.db"), ReadOnly: true})
	}
	if errors.Is(err, fs.ErrNotExist) { // the hub was killed before it had one
		return &arrived{here: map[kind]map[int]bool{}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the history: %w", err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	l, err := ledger.Open(ctx, filepath.Join(w.dir, "hub", "ledger.db"), ledger.Options{Site: facility.Site{ID: site}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return readArrived(ctx, w.truth.numbering, store, l, w.points)
}
