package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/ledger"

	"github.com/google/go-cmp/cmp"
)

func newRound(start time.Time) facility.Round {
	return facility.Round{
		ID: "night@" + start.Format(time.RFC3339), Plan: "night", Route: "walk", Name: facility.Text{ZH: "夜巡", EN: "Night"},
		Start: start, End: start.Add(45 * time.Minute), Tolerance: 10 * time.Minute, Grace: 30 * time.Minute,
		InOrder: true, Assignee: "nobody-yet", State: facility.RoundScheduled,
		// A walk begins and ends at the gate.
		Visits: []facility.Visit{
			{Checkpoint: "gate", Verdict: facility.Pending}, {Checkpoint: "roof", Verdict: facility.Pending}, {Checkpoint: "gate", Verdict: facility.Pending},
		},
	}
}

func TestRounds(t *testing.T) {
	l := staffed(t)
	at := noon.Add(3 * time.Minute)
	a, b := newRound(noon), newRound(noon.Add(time.Hour))
	keep := func(r facility.Round) {
		t.Helper()
		update(t, l, func(tx *ledger.Tx) error { return tx.SaveRound(r) })
	}
	keep(b)
	keep(a)
	a.State = facility.RoundInProgress
	a.Visits[0] = facility.Visit{Checkpoint: "gate", Verdict: facility.Late, Tap: "t1", TappedAt: &at, By: "guard", Corrected: true, OutOfOrder: true}
	keep(a)
	for name, tt := range map[string]struct {
		from, to time.Time
		want     []facility.Round
	}{
		"both":           {noon, noon.Add(time.Hour + 1), []facility.Round{a, b}},
		"to is excluded": {noon, noon.Add(time.Hour), []facility.Round{a}},
		"from is not":    {noon.Add(time.Hour), noon.Add(2 * time.Hour), []facility.Round{b}},
		"neither":        {noon.Add(1), noon.Add(2), nil},
	} {
		got, err := l.Rounds(t.Context(), tt.from, tt.to)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Error(name, err, diff)
		}
	}
	// What was frozen stays so; a shorter route loses its last visits.
	moved := a
	moved.Start, moved.Route, moved.Tolerance = noon.Add(time.Minute), "other", 0
	moved.Visits = a.Visits[:1]
	keep(moved)
	want := a
	want.Visits = a.Visits[:1]
	update(t, l, func(tx *ledger.Tx) error {
		got, err := tx.Round(a.ID)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if _, err := tx.Round("ghost"); !errors.Is(err, facility.ErrNotFound) {
			t.Errorf("a round that is not there: %v", err)
		}
		return err
	})
	bad := newRound(noon)
	bad.State = "lost"
	if err := l.Update(t.Context(), func(tx *ledger.Tx) error { return tx.SaveRound(bad) }); !errors.Is(err, facility.ErrInvalid) {
		t.Errorf("a round in no state: %v", err)
	}
}

func TestTaps(t *testing.T) {
	l := staffed(t)
	first := facility.JudgedTap{
		Tap: facility.Tap{
			ID: "t1", Source: facility.TapReader, Reader: "r1", Credential: "04A035B2",
			TappedAt: noon.Add(1), SentAt: noon.Add(2), ReceivedAt: noon.Add(3),
		},
		Checkpoint: "gate", Person: "guard", Round: "night@x", Verdict: facility.OnTime,
		Flags: []facility.TapFlag{facility.FlagDelayed, facility.FlagOutOfOrder},
	}
	second := facility.JudgedTap{
		Tap: facility.Tap{ID: "t2", Source: facility.TapURL, Checkpoint: "roof", Person: "ghost", TappedAt: noon.Add(time.Hour)},
	}
	take := func(j facility.JudgedTap) (inserted bool) {
		t.Helper()
		update(t, l, func(tx *ledger.Tx) (err error) {
			inserted, err = tx.InsertTap(j)
			return err
		})
		return inserted
	}
	again := first
	again.Tap.Credential, again.Verdict = "FFFFFFFF", facility.Missed
	if !take(first) || !take(second) || take(again) || take(first) {
		t.Error("each tap is inserted once")
	}
	got, err := l.Taps(t.Context(), noon, noon.Add(2*time.Hour))
	if diff := cmp.Diff([]facility.JudgedTap{second, first}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if got, err := l.Taps(t.Context(), noon.Add(2), noon.Add(time.Hour)); err != nil || len(got) != 0 {
		t.Errorf("taps of another time: %+v, %v", got, err)
	}
}

// A tap is kept whatever its device says.
func TestNonsenseTapsAreKept(t *testing.T) {
	l := fresh(t)
	for i, j := range []facility.JudgedTap{
		{Tap: facility.Tap{Source: facility.TapReader}},
		{Tap: facility.Tap{Source: "telepathy", TappedAt: noon}},
		{Tap: facility.Tap{TappedAt: time.Unix(0, 0)}},
		{Tap: facility.Tap{TappedAt: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}},
		{Tap: facility.Tap{TappedAt: time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)}},
		{Tap: facility.Tap{TappedAt: noon, Credential: "'; --\x00", Person: "nobody"}},
	} {
		j.Tap.ID, j.Tap.ReceivedAt = string(rune('a'+i)), noon
		update(t, l, func(tx *ledger.Tx) error { _, err := tx.InsertTap(j); return err })
	}
	taps, err := l.Taps(t.Context(), noon, noon.Add(1))
	var got []string
	for _, j := range taps {
		got = append(got, j.Tap.ID)
	}
	if want := []string{"f", "b", "a"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("taps of this time: %v, %v; want %v", got, err, want)
	}
	taps, err = l.Taps(t.Context(), time.Date(1500, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
	if err != nil || len(taps) != 5 { // the end of the range is excluded, also when both are beyond what can be kept
		t.Errorf("taps of all times: %d, %v", len(taps), err)
	}
}

func TestJudge(t *testing.T) {
	l := staffed(t)
	update(t, l, func(tx *ledger.Tx) error {
		if data, err := tx.State("rules"); data != nil || err != nil {
			t.Errorf("no state: %q, %v", data, err)
		}
		if seq, err := tx.Cursor("judge"); seq != 0 || err != nil {
			t.Errorf("no cursor: %d, %v", seq, err)
		}
		if err := tx.SetCursor("judge", 1<<63); !errors.Is(err, facility.ErrInvalid) {
			t.Errorf("a cursor out of range: %v", err)
		}
		return nil
	})
	for _, tt := range []struct {
		data []byte
		seq  uint64
	}{{[]byte(`{"a":1}`), 1<<63 - 1}, {[]byte{0, 255}, 7}, {[]byte{}, 8}, {nil, 0}} {
		update(t, l, func(tx *ledger.Tx) error {
			return errors.Join(tx.SaveState("rules", tt.data), tx.SetCursor("judge", tt.seq))
		})
		if err := l.View(t.Context(), func(tx *ledger.Tx) error {
			data, err := tx.State("rules")
			seq, err2 := tx.Cursor("judge")
			if string(data) != string(tt.data) || seq != tt.seq {
				t.Errorf("%q, %d; want %q, %d", data, seq, tt.data, tt.seq)
			}
			return errors.Join(err, err2)
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStateInParts(t *testing.T) {
	l := staffed(t)
	expectOf := func(name, want string) {
		t.Helper()
		if err := l.View(t.Context(), func(tx *ledger.Tx) error {
			whole, err := tx.State(name)
			parts, err2 := tx.StateParts(name)
			if got := fmt.Sprintf("%s%s", whole, parts); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			return errors.Join(err, err2)
		}); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want string) { t.Helper(); expectOf("rules", want) }
	expect("[]")
	update(t, l, func(tx *ledger.Tx) error {
		return errors.Join(tx.SaveState("rules", []byte("a")), tx.SaveState("other", []byte("x")), tx.AddToState("other", []byte("y")), tx.AddToState("other", []byte("z")))
	})
	for n, part := range []string{"b", "c"} {
		for range 2 { // it may not be known that it was kept
			update(t, l, func(tx *ledger.Tx) error { return tx.SavePart("rules", uint64(n+1), 0, []byte(part)) })
		}
	}
	expect("a[b c]")
	err := l.Update(t.Context(), func(tx *ledger.Tx) error {
		return errors.Join(tx.SaveState("rules", []byte("d")), tx.SavePart("rules", 3, 3, []byte("e")), errors.New("not this time"))
	})
	if err == nil {
		t.Fatal("the transaction went well")
	}
	expect("a[b c]")
	for seq := range uint64(10) {
		update(t, l, func(tx *ledger.Tx) error { return tx.SavePart("rules", seq+3, 0, []byte("d")) })
	}
	for range 2 {
		update(t, l, func(tx *ledger.Tx) error { return tx.SavePart("rules", 13, 10, []byte("e")) })
	}
	expect("a[d d d d e]") // four went, and four, and the one that was left
	update(t, l, func(tx *ledger.Tx) error { return tx.SavePart("rules", 14, 10, []byte("e")) })
	expect("a[d d d e e]")
	if err := l.Update(t.Context(), func(tx *ledger.Tx) error { return tx.SavePart("rules", 1<<63, 0, nil) }); !errors.Is(err, facility.ErrInvalid) {
		t.Errorf("a sequence out of range: %v", err)
	}
	expectOf("other", "x[y z]")
	update(t, l, func(tx *ledger.Tx) error { return tx.SaveState("rules", []byte("f")) })
	expect("f[]")
}

func TestNamesOutliveTheConfiguration(t *testing.T) {
	l := fresh(t)
	estate := facility.Estate{
		Places:      []facility.Place{{ID: "gate", Name: facility.Text{ZH: "东门", EN: "East gate"}}},
		Devices:     []facility.Device{{ID: "pump-1", Name: facility.Text{ZH: "1号泵"}, Points: []facility.Point{{ID: facility.PointID{Device: "pump-1", Quantity: "fault"}, Labels: map[int]facility.Text{1: {ZH: "故障"}, 0: {ZH: "正常"}}}}}},
		Readers:     []facility.Reader{{ID: "r1", Name: facility.Text{ZH: "读卡器"}}},
		Checkpoints: []facility.Checkpoint{{ID: "gate", Name: facility.Text{ZH: "东门点"}, Token: "secret", Tags: []string{"04A035B2"}}},
		Routes:      []facility.Route{{ID: "night", Name: facility.Text{ZH: "夜线"}, Checkpoints: []string{"gate"}}},
		Plans:       []facility.Plan{{ID: "night", Name: facility.Text{ZH: "夜巡"}, Route: "night", Every: time.Hour}},
	}
	provision := func(e facility.Estate, at time.Time) {
		t.Helper()
		if err := l.Provision(t.Context(), e, at); err != nil {
			t.Fatal(err)
		}
	}
	name := func(kind ledger.Kind, id, want string) {
		t.Helper()
		got, err := l.Name(t.Context(), kind, id)
		if got.ZH != want || (err != nil) != (want == "") || err != nil && !errors.Is(err, facility.ErrNotFound) {
			t.Errorf("%s %s is called %q, %v; want %q", kind, id, got.ZH, err, want)
		}
	}
	provision(estate, noon)
	provision(estate, noon.Add(time.Hour))
	name(ledger.KindPlace, "gate", "东门")
	name(ledger.KindCheckpoint, "gate", "东门点")
	name(ledger.KindPlan, "night", "夜巡")
	name(ledger.KindReader, "night", "")
	estate.Places[0].Name.ZH = "大门"
	estate.Checkpoints, estate.Plans = nil, nil
	provision(estate, noon.Add(2*time.Hour))
	name(ledger.KindPlace, "gate", "大门")
	name(ledger.KindCheckpoint, "gate", "东门点")
	estate.Places[0].Name.ZH = "东门"
	provision(estate, noon.Add(3*time.Hour))
	provision(facility.Estate{}, noon.Add(3*time.Hour))
	provision(estate, noon.Add(3*time.Hour))
	name(ledger.KindPlace, "gate", "东门")
	name(ledger.KindDevice, "pump-1", "1号泵")
}
