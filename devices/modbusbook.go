package devices

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gengfu/devices/modbus"
	"gengfu/facility"
)

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

func (l *modbusLine) hear() {
	l.heard, l.unheard, l.mute = true, 0, false
	if len(l.told) > 0 {
		clear(l.told)
		l.log.Info("the line answers again")
	}
}

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
	if was.State != LineDown {
		return
	}
	l.sched.Restart(l.now())
	if !l.mute { // else it opened the last time too, and that was of no use
		l.log.Info("the line is open")
	}
}

// maxTold is how many troubles of one stretch are logged: an error may bear what
// was received.
const maxTold = 8

// lineDown makes every point of the line bad at once. Each trouble is logged once
// until the line answers again.
func (l *modbusLine) lineDown(ctx context.Context, cause error) {
	l.mu.Lock()
	l.state.State, l.state.Reason = LineDown, cause.Error()
	l.mu.Unlock()
	if why := cause.Error(); !l.told[why] && len(l.told) < maxTold {
		l.told[why] = true
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
	if err := l.sink.Readings(ctx, readings); err != nil {
		l.out.dropped += uint64(len(offers))
		if !l.out.failing {
			l.log.Error("handing over readings", "err", err)
		}
		l.out.failing = true
	} else {
		l.out.taken(offers)
		if l.out.failing && l.out.urgent(offers) {
			l.out.failing = false
			l.log.Info("readings are taken again")
		}
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
