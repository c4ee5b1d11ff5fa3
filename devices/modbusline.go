package devices

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/line"
	"gengfu/devices/modbus"
	"gengfu/devices/profile"
	"gengfu/devices/schedule"
	"gengfu/facility"
)

// modbusLine owns one line with Modbus slaves. All of it belongs to the goroutine
// of run, except what mu guards.
type modbusLine struct {
	cfg     LineConfig
	sink    Sink
	log     *slog.Logger
	now     func() time.Time
	bus     *bus.Bus // nil on Modbus TCP
	master  *modbus.Master
	sched   *schedule.Scheduler
	devices []*slave
	points  []polled
	out     outlet          // by point, then one more for each device: whether it is online
	unheard int             // timeouts in a row on this connection
	heard   bool            // something was answered on this connection
	mute    bool            // the last connection ended before anything was answered on it
	told    map[string]bool // troubles that were logged since something was answered
	looked  time.Time

	// open and wait are the world outside; tests put their own.
	open func(context.Context) (connection, error)
	wait func(ctx context.Context, until time.Time) error

	mu    sync.Mutex
	state LineStatus
	usage usage
}

// connection is an open line.
type connection interface {
	bus.Conn
	Close() error
}

// slave is one device on the line.
type slave struct {
	cfg    DeviceConfig
	limits profile.Limits
	unit   byte
	cuts   map[modbus.Cut]bool // what its refusals have taught
	online *bool
}

// polled is one point of one device.
type polled struct {
	id    facility.PointID
	point profile.Point
	want  modbus.Want
}

func newModbusLine(cfg LineConfig, devs []DeviceConfig, profiles map[string]profile.Profile, opts Options) *modbusLine {
	l := &modbusLine{
		cfg: cfg, sink: opts.Sink, now: opts.Now, log: opts.Logger.With("line", cfg.ID), told: map[string]bool{},
		open: func(ctx context.Context) (connection, error) { return open(ctx, cfg) },
		wait: line.Wait,
		state: LineStatus{
			ID: cfg.ID, Protocol: cfg.Protocol, State: LineDown,
			Planned: PlannedLoad(cfg, devs, profiles),
		},
	}
	wait := func(ctx context.Context, until time.Time) error { return l.wait(ctx, until) }
	speak := modbus.Options{Framing: modbus.TCP, Timeout: cfg.timeout(), Gap: cfg.Gap, Wait: wait}
	if cfg.Protocol == ModbusRTU {
		l.bus = bus.New(bus.Options{Wire: cfg.wire(), Echo: cfg.Echo, Wait: wait})
		speak.Framing, speak.Bus = modbus.RTU, l.bus
	}
	l.master = modbus.NewMaster(speak)
	var polls []schedule.Point
	for _, d := range devs {
		if d.Line == cfg.ID {
			polls = append(polls, l.add(d, d.model(profiles))...)
		}
	}
	for range l.devices {
		l.out.kinds = append(l.out.kinds, facility.State)
		l.out.keep = append(l.out.keep, facility.BadKeepAlive)
	}
	l.out.said = make([]said, len(l.out.kinds))
	l.sched = schedule.New(polls, opts.Now())
	return l
}

// add puts a device on the line and returns how its points are to be read.
func (l *modbusLine) add(d DeviceConfig, model profile.Profile) (polls []schedule.Point) {
	for _, pt := range model.Points {
		l.points = append(l.points, polled{
			id: facility.PointID{Device: d.ID, Quantity: pt.ID}, point: pt, want: wantOf(pt),
		})
		l.out.kinds = append(l.out.kinds, pt.Kind)
		l.out.keep = append(l.out.keep, facility.KeepAlive)
		polls = append(polls, schedule.Point{Device: len(l.devices), Class: schedule.ClassOf(pt.Kind), Period: pt.Period})
	}
	unit, _ := d.Address.Unit()
	l.devices = append(l.devices, &slave{cfg: d, unit: unit, limits: model.Limits, cuts: map[modbus.Cut]bool{}})
	l.state.Devices = append(l.state.Devices, DeviceStatus{ID: d.ID, Address: d.Address})
	return polls
}

// errUnheard says that nobody answered any more and the connection may be half
// open.
var errUnheard = errors.New("nobody answers on this connection")

// run opens the line, serves it and opens it again, until the context ends.
func (l *modbusLine) run(ctx context.Context) {
	var backoff line.Backoff
	for ctx.Err() == nil {
		err := l.session(ctx)
		if ctx.Err() != nil {
			return
		}
		switch {
		case l.heard, errors.Is(err, errUnheard):
			backoff.Reset()
		default:
			l.lineDown(ctx, err)
		}
		l.idle(ctx, backoff.Next(rand.Float64()))
	}
}

// session is one connection from its opening to its end.
func (l *modbusLine) session(ctx context.Context) (err error) {
	l.heard, l.unheard = false, 0
	conn, err := l.open(ctx)
	if err != nil {
		l.mute = false
		return err
	}
	defer func() {
		if cerr := conn.Close(); cerr != nil {
			l.log.Debug("closing the line", "err", cerr)
		}
	}()
	l.lineUp()
	l.mute = true
	if l.bus != nil {
		l.bus.Attach(conn)
	}
	l.master.Attach(conn)
	for {
		if err := l.step(ctx); err != nil {
			l.log.Debug("the connection ends", "err", err)
			return err
		}
	}
}

// step makes one request, or waits until there is one to make.
func (l *modbusLine) step(ctx context.Context) error {
	l.repeat(ctx)
	now := l.now()
	job, wake := l.sched.Next(now)
	if len(job.Points) > 0 {
		return l.poll(ctx, job)
	}
	pause := lookAgain
	if !wake.IsZero() {
		pause = min(pause, wake.Sub(now))
	}
	return l.wait(ctx, time.Now().Add(pause))
}

// lookAgain is how often the line sees to what must be said again.
const lookAgain = time.Second

// idle waits while the line is closed.
func (l *modbusLine) idle(ctx context.Context, pause time.Duration) {
	for end := time.Now().Add(pause); ctx.Err() == nil && time.Now().Before(end); {
		if err := l.wait(ctx, time.Now().Add(min(lookAgain, time.Until(end)))); err != nil {
			return
		}
		l.repeat(ctx)
	}
}

// maxUnheard is after how many timeouts in a row a socket is taken to be half
// open and dialled again.
const maxUnheard = 4

// poll makes one request and books what it brought.
func (l *modbusLine) poll(ctx context.Context, job schedule.Job) error {
	d := l.devices[job.Device]
	batch, points := l.plan(d, job)
	began := l.now()
	words, err := l.master.Read(ctx, batch.Request(d.unit), modbus.Timing{Timeout: d.limits.Timeout, Pause: d.limits.Pause})
	now := l.now()
	l.count(job.Device, err, began, now)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, line.ErrBroken) {
		return err
	}
	var refused modbus.Exception
	switch {
	case err == nil:
		l.answered(ctx, job.Device, batch, points, words, now)
	case errors.As(err, &refused) && refused.Code != modbus.PathUnavailable && refused.Code != modbus.TargetSilent:
		l.refused(ctx, job.Device, batch, points, refused, now)
	case errors.Is(err, modbus.ErrGarbled):
		l.silent(ctx, job.Device, points, facility.BadReply, err, began, now)
	case errors.Is(err, modbus.ErrTimeout), errors.As(err, &refused):
		l.silent(ctx, job.Device, points, facility.NoAnswer, err, began, now)
	default:
		return err
	}
	if l.cfg.TCP != nil && l.unheard >= maxUnheard {
		return errUnheard
	}
	return nil
}

// plan returns the request that reads the most urgent point of the job, with the
// indices of all the points that it reads.
func (l *modbusLine) plan(d *slave, job schedule.Job) (modbus.Batch, []int) {
	wants := make([]modbus.Want, len(job.Points))
	for i, p := range job.Points {
		wants[i] = l.points[p].want
	}
	batch := modbus.PlanFirst(wants, modbus.Terms{Limits: d.limits, Cuts: d.cuts, Wire: l.cfg.wire()})
	points := make([]int, len(batch.Wants))
	for i, w := range batch.Wants {
		points[i] = job.Points[w]
	}
	return batch, points
}
