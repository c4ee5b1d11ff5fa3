package devices

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

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
	master  *modbus.Master
	sched   *schedule.Scheduler
	devices []*slave
	points  []polled
	out     outlet // by point, then one more for each device: whether it is online
	unheard int    // timeouts in a row on this connection
	heard   bool   // something was answered on this connection
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
	modbus.Conn
	Close() error
}

// slave is one device on the line.
type slave struct {
	cfg    DeviceConfig
	limits profile.Limits
	first  int // of its points in points
	count  int
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
	framing := modbus.RTU
	if cfg.Protocol == ModbusTCP {
		framing = modbus.TCP
	}
	l := &modbusLine{
		cfg: cfg, sink: opts.Sink, now: opts.Now, log: opts.Logger.With("line", cfg.ID),
		open: func(ctx context.Context) (connection, error) { return open(ctx, cfg) },
		wait: line.Wait,
		state: LineStatus{
			ID: cfg.ID, Protocol: cfg.Protocol, State: LineDown,
			Planned: PlannedLoad(cfg, devs, profiles),
		},
	}
	l.master = modbus.NewMaster(modbus.Options{
		Framing: framing, Wire: cfg.wire(), Timeout: cfg.timeout(), Echo: cfg.Echo,
		Wait: func(ctx context.Context, until time.Time) error { return l.wait(ctx, until) },
	})
	var polls []schedule.Point
	for _, d := range devs {
		if d.Line != cfg.ID {
			continue
		}
		p := d.model(profiles)
		l.devices = append(l.devices, &slave{
			cfg: d, limits: p.Limits, first: len(l.points), count: len(p.Points), cuts: map[modbus.Cut]bool{},
		})
		for _, pt := range p.Points {
			l.points = append(l.points, polled{
				id: facility.PointID{Device: d.ID, Quantity: pt.ID}, point: pt, want: wantOf(pt),
			})
			polls = append(polls, schedule.Point{Device: len(l.devices) - 1, Class: schedule.ClassOf(pt.Kind), Period: pt.Period})
			l.out.kinds = append(l.out.kinds, pt.Kind)
			l.out.keep = append(l.out.keep, facility.KeepAlive)
		}
		l.state.Devices = append(l.state.Devices, DeviceStatus{ID: d.ID, Address: d.Address})
	}
	for range l.devices {
		l.out.kinds = append(l.out.kinds, facility.State)
		l.out.keep = append(l.out.keep, facility.BadKeepAlive)
	}
	l.out.said = make([]said, len(l.out.kinds))
	l.sched = schedule.New(polls, opts.Now())
	return l
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
		return err
	}
	defer func() {
		if cerr := conn.Close(); cerr != nil {
			l.log.Debug("closing the line", "err", cerr)
		}
	}()
	l.lineUp()
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
	words, err := l.master.Read(ctx, batch.Request(byte(d.cfg.Address)), modbus.Timing{Timeout: d.limits.Timeout, Pause: d.limits.Pause})
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
	batch := modbus.PlanFirst(wants, d.limits, d.cuts)
	points := make([]int, len(batch.Wants))
	for i, w := range batch.Wants {
		points[i] = job.Points[w]
	}
	return batch, points
}

func (l *modbusLine) answered(ctx context.Context, dev int, batch modbus.Batch, points []int, words []uint16, now time.Time) {
	l.hear()
	l.sched.Answered(dev, points, now)
	offers := make([]offer, 0, len(points)+1)
	for _, i := range points {
		p := l.points[i]
		value, quality, reason := p.point.Decode(batch.Of(p.want, words))
		offers = append(offers, l.offer(i, value, quality, reason, now))
	}
	l.hand(ctx, append(offers, l.setOnline(dev, true, "", now)))
}

// refused splits a batch that the slave does not give as a whole. Points that it
// does not give alone are bad and asked for ever less often.
func (l *modbusLine) refused(ctx context.Context, dev int, batch modbus.Batch, points []int, e modbus.Exception, now time.Time) {
	l.hear()
	d := l.devices[dev]
	offers := []offer{l.setOnline(dev, true, "", now)}
	if e.Code == modbus.IllegalAddress || e.Code == modbus.IllegalValue {
		if cut, ok := l.split(batch, points); ok {
			d.cuts[cut] = true
			l.log.Info("the device refuses to be read at once", "device", d.cfg.ID, "table", cut.Table, "before", cut.Address)
			l.sched.Alive(dev, now)
			l.hand(ctx, offers)
			return
		}
	}
	for _, i := range l.sched.Refused(dev, points, now) {
		offers = append(offers, l.offer(i, 0, facility.Bad, facility.DeviceError, now))
	}
	l.hand(ctx, offers)
}

// split speaks of the wants by their place in points.
func (l *modbusLine) split(batch modbus.Batch, points []int) (modbus.Cut, bool) {
	wants := make([]modbus.Want, len(points))
	order := make([]int, len(points))
	for i, p := range points {
		wants[i], order[i] = l.points[p].want, i
	}
	batch.Wants = order
	return modbus.Split(batch, wants)
}

func (l *modbusLine) silent(ctx context.Context, dev int, points []int, reason facility.Reason, err error, began, now time.Time) {
	if reason == facility.NoAnswer {
		l.unheard++
	}
	d := l.devices[dev]
	var hold time.Duration
	if l.cfg.Protocol == ModbusRTU {
		hold = modbus.Hold(max(l.cfg.timeout(), d.limits.Timeout))
	}
	bad, down := l.sched.Silent(dev, points, now, now.Sub(began), hold)
	offers := make([]offer, 0, len(bad)+1)
	for _, i := range bad {
		offers = append(offers, l.offer(i, 0, facility.Bad, reason, now))
	}
	if down {
		offers = append(offers, l.setOnline(dev, false, reason, now))
		l.log.Warn("the device is silent", "device", d.cfg.ID, "err", err)
	}
	l.hand(ctx, offers)
}

func (l *modbusLine) hear() { l.heard, l.unheard = true, 0 }

func (l *modbusLine) offer(i int, value float64, q facility.Quality, reason facility.Reason, now time.Time) offer {
	p := l.points[i]
	return offer{index: i, reading: facility.Reading{
		Point: p.id, Time: now.UTC().Round(0), Value: value, Unit: p.point.Unit, Quality: q, Reason: reason,
	}}
}

// setOnline notes whether the device answers and returns the reading that says so.
func (l *modbusLine) setOnline(dev int, online bool, reason facility.Reason, now time.Time) offer {
	d := l.devices[dev]
	if d.online != nil && !*d.online && online {
		l.log.Info("the device answers again", "device", d.cfg.ID)
	}
	d.online = &online
	at := now.UTC().Round(0)
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.state.Devices[dev]
	s.Online, s.Reason = &online, reason
	if online {
		s.LastSeen = &at
	}
	return l.onlineOffer(dev, at)
}

func (l *modbusLine) onlineOffer(dev int, at time.Time) offer {
	d := l.devices[dev]
	value := 0.0
	if *d.online {
		value = 1
	}
	return offer{index: len(l.points) + dev, reading: facility.Reading{
		Point: facility.PointID{Device: d.cfg.ID, Quantity: facility.OnlineQuantity},
		Time:  at, Value: value, Quality: facility.Good,
	}}
}

func (l *modbusLine) lineUp() {
	l.mu.Lock()
	was := l.state
	l.state.State, l.state.Reason = LineUp, ""
	l.state.Opened++
	l.mu.Unlock()
	if was.State == LineDown {
		l.sched.Restart(l.now())
		l.log.Info("the line is open")
	}
}

// lineDown makes every point of the line bad at once.
func (l *modbusLine) lineDown(ctx context.Context, cause error) {
	l.mu.Lock()
	changed := l.state.State == LineUp || l.state.Reason != cause.Error()
	l.state.State, l.state.Reason = LineDown, cause.Error()
	l.mu.Unlock()
	if changed {
		l.log.Warn("the line is down", "err", cause)
	}
	now := l.now()
	offers := make([]offer, 0, len(l.out.said))
	for i := range l.points {
		offers = append(offers, l.offer(i, 0, facility.Bad, facility.LineDown, now))
	}
	for dev := range l.devices {
		offers = append(offers, l.setOnline(dev, false, facility.LineDown, now))
	}
	l.hand(ctx, offers)
}

// repeat says again what stands and is not polled: bad points, and which devices
// answer.
func (l *modbusLine) repeat(ctx context.Context) {
	now := l.now()
	if since := now.Sub(l.looked); since >= 0 && since < lookAgain {
		return
	}
	l.looked = now
	var offers []offer
	for i := range l.points {
		if s := l.out.said[i]; s.stale(now) {
			offers = append(offers, l.offer(i, 0, facility.Bad, s.reading.Reason, now))
		}
	}
	for dev, d := range l.devices {
		if d.online != nil {
			offers = append(offers, l.onlineOffer(dev, now.UTC().Round(0)))
		}
	}
	l.hand(ctx, offers)
}

// hand gives the sink what is worth it.
func (l *modbusLine) hand(ctx context.Context, offers []offer) {
	offers = l.out.pick(offers)
	if len(offers) == 0 || ctx.Err() != nil {
		return
	}
	readings := make([]facility.Reading, len(offers))
	for i, f := range offers {
		readings[i] = f.reading
	}
	failing := ""
	if err := l.sink.Readings(ctx, readings); err != nil {
		failing = err.Error()
		l.out.dropped += uint64(len(offers))
	} else {
		l.out.taken(offers)
	}
	if failing != l.out.failing {
		l.out.failing = failing
		l.log.Error("handing over readings", "err", failing)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Readings, l.state.Dropped = l.out.handed, l.out.dropped
}

// count keeps the numbers of the health page.
func (l *modbusLine) count(dev int, err error, began, now time.Time) {
	c := l.master.Counters()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.usage.add(now.Sub(began), now)
	l.state.Requests, l.state.Timeouts, l.state.Errors, l.state.Wire = c.Requests, c.Timeouts, c.Garbled+c.Exceptions, c
	s := &l.state.Devices[dev]
	s.Requests++
	var refused modbus.Exception
	switch {
	case err == nil:
		s.LastError = ""
		return
	case errors.Is(err, modbus.ErrTimeout):
		s.Timeouts++
	case errors.Is(err, modbus.ErrGarbled):
		s.Garbled++
	case errors.As(err, &refused):
		s.Exceptions++
	}
	s.LastError = fmt.Sprint(err)
}

func (l *modbusLine) status(now time.Time) LineStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.state
	out.Utilisation = l.usage.until(now)
	out.Devices = append([]DeviceStatus(nil), l.state.Devices...)
	return out
}
