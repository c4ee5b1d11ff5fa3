package daemon

import (
	"context"
	"time"

	"gengfu/devices"
	"gengfu/facility"
	"gengfu/gateway/account"
	"gengfu/gateway/clock"
	"gengfu/gateway/hub"
	"gengfu/gateway/intake"
	"gengfu/gateway/journal"
	"gengfu/gateway/uplink"
)

// health is the health page's data, as docs/api.md says.
type health struct {
	At          time.Time              `json:"at"`
	Version     string                 `json:"version"`
	Uptime      float64                `json:"uptime"` // seconds
	Memory      int64                  `json:"memory"` // bytes of this process; 0 where the system does not say
	Summary     summary                `json:"summary"`
	Law         account.Law            `json:"law"`
	Streams     []streamHealth         `json:"streams"`
	Collector   *uplink.CollectorStats `json:"collector,omitempty"`
	Lines       []devices.LineStatus   `json:"lines"`
	Consumers   []hub.Consumer         `json:"consumers"`
	Judge       *hub.Judgement         `json:"judge,omitempty"`
	History     historyHealth          `json:"history"`
	Ledger      ledgerHealth           `json:"ledger"`
	Gateways    []intake.GatewayStats  `json:"gateways"`
	Intake      *intakeHealth          `json:"intake,omitempty"`
	DeadLetters []intake.DeadLetter    `json:"dead_letters"`
	Clock       clock.State            `json:"clock"`
}

// streamHealth is a stream as its sender knows it, or the hub.
type streamHealth struct {
	uplink.StreamStats
	own bool // it is sent from here
}

// intakeHealth is what the hub says of all streams that come to it.
type intakeHealth struct {
	Streams []intake.StreamStats `json:"streams"`
	Refused int64                `json:"refused"` // groups that were not taken, to be sent again
	Trouble map[string]string    `json:"trouble"` // why nothing is made durable, by stream
	Hubs    []intake.Peer        `json:"hubs"`    // others that take the same site: one too many
}

type historyHealth struct {
	Engine    string     `json:"engine"`
	LastWrite *time.Time `json:"last_write"`
	Error     string     `json:"error,omitempty"`
	Stored    uint64     `json:"stored"`
	Rejected  uint64     `json:"rejected"`
	Strays    uint64     `json:"strays"`  // of devices that the configuration does not have
	Damaged   uint64     `json:"damaged"` // readings that were found damaged in what is stored
	Damage    string     `json:"damage,omitempty"`

	// Refused are the readings that are set aside, from this start and before.
	Refused *refusedHealth `json:"refused,omitempty"`
}

type refusedHealth struct {
	Held    int            `json:"held"`
	Evicted uint64         `json:"evicted"` // made room for newer ones
	Causes  []refusedCause `json:"causes"`
}

type refusedCause struct {
	Why    string           `json:"why"`
	Held   int              `json:"held"`
	Oldest time.Time        `json:"oldest"`
	Newest time.Time        `json:"newest"`
	Point  facility.PointID `json:"point"` // one of them
}

// refusals says what of the history's readings is set aside.
func (d *daemon) refusals() *refusedHealth {
	st, err := d.refused.Stats(context.Background())
	if err != nil {
		d.Logger.Warn("cannot count what the history refused", "error", err)
		return nil
	}
	out := &refusedHealth{Held: st.Held, Evicted: st.Evicted, Causes: []refusedCause{}}
	for _, c := range st.Causes {
		out.Causes = append(out.Causes, refusedCause(c))
	}
	return out
}

type ledgerHealth struct {
	Engine    string     `json:"engine"`
	LastWrite *time.Time `json:"last_write"`      // of what was judged
	Error     string     `json:"error,omitempty"` // why it cannot be written now
}

func (d *daemon) health() health {
	state := d.clock.State()
	h := health{
		At: state.Time, Version: d.Version, Uptime: time.Since(d.started).Seconds(), Clock: state,
		Memory: resident(), Streams: []streamHealth{}, Lines: []devices.LineStatus{}, Consumers: []hub.Consumer{},
		Gateways: []intake.GatewayStats{}, DeadLetters: []intake.DeadLetter{},
	}
	if d.uplink != nil {
		for _, s := range d.uplink.Stats() {
			h.Streams = append(h.Streams, streamHealth{StreamStats: s, own: true})
		}
		s := d.collector.Stats()
		h.Collector = &s
		h.Lines = d.lines()
	}
	h.Law = d.law()
	if d.hub != nil {
		d.addHub(&h)
	}
	h.Summary = d.watch.look(h, d.zone())
	return h
}

// addHub adds what the hub knows.
func (d *daemon) addHub(h *health) {
	in := d.intake.Stats()
	h.Gateways = append(h.Gateways, in.Gateways...)
	h.DeadLetters = append(h.DeadLetters, in.Dead...)
	h.Intake = &intakeHealth{Streams: in.Streams, Refused: in.Refused, Trouble: in.Trouble, Hubs: in.Hubs}
	for _, s := range in.Streams {
		h.addReceived(s)
	}
	h.Consumers = d.hub.Consumers()
	st := d.history.Stats()
	h.History = historyHealth{Engine: st.Engine, Error: st.Error, Stored: st.Stored, Rejected: st.Rejected, Strays: d.hub.Strays()}
	h.History.Damaged, h.History.Damage = st.Damaged, st.Damage
	h.History.Refused = d.refusals()
	if !st.LastWrite.IsZero() {
		h.History.LastWrite = &st.LastWrite
	}
	j := d.hub.Judgement()
	h.Judge = &j
	h.Ledger = ledgerHealth{Engine: d.ledger.Engine(), Error: j.Trouble, LastWrite: j.LastWrite}
}

// addReceived adds what the hub knows of a stream to what its sender knows, if
// that is here too.
func (h *health) addReceived(s intake.StreamStats) {
	for i := range h.Streams {
		if own := &h.Streams[i]; own.own && own.Gateway == s.Gateway && own.Stream == s.Stream && journal.Life(own.Epoch) == journal.Life(s.Epoch) {
			own.Duplicates = s.Duplicates
			return
		}
	}
	h.Streams = append(h.Streams, streamHealth{StreamStats: uplink.StreamStats{
		Gateway: s.Gateway, Stream: s.Stream, Epoch: s.Epoch, Acknowledged: s.Acknowledged,
		Duplicates: s.Duplicates, Dropped: s.Dropped, Connected: true,
	}})
}
