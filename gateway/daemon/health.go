package daemon

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gengfu/devices"
	"gengfu/facility"
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
	Streams     []uplink.StreamStats   `json:"streams"`
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
	Strays    uint64     `json:"strays"` // of devices that the configuration does not have

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
	Engine string `json:"engine"`
	Error  string `json:"error,omitempty"` // why it cannot be written now
}

func (d *daemon) health() health {
	state := d.clock.State()
	h := health{
		At: state.Time, Version: d.Version, Uptime: time.Since(d.started).Seconds(), Clock: state,
		Streams: []uplink.StreamStats{}, Lines: []devices.LineStatus{}, Consumers: []hub.Consumer{},
		Gateways: []intake.GatewayStats{}, DeadLetters: []intake.DeadLetter{},
	}
	if d.uplink != nil {
		h.Streams = d.uplink.Stats()
		s := d.collector.Stats()
		h.Collector = &s
		h.Lines = d.lines()
	}
	if d.hub == nil {
		return h
	}
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
	h.History.Refused = d.refusals()
	if !st.LastWrite.IsZero() {
		h.History.LastWrite = &st.LastWrite
	}
	j := d.hub.Judgement()
	h.Judge = &j
	h.Ledger = ledgerHealth{Engine: d.ledger.Engine(), Error: j.Trouble}
	return h
}

// addReceived adds what the hub knows of a stream to what its sender knows, if
// that is here too.
func (h *health) addReceived(s intake.StreamStats) {
	for i := range h.Streams {
		if own := &h.Streams[i]; own.Gateway == s.Gateway && own.Stream == s.Stream && journal.Life(own.Epoch) == journal.Life(s.Epoch) {
			own.Duplicates = s.Duplicates
			return
		}
	}
	h.Streams = append(h.Streams, uplink.StreamStats{
		Gateway: s.Gateway, Stream: s.Stream, Epoch: s.Epoch, Acknowledged: s.Acknowledged,
		Duplicates: s.Duplicates, Dropped: s.Dropped, Connected: true,
	})
}

// scraping serves the same figures to Prometheus.
func (d *daemon) scraping() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &figures{d})
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
}

// figures reads the health page's data anew at each scrape.
type figures struct{ d *daemon }

// Describe is empty: what there is depends on the configuration.
func (f *figures) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (f *figures) Collect(out chan<- prometheus.Metric) {
	h := f.d.health()
	m := metrics(func(kind prometheus.ValueType, name, help string, v float64, labels ...string) {
		var names, values []string
		for i := 0; i < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc("gengfu_"+name, help, names, nil), kind, v, values...)
	})
	for _, s := range h.Streams {
		m.stream(s)
	}
	for _, l := range h.Lines {
		m.line(l)
	}
	if h.Collector != nil {
		m.collector(*h.Collector)
	}
	if h.Judge != nil {
		m.hub(h)
	}
}

// metrics puts one figure out; labels are names and values in turn.
type metrics func(kind prometheus.ValueType, name, help string, v float64, labels ...string)

func (m metrics) count(name, help string, v float64, labels ...string) {
	m(prometheus.CounterValue, name, help, v, labels...)
}

func (m metrics) gauge(name, help string, v float64, labels ...string) {
	m(prometheus.GaugeValue, name, help, v, labels...)
}

func (m metrics) stream(s uplink.StreamStats) {
	l := []string{"gateway", s.Gateway, "stream", string(s.Stream), "epoch", s.Epoch}
	m.count("stream_acknowledged_sequence", "Sequence up to which the hub has the stream.", float64(s.Acknowledged), l...)
	m.gauge("stream_queued_bytes", "Bytes in the edge's journal.", float64(s.QueuedBytes), l...)
	m.count("stream_resent_total", "Batches that were sent again.", float64(s.Resent), l...)
	m.count("stream_duplicates_total", "Batches that came again.", float64(s.Duplicates), l...)
	m.count("stream_dropped_total", "Batches that were evicted or damaged.", float64(s.Dropped), l...)
}

func (m metrics) line(l devices.LineStatus) {
	m.gauge("line_up", "Whether the line is open.", oneIf(l.State == devices.LineUp), "line", l.ID)
	m.count("line_requests_total", "Requests on the line.", float64(l.Requests), "line", l.ID)
	m.count("line_timeouts_total", "Requests without a reply.", float64(l.Timeouts), "line", l.ID)
	m.count("line_errors_total", "Garbled replies and exceptions.", float64(l.Errors), "line", l.ID)
	m.gauge("line_utilisation_ratio", "Share of time that the line is busy.", l.Utilisation, "line", l.ID)
}

func (m metrics) collector(c uplink.CollectorStats) {
	m.count("readings_read_total", "Readings that the field brought.", float64(c.Read))
	m.count("readings_journalled_total", "Readings that were made durable at the edge.", float64(c.Journalled))
	for why, n := range c.Dropped {
		m.count("readings_dropped_total", "Readings that were dropped, by reason.", float64(n), "reason", why)
	}
}

func (m metrics) hub(h health) {
	for _, c := range h.Consumers {
		m.gauge("consumer_behind", "Records of the hub's journal that the consumer has yet to read.", float64(c.Behind), "consumer", c.Name)
	}
	for _, g := range h.Gateways {
		m.gauge("gateway_online", "Whether the gateway is connected.", oneIf(g.Online), "gateway", g.ID)
	}
	m.count("history_stored_total", "Readings that the history holds since the start.", float64(h.History.Stored))
	m.count("history_rejected_total", "Readings that the history refused.", float64(h.History.Rejected))
	if r := h.History.Refused; r != nil {
		m.gauge("history_refused_held", "Refused readings that are set aside.", float64(r.Held))
		m.count("history_refused_evicted_total", "Refused readings that made room for newer ones.", float64(r.Evicted))
	}
	m.count("judge_set_aside_total", "Decisions that the ledger refused.", float64(h.Judge.SetAside))
	m.count("judge_late_total", "Readings not newer than the last of their point.", float64(h.Judge.Late))
	m.count("judge_failed_total", "Conditions that failed on their values.", float64(h.Judge.Failed))
	m.count("judge_mistimed_total", "Readings whose time could not be.", float64(h.Judge.Mistimed))
	m.gauge("ledger_up", "Whether the ledger can be written.", oneIf(h.Ledger.Error == ""))
	m.count("strays_total", "Readings of devices that the configuration does not have.", float64(h.History.Strays))
	m.gauge("dead_letters", "Messages that could not be taken and are shown on the health page.", float64(len(h.DeadLetters)))
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

var _ prometheus.Collector = (*figures)(nil)
