package dashboard

import (
	"context"
	"encoding/json"
	"net/url"
	"reflect"
	"testing"
	"time"

	"gengfu/facility"
)

// measured answers with figures of whatever period is asked for.
type measured struct{ err error }

func (m measured) AlarmFigures(_ context.Context, from, to time.Time) (AlarmFigures, error) {
	return AlarmFigures{
		From: from, To: to, Duty: 2, Told: 12,
		Rate:       AlarmFigure{Value: .5, Limit: 1, Within: true, Source: "EEMUA 191"},
		Priorities: map[facility.Priority]int{facility.P2: 12},
		Sources:    []AlarmSource{{Key: "pump-fault/pump-1", Title: facility.Text{ZH: "故障", EN: "Fault"}, Device: "pump-1", Count: 12, Share: 1}},
		AckMedian:  90 * time.Second, AckP90: 3 * time.Minute, Acknowledged: 4,
		ChatteringNow: []AlarmChatter{{Key: "k", Since: noon.In(time.FixedZone("", 8*3600)), Count: 3}},
		Stale:         []facility.Alarm{{ID: "a1", Device: "pump-1", State: facility.AlarmAcknowledged, RaisedAt: noon, LastAt: noon}},
		FloodSince:    noon,
	}, m.err
}

func TestAlarmFigures(t *testing.T) {
	h := startHouse(t, func(o *Options) { o.Figures = measured{} })
	desk := h.as("desk")
	var f figuresShape
	a := desk.want(200, "GET", "/api/alarm-figures", nil, &f)
	if !f.To.Equal(noon) || !f.From.Equal(noon.Add(-30*24*time.Hour)) || f.AckMedian != 90 || f.AckP90 != 180 || f.Rate.Limit != 1 || !f.Rate.Within {
		t.Errorf("%s", a.body)
	}
	if want := map[facility.Priority]int{"P1": 0, "P2": 12, "P3": 0, "P4": 0}; !reflect.DeepEqual(f.Priorities, want) {
		t.Errorf("priorities: %v", f.Priorities)
	}
	if len(f.Now.Stale) != 1 || f.Now.Stale[0].PlaceName == nil || f.Now.FloodSince == nil || len(f.Sources) != 1 {
		t.Errorf("%s", a.body)
	}
	var raw struct {
		Now struct{ Chattering []struct{ Since string } }
	}
	if err := json.Unmarshal(a.body, &raw); err != nil || raw.Now.Chattering[0].Since != "2026-11-22T04:00:00Z" {
		t.Errorf("times are in UTC: %v in %s", err, a.body)
	}
	for _, bad := range []url.Values{
		{"from": {"2026-11-22T05:00:00Z"}, "to": {"2026-11-22T06:00:00Z"}}, // has not been
		{"from": {"2026-11-21T05:00:00Z"}, "to": {"2026-11-21T05:00:00Z"}},
		{"from": {"2025-11-20T05:00:00Z"}},
	} {
		desk.wantError("invalid", "from", "GET", "/api/alarm-figures?"+bad.Encode(), nil)
	}
	desk.wantError("invalid", "to", "GET", "/api/alarm-figures?to=yesterday", nil)
	h.as("technician").wantError("forbidden", "", "GET", "/api/alarm-figures", nil)
	startHouse(t).as("desk").wantError("not_found", "", "GET", "/api/alarm-figures", nil)
}
