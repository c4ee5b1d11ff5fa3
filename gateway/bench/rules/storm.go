package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"gengfu/facility"
	"gengfu/gateway/bench/figure"
	"gengfu/gateway/hub"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
	"gengfu/rules"
	"gengfu/storage/ledger"
)

// A storm is the mains lost with so many devices behind it, each of which is offline and
// has a fault: 500 alarms, within less than the time in which alarms are told together.
const (
	stormDevices = 250
	stormLasts   = 14 * time.Second
)

// measureStorm plays the loss of the mains through the whole hub, each time in another
// order of arrival, and takes the worst.
func measureStorm(p plan, out io.Writer) ([]figure.Figure, error) {
	var worst storm
	worst.suppressed = 2 * stormDevices
	for n := range p.windows {
		s, err := playStorm(context.Background(), uint64(n))
		if err != nil {
			return nil, err
		}
		worst.orders, worst.notices = max(worst.orders, s.orders), max(worst.notices, s.notices)
		worst.suppressed, worst.spent = min(worst.suppressed, s.suppressed), max(worst.spent, s.spent)
	}
	fmt.Fprintf(out, "Storm: %d times mains loss with %d alarms behind it in any order: at most %d orders and %d notices, at least %d suppressed; judged and kept in %s at most\n",
		p.windows, 2*stormDevices, worst.orders, worst.notices, worst.suppressed, worst.spent.Round(time.Millisecond))
	note := "mains loss with 500 alarms behind it, in any order of arrival, through journal, judge and ledger"
	return []figure.Figure{
		figure.AtMost("storm_orders", float64(worst.orders), "orders", 1, 0, note),
		figure.AtMost("storm_notices", float64(worst.notices), "notices", 3, 0, note),
		figure.AtLeast("storm_suppressed", float64(worst.suppressed), "alarms", 2*stormDevices, 0, "of 500, with the mains as their cause"),
	}, nil
}

// storm is what became of one.
type storm struct {
	orders, notices, suppressed int
	spent                       time.Duration
}

func playStorm(ctx context.Context, seed uint64) (s storm, err error) {
	dir, err := os.MkdirTemp("", "gengfu-bench-")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	e := stormEstate()
	l, err := ledger.Open(ctx, filepath.Join(dir, "ledger.db"), ledger.Options{Site: e.Site})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	j, err := journal.Open(filepath.Join(dir, "journal.db"), journal.Options{Cursors: hub.Cursors})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	last, err := sendStorm(ctx, j, e, seed)
	if err != nil {
		return s, err
	}
	begin := time.Now()
	if err := judgeAll(ctx, dir, e, stormRules(), l, j, last); err != nil {
		return s, err
	}
	s.spent = time.Since(begin)
	return s, s.read(ctx, l)
}

func (s *storm) read(ctx context.Context, l *ledger.Ledger) error {
	orders, err := l.Orders(ctx, facility.OrderFilter{Page: facility.Page{Limit: 1000}})
	if err != nil {
		return err
	}
	notices, err := l.Notices(ctx, facility.Page{Limit: 1000})
	if err != nil {
		return err
	}
	holds, err := l.AlarmHolds(ctx)
	if err != nil {
		return err
	}
	s.orders, s.notices = len(orders), len(notices)
	for _, h := range holds {
		if h.Kind == facility.AlarmSuppressed && h.Cause == "mains-lost/mains" {
			s.suppressed++
		}
	}
	return nil
}

func stormEstate() facility.Estate {
	e := facility.Estate{Site: facility.Site{ID: "bench", Zone: time.FixedZone("CST", 8*3600)}}
	for n := range stormDevices + 1 {
		d := facility.Device{ID: fmt.Sprintf("d%03d", n), Kind: "pump", Line: fmt.Sprintf("line-%d", n/50), DependsOn: []string{"mains"}}
		if n == stormDevices {
			d = facility.Device{ID: "mains", Kind: "electricity_meter"}
		}
		d.Name = facility.Text{ZH: d.ID, EN: d.ID}
		for _, quantity := range []string{"lost", "fault"} {
			d.Points = append(d.Points, facility.Point{ID: facility.PointID{Device: d.ID, Quantity: quantity}, Kind: facility.Signal})
		}
		e.Devices = append(e.Devices, d)
	}
	return e
}

func stormRules() []rules.Rule {
	name := facility.Text{ZH: "异常", EN: "trouble"}
	return []rules.Rule{
		{ID: "mains-lost", Name: name, Priority: facility.P1, For: rules.Selector{Kinds: []string{"electricity_meter"}}, When: "lost", Downs: rules.DownsSupply},
		{ID: "offline", Name: name, Priority: facility.P3, For: rules.Selector{Kinds: []string{"pump"}}, When: "lost", Downs: rules.DownsDevice},
		{ID: "fault", Name: name, Priority: facility.P2, For: rules.Selector{Kinds: []string{"pump"}}, When: "fault"},
	}
}

// sendStorm puts the storm of a minute ago into the hub's journal, a batch for each bit,
// and at last one that says only that it is now.
func sendStorm(ctx context.Context, j *journal.Journal, e facility.Estate, seed uint64) (last uint64, err error) {
	chance := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // the same at each run
	var bits []facility.PointID
	for _, d := range e.Devices {
		for _, p := range d.Points {
			if d.ID != "mains" || p.ID.Quantity == "lost" {
				bits = append(bits, p.ID)
			}
		}
	}
	chance.Shuffle(len(bits), func(a, b int) { bits[a], bits[b] = bits[b], bits[a] })
	from := time.Now().Add(-2 * time.Minute).UTC()
	readings := make([]facility.Reading, 0, len(bits)+1)
	for n, id := range bits {
		at := from.Add(stormLasts * time.Duration(n) / time.Duration(len(bits)))
		readings = append(readings, facility.Reading{Point: id, Time: at, Value: 1, Quality: facility.Good})
	}
	readings = append(readings, facility.Reading{Point: bits[0], Time: from.Add(time.Minute), Value: 1, Quality: facility.Good})
	var records [][]byte
	for n, r := range readings {
		body, err := payload.AppendReadings(nil, []facility.Reading{r})
		if err != nil {
			return 0, err
		}
		records = append(records, payload.Wrap(payload.Header{Site: "bench", Gateway: "gw1", Stream: facility.Urgent, Epoch: "e", Seq: uint64(n + 1)}, body))
	}
	if last, err = j.Append(ctx, records...); err != nil {
		return 0, fmt.Errorf("fill the journal: %w", err)
	}
	return last, nil
}
