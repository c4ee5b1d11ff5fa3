package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gengfu/devices/sniff"
	"gengfu/devices/trace"
	"gengfu/facility"
	"gengfu/gateway/daemon"
)

type traceCommand struct {
	Line string `arg:"" help:"Id of a line of the gateway that runs."`
	dataFlag
	For  time.Duration `help:"How long to look; until it is interrupted without it." placeholder:"TIME"`
	Out  string        `help:"Keep the frames in a file, for gengfu replay." placeholder:"FILE" type:"path"`
	JSON bool          `help:"Print JSON, one object in a line, for programs."`
}

func (cmd traceCommand) Run(c *console) (err error) {
	ctx := c.ctx
	if cmd.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cmd.For)
		defer cancel()
	}
	t, err := daemon.Trace(ctx, cmd.Data, cmd.Line)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	var file *trace.Writer
	if cmd.Out != "" {
		var closeFile func() error
		if file, closeFile, err = createTrace(cmd.Out, t.Head); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closeFile()) }()
	}
	if !cmd.JSON {
		fmt.Fprintf(c.err, "Frames of line %s of the running gateway.\n", cmd.Line)
	}
	for {
		e, err := t.Next()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("trace %s: the gateway has gone: %w", cmd.Line, err)
		}
		if file != nil {
			if err := file.Write(e); err != nil {
				return err
			}
		}
		if err := cmd.print(c, t.Head, e); err != nil {
			return err
		}
	}
}

func (cmd traceCommand) print(c *console, h trace.Head, e trace.Entry) error {
	if e.Lost > 0 && !cmd.JSON {
		fmt.Fprintln(c.out, c.paint("yellow", fmt.Sprintf("%d exchanges were too many for this screen and are lost", e.Lost)))
	}
	x := exchangeOf(e, sniff.Interpret(h.Protocol, e.Request, e.Reply, nil))
	x.Values = nil
	for _, b := range e.Booked {
		x.Values = append(x.Values, sniff.Value{Quantity: b.Quantity, Number: b.Value, Unit: b.Unit, Quality: qualityOf(b.Quality), Reason: facility.Reason(b.Reason), Decimals: -1})
	}
	if cmd.JSON {
		return c.lineJSON(x)
	}
	c.exchange(x)
	return nil
}

// exchange is a request with its reply as programs read it.
type exchange struct {
	Time     time.Time      `json:"time"`
	Device   string         `json:"device,omitempty"`
	Protocol sniff.Protocol `json:"protocol"`
	Address  string         `json:"address"`
	Request  trace.Hex      `json:"request"`
	Reply    trace.Hex      `json:"reply,omitempty"`
	Asked    string         `json:"asked"`
	Answered string         `json:"answered,omitempty"`
	Took     float64        `json:"took_ms"`
	Problem  string         `json:"problem,omitempty"`
	Values   []sniff.Value  `json:"values,omitempty"`
	Differs  []string       `json:"differs,omitempty"` // of a replay
	Lost     int            `json:"lost,omitempty"`    // before it, because the reader was too slow
}

func exchangeOf(e trace.Entry, m sniff.Meaning) exchange {
	x := exchange{
		Time: e.At, Device: e.Device, Protocol: m.Protocol, Address: m.Address, Request: e.Request, Reply: e.Reply,
		Asked: m.Asked, Answered: m.Answered, Took: millis(e.Took), Problem: m.Problem, Values: m.Values, Lost: e.Lost,
	}
	if x.Problem == "" && e.Error != "" {
		x.Problem = e.Error
	}
	return x
}

// exchange prints a request with what came back.
func (c *console) exchange(x exchange) {
	who := x.Address
	if x.Device != "" {
		who = x.Device + " (" + x.Address + ")"
	}
	fmt.Fprintf(c.out, "%s → %-12s %s  %s\n             %s\n", c.paint("dim", x.Time.Local().Format("15:04:05.000")), x.Protocol, who, x.Asked,
		c.paint("dim", fmt.Sprintf("% X", []byte(x.Request))))
	if len(x.Reply) > 0 {
		fmt.Fprintf(c.out, "           ← %s  %.1f ms\n             %s\n", x.Answered, x.Took, c.paint("dim", fmt.Sprintf("% X", []byte(x.Reply))))
	}
	if x.Problem != "" {
		fmt.Fprintf(c.out, "             %s\n", c.paint("red", x.Problem))
	}
	if len(x.Values) > 0 {
		fmt.Fprintf(c.out, "             %s\n", c.paint("cyan", short(x.Values)))
	}
	if len(x.Differs) > 0 {
		fmt.Fprintf(c.out, "             %s\n", c.paint("yellow", "differs: "+strings.Join(x.Differs, "; ")))
	}
}

func qualityOf(name string) (q facility.Quality) {
	if err := q.UnmarshalText([]byte(name)); err != nil {
		return facility.Bad // of a newer gateway
	}
	return q
}
