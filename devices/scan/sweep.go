package scan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gengfu/devices/line"
	"gengfu/devices/profile"
	"gengfu/devices/sniff"
)

// Device is somebody who answers.
type Device struct {
	Setting    Setting
	Protocol   sniff.Protocol
	Address    string
	Turnaround time.Duration
	Candidates []Candidate // models that it may be, the best first
	MeterType  byte        // of a CJ/T 188 meter, the medium of an M-Bus one
	LowFirst   bool        // a CJ/T 188 meter that wants the low byte of an identifier first
	Spoilt     bool        // it answers, and what comes is spoilt: two on one address, or a bad line
	Note       string
}

// Progress is how far a sweep is.
type Progress struct {
	Step    Step
	Doing   string // what is done besides the plan: naming a device, searching meters that collide
	Done    int    // steps
	Of      int
	Left    time.Duration // estimated, when nobody else answers
	Devices int
}

// Sweep looks for devices on one line.
type Sweep struct {
	Options
	Profiles []profile.Profile
	Open     func(ctx context.Context, s Setting) (Conn, error)
	Progress func(Progress) // may be nil
	Found    func(Device)   // sees each device when it is named; may be nil
}

// sweeping is a sweep under way.
type sweeping struct {
	*Sweep
	conn    Conn
	talk    *Talk
	at      Setting
	open    bool
	slowest time.Duration // that a Modbus slave took at this setting
	answers int
	found   []Device
	late    []int // addresses that answered when another was asked
}

// Run tries everything of the plan and returns who answers. When somebody has
// answered at one setting the others are not tried, unless it is to be thorough.
func (s *Sweep) Run(ctx context.Context) (_ []Device, err error) {
	w := &sweeping{Sweep: s}
	defer func() { err = errors.Join(err, w.shut()) }()
	steps := Plan(s.Options)
	done := 0
	for ; len(steps) > 0; done++ {
		w.tell(Progress{Step: steps[0], Done: done, Of: done + len(steps), Left: w.left(steps)})
		step := steps[0]
		steps = steps[1:]
		before := len(w.found)
		if err := w.try(ctx, step); err != nil {
			return w.found, err
		}
		if len(w.found) > before && !s.Thorough {
			steps = w.narrow(steps, step)
		}
	}
	w.tell(Progress{Done: done, Of: done})
	return w.found, nil
}

// narrow leaves only what may still be there: the same setting, and over a socket the
// one way of writing Modbus that the box understands.
func (w *sweeping) narrow(steps []Step, hit Step) []Step {
	return slices.DeleteFunc(slices.Clone(steps), func(s Step) bool {
		other := s.Protocol.Modbus() && hit.Protocol.Modbus() && s.Protocol != hit.Protocol
		gateway := hit.Protocol == sniff.ModbusTCP && s.Protocol != sniff.ModbusTCP // it passes no plain frames on
		return s.Setting != hit.Setting || other || gateway
	})
}

func (w *sweeping) tell(p Progress) {
	if w.Progress == nil {
		return
	}
	p.Devices = len(w.found)
	w.Progress(p)
}

func (w *sweeping) doing(step Step, what string) {
	w.tell(Progress{Step: step, Doing: what})
}

// left estimates the rest with the patience that was learned.
func (w *sweeping) left(steps []Step) time.Duration {
	d := Estimate(steps)
	for _, s := range steps {
		if s.Protocol.Modbus() {
			d -= w.Options.patience() - w.patience()
		}
	}
	return d
}

func (w *sweeping) shut() error {
	if !w.open {
		return nil
	}
	w.open = false
	return w.conn.Close()
}

func (w *sweeping) turnTo(ctx context.Context, s Setting) error {
	if w.open && w.at == s {
		return nil
	}
	if err := w.shut(); err != nil {
		return err
	}
	conn, err := w.Open(ctx, s)
	if err != nil {
		return errShut(s, err)
	}
	w.conn, w.open, w.at = conn, true, s
	w.talk = NewTalk(conn, s.Wire(), "")
	w.slowest, w.answers = 0, 0
	return nil
}

// patience is what a Modbus slave gets to begin its reply: less when those that have
// answered were quick.
func (w *sweeping) patience() time.Duration {
	most := w.Options.patience()
	const enough = 2
	if w.answers < enough || w.Thorough {
		return most
	}
	return min(most, max(25*time.Millisecond, 3*w.slowest+10*time.Millisecond))
}

func (w *sweeping) try(ctx context.Context, step Step) error {
	err := w.attempt(ctx, step)
	if errors.Is(err, line.ErrBroken) && step.Setting.Baud == 0 && w.open {
		// A box hangs up on what it does not understand.
		if err := w.shut(); err != nil {
			return err
		}
		return ctx.Err()
	}
	return err
}

func (w *sweeping) attempt(ctx context.Context, step Step) error {
	if err := w.turnTo(ctx, step.Setting); err != nil {
		return err
	}
	switch step.Protocol {
	case sniff.DLT645:
		return w.find645(ctx, step)
	case sniff.CJT188:
		return w.find188(ctx, step)
	case sniff.MBus:
		return w.findMBus(ctx, step)
	}
	if err := w.findModbus(ctx, step, w.patience()); err != nil {
		return err
	}
	for len(w.late) > 0 {
		step.Address, w.late = w.late[0], w.late[1:]
		if err := w.findModbus(ctx, step, 10*w.Options.patience()); err != nil {
			return err
		}
	}
	return nil
}

func (w *sweeping) has(p sniff.Protocol, address string) bool {
	return slices.ContainsFunc(w.found, func(d Device) bool {
		return d.Protocol == p && d.Address == address && d.Setting == w.at
	})
}

func (w *sweeping) findModbus(ctx context.Context, step Step, patience time.Duration) error {
	if w.has(step.Protocol, strconv.Itoa(step.Address)) {
		return nil
	}
	q := Question{Table: profile.Holding, Count: 1}
	if step.Input {
		q.Table = profile.Input
	}
	var h Heard
	for range 2 { // once more what is spoilt
		var err error
		if h, err = w.talk.Modbus(ctx, step.Protocol, step.Address, q, patience); err != nil {
			return err
		}
		if !h.Spoilt() {
			break
		}
	}
	w.noteLate(step.Protocol, step.Address)
	const pathUnavailable, targetSilent = 0x0A, 0x0B
	switch {
	case h.Reply == nil && !h.Spoilt(),
		step.Protocol == sniff.ModbusTCP && (h.Code == pathUnavailable || h.Code == targetSilent):
		return nil
	case h.Reply == nil && !begins(h.Received, step):
		return nil // noise, or the late reply of another
	}
	d := Device{Setting: w.at, Protocol: step.Protocol, Address: strconv.Itoa(step.Address), Spoilt: h.Spoilt(), Turnaround: w.turnaround(h)}
	if d.Spoilt {
		d.Note = "what it answers is spoilt: two devices on this address, or a bad line"
		w.found = append(w.found, d)
		w.announce(d)
		return nil
	}
	w.slowest = max(w.slowest, d.Turnaround)
	w.answers++
	w.doing(step, fmt.Sprintf("naming the device at address %d", step.Address))
	candidates, err := w.nameModbus(ctx, d, step.Address)
	if err != nil {
		return err
	}
	d.Candidates = candidates
	w.found = append(w.found, d)
	w.announce(d)
	return nil
}

// begins reports whether spoilt bytes look like the answer of the slave.
func begins(received []byte, step Step) bool {
	return step.Protocol == sniff.ModbusRTU && len(received) > 1 && int(received[0]) == step.Address && received[1]&^0x80 <= 4 ||
		step.Protocol == sniff.ModbusASCII && len(received) > 3 && received[0] == ':'
}

// noteLate remembers who answered when somebody else was asked: it is slower than the
// patience was. It reports whether the one who was asked has said more than its answer.
func (w *sweeping) noteLate(p sniff.Protocol, asked int) (more bool) {
	strays := w.talk.Strays()
	if len(strays) == 0 || p == sniff.ModbusTCP {
		return false
	}
	frames, _ := Heard{Received: strays}.Frames()
	for _, f := range frames {
		a, err := strconv.Atoi(f.Address)
		switch {
		case err != nil || f.Protocol != p || a <= 0:
		case a == asked:
			more = true
		case !w.has(p, f.Address):
			w.late = append(w.late, a)
		}
	}
	return more
}

func (w *sweeping) turnaround(h Heard) time.Duration {
	wire := w.at.Wire()
	return max(0, h.Took-wire.Of(len(h.Request)+len(h.Received))).Round(time.Millisecond)
}

func (w *sweeping) announce(d Device) {
	if w.Found != nil {
		w.Found(d)
	}
}

func (s *Sweep) speaking(l profile.Protocol) (out []profile.Profile) {
	for _, p := range s.Profiles {
		if p.Language() == l {
			out = append(out, p)
		}
	}
	return out
}
