package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"gengfu/devices/profile"
	"gengfu/devices/scan"
	"gengfu/devices/sniff"
	"gengfu/devices/trace"
)

type sniffCommand struct {
	Line string `arg:"" help:"Id of a line in the site file, a port as /dev/ttyUSB0, or an address as 192.168.1.50:4001."`
	siteFlag
	portFlags
	For  time.Duration `help:"How long to listen; until it is interrupted without it." placeholder:"TIME"`
	Out  string        `help:"Keep what is heard in a file, for gengfu replay." placeholder:"FILE" type:"path"`
	JSON bool          `help:"Print JSON, one object in a line, for programs."`
}

func (cmd sniffCommand) Run(c *console) (err error) {
	cfg, err := cmd.site()
	if err != nil {
		return err
	}
	at, err := findPlace(cmd.Line, cfg)
	if err != nil {
		return err
	}
	setting, err := cmd.apply(&at)
	if err != nil {
		return err
	}
	conn, err := at.open(c.ctx, setting)
	if err != nil {
		return fmt.Errorf("sniff %s: %w", cmd.Line, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	l := listener{console: c, at: at, json: cmd.JSON, cutter: sniff.NewCutter(setting.Wire().Character)}
	if cmd.Out != "" {
		file, closeFile, err := createTrace(cmd.Out, head(c, at, setting))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closeFile()) }()
		l.file = file
	}
	if !cmd.JSON {
		fmt.Fprintf(c.err, "Listening on %s with %s; nothing is sent.\n", cmd.Line, setting)
	}
	ctx := c.ctx
	if cmd.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cmd.For)
		defer cancel()
	}
	err = l.listen(ctx, conn)
	if e := l.summary(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("sniff %s: %w", cmd.Line, err)
	}
	return nil
}

// head is the first line of a trace that is made here.
func head(c *console, at place, s scan.Setting) trace.Head {
	h := trace.Head{Began: time.Now().UTC(), By: "gengfu " + c.version, Baud: s.Baud, Parity: s.Parity, DataBits: s.DataBits, StopBits: s.StopBits}
	if at.serial != nil {
		h.Port = at.serial.Port
	} else {
		h.Port = at.tcp.Address
	}
	if at.config != nil {
		h.Line, h.Protocol = at.config.ID, sniff.Protocol(at.config.Protocol)
	}
	return h
}

// createTrace begins a file. What is written reaches it by closing at the latest.
func createTrace(path string, h trace.Head) (*trace.Writer, func() error, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("keep the trace: %w", err)
	}
	buffer := bufio.NewWriter(f)
	w, err := trace.NewWriter(buffer, h)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return w, func() error { return errors.Join(buffer.Flush(), f.Close()) }, nil
}

// listener prints what is on a line.
type listener struct {
	*console
	at     place
	json   bool
	cutter *sniff.Cutter
	file   *trace.Writer // nil keeps nothing
}

// listen reads until the context ends, which is no error.
func (l *listener) listen(ctx context.Context, conn scan.Conn) error {
	buf := make([]byte, 1024)
	for {
		n, err := conn.Read(ctx, buf, time.Now().Add(l.cutter.QuietAfter()))
		now := time.Now()
		if n > 0 {
			if e := l.keep(now, buf[:n]); e != nil {
				return e
			}
		}
		if e := l.tell(l.cutter.Feed(now, buf[:n])); e != nil {
			return e
		}
		if n > 0 && err == nil {
			continue
		}
		if e := l.tell(l.cutter.Quiet(now)); e != nil {
			return e
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
		case ctx.Err() != nil:
			return nil //nolint:nilerr // so it is meant to end
		case err != nil:
			return err
		}
	}
}

func (l *listener) keep(now time.Time, b []byte) error {
	if l.file == nil {
		return nil
	}
	return l.file.Write(trace.Entry{At: now.UTC(), Heard: b})
}

func (l *listener) tell(events []sniff.Event) error {
	for _, e := range events {
		if err := l.event(e); err != nil {
			return err
		}
	}
	return nil
}

// heard is an event as programs read it.
type heard struct {
	Time     time.Time      `json:"time"`
	Kind     sniff.Kind     `json:"kind"` // frame, spoilt, noise, silent
	Protocol sniff.Protocol `json:"protocol,omitempty"`
	Side     sniff.Side     `json:"side,omitempty"` // request, reply
	Address  string         `json:"address,omitempty"`
	Device   string         `json:"device,omitempty"` // id in the site file
	Bytes    trace.Hex      `json:"bytes,omitempty"`
	Says     string         `json:"says,omitempty"`
	Values   []sniff.Value  `json:"values,omitempty"`
	Gap      float64        `json:"gap_ms"`
	Took     float64        `json:"turnaround_ms,omitempty"`
	Note     string         `json:"note,omitempty"`
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// event prints one event of a line of the site.
func (l *listener) event(e sniff.Event) error {
	return l.explained(e, func(_, _ string, protocol sniff.Protocol, address string) *profile.Profile {
		_, p := l.at.deviceAt(protocol, address)
		return p
	})
}

// explained prints one event, decoded by the model of the device.
func (l *listener) explained(e sniff.Event, model trace.Model) error {
	h := heard{Time: e.At, Kind: e.Kind, Bytes: e.Bytes, Gap: millis(e.Gap), Took: millis(e.Took), Note: e.Note}
	if f := e.Frame; f != nil {
		h.Protocol, h.Side, h.Address, h.Says = f.Protocol, f.Side, f.Address, f.Says
		asked := f
		if e.Request != nil {
			asked = e.Request
		}
		d, _ := l.at.deviceAt(asked.Protocol, asked.Address)
		h.Device = d.ID
		if e.Kind == sniff.Whole {
			h.Bytes, h.Values = f.Bytes, e.Explain(model(d.ID, "", asked.Protocol, asked.Address))
		}
	}
	if l.json {
		return l.lineJSON(h)
	}
	l.print(h)
	return nil
}

func (l *listener) print(h heard) {
	stamp := l.paint("dim", h.Time.Format("15:04:05.000"))
	who := h.Address
	if h.Device != "" {
		who = h.Device + " (" + h.Address + ")"
	}
	switch {
	case h.Kind == sniff.Noise:
		fmt.Fprintf(l.out, "%s %s % X\n", stamp, l.paint("yellow", "noise  "), []byte(h.Bytes))
	case h.Kind == sniff.Spoilt:
		fmt.Fprintf(l.out, "%s %s % X  %s\n", stamp, l.paint("red", "spoilt "), []byte(h.Bytes), h.Note)
	case h.Kind == sniff.Silent:
		fmt.Fprintf(l.out, "%s %s %s did not answer: %s\n", stamp, l.paint("red", "silent "), who, h.Says)
	default:
		arrow, timing := "→", ""
		if h.Side == sniff.Reply {
			arrow = "←"
			if h.Took > 0 {
				timing = fmt.Sprintf("  after %.1f ms", h.Took)
			}
		}
		fmt.Fprintf(l.out, "%s %s %-12s %s  %s%s\n", stamp, arrow, h.Protocol, who, h.Says, timing)
		fmt.Fprintf(l.out, "             %s\n", l.paint("dim", fmt.Sprintf("% X", []byte(h.Bytes))))
		if len(h.Values) > 0 {
			fmt.Fprintf(l.out, "             %s\n", l.paint("cyan", short(h.Values)))
		}
		if h.Note != "" {
			fmt.Fprintf(l.out, "             %s\n", l.paint("yellow", h.Note))
		}
	}
}

// summary says what was heard in all.
func (l *listener) summary() error {
	n := l.cutter.Counters()
	advice := n.Suspicion()
	if n.Bytes == 0 {
		advice = "nothing was heard: is anybody asking on this line, and is A connected to A?"
	}
	if l.json {
		return l.lineJSON(struct {
			Kind     string         `json:"kind"`
			Counters sniff.Counters `json:"counters"`
			Advice   string         `json:"advice,omitempty"`
		}{"summary", n, advice})
	}
	fmt.Fprintf(l.err, "%d bytes: %d frames (%d requests, %d replies of which %d refusals), %d spoilt, %d unanswered, %d bytes of noise\n",
		n.Bytes, n.Frames, n.Requests, n.Replies, n.Refusals, n.Spoilt, n.Silent, n.Noise)
	if advice != "" {
		fmt.Fprintln(l.err, advice)
	}
	return nil
}
