package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/line"
	"gengfu/devices/profile"
	"gengfu/devices/scan"
	"gengfu/devices/sniff"
)

// Patient is a line with what is expected on it.
type Patient struct {
	Name     string // as people call it
	Port     string // path of the device, "" for a socket
	Setting  scan.Setting
	Protocol sniff.Protocol // of the configuration; "" when none is known
	Timeout  time.Duration  // of the line
	Targets  []Target       // none: the addresses that makers use are tried
	Open     func(ctx context.Context, s scan.Setting) (scan.Conn, error)
	Doing    func(what string) // sees what is tried next; may be nil
}

func (p *Patient) doing(format string, args ...any) {
	if p.Doing != nil {
		p.Doing(fmt.Sprintf(format, args...))
	}
}

// How the examination asks.
const (
	listenFor  = 400 * time.Millisecond
	timesAsked = 6
	patient    = 3 * time.Second // with the first answer of a target
	askedAlone = 5               // addresses that are tried when nothing is configured
)

// Examine asks the targets of a line and says what is likely wrong. The error is that
// of the context; a line that cannot be opened is a finding.
func Examine(ctx context.Context, p Patient) ([]Finding, error) {
	p.doing("opening %s", p.Name)
	conn, err := p.Open(ctx, p.Setting)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return []Finding{portFinding(p, err)}, nil
	}
	e := &examination{Patient: p, conn: conn, facts: Facts{Socket: p.Port == "", Setting: p.Setting, Protocol: p.Protocol}}
	defer func() { e.conn.Close() }() //nolint:errcheck // it was only read from
	findings := []Finding{{Check: "port", Did: "opened " + p.Name, Found: "it opens", Severity: Fine}}
	if err := e.run(ctx); err != nil {
		if ctx.Err() != nil {
			return findings, ctx.Err()
		}
		findings = append(findings, Finding{
			Check: "port", Did: "asked on " + p.Name, Found: err.Error(), Severity: Wrong,
			Cure: "The line broke off while it was used: look at the plug and power of the adapter or box, and whether the box hangs up on a second client.",
		})
	}
	return worstFirst(append(findings, Judge(e.facts, e.observed)...)), nil
}

type examination struct {
	Patient
	conn     scan.Conn
	talk     *scan.Talk
	facts    Facts
	observed []Observed
}

func (e *examination) run(ctx context.Context) error {
	e.doing("listening")
	if err := e.listen(ctx); err != nil {
		return err
	}
	e.talk = scan.NewTalk(e.conn, e.Setting.Wire(), bus.EchoOff) // so that an echo is seen
	targets := e.Targets
	if len(targets) == 0 {
		targets = e.usual()
	}
	for _, t := range targets {
		e.doing("asking %s", t.name())
		o, err := e.ask(ctx, t)
		e.observed = append(e.observed, o)
		if err != nil {
			return err
		}
	}
	if slices.ContainsFunc(e.observed, func(o Observed) bool { return !o.dead() }) {
		return nil
	}
	return e.lookElsewhere(ctx)
}

// usual are the targets of a line of which nothing is known.
func (e *examination) usual() (out []Target) {
	protocol := e.Protocol
	if protocol == "" {
		protocol = sniff.ModbusRTU
		if e.Port == "" {
			protocol = sniff.ModbusTCP
		}
	}
	if !protocol.Modbus() {
		return nil
	}
	for a := 1; a <= askedAlone; a++ {
		out = append(out, Target{Protocol: protocol, Address: strconv.Itoa(a), Timeout: e.Timeout, Guessed: true})
	}
	return out
}

func (e *examination) listen(ctx context.Context) error {
	c := sniff.NewCutter(e.Setting.Wire().Character)
	buf := make([]byte, 512)
	for end := time.Now().Add(listenFor); time.Now().Before(end); {
		n, err := e.conn.Read(ctx, buf, end)
		c.Feed(time.Now(), buf[:n])
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	c.Quiet(time.Now())
	e.facts.Unasked = c.Counters()
	return nil
}

// frames returns what to ask a target, each with what it asks for.
func frames(t Target) (out []question) {
	switch t.Protocol {
	case sniff.MBus:
		if n, err := strconv.Atoi(t.Address); err == nil {
			out = append(out, question{frame: scan.MBusRequest(byte(n)), expect: 100})
		}
	case sniff.DLT645, sniff.CJT188:
		item := map[sniff.Protocol]string{sniff.DLT645: "00010000", sniff.CJT188: "901F"}[t.Protocol]
		if t.Model != nil && len(t.Model.Points) > 0 {
			item = t.Model.Points[0].Item
		}
		for _, lowFirst := range []bool{false, true} {
			f, err := scan.ItemRequest(scan.Device{Protocol: t.Protocol, Address: t.Address, MeterType: 0xAA, LowFirst: lowFirst}, item)
			if err == nil && (!lowFirst || t.Protocol == sniff.CJT188) {
				out = append(out, question{frame: f, expect: 63})
			}
		}
	default:
		qs := []scan.Question{{Table: profile.Holding, Count: 1}}
		if t.Model != nil {
			qs = scan.Questions(t.Model)
		}
		for _, q := range qs {
			out = append(out, question{registers: &q})
		}
	}
	return out
}

// question is a frame, or a stretch of registers.
type question struct {
	frame     []byte
	expect    int
	registers *scan.Question
}

func (e *examination) put(ctx context.Context, t Target, q question, patience time.Duration) (scan.Heard, error) {
	if q.registers == nil {
		return e.talk.Ask(ctx, t.Protocol, q.frame, q.expect, patience)
	}
	unit, err := strconv.Atoi(t.Address)
	if err != nil {
		return scan.Heard{}, fmt.Errorf("address %q of %s is no number", t.Address, t.ID)
	}
	return e.talk.Modbus(ctx, t.Protocol, unit, *q.registers, patience)
}

// ask asks one target several times, and then once for all that its model has.
func (e *examination) ask(ctx context.Context, t Target) (Observed, error) {
	o := Observed{Target: t, Counters: sniff.Counters{Of: map[sniff.Protocol]int{}}}
	if o.Timeout <= 0 {
		o.Timeout = time.Second
	}
	questions := frames(t)
	if len(questions) == 0 {
		return o, nil
	}
	c := sniff.NewCutter(0)
	q := questions[0]
	patience := max(patient, 2*o.Timeout) // at first, so that a late answer is not taken for the next one
	if t.Guessed {
		patience = o.Timeout
	}
	for i := range timesAsked {
		h, err := e.put(ctx, t, q, patience)
		if err != nil {
			return o, err
		}
		if h.Reply == nil && !h.Spoilt() && i == 0 && t.Protocol == sniff.CJT188 {
			q = questions[1] // the other order
		}
		e.note(&o, h)
		c.Feed(time.Now(), received(h))
		if i > 0 && o.Silent == o.Asked || i == 0 && o.Silent > 0 && t.Protocol != sniff.CJT188 {
			break // it is not there; asking on would only cost time
		}
		patience = max(o.Timeout, 2*o.slowest()+50*time.Millisecond)
	}
	if err := e.listenFurther(ctx, t, q, &o); err != nil {
		return o, err
	}
	c.Quiet(time.Now())
	o.Counters = c.Counters()
	if o.slowest() > o.Timeout {
		o.Late = o.slowest()
	}
	if t.Model == nil || !t.Protocol.Modbus() {
		return o, nil
	}
	return o, e.readAll(ctx, t, questions, &o)
}

// listenFurther hears everything that comes to some requests, because of two devices
// with one address the slower one is heard only so.
func (e *examination) listenFurther(ctx context.Context, t Target, q question, o *Observed) error {
	if o.Clean+o.Refused == 0 {
		return nil
	}
	frame := q.frame
	window := 2*o.slowest() + 100*time.Millisecond
	for range 3 {
		if q.registers != nil {
			h, err := e.put(ctx, t, q, max(o.Timeout, 2*o.slowest()))
			if err != nil {
				return err
			}
			frame = h.Request
			e.note(o, h)
			if t.Protocol == sniff.ModbusTCP {
				return nil // a gateway has one answer to one transaction
			}
		}
		h, err := e.talk.Listen(ctx, t.Protocol, frame, 80, window)
		if err != nil {
			return err
		}
		e.note(o, h)
	}
	return nil
}

func (e *examination) note(o *Observed, h scan.Heard) {
	o.Asked++
	if bytes.HasPrefix(h.Received, h.Request) && len(h.Received) > len(h.Request) {
		o.Echoed++
	}
	rest := received(h)
	switch {
	case len(rest) == 0:
		o.Silent++
		if len(h.Received) > 0 {
			o.Echoed++ // nothing but the echo
		}
		return
	case h.Reply == nil:
		o.Spoilt++
		return
	case h.Code >= 0:
		o.Refused++
		o.Code = h.Code
	default:
		o.Clean++
	}
	wire := e.Setting.Wire()
	if h.First > 0 {
		o.Turnarounds = append(o.Turnarounds, h.First)
	} else {
		o.Turnarounds = append(o.Turnarounds, h.Took-wire.Of(len(h.Request)+len(h.Received)))
	}
	h.Received = rest
	replies, noise := h.Frames()
	replies = slices.DeleteFunc(replies, func(f sniff.Frame) bool { return f.Address != o.Address && o.Protocol.Modbus() })
	different := slices.IndexFunc(replies, func(f sniff.Frame) bool { return !bytes.Equal(f.Bytes, replies[0].Bytes) })
	const fewBytes = 3
	switch {
	case different >= 0:
		o.Doubles++
	case len(replies) > 1:
		o.Repeats++
	case noise > fewBytes:
		o.Spoilt++
	}
}

// received is what came besides the echo of the request.
func received(h scan.Heard) []byte { return bytes.TrimPrefix(h.Received, h.Request) }

func (e *examination) readAll(ctx context.Context, t Target, questions []question, o *Observed) error {
	for _, q := range questions {
		h, err := e.put(ctx, t, q, max(o.Timeout, 2*o.slowest()))
		if err != nil {
			return err
		}
		a := scan.Answer{Question: *q.registers, Outcome: scan.Unheard}
		if words := h.Words(); words != nil {
			a.Words, a.Outcome = words, scan.Answered
		} else if h.Code >= 0 {
			a.Outcome = scan.Refused
		}
		if a.Outcome != scan.Unheard { // a lost one says nothing of the model
			o.Answers = append(o.Answers, a)
		}
	}
	return nil
}

// lookElsewhere tries the targets with other settings, or in the other mode of a box.
func (e *examination) lookElsewhere(ctx context.Context) error {
	e.doing("trying other settings")
	e.facts.Neighbours = true
	opts := scan.Options{Socket: e.Port == ""}
	for _, o := range e.observed {
		if n, err := strconv.Atoi(o.Address); err == nil && o.Protocol.Modbus() {
			opts.Addresses = append(opts.Addresses, n)
		}
		if !slices.Contains(opts.Protocols, o.Protocol) {
			opts.Protocols = append(opts.Protocols, o.Protocol)
		}
	}
	const most = 4
	opts.Addresses = opts.Addresses[:min(most, len(opts.Addresses))]
	if opts.Socket {
		opts.Protocols = []sniff.Protocol{sniff.ModbusTCP, sniff.ModbusRTU}
	}
	if err := e.conn.Close(); err != nil {
		return err
	}
	sweep := scan.Sweep{Options: opts, Open: e.Open}
	found, err := sweep.Run(ctx)
	e.facts.Elsewhere = slices.DeleteFunc(found, func(d scan.Device) bool { return d.Spoilt })
	if conn, e2 := e.Open(ctx, e.Setting); e2 == nil {
		e.conn = conn // to be closed
	}
	return err
}

// portFinding says why a line does not open.
func portFinding(p Patient, err error) Finding {
	f := Finding{Check: "port", Did: "opened " + p.Name, Found: err.Error(), Severity: Wrong}
	switch {
	case p.Port == "":
		f.Cure = "Look at the address, the power and the network of the box (ping it), and whether its port is that of its settings; a box that serves one client refuses a second one."
	case errors.Is(err, fs.ErrNotExist):
		f.Found = "there is no " + p.Port
		f.Cure = "Plug the adapter in and look at \"ls -l /dev/serial/by-id\"; names there stay the same when it is plugged elsewhere. In a container the port must be handed in."
	case errors.Is(err, fs.ErrPermission):
		f.Found = "the user may not open " + p.Port
		f.Cure = "Run \"sudo usermod -aG dialout $USER\" and sign in again; for the service write SupplementaryGroups=dialout."
	case errors.Is(err, line.ErrBusy):
		f.Found = p.Port + " is in use" + by(Holders("/proc", p.Port))
		f.Cure = "Stop that program; two masters on one line spoil each other's answers. A running gateway shows its frames with gengfu trace."
	default:
		f.Cure = "Look whether it is a serial port at all."
	}
	return f
}
