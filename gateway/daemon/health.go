package daemon

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gengfu/devices"
	"gengfu/gateway/hub"
	"gengfu/gateway/intake"
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
	History     historyHealth          `json:"history"`
	Ledger      ledgerHealth           `json:"ledger"`
	Gateways    []intake.GatewayStats  `json:"gateways"`
	DeadLetters []intake.DeadLetter    `json:"dead_letters"`
}

type historyHealth struct {
	Engine    string     `json:"engine"`
	LastWrite *time.Time `json:"last_write"`
	Error     string     `json:"error,omitempty"`
	Stored    uint64     `json:"stored"`
	Rejected  uint64     `json:"rejected"`
}

type ledgerHealth struct {
	Engine string `json:"engine"`
}

func (d *daemon) health() health {
	now := time.Now()
	h := health{
		At: now.UTC(), Version: d.Version, Uptime: now.Sub(d.started).Seconds(),
		Streams: []uplink.StreamStats{}, Lines: []devices.LineStatus{}, Consumers: []hub.Consumer{},
		Gateways: []intake.GatewayStats{}, DeadLetters: []intake.DeadLetter{},
	}
	if d.uplink != nil {
		h.Streams = d.uplink.Stats()
		s := d.collector.Stats()
		h.Collector = &s
		h.Lines = d.field.Status()
	}
	if d.hub == nil {
		return h
	}
	in := d.intake.Stats()
	h.Gateways = append(h.Gateways, in.Gateways...)
	h.DeadLetters = append(h.DeadLetters, in.Dead...)
	for _, s := range in.Streams {
		h.addReceived(s)
	}
	h.Consumers = d.hub.Consumers()
	st := d.history.Stats()
	h.History = historyHealth{Engine: st.Engine, Error: st.Error, Stored: st.Stored, Rejected: st.Rejected}
	if !st.LastWrite.IsZero() {
		h.History.LastWrite = &st.LastWrite
	}
	h.Ledger.Engine = d.ledger.Engine()
	return h
}

// addReceived adds what the hub knows of a stream to what its sender knows, if
// that is here too.
func (h *health) addReceived(s intake.StreamStats) {
	for i := range h.Streams {
		if own := &h.Streams[i]; own.Gateway == s.Gateway && own.Stream == s.Stream && own.Epoch == s.Epoch {
			own.Duplicates = s.Duplicates
			return
		}
	}
	h.Streams = append(h.Streams, uplink.StreamStats{
		Gateway: s.Gateway, Stream: s.Stream, Epoch: s.Epoch, Acknowledged: s.Acknowledged,
		Duplicates: s.Duplicates, Dropped: s.Dropped, Connected: true,
	})
}

// metrics serves the same figures to Prometheus.
func (d *daemon) metrics() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &figures{d})
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
}

// figures reads the health page's data anew at each scrape.
type figures struct{ d *daemon }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("gengfu_"+name, help, labels, nil)
}

// Describe is empty: what there is depends on the configuration.
func (f *figures) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (f *figures) Collect(out chan<- prometheus.Metric) {
	h := f.d.health()
	put := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	for _, s := range h.Streams {
		l := []string{s.Gateway, string(s.Stream), s.Epoch}
		put(desc("stream_acknowledged_sequence", "Sequence up to which the hub has the stream.", "gateway", "stream", "epoch"), prometheus.CounterValue, float64(s.Acknowledged), l...)
		put(desc("stream_queued_bytes", "Bytes in the edge's journal.", "gateway", "stream", "epoch"), prometheus.GaugeValue, float64(s.QueuedBytes), l...)
		put(desc("stream_resent_total", "Batches that were sent again.", "gateway", "stream", "epoch"), prometheus.CounterValue, float64(s.Resent), l...)
		put(desc("stream_duplicates_total", "Batches that came again.", "gateway", "stream", "epoch"), prometheus.CounterValue, float64(s.Duplicates), l...)
		put(desc("stream_dropped_total", "Batches that were evicted or damaged.", "gateway", "stream", "epoch"), prometheus.CounterValue, float64(s.Dropped), l...)
	}
	for _, l := range h.Lines {
		up := 0.0
		if l.State == devices.LineUp {
			up = 1
		}
		put(desc("line_up", "Whether the line is open.", "line"), prometheus.GaugeValue, up, l.ID)
		put(desc("line_requests_total", "Requests on the line.", "line"), prometheus.CounterValue, float64(l.Requests), l.ID)
		put(desc("line_timeouts_total", "Requests without a reply.", "line"), prometheus.CounterValue, float64(l.Timeouts), l.ID)
		put(desc("line_errors_total", "Garbled replies and exceptions.", "line"), prometheus.CounterValue, float64(l.Errors), l.ID)
		put(desc("line_utilisation_ratio", "Share of time that the line is busy.", "line"), prometheus.GaugeValue, l.Utilisation, l.ID)
	}
	if c := h.Collector; c != nil {
		put(desc("readings_read_total", "Readings that the field brought."), prometheus.CounterValue, float64(c.Read))
		put(desc("readings_journalled_total", "Readings that were made durable at the edge."), prometheus.CounterValue, float64(c.Journalled))
		for why, n := range c.Dropped {
			put(desc("readings_dropped_total", "Readings that were dropped, by reason.", "reason"), prometheus.CounterValue, float64(n), why)
		}
	}
	for _, c := range h.Consumers {
		put(desc("consumer_behind", "Records of the hub's journal that the consumer has yet to read.", "consumer"), prometheus.GaugeValue, float64(c.Behind), c.Name)
	}
	for _, g := range h.Gateways {
		online := 0.0
		if g.Online {
			online = 1
		}
		put(desc("gateway_online", "Whether the gateway is connected.", "gateway"), prometheus.GaugeValue, online, g.ID)
	}
	put(desc("history_stored_total", "Readings that the history holds since the start."), prometheus.CounterValue, float64(h.History.Stored))
	put(desc("history_rejected_total", "Readings that the history refused."), prometheus.CounterValue, float64(h.History.Rejected))
	put(desc("dead_letters", "Messages that could not be taken and are shown on the health page."), prometheus.GaugeValue, float64(len(h.DeadLetters)))
}

var _ prometheus.Collector = (*figures)(nil)
