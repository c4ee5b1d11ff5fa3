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

// busLine owns one line with devices, of one protocol or of several. All of it
// belongs to the goroutine of run, except what mu guards.
type busLine struct {
	cfg     LineConfig
	sink    Sink
	memory  Memory // may be nil
	log     *slog.Logger
	now     func() time.Time
	masters *masters
	sched   *schedule.Scheduler
	devices []*slave
	points  []polled
	out     outlet          // by point, then one more for each device: whether it is online
	unheard int             // timeouts in a row on this connection
	heard   bool            // something was answered on this connection
	mute    bool            // the last connection ended before anything was answered on it
	told    map[string]bool // troubles that were logged since something was answered
	looked  time.Time
	meters  modbus.Counters // of what was asked in other protocols than Modbus
	ears    ears

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
	cfg      DeviceConfig
	protocol profile.Protocol
	model    string // fingerprint of its points
	peer     peer
	timing   bus.Timing
	first    int // its first point among those of the line
	online   *bool
	spoilt   time.Time // when a spoilt reply was last counted
	kept     Learned
}

// polled is one point of one device.
type polled struct {
	id    facility.PointID
	point profile.Point
}

func newBusLine(cfg LineConfig, devs []DeviceConfig, profiles map[string]profile.Profile, opts Options, opener func(context.Context) (connection, error)) *busLine {
	l := &busLine{
		cfg: cfg, sink: opts.Sink, memory: opts.Memory, now: opts.Now,
		log: opts.Logger.With("line", cfg.ID), told: map[string]bool{},
		open:  opener,
		wait:  line.Wait,
		state: newLineStatus(cfg),
	}
	l.state.Planned = PlannedLoad(cfg, devs, profiles)
	l.masters = newMasters(cfg, nil, func(ctx context.Context, until time.Time) error { return l.wait(ctx, until) })
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
	for _, d := range l.devices {
		d.peer.bound(l.sched.Longest())
	}
	return l
}

// add puts a device on the line and returns how its points are to be read.
func (l *busLine) add(d DeviceConfig, model profile.Profile) (polls []schedule.Point) {
	s := &slave{
		cfg: d, protocol: model.Language(), model: fingerprint(model), first: len(l.points),
		peer: l.masters.peer(l.cfg, d, model), timing: timingOf(l.cfg, d, model),
	}
	for _, pt := range model.Points {
		l.points = append(l.points, polled{id: facility.PointID{Device: d.ID, Quantity: pt.ID}, point: pt})
		l.out.kinds = append(l.out.kinds, pt.Kind)
		l.out.keep = append(l.out.keep, facility.KeepAlive)
		polls = append(polls, schedule.Point{Device: len(l.devices), Class: schedule.ClassOf(pt.Kind), Period: pt.Period})
	}
	l.recall(s)
	l.devices = append(l.devices, s)
	l.state.Devices = append(l.state.Devices, DeviceStatus{ID: d.ID, Protocol: s.protocol, Address: d.Address})
	return polls
}

// recall gives the device what it taught before the program was started.
func (l *busLine) recall(d *slave) {
	if l.memory == nil {
		return
	}
	if k, ok := l.memory.Recall(d.cfg.ID); ok && k.Model == d.model {
		d.kept = k
		d.peer.recall(k)
	}
}

// remember keeps what the device has taught, when that is new.
func (l *busLine) remember(d *slave) {
	if l.memory == nil {
		return
	}
	k := d.peer.keep()
	k.Model = d.model
	if !k.empty() && !k.equal(d.kept) {
		d.kept = k
		l.memory.Keep(d.cfg.ID, k)
	}
}

// errUnheard says that nobody answered any more and the connection may be half
// open.
var errUnheard = errors.New("nobody answers on this connection")

// run opens the line, serves it and opens it again, until the context ends.
func (l *busLine) run(ctx context.Context) {
	var backoff line.Backoff
	for ctx.Err() == nil {
		err := l.session(ctx)
		if ctx.Err() != nil {
			return
		}
		switch {
		case errors.Is(err, line.ErrNoBox): // which was waited for already
			l.lineDown(ctx, err)
			l.repeat(ctx)
			continue
		case l.heard, errors.Is(err, errUnheard):
			backoff.Reset()
		default:
			l.lineDown(ctx, err)
		}
		l.idle(ctx, backoff.Next(rand.Float64()))
	}
}

// session is one connection from its opening to its end.
func (l *busLine) session(ctx context.Context) (err error) {
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
	l.masters.attach(conn)
	for {
		if err := l.step(ctx); err != nil {
			l.log.Debug("the connection ends", "err", err)
			return err
		}
	}
}

// step makes one request, or waits until there is one to make.
func (l *busLine) step(ctx context.Context) error {
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
func (l *busLine) idle(ctx context.Context, pause time.Duration) {
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

// poll asks one question and books what it brought.
func (l *busLine) poll(ctx context.Context, job schedule.Job) error {
	d := l.devices[job.Device]
	q := d.plan(job.Points)
	l.listen(d)
	began := l.now()
	values, err := d.peer.ask(ctx, q, l.within(d, job.Within, q))
	now := l.now()
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	become := judge(err)
	l.count(job.Device, become, err, began, now)
	switch become {
	case wasAnswered:
		l.answered(ctx, job.Device, q, values, now)
	case wasRefused:
		l.refused(ctx, job.Device, q, err, now)
	case wasPostponed:
		l.postponed(ctx, job.Device, q, now)
	case wasSpoilt:
		l.silent(ctx, job.Device, q, facility.BadReply, err, began, now)
	case wasSilent:
		l.silent(ctx, job.Device, q, facility.NoAnswer, err, began, now)
	default:
		return err
	}
	if l.cfg.TCP != nil && l.unheard >= maxUnheard {
		return errUnheard
	}
	return nil
}

// hasty returns the least that a probe waits for a device of which nothing is known.
func (l *busLine) hasty(d *slave) time.Duration {
	const (
		direct = 80 * time.Millisecond
		served = 300 * time.Millisecond // a serial server keeps what it has for a while, and so does the network
	)
	least := direct
	if l.cfg.TCP != nil {
		least = served
	}
	switch d.protocol {
	case profile.DLT645, profile.CJT188:
		return max(least, 2*meterTurnaround)
	case profile.MBus:
		return d.timing.Timeout // it is short by itself
	}
	return least
}

// within returns the timing of a question that may take so long of the line's time,
// 0 for as long as the device needs. A device that is known to be slower is given
// twice its usual time, and half as much again as it took at most of late.
func (l *busLine) within(d *slave, limit time.Duration, q question) bus.Timing {
	t := d.timing
	if limit == 0 {
		return t
	}
	left := limit - d.peer.cost(q, t.Pause)
	t.Timeout = min(t.Timeout, max(left, l.hasty(d), 2*t.Pace.Turnaround(), t.Pace.Slowest()*3/2))
	return t
}

// plan returns the question that reads the most urgent of the points of the line.
func (d *slave) plan(points []int) question {
	own := make([]int, len(points))
	for i, p := range points {
		own[i] = p - d.first
	}
	return d.peer.plan(own)
}

// ofLine returns the points of a question as points of the line.
func (d *slave) ofLine(q question) []int {
	points := make([]int, len(q.points))
	for i, p := range q.points {
		points[i] = d.first + p
	}
	return points
}
