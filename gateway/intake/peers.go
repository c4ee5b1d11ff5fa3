package intake

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"gengfu/facility"
	"gengfu/gateway/broker"
	"gengfu/gateway/payload"
)

const (
	// presence is how often a hub says that it is there, presenceLasts how long it is
	// thought to be after it was heard.
	presence      = time.Minute
	presenceLasts = 3 * presence
	maxPeers      = 64
	farewell      = 2 * time.Second
)

// Peer is another hub that takes the same site from the same broker. A fact is
// acknowledged by whoever has it first: then the other may never get it, and what both
// get is judged by both. There is to be one.
type Peer struct {
	ID      string    `json:"id"`
	Version string    `json:"version,omitempty"`
	Heard   time.Time `json:"heard"` // last, on this hub's clock
}

// peers is what is known of other hubs. The state of a hub is where that of a gateway of
// the name LocalGateway would be.
type peers struct {
	own  string // names this process
	seen map[string]Peer
	said time.Time // when this one spoke last
}

// own is what this hub says of itself.
func (in *Intake) own(state string) broker.Message {
	return broker.Message{
		Topic:   payload.Topic(in.o.Root, in.o.Site, LocalGateway, payload.TopicStatus),
		Payload: payload.MarshalControl(payload.Status{State: state, ID: in.peers.own, Version: in.o.Version}),
		QoS:     1, Retained: true,
	}
}

// speaks reports whether the connection of the stream speaks for the hub: one does, and
// only where the hub is of one site.
func (in *Intake) speaks(s facility.Stream) bool { return s == facility.Urgent && in.o.Site != "" }

// will is what the broker says when the connection breaks.
func (in *Intake) will(s facility.Stream) *broker.Message {
	if !in.speaks(s) {
		return nil
	}
	m := in.own(payload.Offline)
	return &m
}

// present says that the hub is there, when it is time to.
func (in *Intake) present(ctx context.Context, c *broker.Connection, s facility.Stream, after time.Duration) error {
	if !in.speaks(s) {
		return nil
	}
	in.mu.Lock()
	now := in.o.Now()
	due := in.peers.said.IsZero() || now.Sub(in.peers.said) >= after || now.Before(in.peers.said)
	if due {
		in.peers.said = now
	}
	in.mu.Unlock()
	if !due {
		return nil
	}
	return c.Publish(ctx, in.own(payload.Online))
}

// leave says that the hub ends, where the connection did not.
func (in *Intake) leave(ctx context.Context, c *broker.Connection, s facility.Stream) {
	if !in.speaks(s) || errors.Is(context.Cause(ctx), broker.ErrLost) {
		return
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := c.PublishConfirmed(last, in.own(payload.Offline)); err != nil {
		in.log.Debug("the hub's end could not be told", "error", err)
	}
}

// peer notes what a hub says, and returns what is to be said to that. What is retained
// may be of one that is long gone.
func (in *Intake) peer(m broker.Message) []broker.Message {
	st, err := payload.ParseStatus(m.Payload)
	if err != nil || m.Retained && st.ID != in.peers.own {
		return nil
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	now := in.o.Now()
	switch {
	case st.ID == in.peers.own && st.State == payload.Online:
		return nil
	case st.ID == in.peers.own: // by the will of a connection that was lost before
		return []broker.Message{in.own(payload.Online)}
	case st.State != payload.Online:
		delete(in.peers.seen, st.ID)
		return nil
	}
	_, known := in.peers.seen[st.ID]
	if !known && len(in.peers.seen) == maxPeers {
		return nil
	}
	in.peers.seen[st.ID] = Peer{ID: st.ID, Version: st.Version, Heard: now.UTC()}
	if known {
		return nil
	}
	in.log.Error("ANOTHER HUB TAKES THIS SITE: a fact may be at one of them only, and what is at both is judged twice; stop one",
		"site", in.o.Site, "hub", st.ID, "version", st.Version)
	return []broker.Message{in.own(payload.Online)} // it may not know of this one
}

// others returns the hubs that were heard lately. The caller holds in.mu.
func (in *Intake) others(now time.Time) []Peer {
	out := []Peer{}
	for id, p := range in.peers.seen {
		if now.Sub(p.Heard) > presenceLasts {
			delete(in.peers.seen, id)
			continue
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Peer) int { return cmp.Compare(a.ID, b.ID) })
	return out
}
