package rules

import (
	"time"
)

// cell watches a part of a condition: how long it has held and how often it came.
// It is looked at each time the condition is, whatever the rest says.
type cell struct {
	last  Truth         // at the last look
	known Truth         // the last that was not Unknown; Unknown before the first
	at    instant       // of the last look
	held  time.Duration // how long it has held, not counting the time when it was unknown
	times *window       // when it came; nil when nobody asks
}

// cellSpec is a cell of a program.
type cellSpec struct {
	of   func(*frame) Truth
	span time.Duration // of times; 0 is none
}

func (s cellSpec) fresh() cell {
	c := cell{last: Unknown, known: Unknown}
	if s.span > 0 {
		c.times = newWindow(s.span)
	}
	return c
}

// look takes in what holds now.
func (c *cell) look(now Truth, at instant) {
	if c.last == True {
		c.held += time.Duration(at - c.at)
	}
	if now == False {
		c.held = 0
	}
	if c.times != nil && now != Unknown {
		// The window is full when somebody has looked for as long as it is.
		if c.times.first == 0 {
			c.times.take(nil, at, 0)
		}
		if now == True && c.known == False {
			c.times.take(nil, at, 1)
		}
		c.times.look(at)
	}
	if now != Unknown {
		c.known = now
	}
	c.last, c.at = now, at
}

// heldFor reports whether it has held so long.
func (c *cell) heldFor(f *frame, span time.Duration) Truth {
	if c.last != True {
		return c.last
	}
	f.wakeAt(f.at.add(span - c.held))
	return truthOf(c.held >= span)
}

// heldSeconds is how long it has held, to the minute while nothing is read.
func (c *cell) heldSeconds(f *frame) (float64, bool) {
	if c.last == True {
		f.wakeAt(f.at.nextMinute())
	}
	return c.held.Seconds(), c.last != Unknown
}

// count is how often it came within the window.
func (c *cell) count(f *frame) (float64, bool) {
	got, ok := c.times.at(f, time.Duration(c.times.span))
	return got.sum, ok && c.last != Unknown
}

func (c *cell) save(w *writer) {
	c.saveLook(w, 0)
	if c.times != nil {
		c.times.save(w)
	}
}

func (c *cell) load(r *reader) {
	c.loadLook(r, 0)
	if c.times != nil {
		c.times.load(r)
	}
}

// saveLook writes what the last look found.
func (c *cell) saveLook(w *writer, around instant) {
	w.byte(byte(c.last))
	w.byte(byte(c.known))
	w.near(c.at, around)
	w.varint(int64(c.held))
}

func (c *cell) loadLook(r *reader, around instant) {
	c.last, c.known = min(Truth(r.byte()), True), min(Truth(r.byte()), True)
	c.at, c.held = r.near(around), time.Duration(r.instant())
}
