package simulator

import (
	"net"
	"time"
)

// ahead is how long before its time a frame takes the wire, so that a timer that
// fires late does not make it late.
const ahead = 2 * time.Millisecond

// say sends an answer, whose first character begins at due.
func (b *Bus) say(u utterance, due time.Time) {
	if b.take(due) {
		b.speak(u, due)
	}
}

// speak sends an answer on the wire that was taken for it, and leaves it.
func (b *Bus) speak(u utterance, due time.Time) {
	defer b.leave()
	start := latest(due, b.free)
	for _, p := range u.parts {
		start = start.Add(p.pause)
		if !b.transmit(p.bytes, start) {
			return
		}
		start = start.Add(b.opts.Wire.Characters(len(p.bytes)))
	}
	b.free = start
	if _, socket := b.rw.(net.Conn); u.drop && socket {
		_ = b.end() // receive sees it too
	}
}

// echo sends the master's bytes back while they come in. It has the wire before any
// device that answers them.
func (b *Bus) echo(heard []byte, end time.Time) {
	start := end.Add(-b.opts.Wire.Characters(len(heard)))
	if _, on := b.faults.has(Echo); on && b.take(start) {
		b.owned.Go(func() { b.speak(utterance{parts: []part{{bytes: heard}}}, start) })
	}
}

// heartbeat is what serial servers send to show that they are there, where nothing
// else was set.
const heartbeat = "www.usr.cn"

// beat sends the heartbeats that the line was given when it began.
func (b *Bus) beat() {
	f, on := b.faults.has(Heartbeat)
	for on {
		due := time.Now().Add(f.Delay)
		if !b.wait(due) {
			return
		}
		b.say(utterance{parts: []part{{bytes: []byte(heartbeat)}}}, due)
	}
}

// take waits until shortly before due, and then for the wire; false when the bus
// ends.
func (b *Bus) take(due time.Time) bool {
	if !b.wait(due.Add(-ahead)) {
		return false
	}
	select {
	case b.onWire <- struct{}{}:
		return true
	case <-b.ctx.Done():
		return false
	}
}

func (b *Bus) leave() { <-b.onWire }

// transmit writes the frame as the wire would bring it: no character before its
// time, several at once when they are closer than a timer can tell apart, and the
// last one when it ends.
func (b *Bus) transmit(frame []byte, start time.Time) bool {
	const tick = 2 * time.Millisecond
	w := b.opts.Wire
	for sent := 0; sent < len(frame); {
		due := sent + 1
		for due < len(frame) && w.Characters(due) < w.Characters(sent)+tick {
			due++
		}
		if w.Characters(len(frame)-due) < tick {
			due = len(frame) // what is left would be late behind a timer
		}
		wait := b.wait
		if due == len(frame) {
			wait = b.waitExactly
		}
		if !wait(start.Add(w.Characters(due) - b.lag)) {
			return false
		}
		if _, err := b.rw.Write(frame[sent:due]); err != nil {
			return false // the line is gone; receive sees it too
		}
		sent = due
	}
	return true
}

// wait returns at a time, or up to a millisecond later; false when the bus ended
// meanwhile.
func (b *Bus) wait(until time.Time) bool {
	d := time.Until(until)
	if d <= 0 {
		return b.ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-b.ctx.Done():
		return false
	}
}

// waitExactly is wait to some microseconds, on lines of the real world: a clock
// that only timers move would stand still.
func (b *Bus) waitExactly(until time.Time) bool {
	switch b.rw.(type) {
	case *PTY, *net.TCPConn:
		return b.timer.Wait(b.ctx, until) == nil
	}
	return b.wait(until)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
