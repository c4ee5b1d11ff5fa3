package hub_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/discipline"
)

// behindMains is a meter at the mains and so many devices that are fed through it.
func behindMains(devices int) facility.Estate {
	device := func(id, kind string) facility.Device {
		return facility.Device{ID: id, Name: facility.Text{ZH: id}, Kind: kind, Line: "bus", Points: []facility.Point{
			{ID: facility.PointID{Device: id, Quantity: "lost"}, Kind: facility.Signal},
			{ID: facility.PointID{Device: id, Quantity: "odd"}, Kind: facility.Signal},
		}}
	}
	e := facility.Estate{Site: estate().Site, Lines: []facility.Line{{ID: "bus"}}, Devices: []facility.Device{device("mains", "meter")}}
	for n := range devices {
		d := device(fmt.Sprintf("d%03d", n), "pump")
		d.DependsOn = []string{"mains"}
		e.Devices = append(e.Devices, d)
	}
	return e
}

// stormRules are the mains, and two consequences of each device.
func stormRules() []rules.Rule {
	rule := func(id, kind, when string, p facility.Priority, downs rules.Downs) rules.Rule {
		return rules.Rule{
			ID: id, Name: facility.Text{ZH: id, EN: id}, Priority: p, For: rules.Selector{Kinds: []string{kind}}, When: when, Downs: downs,
		}
	}
	return []rules.Rule{
		rule("mains-lost", "meter", "lost == 1", facility.P1, rules.DownsSupply),
		rule("offline", "pump", "lost == 1", facility.P3, rules.DownsDevice),
		rule("low", "pump", "odd == 1", facility.P2, rules.DownsNothing),
	}
}

// inStorm begins a house of that estate with the shipped times of telling.
func inStorm(h *house, devices int) {
	h.stop()
	h.site, h.rules, h.crowd = func() facility.Estate { return behindMains(devices) }, stormRules(), discipline.Settings{}
	h.start()
}

func (h *house) at(device, quantity string, v float64) facility.Reading {
	return facility.Reading{Point: facility.PointID{Device: device, Quantity: quantity}, Time: h.now().UTC(), Value: v, Quality: facility.Good}
}

func (h *house) notices() []facility.Notice {
	h.t.Helper()
	all, err := h.ledger.Notices(h.t.Context(), facility.Page{Limit: 1000})
	h.must(err)
	return all
}

// TestMainsLossIsOneOrder has the mains fail with 500 alarms behind it, in any order,
// within the time in which alarms are told together; ends, crashes and none come between.
// Then all but ten come back.
func TestMainsLossIsOneOrder(t *testing.T) {
	interrupted(t, func(t *testing.T, h *house, interrupt func()) {
		const devices = 250
		inStorm(h, devices)
		type bit struct{ device, quantity string }
		bits := []bit{{"mains", "lost"}}
		for n := range devices {
			bits = append(bits, bit{fmt.Sprintf("d%03d", n), "lost"}, bit{fmt.Sprintf("d%03d", n), "odd"})
		}
		chance := rand.New(rand.NewPCG(1, 7)) //nolint:gosec // the same at each run
		all := func(v float64, bits []bit) {
			chance.Shuffle(len(bits), func(a, b int) { bits[a], bits[b] = bits[b], bits[a] })
			for n := 0; n < len(bits); n += 50 {
				var readings []facility.Reading
				for _, b := range bits[n:min(n+50, len(bits))] {
					readings = append(readings, h.at(b.device, b.quantity, v))
				}
				h.tell(readings...)
				if n%200 == 50 {
					interrupt()
				}
				h.pass(time.Second)
			}
		}
		all(1, bits)
		h.pass(time.Minute)
		interrupt()
		suppressed := 0
		for _, a := range h.standing() {
			if len(a.Holds) == 1 && a.Holds[0].Kind == facility.AlarmSuppressed && a.Holds[0].Cause == "mains-lost/mains" {
				suppressed++
			}
		}
		if o := h.order(); o.Device != "mains" || suppressed != 2*devices {
			t.Fatalf("%d of %d are suppressed; the order is %+v", suppressed, 2*devices, o)
		}
		if n := h.notices(); len(n) != 1 || n[0].Alarms[0].Key != "mains-lost/mains" {
			t.Fatalf("people were told %+v", n)
		}
		stays := 0
		var back []bit
		for _, b := range bits {
			if b.device != "mains" && stays < 10 {
				stays++
				continue
			}
			back = append(back, b)
		}
		all(0, back)
		h.pass(5 * time.Minute)
		interrupt()
		h.pass(2 * time.Second)
		notices := h.notices()
		told := map[string]bool{}
		for _, n := range notices {
			for _, a := range n.Alarms {
				told[a.Key] = true
			}
		}
		for _, a := range h.standing() {
			if a.State.Active() && len(a.Holds) == 0 && !told[a.Key] {
				t.Errorf("%s stands and nobody was told", a.Key)
			}
		}
		if len(notices) > 3 || len(h.orders()) > 1+stays || len(told) > 1+stays {
			t.Errorf("%d notices and %d orders, with %d that stay", len(notices), len(h.orders()), stays)
		}
	})
}

func (h *house) standing() []facility.Alarm {
	h.t.Helper()
	all, err := h.ledger.Alarms(h.t.Context(), facility.AlarmFilter{Standing: true, Page: facility.Page{Limit: 1000}})
	h.must(err)
	return all
}

// TestAConsequenceThatStaysIsTold: what was suppressed has a minute to come back once its
// cause is over; then people are told, and it has an order.
func TestAConsequenceThatStaysIsTold(t *testing.T) {
	interrupted(t, func(t *testing.T, h *house, interrupt func()) {
		inStorm(h, 2)
		h.tell(h.at("d000", "odd", 1), h.at("d001", "odd", 1))
		h.pass(5 * time.Second)
		h.tell(h.at("mains", "lost", 1))
		interrupt()
		h.pass(time.Minute)
		h.tell(h.at("mains", "lost", 0))
		h.pass(20 * time.Second)
		interrupt()
		h.tell(h.at("d000", "odd", 0))
		h.pass(30 * time.Second)
		if n := h.notices(); len(n) != 1 || len(h.orders()) != 1 {
			t.Fatalf("within the time to come back: %+v, %d orders", n, len(h.orders()))
		}
		h.pass(15 * time.Second)
		n := h.notices()
		if len(n) != 2 || len(n[0].Alarms) != 1 || n[0].Alarms[0].Key != "low/d001" || len(h.orders()) != 2 {
			t.Fatalf("after it: %+v, %d orders", n, len(h.orders()))
		}
		for _, a := range h.standing() {
			if a.Key == "low/d001" && (a.OrderID == "" || h.course(a) != "raise suppress unsuppress") {
				t.Errorf("it has order %q after %q", a.OrderID, h.course(a))
			}
		}
	})
}

// TestSafetyIsNeverSuppressed: what lives hang on is told at once, whatever else is down.
func TestSafetyIsNeverSuppressed(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.stop()
		h.site, h.rules, h.crowd = func() facility.Estate { return behindMains(1) }, stormRules(), discipline.Settings{}
		h.rules[2].Safety = true
		h.start()
		h.tell(h.at("mains", "lost", 1))
		h.pass(time.Second)
		h.tell(h.at("d000", "odd", 1))
		if n := h.notices(); len(n) != 2 || n[0].Alarms[0].Key != "low/d000" {
			t.Fatalf("told %+v", n)
		}
	})
}

// TestWhatIsToldTogetherHasItsOrderThen: what came and went before people were told of it
// has one order when they are, which counts all of it.
func TestWhatIsToldTogetherHasItsOrderThen(t *testing.T) {
	interrupted(t, func(t *testing.T, h *house, interrupt func()) {
		inStorm(h, 1)
		for range 3 {
			h.tell(h.at("d000", "odd", 1))
			h.pass(time.Second)
			h.tell(h.at("d000", "odd", 0))
			h.pass(time.Second)
		}
		interrupt()
		if len(h.orders()) != 0 || len(h.notices()) != 0 {
			t.Fatalf("before its time: %d orders, %+v", len(h.orders()), h.notices())
		}
		h.pass(15 * time.Second)
		o, n := h.order(), h.notices()
		if len(n) != 1 || !n[0].Alarms[0].Gone || o.Count != 3 {
			t.Fatalf("told %+v, the order counts %d", n, o.Count)
		}
	})
}
