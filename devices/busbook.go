package devices

import (
	"context"
	"time"

	"gengfu/devices/modbus"
	"gengfu/devices/profile"
	"gengfu/facility"
)

func (l *busLine) answered(ctx context.Context, dev int, q question, values []value, now time.Time) {
	l.hear()
	d := l.devices[dev]
	points := d.ofLine(q)
	l.sched.Answered(dev, points, now)
	offers := make([]offer, 0, len(points)+1)
	for i, p := range points {
		v := values[i]
		offers = append(offers, l.offer(p, v.number, v.quality, v.reason, now))
	}
	l.hand(ctx, append(offers, l.setOnline(dev, true, "", now)))
	l.remember(d)
}

// refused lets a device that refuses be asked otherwise from now on, if there is
// another way. Points that it does not give alone are bad and asked for ever less
// often.
func (l *busLine) refused(ctx context.Context, dev int, q question, err error, now time.Time) {
	l.hear()
	d := l.devices[dev]
	offers := []offer{l.setOnline(dev, true, "", now)}
	if d.peer.refused(q, err) {
		l.log.Info("the device refuses to be read at once", "device", d.cfg.ID, "err", err)
		l.sched.Alive(dev, now)
		l.hand(ctx, offers)
		l.remember(d)
		return
	}
	for _, i := range l.sched.Refused(dev, d.ofLine(q), now) {
		offers = append(offers, l.offer(i, 0, facility.Bad, facility.DeviceError, now))
	}
	l.hand(ctx, offers)
}

// postponed lets a device be that is busy, for as long as that can be believed.
func (l *busLine) postponed(ctx context.Context, dev int, q question, now time.Time) {
	l.hear()
	offers := []offer{l.setOnline(dev, true, "", now)}
	for _, i := range l.sched.Postponed(dev, l.devices[dev].ofLine(q), now) {
		offers = append(offers, l.offer(i, 0, facility.Bad, facility.DeviceError, now))
	}
	l.hand(ctx, offers)
}

func (l *busLine) silent(ctx context.Context, dev int, q question, reason facility.Reason, err error, began, now time.Time) {
	if reason == facility.NoAnswer {
		l.unheard++
	}
	d := l.devices[dev]
	if reason == facility.BadReply && l.again(d, now) {
		l.sched.Spoilt(dev, d.ofLine(q), now, l.hold(d, reason, began, now))
		return
	}
	bad, down := l.sched.Silent(dev, d.ofLine(q), now, now.Sub(began), l.hold(d, reason, began, now))
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

// again reports whether a spoilt reply is of the same disturbance as one that was
// counted, which makes no device bad. So a device may be asked again at once, and
// yet be said to be away only when it is spoilt for as long as a lost reply would
// have it left alone.
func (l *busLine) again(d *slave, now time.Time) bool {
	answers := d.online != nil && *d.online
	if l.masters.bus == nil || d.protocol != profile.Modbus || !answers {
		return false
	}
	if now.Sub(d.spoilt) < d.timing.Pace.Window() && !now.Before(d.spoilt) {
		return true
	}
	d.spoilt = now
	return false
}

// hold is how long a device on a bus is left alone after a lost reply. The master of
// Modbus can tell a late one, so that what the slave has shown is enough; of a meter a
// late reply of the same item could be taken for the next, and it is left alone until
// that is past what the configuration allows, however early it was given up. Nothing
// is late of a reply that came spoilt.
func (l *busLine) hold(d *slave, reason facility.Reason, began, now time.Time) time.Duration {
	switch {
	case l.masters.bus == nil:
		return 0
	case d.protocol == profile.Modbus && reason == facility.BadReply:
		return max(0, d.timing.Pace.Settled()-now.Sub(began))
	case d.protocol == profile.Modbus:
		return d.timing.Pace.Window()
	}
	early := max(0, d.timing.Timeout-now.Sub(began))
	return max(early+modbus.Hold(d.timing.Timeout), d.timing.Pace.Window())
}

func (l *busLine) hear() {
	l.heard, l.unheard, l.mute = true, 0, false
	if len(l.told) > 0 {
		clear(l.told)
		l.log.Info("the line answers again")
	}
}

func (l *busLine) offer(i int, value float64, q facility.Quality, reason facility.Reason, now time.Time) offer {
	p := l.points[i]
	return offer{index: i, reading: facility.Reading{
		Point: p.id, Time: now.UTC().Round(0), Value: value, Unit: p.point.Unit, Quality: q, Reason: reason,
	}}
}

// setOnline notes whether the device answers and returns the reading that says so.
func (l *busLine) setOnline(dev int, online bool, reason facility.Reason, now time.Time) offer {
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

func (l *busLine) onlineOffer(dev int, at time.Time) offer {
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

func (l *busLine) lineUp() {
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
func (l *busLine) lineDown(ctx context.Context, cause error) {
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
func (l *busLine) repeat(ctx context.Context) {
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
func (l *busLine) hand(ctx context.Context, offers []offer) {
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
func (l *busLine) count(dev int, become outcome, err error, began, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.usage.add(now.Sub(began), now)
	s := &l.state.Devices[dev]
	s.Requests++
	s.LastError = ""
	if err != nil {
		s.LastError = err.Error()
	}
	var own modbus.Counters
	own.Requests = 1
	switch become {
	case wasSilent:
		own.Timeouts = 1
	case wasSpoilt:
		own.Garbled = 1
	case wasRefused, wasPostponed:
		own.Exceptions = 1
	}
	s.Timeouts += own.Timeouts
	s.Garbled += own.Garbled
	s.Exceptions += own.Exceptions
	if l.devices[dev].protocol != profile.Modbus {
		l.meters = plus(l.meters, own)
	}
	l.twice(dev)
	c := plus(l.masters.modbus.Counters(), l.meters)
	pace := l.devices[dev].timing.Pace
	s.Turnaround, s.Timeout = milliseconds(pace.Turnaround()), milliseconds(pace.Timeout())
	l.state.Requests, l.state.Timeouts, l.state.Errors, l.state.Wire = c.Requests, c.Timeouts, c.Garbled+c.Exceptions, c
}

// twice notes whether the replies of a device come twice, and says so once. The
// caller holds mu.
func (l *busLine) twice(dev int) {
	d, s := l.devices[dev], &l.state.Devices[dev]
	unit, ok := d.cfg.Address.Unit()
	if !ok || d.protocol != profile.Modbus {
		return
	}
	twice := l.masters.modbus.TwiceTold(unit)
	if twice && !s.Twice {
		l.log.Warn("every reply of the device comes twice: gengfu doctor says more", "device", d.cfg.ID)
	}
	s.Twice = twice
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(100*time.Microsecond)) / float64(time.Millisecond)
}

// plus adds what other masters than that of Modbus count.
func plus(c, more modbus.Counters) modbus.Counters {
	c.Requests += more.Requests
	c.Timeouts += more.Timeouts
	c.Garbled += more.Garbled
	c.Exceptions += more.Exceptions
	return c
}

func (l *busLine) status(now time.Time) LineStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.state
	out.Utilisation = l.usage.until(now)
	out.Devices = append([]DeviceStatus(nil), l.state.Devices...)
	return out
}
