package backtest_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/backtest"
)

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// estate has two pumps whose quantities have no unit, so that whatever is drawn may
// stand beside whatever else.
func estate() facility.Estate {
	e := facility.Estate{Site: facility.Site{ID: "test", Zone: time.UTC}}
	for _, id := range []string{"pump-1", "pump-2"} {
		d := facility.Device{ID: id, Kind: "pump", Name: facility.Text{ZH: id, EN: id}}
		for quantity, kind := range map[string]facility.PointKind{"fault": facility.Signal, "running": facility.Signal, "pressure": facility.Measure, "starts": facility.Counter} {
			d.Points = append(d.Points, facility.Point{ID: facility.PointID{Device: id, Quantity: quantity}, Kind: kind})
		}
		slices.SortFunc(d.Points, func(a, b facility.Point) int { return len(a.ID.Quantity) - len(b.ID.Quantity) })
		e.Devices = append(e.Devices, d)
	}
	return e
}

func rule(id string, r rules.Rule) rules.Rule {
	r.ID, r.Name, r.Priority = id, facility.Text{ZH: "异常", EN: "trouble"}, facility.P2
	r.For = rules.Selector{Kinds: []string{"pump"}}
	return r
}

func reading(point string, at time.Duration, value float64) facility.Reading {
	id, err := facility.ParsePointID(point)
	if err != nil {
		panic(err)
	}
	return facility.Reading{Point: id, Time: start.Add(at), Value: value, Quality: facility.Good}
}

func backtested(t testing.TB, from time.Duration, rs []rules.Rule, readings ...facility.Reading) backtest.Result {
	t.Helper()
	r, problems := backtest.New(backtest.Settings{Rules: rs, Estate: estate(), Begin: start, From: start.Add(from)})
	if problems != nil {
		t.Fatal(problems)
	}
	r.Take(readings)
	return r.End(start.Add(240 * time.Hour))
}

// TestOccurrencesAndOrders: a fault makes an order, one that comes again within a day
// opens it again, one that comes later makes another; what was before From is not
// counted.
func TestOccurrencesAndOrders(t *testing.T) {
	rs := []rules.Rule{rule("r", rules.Rule{When: "fault", Order: rules.OrderPolicy{Category: "pump"}}), rule("q", rules.Rule{When: "running"})}
	silent := reading("pump-1/running", 30*time.Hour, 0)
	silent.Quality, silent.Reason = facility.Bad, facility.NoAnswer
	bit := func(at time.Duration, v float64) facility.Reading { return reading("pump-1/fault", at, v) }
	h := time.Hour
	r := backtested(t, 10*h, rs,
		bit(9*h, 1), bit(11*h, 0), // stands at From
		silent,
		bit(40*h, 1), bit(41*h, 0), // a new order: the one of before ended more than a day ago
		bit(50*h, 1), bit(51*h, 0), // within a day
		reading("pump-2/running", 60*h, 0),
		reading("pump-2/pressure", 60*h, 0), // no rule asks for it
		bit(200*h, 1))
	var got []string
	for _, o := range r.Occurrences {
		end := "stands"
		if o.To != nil {
			end = o.To.Sub(start).String()
		}
		got = append(got, fmt.Sprintf("%s %s-%s %s", o.Key, o.From.Sub(start), end, o.Order))
	}
	want := []string{"r/pump-1 40h0m0s-41h0m0s new", "r/pump-1 50h0m0s-51h0m0s reopened", "r/pump-1 200h0m0s-stands new"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if r.Alarms != 3 || r.Orders != 2 || r.Reopened != 1 || r.Notices != 3 || r.Standing != 1 || r.Readings != 9 {
		t.Errorf("%d alarms, %d orders, %d reopened, %d notices, %d standing, %d readings", r.Alarms, r.Orders, r.Reopened, r.Notices, r.Standing, r.Readings)
	}
	if !slices.Equal(r.Unheard, []string{"r/pump-2"}) || !slices.Equal(r.Unknown, []string{"q/pump-1"}) {
		t.Errorf("unheard %q, unknown %q", r.Unheard, r.Unknown)
	}
}

// TestOrderOfRows: the history gives one device after the other, a backtest hears them
// by their times.
func TestOrderOfRows(t *testing.T) {
	rs := []rules.Rule{rule("r", rules.Rule{When: `fault and value("pump-2/running")`})}
	r := backtested(t, 0, rs,
		reading("pump-1/fault", 1*time.Second, 0), reading("pump-1/fault", 10*time.Second, 1),
		reading("pump-2/running", 2*time.Second, 1), reading("pump-2/running", 5*time.Second, 0), reading("pump-2/running", 20*time.Second, 1))
	if len(r.Occurrences) != 1 || !r.Occurrences[0].From.Equal(start.Add(20*time.Second)) {
		t.Errorf("%+v", r.Occurrences)
	}
}

// BenchmarkReading is what one reading of the past costs three rules with windows.
func BenchmarkReading(b *testing.B) {
	rs := []rules.Rule{
		rule("a", rules.Rule{When: "avg(pressure, 15m) > 2", OnDelay: time.Minute}),
		rule("b", rules.Rule{When: "held(pressure > 2, 10m)"}),
		rule("c", rules.Rule{NoData: &rules.NoData{After: 15 * time.Minute}}),
	}
	r, problems := backtest.New(backtest.Settings{Rules: rs, Estate: estate(), Begin: start, From: start})
	if problems != nil {
		b.Fatal(problems)
	}
	batch := make([]facility.Reading, 0, 1000)
	at := time.Duration(0)
	for b.Loop() {
		at += 10 * time.Second
		batch = append(batch, reading("pump-1/pressure", at, float64(int(at/time.Hour)%4)))
		if len(batch) == cap(batch) {
			r.Take(batch)
			batch = batch[:0]
		}
	}
}
