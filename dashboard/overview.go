package dashboard

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"gengfu/dashboard/lang"
	"gengfu/facility"
)

// estateState is the one word for the whole estate.
type estateState string

const (
	estateOK        estateState = "ok"
	estateAttention estateState = "attention"
	estateAlarm     estateState = "alarm"
	estateUnknown   estateState = "unknown"
)

// facts are all that the overview is made of.
type facts struct {
	estate   *estate
	tiles    []facility.PointID
	values   latest
	standing []facility.Alarm // everything that is not normal
	holds    []facility.AlarmHold
	orders   facility.OrderTotals
	rounds   []facility.Round // of the local day and around it
	names    map[string]string
}

// overview says how the estate is at a time. It is pure, so that the same facts
// always give the same page.
func overview(f facts, now time.Time) overviewShape {
	view := &views{estate: f.estate, names: f.names, now: now}
	o := overviewShape{
		At:      now.UTC(),
		Alarms:  countAlarms(f.standing, f.holds),
		Orders:  orderTotals{Open: f.orders.Open, Unassigned: f.orders.Unassigned, Overdue: f.orders.Overdue},
		Patrol:  countPatrol(f, view, now),
		Devices: countDevices(f, now),
		Tiles:   make([]pointShape, 0, len(f.tiles)),
	}
	for _, id := range f.tiles {
		d, p := f.estate.devices[id.Device], f.estate.points[id]
		if d != nil && p != nil {
			o.Tiles = append(o.Tiles, f.estate.point(d, p, f.values))
		}
	}
	o.State, o.Summary = judge(o, f.standing)
	return o
}

// countAlarms leaves out of all but the last what people are not to be called for.
func countAlarms(standing []facility.Alarm, holds []facility.AlarmHold) alarmTotals {
	keys := map[string]bool{}
	for _, h := range holds {
		keys[h.Key] = true
	}
	n := alarmTotals{Held: len(keys)}
	byPriority := map[facility.Priority]*int{facility.P1: &n.P1, facility.P2: &n.P2, facility.P3: &n.P3, facility.P4: &n.P4}
	for _, a := range standing {
		if a.State == facility.AlarmNormal || len(a.Holds) > 0 {
			continue
		}
		n.Standing++
		if a.State != facility.AlarmAcknowledged && a.State != facility.AlarmLatchedAcknowledged {
			n.Unacknowledged++
		}
		if count := byPriority[a.Priority]; count != nil {
			*count++
		}
	}
	return n
}

func countDevices(f facts, now time.Time) deviceTotals {
	n := deviceTotals{Total: len(f.estate.Devices)}
	for i := range f.estate.Devices {
		switch online := reach(&f.estate.Devices[i], f.values, now).Online; {
		case online == nil:
		case *online:
			n.Online++
		default:
			n.Offline++
		}
	}
	return n
}

// countPatrol counts the visits of the rounds that start today, and of those of
// last night that are not over yet.
func countPatrol(f facts, view *views, now time.Time) patrolTotals {
	var n patrolTotals
	dayStart, dayEnd := f.estate.localDay(now)
	var next *facility.Round
	for i := range f.rounds {
		r := &f.rounds[i]
		if r.State == facility.RoundCancelled {
			continue
		}
		over := now.After(r.End.Add(r.Tolerance))
		if !over && r.State != facility.RoundCompleted && r.State != facility.RoundExceptions &&
			(next == nil || r.Start.Before(next.Start)) {
			next = r
		}
		today := !r.Start.Before(dayStart) && r.Start.Before(dayEnd)
		if !today && (over || !r.Start.Before(dayEnd)) {
			continue
		}
		for _, v := range r.Visits {
			switch v.Verdict {
			case facility.Exempt:
				continue
			case facility.OnTime, facility.Early, facility.Late:
				n.Reached++
			case facility.Missed:
				n.Missed++
			}
			n.Expected++
		}
	}
	if next != nil {
		shape := view.round(*next)
		n.Next = &shape
	}
	return n
}

// judge finds the state and the sentence for it. A P1 or P2 that is present is
// an alarm whatever else is known; without any live device nothing else can be
// said; after that everything that somebody still has to do asks for attention.
func judge(o overviewShape, standing []facility.Alarm) (estateState, facility.Text) {
	var urgent []facility.Alarm
	for _, a := range standing {
		if a.State.Active() && len(a.Holds) == 0 && (a.Priority == facility.P1 || a.Priority == facility.P2) {
			urgent = append(urgent, a)
		}
	}
	if len(urgent) > 0 {
		return estateAlarm, alarmSentence(urgent, o)
	}
	if o.Devices.Total > 0 && o.Devices.Online == 0 && o.Devices.Offline == 0 {
		return estateUnknown, lang.Text("overview.unknown", nil)
	}
	if parts := concerns(o); len(parts) > 0 {
		return estateAttention, joined("overview.attention", parts)
	}
	if o.Devices.Total == 0 {
		return estateOK, lang.Text("overview.ok_without_devices", nil)
	}
	if unheard := o.Devices.Total - o.Devices.Online; unheard > 0 {
		return estateAttention, joined("overview.attention", []facility.Text{lang.Count("overview.unheard", unheard)})
	}
	return estateOK, lang.Count("overview.ok", o.Devices.Online)
}

// alarmSentence names the worst alarm, the newest of equals, and counts the rest.
func alarmSentence(urgent []facility.Alarm, o overviewShape) facility.Text {
	worst := slices.MinFunc(urgent, func(a, b facility.Alarm) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), b.LastAt.Compare(a.LastAt))
	})
	key := "overview.alarm"
	if worst.Unknown {
		key = "overview.alarm_unknown"
	}
	sentence := lang.Text(key, lang.Args{"title": worst.Title, "priority": worst.Priority})
	var parts []facility.Text
	if more := len(urgent) - 1; more > 0 {
		parts = append(parts, lang.Count("overview.more_urgent", more))
	}
	if o.Devices.Total > 0 && o.Devices.Online == 0 {
		parts = append(parts, lang.Text("overview.no_data", nil))
	}
	if len(parts) == 0 {
		return sentence
	}
	rest := joined("overview.rest", parts)
	return facility.Text{ZH: sentence.ZH + rest.ZH, EN: sentence.EN + rest.EN}
}

// concerns are what somebody has to look at, the most pressing first.
func concerns(o overviewShape) []facility.Text {
	var parts []facility.Text
	add := func(key string, n int) {
		if n > 0 {
			parts = append(parts, lang.Count(key, n))
		}
	}
	add("overview.unacknowledged", o.Alarms.Unacknowledged)
	add("overview.standing", o.Alarms.Standing-o.Alarms.Unacknowledged)
	add("overview.held", o.Alarms.Held)
	add("overview.overdue", o.Orders.Overdue)
	add("overview.missed", o.Patrol.Missed)
	add("overview.offline", o.Devices.Offline)
	return parts
}

// joined puts the parts into the sentence's "{parts}", each language with its
// own comma.
func joined(key string, parts []facility.Text) facility.Text {
	in := func(language string) string {
		list := make([]string, len(parts))
		for i, p := range parts {
			list[i] = p.In(language)
		}
		return lang.In(language, key, lang.Args{"parts": strings.Join(list, lang.In(language, "overview.comma", nil))})
	}
	return facility.Text{ZH: in("zh"), EN: in("en")}
}
