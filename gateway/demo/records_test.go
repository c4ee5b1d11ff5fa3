package demo

import (
	"testing"
	"time"

	"gengfu/facility"
)

// Every past order is done by lawful acts of the right people.
func TestPastOrders(t *testing.T) {
	now := at(10, 0)
	var last time.Time
	for _, p := range PastOrders(now) {
		o := p.Order
		if !o.CreatedAt.After(last) || !o.Priority.Valid() || o.Title.EN == "" || o.Title.ZH == "" {
			t.Errorf("%s of %v after %v", o.Title.EN, o.CreatedAt, last)
		}
		last = o.CreatedAt
		for _, a := range p.Acts {
			if a.By.Login == "" || !a.At.Before(now) {
				t.Errorf("%s: %s by %q at %v", o.Title.EN, a.Act.Action, a.By.Login, a.At)
			}
			if _, err := o.Do(a.By, a.Act, a.At); err != nil {
				t.Fatalf("%s: %v", o.Title.EN, err)
			}
		}
		if o.State.Open() {
			t.Errorf("%s is still %s", o.Title.EN, o.State)
		}
	}
}

func TestPastRounds(t *testing.T) {
	estate := facility.Estate{
		Routes: []facility.Route{{ID: "all", Checkpoints: []string{"gate", "pump-room", "electric-room", "garage", "garden"}}},
		Plans: []facility.Plan{{
			ID: "hourly", Route: "all", Every: time.Hour, From: "00:00", Until: "00:00",
			Window: 45 * time.Minute, Tolerance: 10 * time.Minute,
		}},
	}
	for _, c := range []struct {
		minute, want int
	}{{10, 48}, {50, 49}} {
		now := at(10, c.minute)
		rounds, err := PastRounds(estate, 2, now)
		if err != nil {
			t.Fatal(err)
		}
		if len(rounds) < c.want-1 || len(rounds) > c.want {
			t.Errorf("at minute %d: %d rounds, want about %d", c.minute, len(rounds), c.want)
		}
		if under := now.Sub(rounds[len(rounds)-1].Start); (c.minute == 10) != (under > time.Hour) {
			t.Errorf("at minute %d the last round began %v ago", c.minute, under)
		}
		for _, r := range rounds {
			if r.State != facility.RoundCompleted || r.Plan != "hourly" {
				t.Errorf("round %s is %s", r.ID, r.State)
			}
			for _, v := range r.Visits {
				if v.Verdict != facility.OnTime || v.TappedAt.Before(r.Start) || v.TappedAt.After(r.End) {
					t.Errorf("round %s, %s: %s at %v", r.ID, v.Checkpoint, v.Verdict, v.TappedAt)
				}
			}
		}
	}
}
