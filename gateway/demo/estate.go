package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gengfu/devices"
	"gengfu/devices/simulator"
	"gengfu/facility"
)

// Options are what Start needs.
type Options struct {
	Dir     string           // for the links of the lines, the control socket and the state
	Now     func() time.Time // nil is time.Now
	Step    time.Duration    // how often the estate moves; 0 is 200 ms
	NoGuard bool             // the guard rests until he is sent by "guard on"
	Logger  *slog.Logger     // nil is silent
}

const (
	defaultStep = 200 * time.Millisecond
	saveEvery   = time.Minute
	stateFile   = "estate.json"
)

// Estate is the running demo estate: its lines, its devices and the model that
// moves them.
type Estate struct {
	site    *site
	model   Model
	now     func() time.Time
	logger  *slog.Logger
	dir     string
	began   time.Time
	resumed bool

	slaves    map[string]*simulator.Slave // by device
	readers   map[string]*simulator.NFCReader
	addresses map[string]string // by line
	closers   []func() error
	cancel    context.CancelFunc
	owned     sync.WaitGroup

	mu       sync.Mutex
	opened   bool
	state    State
	controls Controls
	walk     round
	saved    time.Time
	lastTap  TapMade
}

// Start brings the estate up: every line of configs/demo.yaml with its devices on
// it. It moves until Close, or until the context ends; Close is needed either
// way. A state that is left in Dir is taken up again, so that meters do not run
// backwards.
func Start(ctx context.Context, o Options) (*Estate, error) {
	e, err := newEstate(o)
	if err != nil {
		return nil, fmt.Errorf("start the demo estate: %w", err)
	}
	ctx, e.cancel = context.WithCancel(ctx)
	if err := e.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start the demo estate: %w", err), e.Close())
	}
	step := o.Step
	if step <= 0 {
		step = defaultStep
	}
	e.owned.Go(func() { e.live(ctx, step) })
	return e, nil
}

func newEstate(o Options) (*Estate, error) {
	s, err := loadSite()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	e := &Estate{
		site: s, model: s.model(), now: o.Now, logger: o.Logger, dir: o.Dir, cancel: func() {},
		slaves:    make(map[string]*simulator.Slave),
		readers:   make(map[string]*simulator.NFCReader),
		addresses: make(map[string]string),
	}
	if e.now == nil {
		e.now = time.Now
	}
	if e.logger == nil {
		e.logger = slog.New(slog.DiscardHandler)
	}
	e.began = e.now()
	e.state, e.resumed = e.resume(e.began)
	if !e.resumed {
		e.state = e.model.at(e.began)
	}
	e.walk = newRound(s, e.began, o.NoGuard)
	for _, d := range s.Devices {
		unit, _ := d.Address.Unit()
		slave, err := simulator.NewSlave(s.profiles[d.Profile], int(unit))
		if err != nil {
			return nil, err
		}
		e.slaves[d.ID] = slave
	}
	e.publish()
	return e, nil
}

// resume takes up the state of an earlier run. One that cannot be read, or is of
// the future, is left aside.
func (e *Estate) resume(now time.Time) (State, bool) {
	data, err := os.ReadFile(filepath.Join(e.dir, stateFile))
	if err != nil {
		return State{}, false
	}
	var s State
	if err := json.Unmarshal(data, &s); err != nil || s.At.IsZero() || s.At.After(now) {
		e.logger.Warn("the saved state of the demo estate is of no use", "error", err, "at", s.At)
		return State{}, false
	}
	return e.model.Step(s, now.Sub(s.At), Controls{}), true
}

// open makes the lines and puts the devices on them. The socket comes first: it
// tells whether another demo has the folder. Whoever calls there waits for the
// lines.
func (e *Estate) open(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.serveSocket(ctx); err != nil {
		return err
	}
	for _, l := range e.site.Lines {
		var err error
		switch l.Protocol {
		case devices.ModbusRTU:
			err = e.openSerial(l)
		case devices.ModbusTCP:
			err = e.openTCP(ctx, l)
		case devices.NFCASCII, devices.RDM6300:
			err = e.openReader(l)
		default:
			err = fmt.Errorf("no simulator for %s", l.Protocol)
		}
		if err != nil {
			return fmt.Errorf("line %s: %w", l.ID, err)
		}
	}
	e.opened = true
	return nil
}

func (e *Estate) onLine(line string) []*simulator.Slave {
	var out []*simulator.Slave
	for _, d := range e.site.Devices {
		if d.Line == line {
			out = append(out, e.slaves[d.ID])
		}
	}
	return out
}

func (e *Estate) openSerial(l devices.LineConfig) error {
	tty, err := simulator.OpenPTY(filepath.Join(e.dir, "lines", l.ID))
	if err != nil {
		return err
	}
	port := l.Serial.WithDefaults()
	wire := simulator.Wire{Baud: port.Baud, Bits: 1 + port.DataBits + port.StopBits, Turnaround: 5 * time.Millisecond}
	if port.Parity != "none" {
		wire.Bits++
	}
	bus, err := simulator.NewBus(tty, wire, e.onLine(l.ID)...)
	if err != nil {
		return errors.Join(err, tty.Close())
	}
	e.addresses[l.ID] = tty.Path()
	e.closers = append(e.closers, bus.Close)
	return nil
}

func (e *Estate) openTCP(ctx context.Context, l devices.LineConfig) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server, err := simulator.ServeTCP(listener, e.onLine(l.ID)...)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	e.addresses[l.ID] = server.Addr()
	e.closers = append(e.closers, server.Close)
	return nil
}

func (e *Estate) openReader(l devices.LineConfig) error {
	tty, err := simulator.OpenPTY(filepath.Join(e.dir, "lines", l.ID))
	if err != nil {
		return err
	}
	reader := simulator.NewNFCReader(tty)
	if l.Protocol == devices.RDM6300 {
		reader = simulator.NewRDM6300(tty)
	}
	for _, r := range e.site.Readers {
		if r.Line == l.ID {
			e.readers[r.ID] = reader
		}
	}
	e.addresses[l.ID] = tty.Path()
	e.closers = append(e.closers, reader.Close)
	return nil
}

// Addresses returns where each line of the configuration is: the path of a serial
// port, or the host and port of a socket.
func (e *Estate) Addresses() map[string]string {
	out := make(map[string]string, len(e.addresses))
	for id, a := range e.addresses {
		out[id] = a
	}
	return out
}

// Began returns the time from which the estate is live.
func (e *Estate) Began() time.Time { return e.began }

// Resumed reports whether the estate was taken up from an earlier run. Then its
// past has been recorded, and History does not fit.
func (e *Estate) Resumed() bool { return e.resumed }

// History returns the readings of the days before an estate that was started
// afresh; its meters go on exactly where they end.
func (e *Estate) History(days int) iter.Seq[[]facility.Reading] {
	return e.site.history(days, e.began)
}

// Close takes the estate away: all lines go dead. It waits for everything that
// Start has started.
func (e *Estate) Close() error {
	e.cancel()
	var errs []error
	for _, c := range e.closers {
		errs = append(errs, c())
	}
	e.closers = nil
	e.owned.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.opened {
		e.opened = false
		errs = append(errs, e.save(e.now()))
	}
	return errors.Join(errs...)
}

func (e *Estate) live(ctx context.Context, step time.Duration) {
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			e.advance(e.now())
		}
	}
}

// advance moves the estate to now and lets the guard walk.
func (e *Estate) advance(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if dt := now.Sub(e.state.At); dt > 0 {
		e.state = e.model.Step(e.state, dt, e.controls)
	}
	e.publish()
	if tap, ok := e.walk.next(e.model, now); ok {
		if err := e.tap(tap.Checkpoint, tap.Guard, now); err != nil {
			e.logger.Warn("the demo's guard could not tap", "checkpoint", tap.Checkpoint, "error", err)
		}
	}
	if now.Sub(e.saved) >= saveEvery {
		if err := e.save(now); err != nil {
			e.logger.Warn("the state of the demo estate was not saved", "error", err)
		}
	}
}

// publish writes the state into the registers.
func (e *Estate) publish() {
	show(e.state, e.controls, func(device, quantity string, value float64) {
		if err := e.slaves[device].Set(quantity, value); err != nil {
			e.logger.Error("a simulated device cannot show its state", "device", device, "error", err)
		}
	})
}

// save keeps the state for the next run, in one piece or not at all.
func (e *Estate) save(now time.Time) error {
	e.saved = now
	data, err := json.Marshal(e.state)
	if err != nil {
		return fmt.Errorf("save the demo estate: %w", err)
	}
	path := filepath.Join(e.dir, stateFile)
	if err := os.WriteFile(path+".new", data, 0o644); err != nil {
		return fmt.Errorf("save the demo estate: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("save the demo estate: %w", err)
	}
	return nil
}
