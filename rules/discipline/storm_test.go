package discipline_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gengfu/facility"
	"gengfu/rules/discipline"
)

// TestStorms has the mains fail and come back with alarms of any kind and priority behind
// it at any time, none of them of life safety. People are told three times at most.
func TestStorms(t *testing.T) {
	top := estate(t, 10)
	rapid.Check(t, func(t *rapid.T) {
		l := newLife(top)
		seconds := func(name string, most int) time.Duration {
			return time.Duration(rapid.IntRange(0, most).Draw(t, name)) * time.Second
		}
		count := rapid.IntRange(1, 80).Draw(t, "alarms")
		when, root := time.Duration(0), seconds("root", 14)
		told := false
		for n := range count {
			if !told && when >= root {
				l.raise(when, mains())
				told = true
			}
			device := fmt.Sprintf("%c%d", 'a'+rune(rapid.IntRange(0, 1).Draw(t, "line")), rapid.IntRange(0, 9).Draw(t, "device"))
			e := discipline.Event{Key: fmt.Sprint("x", n), Device: device, Priority: rapid.SampledFrom([]facility.Priority{"P1", "P2", "P3", "P4"}).Draw(t, "priority")}
			if rapid.Bool().Draw(t, "offline") {
				e.Downs = discipline.Node{Kind: discipline.DeviceAt, ID: device}
			}
			l.raise(when, e)
			when += seconds("pass", 3)
			if !told && when > root {
				when = root
			}
		}
		if !told {
			l.raise(max(when, root), mains())
		}
		back := when + time.Minute + seconds("outage", 36000)
		l.carry(l.control.Advance(start.Add(back)), start.Add(back))
		l.clear(back, "mains-lost/mains")
		for n := range count {
			if rapid.Bool().Draw(t, "comes back") {
				l.clear(back+30*time.Second, fmt.Sprint("x", n))
			}
		}
		end := start.Add(back + time.Hour)
		l.carry(l.control.Advance(end), end)
		if len(l.tell) > 3 {
			t.Fatalf("%d notifications: %v", len(l.tell), l.tell)
		}
		for key, e := range l.last { // nothing that stands was forgotten
			if e.To.Active() && l.cause[key] == "" && !tells(l.tell, key) {
				t.Fatalf("%s stands and nobody was told", key)
			}
		}
	})
}
