package daemon

import (
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gengfu/devices"
	"gengfu/gateway/account"
	"gengfu/gateway/clock"
	"gengfu/gateway/hub"
	"gengfu/gateway/intake"
	"gengfu/gateway/uplink"
)

// scraping serves the figures of the health page to Prometheus.
func (d *daemon) scraping() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &figures{d, described()})
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
}

// described is every metric that there can be; docs/operations.md lists them too.
func described() map[string]metric {
	out := map[string]metric{}
	add := func(kind prometheus.ValueType, name, help string, labels ...string) {
		out[name] = metric{prometheus.NewDesc("gengfu_"+name, help, labels, nil), kind}
	}
	gauge := func(name, help string, labels ...string) { add(prometheus.GaugeValue, name, help, labels...) }
	counter := func(name, help string, labels ...string) { add(prometheus.CounterValue, name, help, labels...) }

	gauge("build_info", "Always 1; the label says which version runs.", "version")
	gauge("chain_state", "Whether the chain from the field to history and judge is in the state: ok, busy or trouble.", "state")
	gauge("chain_finding", "How many things of a kind are not as they should be.", "what")

	counter("facts_read_total", "Readings and taps that were read, since the books of the journals began.")
	counter("facts_delivered_total", "Readings and taps that history and ledger have been given.")
	gauge("facts_queued", "Readings and taps that are durable and on their way.")
	counter("facts_dropped_total", "Readings and taps that were dropped, by reason.", "reason")
	gauge("facts_difference", "facts_read_total less delivered, queued and dropped: 0 unless something is lost unseen.")
	counter("unclean_ends_total", "Times that a process ended without closing its journal.")

	stream := []string{"gateway", "stream"}
	counter("stream_facts_read_total", "Readings and taps of the stream.", stream...)
	counter("stream_facts_delivered_total", "Readings and taps of the stream that are in the hub's journal, or acknowledged where there is no hub here.", stream...)
	gauge("stream_facts_queued", "Readings and taps in the journal of this edge that the hub does not have.", stream...)
	gauge("stream_facts_difference", "What is left when delivered, queued and dropped are taken from read.", stream...)
	gauge("stream_acknowledged_sequence", "Sequence of the newest epoch up to which the hub has the stream.", stream...)
	gauge("stream_sent_sequence", "Sequence up to which the stream was sent.", stream...)
	gauge("stream_queued_bytes", "Bytes in the edge's journal.", stream...)
	gauge("stream_queued_batches", "Batches in the edge's journal.", stream...)
	gauge("stream_oldest_age_seconds", "Age of the oldest batch in the edge's journal; 0 when it is empty.", stream...)
	gauge("stream_window_batches", "Batches that may be unacknowledged.", stream...)
	gauge("stream_in_flight_batches", "Batches that are unacknowledged.", stream...)
	gauge("stream_volatile_batches", "Batches that are in memory only, because the disk refuses them.", stream...)
	gauge("stream_runs", "Runs of the edge's journal: 1, and one for each backlog that was set apart.", stream...)
	gauge("stream_connected", "Whether the stream is connected to the broker.", stream...)
	gauge("stream_journal_up", "Whether the disk takes the edge's journal.", stream...)
	counter("stream_resent_batches_total", "Batches that were sent again.", stream...)
	counter("stream_dropped_batches_total", "Batches that the edge's journal lost, by reason, since the start.", append(slices.Clone(stream), "reason")...)

	counter("collector_readings_total", "Readings that the field brought since the start.")
	counter("collector_journalled_total", "Readings that the edge's journals took since the start.")
	counter("collector_dropped_total", "Readings that were dropped before the edge's journals, by reason.", "reason")
	gauge("collector_waiting_readings", "Readings that are in memory until their batch is full.")
	counter("collector_volatile_total", "Readings and taps that were taken into memory only, because the disk refused.")
	counter("collector_taps_total", "Taps of this edge's readers that were taken since the start.")
	counter("collector_taps_failed_total", "Taps that were not taken; whoever brought them keeps them.")

	gauge("line_up", "Whether the line is open.", "line")
	counter("line_requests_total", "Requests on the line.", "line")
	counter("line_timeouts_total", "Requests without a reply.", "line")
	counter("line_errors_total", "Garbled replies and exceptions.", "line")
	counter("line_opened_total", "Times that the line was opened.", "line")
	gauge("line_utilisation_ratio", "Share of time that the line is busy.", "line")
	gauge("line_planned_ratio", "Share of its time that the configuration asks of the line.", "line")
	device := []string{"line", "device"}
	gauge("device_up", "Whether the device answers; absent until it is known.", device...)
	counter("device_requests_total", "Requests to the device.", device...)
	counter("device_timeouts_total", "Requests that the device did not answer.", device...)
	counter("device_crc_errors_total", "Garbled replies of the device.", device...)
	counter("device_exceptions_total", "Refusals of the device.", device...)
	gauge("device_turnaround_seconds", "Until the device begins to answer, typically; 0 while it is not known.", device...)
	gauge("device_last_seen_timestamp_seconds", "When the device answered last.", device...)

	received := []string{"site", "gateway", "stream"}
	counter("received_batches_total", "Batches that the hub made durable since the start.", received...)
	counter("received_readings_total", "Readings in them.", received...)
	counter("received_taps_total", "Taps in them.", received...)
	counter("received_duplicates_total", "Batches that came again.", received...)
	counter("received_gaps_total", "Batches that came too early.", received...)
	counter("received_missing_batches_total", "Batches that their gateway no longer had.", received...)
	gauge("received_stuck", "Whether the stream sends what this program cannot read.", received...)
	gauge("received_rivals", "Gateways that use this name at once, if more than one.", received...)
	gauge("received_held_sequence", "Sequence up to which people know what is not durable.", received...)
	counter("intake_refused_total", "Messages that were not taken, to be sent again.")
	gauge("intake_up", "Whether the hub makes the stream durable.", "stream")
	gauge("gateway_up", "Whether the gateway is connected.", "gateway")
	gauge("dead_letters", "Messages that could not be taken and are shown.")

	gauge("consumer_position_sequence", "Record of the hub's journal up to which the consumer has come.", "consumer")
	gauge("consumer_behind_records", "Records of the hub's journal that the consumer has yet to read.", "consumer")
	gauge("consumer_behind_facts", "Readings and taps in them.", "consumer")
	gauge("history_up", "Whether the last write to the history went well.", "engine")
	gauge("history_last_write_timestamp_seconds", "When the history was last written; 0 for never since the start.", "engine")
	counter("history_stored_total", "Readings that the history made durable since the start.")
	counter("history_rejected_total", "Readings that the history refused since the start.")
	counter("history_strays_total", "Readings of devices that the configuration does not have.")
	counter("history_damaged_total", "Readings that were found damaged in the history since the start.")
	gauge("history_quarantined", "Refused readings that are set aside.")
	counter("history_quarantine_evicted_total", "Refused readings that made room for newer ones.")
	gauge("ledger_up", "Whether the ledger can be written.", "engine")
	gauge("ledger_last_write_timestamp_seconds", "When the judge last wrote to the ledger; 0 for never since the start.", "engine")
	counter("judge_set_aside_total", "Decisions that the ledger refused.")
	gauge("judge_unwritten", "Decisions that the ledger cannot take now.")
	counter("judge_late_total", "Readings not newer than the last of their point.")
	counter("judge_failed_total", "Conditions that failed on their values.")
	counter("judge_mistimed_total", "Readings whose time could not be.")

	gauge("clock_state", "Whether this machine's clock is in the state.", "state")
	gauge("clock_offset_seconds", "By how much this machine's clock is behind the hub's; absent while it is not known.")
	counter("clock_restamped_batches_total", "Batches that were sent with other times than they were taken with.")
	counter("clock_doubtful_batches_total", "Batches that were sent with times that are not to be relied on.")
	return out
}

// metric is one metric of a name.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

// figures reads the health page's data anew at each scrape.
type figures struct {
	d   *daemon
	all map[string]metric
}

var _ prometheus.Collector = (*figures)(nil)

// Describe implements prometheus.Collector.
func (f *figures) Describe(out chan<- *prometheus.Desc) {
	for _, m := range f.all {
		out <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (f *figures) Collect(out chan<- prometheus.Metric) {
	h := f.d.health()
	set := setter(func(name string, v float64, labels ...string) {
		m := f.all[name]
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
	})
	set("build_info", 1, h.Version)
	set.chain(h)
	set.law(h.Law)
	set.clock(h.Clock)
	for _, s := range h.Streams {
		if s.own {
			set.stream(s.StreamStats, h.At)
		}
	}
	for _, l := range h.Lines {
		set.line(l)
	}
	if h.Collector != nil {
		set.collector(*h.Collector)
	}
	if h.Intake != nil {
		set.intake(h)
		set.sinks(h)
	}
}

// setter puts one figure out.
type setter func(name string, v float64, labels ...string)

func (set setter) chain(h health) {
	for _, s := range []string{"ok", "busy", "trouble"} {
		set("chain_state", oneIf(h.Summary.State == s), s)
	}
	for _, w := range severity {
		n := 0
		for _, f := range h.Summary.All {
			if f.What == w {
				n++
			}
		}
		set("chain_finding", float64(n), string(w))
	}
}

func (set setter) law(l account.Law) {
	set("facts_read_total", float64(l.Read))
	set("facts_delivered_total", float64(l.Delivered))
	set("facts_queued", float64(l.Queued))
	for _, why := range account.Reasons {
		set("facts_dropped_total", float64(l.DroppedBy[why]), why)
	}
	set("facts_difference", float64(l.Difference))
	set("unclean_ends_total", float64(l.Kills))
	for _, s := range l.Streams {
		if s.Own {
			set("stream_facts_read_total", float64(s.Read), s.Gateway, s.Stream)
			set("stream_facts_delivered_total", float64(s.Delivered), s.Gateway, s.Stream)
			set("stream_facts_queued", float64(s.Queued), s.Gateway, s.Stream)
			set("stream_facts_difference", float64(s.Difference), s.Gateway, s.Stream)
		}
	}
	if l.History != nil {
		set("consumer_behind_facts", float64(l.History.Queued), hub.CursorHistory)
		set("consumer_behind_facts", float64(l.Judge.Queued), hub.CursorJudge)
	}
}

func (set setter) clock(c clock.State) {
	for _, s := range []clock.Condition{clock.Synchronised, clock.Unsynchronised, clock.ByHub, clock.Stepped, clock.Drifting, clock.Unknown} {
		set("clock_state", oneIf(c.State == s), string(s))
	}
	if c.Differs != nil {
		set("clock_offset_seconds", *c.Differs)
	}
	set("clock_restamped_batches_total", float64(c.Restamped))
	set("clock_doubtful_batches_total", float64(c.Doubtful))
}

func (set setter) stream(s uplink.StreamStats, now time.Time) {
	l := []string{s.Gateway, string(s.Stream)}
	age := 0.0
	if s.Oldest != nil {
		age = max(0, now.Sub(*s.Oldest).Seconds())
	}
	set("stream_acknowledged_sequence", float64(s.Acknowledged), l...)
	set("stream_sent_sequence", float64(s.Sent), l...)
	set("stream_queued_bytes", float64(s.QueuedBytes), l...)
	set("stream_queued_batches", float64(s.Queued), l...)
	set("stream_oldest_age_seconds", age, l...)
	set("stream_window_batches", float64(s.Window), l...)
	set("stream_in_flight_batches", float64(s.InFlight), l...)
	set("stream_volatile_batches", float64(s.Volatile), l...)
	set("stream_runs", float64(s.Runs), l...)
	set("stream_connected", oneIf(s.Connected), l...)
	set("stream_journal_up", oneIf(s.Trouble == ""), l...)
	set("stream_resent_batches_total", float64(s.Resent), l...)
	for why, n := range s.DroppedBy {
		set("stream_dropped_batches_total", float64(n), l[0], l[1], why)
	}
}

func (set setter) line(l devices.LineStatus) {
	set("line_up", oneIf(l.State == devices.LineUp), l.ID)
	set("line_requests_total", float64(l.Requests), l.ID)
	set("line_timeouts_total", float64(l.Timeouts), l.ID)
	set("line_errors_total", float64(l.Errors), l.ID)
	set("line_opened_total", float64(l.Opened), l.ID)
	set("line_utilisation_ratio", l.Utilisation, l.ID)
	set("line_planned_ratio", l.Planned, l.ID)
	for _, d := range l.Devices {
		if d.Online != nil {
			set("device_up", oneIf(*d.Online), l.ID, d.ID)
		}
		set("device_requests_total", float64(d.Requests), l.ID, d.ID)
		set("device_timeouts_total", float64(d.Timeouts), l.ID, d.ID)
		set("device_crc_errors_total", float64(d.Garbled), l.ID, d.ID)
		set("device_exceptions_total", float64(d.Exceptions), l.ID, d.ID)
		set("device_turnaround_seconds", d.Turnaround/1000, l.ID, d.ID)
		set("device_last_seen_timestamp_seconds", stamp(d.LastSeen), l.ID, d.ID)
	}
}

func (set setter) collector(c uplink.CollectorStats) {
	set("collector_readings_total", float64(c.Read))
	set("collector_journalled_total", float64(c.Journalled))
	for _, why := range []string{uplink.DropInvalid, uplink.DropFull, uplink.DropDisk} {
		set("collector_dropped_total", float64(c.Dropped[why]), why)
	}
	set("collector_waiting_readings", float64(c.Waiting))
	set("collector_volatile_total", float64(c.Volatile))
	set("collector_taps_total", float64(c.Taps))
	set("collector_taps_failed_total", float64(c.TapsFailed))
}

func (set setter) intake(h health) {
	for _, s := range h.Intake.Streams {
		set.received(s)
	}
	set("intake_refused_total", float64(h.Intake.Refused))
	for _, s := range []string{"telemetry", "urgent"} {
		set("intake_up", oneIf(h.Intake.Trouble[s] == ""), s)
	}
	for _, g := range h.Gateways {
		set("gateway_up", oneIf(g.Online), g.ID)
	}
	set("dead_letters", float64(len(h.DeadLetters)))
}

func (set setter) received(s intake.StreamStats) {
	l := []string{s.Site, s.Gateway, string(s.Stream)}
	set("received_batches_total", float64(s.Batches), l...)
	set("received_readings_total", float64(s.Readings), l...)
	set("received_taps_total", float64(s.Taps), l...)
	set("received_duplicates_total", float64(s.Duplicates), l...)
	set("received_gaps_total", float64(s.Gaps), l...)
	set("received_missing_batches_total", float64(s.Dropped), l...)
	set("received_stuck", oneIf(s.Stuck != ""), l...)
	set("received_rivals", float64(len(s.Rivals)+len(s.Copies)), l...)
	set("received_held_sequence", float64(s.Held), l...)
}

func (set setter) sinks(h health) {
	for _, c := range h.Consumers {
		set("consumer_position_sequence", float64(c.Position), c.Name)
		set("consumer_behind_records", float64(c.Behind), c.Name)
	}
	set("history_up", oneIf(h.History.Error == ""), h.History.Engine)
	set("history_last_write_timestamp_seconds", stamp(h.History.LastWrite), h.History.Engine)
	set("history_stored_total", float64(h.History.Stored))
	set("history_rejected_total", float64(h.History.Rejected))
	set("history_strays_total", float64(h.History.Strays))
	set("history_damaged_total", float64(h.History.Damaged))
	if r := h.History.Refused; r != nil {
		set("history_quarantined", float64(r.Held))
		set("history_quarantine_evicted_total", float64(r.Evicted))
	}
	set("ledger_up", oneIf(h.Ledger.Error == ""), h.Ledger.Engine)
	set("ledger_last_write_timestamp_seconds", stamp(h.Ledger.LastWrite), h.Ledger.Engine)
	set("judge_set_aside_total", float64(h.Judge.SetAside))
	set("judge_unwritten", float64(h.Judge.Unwritten))
	set("judge_late_total", float64(h.Judge.Late))
	set("judge_failed_total", float64(h.Judge.Failed))
	set("judge_mistimed_total", float64(h.Judge.Mistimed))
}

// stamp is a time as Prometheus writes it; 0 for none.
func stamp(t *time.Time) float64 {
	if t == nil || t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
