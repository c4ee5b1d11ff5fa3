package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gengfu/facility"
	"gengfu/gateway/bench/figure"
	"gengfu/gateway/hub"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
	"gengfu/rules"
	"gengfu/storage/history/embedded"
	"gengfu/storage/ledger"
)

// A recorded story: one fault, sent so often, flooded those who were to mend it. See
// keephq/keep#4766.
const faultSent = 23_696

// faultRealarm is how often people may be told again in these measurements.
const faultRealarm = 10 * time.Minute

// measureFaults plays faults that come again and again through the whole hub: journal,
// judge, ledger, notices. Each time is a rising edge: a bit that is said to be 1 again
// without a 0 between is the same occurrence.
func measureFaults(_ plan, out io.Writer) ([]figure.Figure, error) {
	ctx := context.Background()
	sent, err := playFault(ctx, faultSent, 10*time.Second)
	if err != nil {
		return nil, err
	}
	flapped, err := playFault(ctx, 500, time.Hour/500)
	if err != nil {
		return nil, err
	}
	for _, f := range []faultPlayed{sent, flapped} {
		fmt.Fprintf(out, "Faults: %d times in %s: %d orders that count %d, %d alarms that count %d, %d lines of history about it, %d notices; judged and kept in %s\n",
			f.times, f.within, f.orders, f.counted, f.alarms, f.alarmed, f.lines, len(f.told), f.spent.Round(time.Millisecond))
	}
	note := "a fault bit that comes and goes, through journal, judge and ledger"
	return []figure.Figure{
		figure.AtMost("fault_23696_orders", float64(sent.orders), "orders", 1, 0, note),
		figure.AtMost("fault_23696_miscounted", float64(sent.miscounted()), "times", 0, 0, "off from 23,696, on the alarm and on its order"),
		figure.AtMost("fault_23696_lines", float64(sent.lines), "lines", float64(sent.within/faultRealarm+1), 0, "of the order's history, one in each re-alarm time of 10 min"),
		figure.AtMost("flapping_orders", float64(flapped.orders), "orders", 1, 0, "500 times in an hour"),
		figure.AtMost("flapping_miscounted", float64(flapped.miscounted()), "times", 0, 0, "off from 500, on the alarm and on its order"),
		figure.AtMost("flapping_told", float64(flapped.mostTold()), "notices", 1, 0, "in any one re-alarm time of 10 min"),
	}, nil
}

// faultPlayed is what became of a fault that came so many times.
type faultPlayed struct {
	times           int
	within, spent   time.Duration
	alarms, alarmed int // and how often they count it
	orders, counted int // and how often they count it
	lines           int // of their history about the fault coming again
	told            []time.Time
}

// miscounted is how far off the counts are.
func (f faultPlayed) miscounted() int {
	off := func(n int) int { return max(n-f.times, f.times-n) }
	return off(f.alarmed) + off(f.counted)
}

// mostTold is how often people were told at most within one re-alarm time.
func (f faultPlayed) mostTold() (most int) {
	for i, from := range f.told {
		n := 0
		for _, at := range f.told[i:] {
			if at.Sub(from) < faultRealarm {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// playFault sends a fault so many times, one each period, as it would come from a
// gateway that was cut off for that time, and returns what the ledger holds then.
func playFault(ctx context.Context, times int, each time.Duration) (f faultPlayed, err error) {
	dir, err := os.MkdirTemp("", "gengfu-bench-")
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	e := faultEstate()
	l, err := ledger.Open(ctx, filepath.Join(dir, "ledger.db"), ledger.Options{Site: e.Site})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	j, err := journal.Open(filepath.Join(dir, "journal.db"), journal.Options{Cursors: hub.Cursors})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	f.times, f.within = times, time.Duration(times)*each
	last, err := sendFault(ctx, j, times, each)
	if err != nil {
		return f, err
	}
	begin := time.Now()
	if err := judgeAll(ctx, dir, e, faultRules(), l, j, last); err != nil {
		return f, err
	}
	f.spent = time.Since(begin)
	return f, f.read(ctx, l)
}

var faultPoint = facility.PointID{Device: "pump-1", Quantity: "fault"}

func faultEstate() facility.Estate {
	return facility.Estate{
		Site: facility.Site{ID: "bench", Zone: time.FixedZone("CST", 8*3600)},
		Devices: []facility.Device{{
			ID: "pump-1", Kind: "pump", Name: facility.Text{ZH: "1号泵", EN: "Pump 1"},
			Points: []facility.Point{{ID: faultPoint, Kind: facility.Signal}},
		}},
	}
}

// sendFault puts the fault's bits into the hub's journal, each in a batch of its own,
// and returns the sequence of the last.
func sendFault(ctx context.Context, j *journal.Journal, times int, each time.Duration) (last uint64, err error) {
	const together = 1000 // records in one write of the journal
	from := time.Now().Add(-time.Duration(times+1) * each).Truncate(time.Second).UTC()
	var records [][]byte
	for n := range 2 * times {
		r := facility.Reading{Point: faultPoint, Time: from.Add(time.Duration(n) * each / 2), Value: float64((n + 1) % 2), Quality: facility.Good}
		body, err := payload.AppendReadings(nil, []facility.Reading{r})
		if err != nil {
			return 0, err
		}
		head := payload.Header{Site: "bench", Gateway: "gw1", Stream: facility.Urgent, Epoch: "e", Seq: uint64(n + 1)}
		records = append(records, payload.Wrap(head, body))
		if len(records) == together || n == 2*times-1 {
			if last, err = j.Append(ctx, records...); err != nil {
				return 0, fmt.Errorf("fill the journal: %w", err)
			}
			records = records[:0]
		}
	}
	return last, nil
}

func faultRules() []rules.Rule {
	return []rules.Rule{{
		ID: "pump-fault", Name: facility.Text{ZH: "故障", EN: "fault"}, Priority: facility.P2, When: "fault", Realarm: faultRealarm,
	}}
}

// judgeAll runs a hub until it has judged, kept and told all that is in the journal.
func judgeAll(ctx context.Context, dir string, e facility.Estate, rs []rules.Rule, l *ledger.Ledger, j *journal.Journal, last uint64) (err error) {
	store, err := embedded.Open(ctx, embedded.Options{Path: filepath.Join(dir, "history.db")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	engine, problems := rules.Compile(rs, e)
	if len(problems) > 0 {
		return problems[0]
	}
	h := hub.New(hub.Options{
		Estate: e, Rules: engine, Ledger: l, History: store, Journal: j,
		Quiet: func() bool { return true }, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(h.Ready()) > 0 || j.Cursor(hub.CursorJudge) < last {
		select {
		case <-tick.C:
		case err := <-ended:
			cancel()
			return fmt.Errorf("the hub ended early: %w", err)
		}
	}
	cancel()
	return <-ended
}

// read takes from the ledger what became of the fault.
func (f *faultPlayed) read(ctx context.Context, l *ledger.Ledger) error {
	alarms, err := l.Alarms(ctx, facility.AlarmFilter{})
	if err != nil {
		return err
	}
	for _, a := range alarms {
		f.alarms++
		f.alarmed += a.Count
	}
	orders, err := l.Orders(ctx, facility.OrderFilter{})
	if err != nil {
		return err
	}
	for _, o := range orders {
		f.orders++
		f.counted += o.Count
		events, err := l.OrderEvents(ctx, o.ID)
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.Action == facility.OrderRecur {
				f.lines++
			}
		}
	}
	page := facility.Page{Limit: 1000}
	for {
		notices, err := l.Notices(ctx, page)
		if err != nil {
			return err
		}
		for _, n := range notices {
			f.told = append(f.told, n.At)
		}
		if len(notices) < page.Limit {
			break
		}
		page.Before = notices[len(notices)-1].ID
	}
	slices.SortFunc(f.told, time.Time.Compare)
	if len(f.told) == 0 {
		return errors.New("nobody was told of the fault")
	}
	return nil
}
