package dashboard

import (
	"context"
	"testing"

	"gengfu/facility"
)

// told is a register of one notice.
type told struct{ asked *facility.Page }

func (r told) Notices(_ context.Context, p facility.Page) ([]facility.Notice, error) {
	*r.asked = p
	return []facility.Notice{{
		ID: "n1", At: noon, Priority: facility.P1, Flood: true, Alarms: []facility.NoticeAlarm{
			{Alarm: "a1", Key: "mains-lost/mains", Title: facility.Text{ZH: "市电中断"}, Priority: facility.P1, Follow: 497},
		},
	}}, nil
}

func TestNotices(t *testing.T) {
	var asked facility.Page
	h := startHouse(t, func(o *Options) { o.Notices = told{&asked} })
	var answer struct{ Notices []noticeShape }
	h.as("technician").want(200, "GET", "/api/notices?limit=7&before=n2", nil, &answer)
	if asked.Limit != 7 || asked.Before != "n2" {
		t.Errorf("the ledger was asked for %+v", asked)
	}
	if len(answer.Notices) != 1 {
		t.Fatalf("%+v", answer)
	}
	n := answer.Notices[0]
	if n.ID != "n1" || !n.At.Equal(noon) || !n.Flood || len(n.Alarms) != 1 || n.Alarms[0].Follow != 497 || n.Alarms[0].Title.ZH != "市电中断" {
		t.Errorf("%+v", n)
	}
	h.as("viewer").wantError("forbidden", "", "GET", "/api/notices", nil)
	startHouse(t).as("desk").wantError("not_found", "", "GET", "/api/notices", nil)
}
