package intake

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"gengfu/facility"
	"gengfu/gateway/broker"
	"gengfu/gateway/payload"
)

// statusSilences is how much longer a status may be silent than a stream: each
// subscription has the broker tell those of all gateways again.
const statusSilences = 12

// ear is a subscription that is said again when nothing comes of it. The filter may have
// been damaged on its way, so that the broker has confirmed another; the broker may have
// lost it; or the connection is half open, and nobody has noticed. A broker that lives
// confirms it, and nothing else changes.
type ear struct {
	filter  string
	silence time.Duration // after which it is said again
	handle  func(broker.Message)

	said  time.Time // last
	heard atomic.Pointer[time.Time]
}

// ears are what the connection of a stream listens to.
func (in *Intake) ears(s facility.Stream, handle func(broker.Message)) []*ear {
	return []*ear{
		in.ear(string(s), in.o.Silence, handle),
		in.ear(payload.TopicStatus, statusSilences*in.o.Silence, handle),
	}
}

// expected are the ears by their filters.
func expected(ears []*ear) map[string]func(broker.Message) {
	out := map[string]func(broker.Message){}
	for _, e := range ears {
		out[e.filter] = e.hear
	}
	return out
}

func (in *Intake) ear(what string, silence time.Duration, handle func(broker.Message)) *ear {
	return &ear{
		filter: payload.Topic(in.o.Root, cmp.Or(in.o.Site, "+"), "+", what), silence: silence, handle: handle,
	}
}

func (e *ear) hear(m broker.Message) {
	now := time.Now()
	e.heard.Store(&now)
	e.handle(m)
}

// due reports whether the subscription is to be said now.
func (e *ear) due(now time.Time) bool {
	last := e.said
	if heard := e.heard.Load(); heard != nil && heard.After(last) {
		last = *heard
	}
	return now.Sub(last) >= e.silence
}

// listen says the subscriptions for the first time, and waits for the broker to confirm
// them.
func listen(ctx context.Context, c *broker.Connection, ears []*ear) error {
	for _, e := range ears {
		e.said = time.Now()
		if err := c.Subscribe(ctx, e.filter, 1, e.hear); err != nil {
			return err
		}
	}
	return nil
}

// listenAgain says the subscriptions that are due. It does not wait, as what comes is to
// be taken meanwhile, but fails when the broker says nothing at all within patience.
func listenAgain(ctx context.Context, c *broker.Connection, ears []*ear, patience time.Duration) error {
	now := time.Now()
	for _, e := range ears {
		silent := c.Heard().Before(e.said)
		if silent && now.Sub(e.said) > patience {
			return fmt.Errorf("the broker has said nothing for %v", now.Sub(c.Heard()).Round(time.Second))
		}
		if silent || !e.due(now) {
			continue
		}
		e.said = now
		if err := c.Resubscribe(ctx, e.filter, 1, e.hear); err != nil {
			return err
		}
	}
	return nil
}
