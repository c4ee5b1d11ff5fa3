package rules_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gengfu/facility"
	"gengfu/rules"
)

// shelf is where a state is kept, as the ledger does.
type shelf struct {
	whole []byte
	parts [][]byte
	first uint64 // sequence of the first part
}

// put keeps what the engine wants to be kept. What is lost leaves no trace; what is in
// doubt is kept, and the engine does not hear of it.
func (s *shelf) put(t interface{ Fatal(...any) }, e *rules.Engine, lost, doubt bool) {
	saved, err := e.Save()
	switch {
	case err != nil:
		t.Fatal(err)
	case lost:
		return
	case saved.Whole:
		s.whole, s.parts, s.first = saved.Data, nil, 1
	default:
		s.parts = append(s.parts[:saved.Seq-s.first], saved.Data)
		for s.first < saved.Before {
			s.parts = s.parts[1:]
			s.first++
		}
	}
	if !doubt {
		e.Kept()
	}
}

// TestPartsComeToTheWhole: whatever rules and facts there are, and whatever became of
// the writes before, what is kept is the engine as it is, to the byte.
func TestPartsComeToTheWhole(t *testing.T) {
	parts, alarms, trimmed := 0, 0, uint64(0)
	rapid.Check(t, func(rt *rapid.T) {
		rs, lines := drawRules(rt), drawStream(rt)
		made := func() *rules.Engine {
			e, problems := rules.Compile(rs, unitless(), rules.WithDetectors(strangers))
			if problems != nil {
				rt.Fatal(rs, problems)
			}
			return e
		}
		through, e := made(), made()
		through.Listen(start)
		e.Listen(start)
		kept := &shelf{}
		cuts := rapid.SliceOfN(rapid.IntRange(0, 19), len(lines), len(lines)).Draw(rt, "cuts")
		for i, l := range lines {
			want, got := play(t, through, l), play(t, e, l)
			if d := cmp.Diff(want, got); d != "" {
				rt.Fatalf("behind line %d: %s", i, d)
			}
			alarms += len(want)
			for _, c := range want {
				through.SetOrder(c.Alarm.ID, "W-"+l)
				e.SetOrder(c.Alarm.ID, "W-"+l)
			}
			if rapid.IntRange(0, 9).Draw(rt, "late") == 0 && i > 5 {
				before := strings.Replace(lines[i-5], "s ", ".5s ", 1)
				play(t, through, before)
				play(t, e, before)
			}
			switch cut := cuts[i]; {
			case cut < 8:
				continue
			case cut < 10:
				kept.put(rt, e, true, false)
				continue
			case cut < 12:
				kept.put(rt, e, false, true)
			default:
				kept.put(rt, e, false, false)
			}
			again := made()
			if err := again.Restore(kept.whole, kept.parts...); err != nil {
				rt.Fatalf("%d parts: %v", len(kept.parts), err)
			}
			if !bytes.Equal(save(t, again), save(t, e)) {
				rt.Fatalf("behind line %d %q what is kept in %d parts is not what there is; rules %q", i, l, len(kept.parts), rs[0].When)
			}
			parts, trimmed = max(parts, len(kept.parts)), max(trimmed, kept.first-1)
			if cuts[i] == 19 {
				e, kept = again, &shelf{}
			}
		}
	})
	if parts < 4 || trimmed < 3 || alarms < 50 {
		t.Errorf("%d parts at most, %d let go, %d changes: the test says little", parts, trimmed, alarms)
	}
}

// TestPartsAreSmall: what is kept with a decision goes by what changed, not by what
// there is, and what there is to read at the start does not grow for ever.
func TestPartsAreSmall(t *testing.T) {
	rs := []rules.Rule{
		rule("mean", rules.Rule{For: rules.Selector{Kinds: []string{"pump"}}, When: "avg(outlet_pressure, 1h) < 2 bar", OnDelay: time.Second}),
		rule("often", rules.Rule{For: rules.Selector{Kinds: []string{"pump"}}, When: "edges(running, 1h) > 4 or increase(starts, 1h) > 4"}),
	}
	e, problems := rules.Compile(rs, largeEstate())
	if problems != nil {
		t.Fatal(problems)
	}
	e.Listen(start)
	kept := &shelf{}
	largest, wholes, sum := 0, 0, 0
	for i := range 4000 {
		at := start.Add(time.Duration(i) * time.Minute)
		device := fmt.Sprintf("pump-%d", i%5+1)
		for q, v := range map[string]float64{"outlet_pressure": float64(i % 7), "running": float64(i / 5 % 2), "starts": float64(i / 10)} {
			e.Observe(facility.Reading{Point: facility.PointID{Device: device, Quantity: q}, Time: at, Value: v, Quality: facility.Good})
		}
		kept.put(t, e, false, false)
		if len(kept.parts) == 0 {
			wholes++
			continue
		}
		sum += len(kept.parts[len(kept.parts)-1])
		largest = max(largest, len(kept.parts[len(kept.parts)-1]))
	}
	all := len(kept.whole)
	for _, p := range kept.parts {
		all += len(p)
	}
	t.Logf("whole %d bytes %d times, parts up to %d, %d in all, of %d written", len(kept.whole), wholes, largest, all, sum)
	if wholes != 1 || largest > 8<<10 || all > 6*len(kept.whole) || sum < 2*all {
		t.Errorf("whole %d bytes %d times, parts up to %d, %d in all, of %d written", len(kept.whole), wholes, largest, all, sum)
	}
}

func TestRestoreRefusesPartsOfSomethingElse(t *testing.T) {
	made := func() *rules.Engine {
		return compile(t, rule("fault", rules.Rule{When: "fault", For: rules.Selector{Devices: []string{"pump-1"}}}))
	}
	one, other := &shelf{}, &shelf{}
	for n, kept := range []*shelf{one, other} {
		e := made()
		script(t, e, fmt.Sprintf("%ds pump-1/fault=0", n+1))
		kept.put(t, e, false, false)
		script(t, e, "5s pump-1/fault=1")
		kept.put(t, e, false, false)
		script(t, e, "6s pump-1/fault=1")
		kept.put(t, e, false, false)
	}
	if len(one.parts) != 2 || len(other.parts) != 2 {
		t.Fatal("no parts")
	}
	cut := one.parts[0][:len(one.parts[0])-1]
	for what, err := range map[string]error{
		"another's":     made().Restore(one.whole, other.parts...),
		"cut off":       made().Restore(one.whole, cut),
		"a whole one":   made().Restore(one.whole, other.whole),
		"older's":       made().Restore(bytes.Replace(one.whole, []byte("rules 4"), []byte("rules 3"), 1), one.parts...),
		"one and a cut": made().Restore(one.whole, one.parts[0], cut),
		"one twice":     made().Restore(one.whole, one.parts[0], one.parts[0]),
		"the second":    made().Restore(one.whole, one.parts[1]),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "restore the state of the rules: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	e := made()
	if err := e.Restore(one.whole, one.parts...); err != nil || len(e.Standing()) != 1 {
		t.Errorf("%d alarms, %v", len(e.Standing()), err)
	}
	// The form of before is taken up: it has the same layout.
	if err := e.Restore(bytes.Replace(one.whole, []byte("rules 4"), []byte("rules 3"), 1)); err != nil {
		t.Error(err)
	}
}

// TestPartsOfWhatIsLearned: what a detector has learned is kilobytes, of which a reading
// changes little, and no more is kept of it.
func TestPartsOfWhatIsLearned(t *testing.T) {
	e, problems := rules.Compile([]rules.Rule{
		rule("odd", rules.Rule{For: rules.Selector{Kinds: []string{"water_meter"}}, When: "anomaly(total) or flow > 10 * night_minimum(flow, 14)"}),
	}, meteredEstate(50), rules.WithDetectors(rules.Learners(time.UTC)))
	if problems != nil {
		t.Fatal(problems)
	}
	e.Listen(start)
	kept := &shelf{}
	const rounds, warm = 300, 10 // of five minutes
	sum := 0
	for i := range rounds {
		at := start.Add(time.Duration(i) * 5 * time.Minute)
		for n := range 50 {
			id := fmt.Sprintf("meter-%d", n)
			e.Observe(facility.Reading{Point: facility.PointID{Device: id, Quantity: "total"}, Time: at, Value: float64(i*n) / 7, Unit: "m3", Quality: facility.Good},
				facility.Reading{Point: facility.PointID{Device: id, Quantity: "flow"}, Time: at, Value: float64(i % 5), Unit: "m3/h", Quality: facility.Good})
		}
		if e.Unsaved() < 50 {
			t.Fatalf("only %d are not saved", e.Unsaved())
		}
		kept.put(t, e, false, false)
		if e.Unsaved() != 0 {
			t.Fatalf("%d are not saved", e.Unsaved())
		}
		if i > warm {
			sum += len(kept.parts[len(kept.parts)-1])
		}
	}
	if each := sum / (rounds - warm) / 50; len(kept.whole) < 50*8000 || each > 1000 {
		t.Errorf("the whole is %d bytes; a part has %d of a meter", len(kept.whole), each)
	}
	again, _ := rules.Compile([]rules.Rule{
		rule("odd", rules.Rule{For: rules.Selector{Kinds: []string{"water_meter"}}, When: "anomaly(total) or flow > 10 * night_minimum(flow, 14)"}),
	}, meteredEstate(50), rules.WithDetectors(rules.Learners(time.UTC)))
	if err := again.Restore(kept.whole, kept.parts...); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(save(t, again), save(t, e)) {
		t.Error("what is kept is not what there is")
	}
}

func meteredEstate(meters int) facility.Estate {
	e := facility.Estate{Site: facility.Site{ID: "s", Zone: time.UTC}}
	for n := range meters {
		id := fmt.Sprintf("meter-%d", n)
		e.Devices = append(e.Devices, device(id, "water_meter", "", facility.Text{ZH: "水表", EN: "meter"},
			facility.Point{ID: facility.PointID{Device: id, Quantity: "total"}, Kind: facility.Counter, Unit: "m3"},
			facility.Point{ID: facility.PointID{Device: id, Quantity: "flow"}, Kind: facility.Measure, Unit: "m3/h"}))
	}
	return e
}
