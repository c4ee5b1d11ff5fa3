// Package backtest says what rules would have done: it plays facts of the past to the
// engine that judges live, and counts the alarms and the work orders that would have
// come of it. It opens nothing, reads no clock and starts no goroutine.
//
// The history keeps when something happened, not when it became known. A backtest takes
// each reading as if it had arrived at once, so that what was late then is in time now:
// where a backlog was judged late, the alarms differ from those that people saw.
package backtest

import (
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

// Player plays facts to an engine in the order in which they arrived, and lets time pass
// between them. Scenarios, backtests and replays all go through it; by the invariants of
// package rules the changes are those of a gateway that heard the same facts in the same
// order, whenever that one let time pass.
type Player struct {
	engine *rules.Engine
	now    time.Time
}

// NewPlayer begins to listen with the engine at the time now.
func NewPlayer(engine *rules.Engine, now time.Time) *Player {
	engine.Listen(now)
	return &Player{engine: engine, now: now}
}

// Take judges readings that arrived together, as the gateway does: see rules.Engine.Hear.
func (p *Player) Take(arrived time.Time, readings ...facility.Reading) []rules.Change {
	if arrived.Before(p.now) {
		arrived = p.now
	}
	p.now = arrived
	return p.engine.Hear(arrived, readings...)
}

// Pass lets time pass until now, and nothing else: everything of this instant has come.
func (p *Player) Pass(now time.Time) []rules.Change {
	if now.Before(p.now) {
		return nil
	}
	p.now = now
	return p.engine.Advance(now)
}
