// Package uplink is the edge's side of the way to the hub: it collects facts into
// the journals, and sends what is in them until the hub says that it has it. It
// never removes a fact from a journal on a broker's word.
package uplink

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"gengfu/facility"
	"gengfu/gateway/broker"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
)

// Cursor is the name of the journals' cursor that the uplink moves.
const Cursor = "hub"

// DefaultBacklogShare is what samples that have waited may take of the way.
const DefaultBacklogShare = 0.5

// farewell is how long the last status may take when the program ends.
const farewell = 2 * time.Second

// Options are what New needs.
type Options struct {
	Site, Gateway string
	Root          string // first part of all topics
	URL           string // of the broker
	Username      string
	Password      string
	TLS           *tls.Config
	KeepSession   bool                                 // has the broker keep acknowledgements while there is no connection
	Streams       map[facility.Stream]*journal.Journal // with the cursor Cursor
	Version       string
	Clock         Clock         // nil: times are sent as they were taken
	ResendAfter   time.Duration // until an acknowledgement is thought lost; 0 is 3 s
	MinPause      time.Duration // between connections; 0 is 500 ms
	MaxPause      time.Duration // 0 is 30 s
	// Patience is how long the broker may be silent while it owes a confirmation, beside
	// what a thin line needs, before the connection is thought half open; 0 is 10 s.
	Patience time.Duration
	// BacklogShare is how much of the window, and of a limited rate, samples that have
	// waited may take while live ones flow: above 0, up to 1. 0 is 0.5; with 1 all are
	// sent in their order, and live ones wait for those before them.
	BacklogShare float64
	RateLimits   map[facility.Stream]int64 // bytes per second of batches; 0 is no limit
	Logger       *slog.Logger
	Now          func() time.Time // nil is time.Now
}

// StreamStats is one stream for the health page.
type StreamStats struct {
	Gateway      string          `json:"gateway"`
	Stream       facility.Stream `json:"stream"`
	Epoch        string          `json:"epoch"`
	Sent         uint64          `json:"sent"`         // sequence
	Acknowledged uint64          `json:"acknowledged"` // sequence
	QueuedBytes  int64           `json:"queued_bytes"`
	Queued       int64           `json:"queued"` // batches
	Oldest       *time.Time      `json:"oldest"`
	Resent       int64           `json:"resent"`     // batches
	Duplicates   int64           `json:"duplicates"` // batches that the hub had already; the hub counts them
	Dropped      int64           `json:"dropped"`    // batches that were lost, for any reason
	// DroppedBy parts Dropped by reason: the journal was full, damaged, or memory was
	// full while the disk refused.
	DroppedBy map[string]int64 `json:"dropped_by,omitempty"`
	Volatile  int64            `json:"volatile"`           // batches that are in memory only, as the disk refuses
	Vanished  int64            `json:"vanished,omitempty"` // batches that were in memory only when the program before was killed
	Trouble   string           `json:"trouble,omitempty"`  // why it does
	Window    int              `json:"window"`             // batches that may be unacknowledged
	InFlight  int              `json:"in_flight"`          // batches that are
	Runs      int              `json:"runs"`               // 1, and one more for each backlog that was set apart
	Connected bool             `json:"connected"`
}

// Uplink sends the journals of one gateway.
type Uplink struct {
	o       Options
	senders []*sender
	start   time.Time
}

// New checks the options and begins a run of its own in each journal, so that nobody who
// works from a copy of its file gives the same names to other facts. Nothing may have
// been appended since the journals were opened.
func New(o Options) (*Uplink, error) {
	if !payload.ValidID(o.Site) || !payload.ValidID(o.Gateway) {
		return nil, fmt.Errorf("uplink: site %q and gateway %q must be of letters, digits, \"-\", \"_\" and \".\"", o.Site, o.Gateway)
	}
	if err := broker.CheckURL(o.URL); err != nil {
		return nil, fmt.Errorf("uplink: %w", err)
	}
	if !payload.ValidRoot(o.Root) || len(o.Streams) == 0 {
		return nil, fmt.Errorf("uplink: no streams, or the root of topics %q cannot be used", o.Root)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.BacklogShare < 0 || o.BacklogShare > 1 {
		return nil, fmt.Errorf("uplink: a share of %v of the way for a backlog", o.BacklogShare)
	}
	o.BacklogShare = cmp.Or(o.BacklogShare, DefaultBacklogShare)
	o.ResendAfter = cmp.Or(o.ResendAfter, 3*time.Second)
	o.Patience = cmp.Or(o.Patience, 10*time.Second)
	u := &Uplink{o: o, start: o.Now().UTC()}
	for _, stream := range slices.Sorted(maps.Keys(o.Streams)) {
		o.Streams[stream].Split()
		u.senders = append(u.senders, &sender{
			acks: make(chan payload.Ack, 4*maxFlight),
			o:    &u.o, stream: stream, journal: o.Streams[stream],
			log: o.Logger.With("stream", string(stream)), greeted: make(chan struct{}, 1),
			reached: map[string]uint64{},
		})
	}
	return u, nil
}

// Run sends until ctx ends. Each stream has its own connection, so that a backlog
// of samples never stands before an urgent fact.
func (u *Uplink) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(u.senders))
	var running sync.WaitGroup
	for i, s := range u.senders {
		running.Go(func() {
			defer cancel()
			errs[i] = u.maintain(ctx, s, i == len(u.senders)-1)
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// maintain keeps one stream's connection. One of them also speaks for the
// gateway's state.
func (u *Uplink) maintain(ctx context.Context, s *sender, speaks bool) error {
	o := broker.ClientOptions{
		URL:      u.o.URL,
		ClientID: "gengfu-" + u.o.Site + "-" + u.o.Gateway + "-" + string(s.stream),
		Username: u.o.Username, Password: u.o.Password, TLS: u.o.TLS,
		MinPause: u.o.MinPause, MaxPause: u.o.MaxPause,
		Keep: u.o.KeepSession, Expected: map[string]func(broker.Message){s.ackTopic(): s.hear},
		Logger: s.log,
	}
	if speaks {
		will := u.status(payload.Status{State: payload.Offline})
		o.Will = &will
	}
	return broker.Maintain(ctx, o, func(ctx context.Context, c *broker.Connection) error {
		if !speaks {
			return s.serve(ctx, c)
		}
		if err := c.PublishConfirmed(ctx, u.online()); err != nil {
			return err
		}
		err := u.serveSpeaking(ctx, c, s)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
		defer cancel()
		bye := u.status(payload.Status{State: payload.Offline, Since: u.o.Now().UTC(), Version: u.o.Version})
		if ctx.Err() != nil && !errors.Is(context.Cause(ctx), broker.ErrLost) { // the program ends
			err = errors.Join(err, c.PublishConfirmed(last, bye))
		}
		return err
	})
}

func (u *Uplink) online() broker.Message {
	s := payload.Status{State: payload.Online, Since: u.start, Version: u.o.Version}
	if u.o.Clock != nil {
		c := u.o.Clock.State()
		s.Clock, s.Boot, s.Up = string(c.State), c.Boot, c.Up
		if c.Differs != nil {
			s.Differs = *c.Differs
		}
	}
	return u.status(s)
}

func (u *Uplink) status(s payload.Status) broker.Message {
	return broker.Message{
		Topic:   payload.Topic(u.o.Root, u.o.Site, u.o.Gateway, payload.TopicStatus),
		Payload: payload.MarshalControl(s), QoS: 1, Retained: true,
	}
}

// Stats returns the present figures of all streams.
func (u *Uplink) Stats() []StreamStats {
	out := make([]StreamStats, len(u.senders))
	for i, s := range u.senders {
		out[i] = s.stats()
	}
	return out
}
