package dashboard

import (
	"context"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
)

// listed is an order of the technician with a checklist, accepted.
func (h *house) listed() facility.Order {
	h.t.Helper()
	o := h.order("desk", "technician")
	h.set(func() {
		o.Checklist = facility.Checklist([]facility.Text{{ZH: "停泵", EN: "Stop the pump"}, {ZH: "换密封", EN: "Change the seal"}})
		o.Bring = []facility.Text{{ZH: "机械密封", EN: "a shaft seal"}}
		h.orders[o.ID] = o
	})
	o, err := h.ActOnOrder(context.Background(), h.people["technician"], o.ID, facility.Act{Action: facility.OrderAccept}, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return o
}

func TestTickingAChecklist(t *testing.T) {
	h := startHouse(t)
	o := h.listed()
	technician, desk := h.as("technician"), h.as("desk")
	path := "/api/orders/" + o.ID + "/actions"
	var d orderDetailShape
	technician.want(200, "GET", "/api/orders/"+o.ID, nil, &d)
	if len(d.Checklist) != 2 || d.Checklist[0].Text.ZH != "停泵" || d.Checklist[0].At != nil || len(d.Bring) != 1 || *d.Order.Steps != (stepTotals{0, 2}) {
		t.Errorf("%+v, %+v, steps %+v", d.Checklist, d.Bring, d.Order.Steps)
	}
	made := h.clock.now().Add(-time.Minute)
	h.set(func() { o = h.orders[o.ID]; o.CreatedAt = made.Add(-time.Hour); h.orders[o.ID] = o })
	tick := object{"action": "tick", "step": 2, "at": made}
	technician.want(200, "POST", path, tick, &d)
	if s := d.Checklist[1]; s.By != "technician" || s.ByName != "name of technician" || !s.At.Equal(made) || *d.Order.Steps != (stepTotals{1, 2}) {
		t.Errorf("ticked: %+v, %+v", s, d.Order.Steps)
	}
	events := len(d.Events)
	if e := d.Events[events-1]; e.Action != facility.OrderTick || e.Step != 2 || !e.At.Equal(made) {
		t.Errorf("the history says %+v", e)
	}
	technician.want(200, "POST", path, tick, &d)
	if len(d.Events) != events {
		t.Errorf("the same tick came twice and stands in the history %d times", len(d.Events)-events+1)
	}
	desk.wantError("forbidden", "", "POST", path, object{"action": "tick", "step": 2})
	desk.wantError("forbidden", "", "POST", path, object{"action": "untick", "step": 2})
	for _, step := range []int{0, 3, -1} {
		technician.wantError("invalid", "step", "POST", path, object{"action": "tick", "step": step})
	}
	technician.want(200, "POST", path, object{"action": "arrive"}, &d)
	technician.want(200, "POST", path, object{"action": "complete", "note": "好了"}, &d)
	if note := d.Events[len(d.Events)-1].Note; !strings.HasPrefix(note, "好了\n") || !strings.Contains(note, "停泵") || strings.Contains(note, "换密封") {
		t.Errorf("completed with %q", note)
	}
}

func TestBasicChecklist(t *testing.T) {
	h := startHouse(t)
	o := h.listed()
	technician := h.basicAs("technician")
	path := "/basic/orders/" + o.ID
	page := technician.get(path)
	wantPage(t, page, 200, "作业清单", "0/2", "停泵", "机械密封", `aria-label="打勾: 换密封"`)
	wantRedirect(t, technician.post(path+"/actions", "token", tokenOf(t, page), "action", "tick", "step", "2"), path)
	wantPage(t, technician.get(path), 200, "1/2", "✓ 换密封", "name of technician", `aria-label="取消打勾: 换密封"`)
	wantRedirect(t, technician.post(path+"/actions", "token", tokenOf(t, page), "action", "arrive"), path)
	wantPage(t, technician.get(path), 200, "还有 1 步没有打勾")
	wantPage(t, technician.post(path+"/actions", "token", tokenOf(t, page), "action", "tick", "step", "9"), 400, "没有这一步")
	if page := h.basicAs("desk").get(path); strings.Contains(string(page.body), `value="tick"`) {
		t.Error("the desk is offered to tick")
	}
}
