package ledger_test

import (
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/ledger"

	"github.com/google/go-cmp/cmp"
)

func newOrder() facility.Order {
	o := facility.Order{
		Source: facility.FromAlarm, Priority: facility.P2, State: facility.OrderNew,
		Title:  facility.Text{ZH: "1号生活泵故障", EN: "Pump 1 fault"},
		Detail: facility.Text{ZH: "变频器报警", EN: "Drive tripped"},
		Device: "pump-1", Place: "pump-room", CreatedAt: noon, LastAt: noon,
	}
	o.Promise(noon)
	return o
}

// insert keeps the order and returns it as it was kept.
func insert(t testing.TB, l *ledger.Ledger, o facility.Order) facility.Order {
	t.Helper()
	update(t, l, func(tx *ledger.Tx) error {
		return tx.InsertOrder(&o, facility.OrderEvent{
			At: o.CreatedAt, Actor: facility.SystemActor, Action: facility.OrderCreate, To: o.State,
		})
	})
	return o
}

func TestOrderComesBackAsItWas(t *testing.T) {
	l := staffed(t)
	at := noon.Add(123456789 * time.Nanosecond)
	want := newOrder()
	want.Key, want.Assignee, want.State = "fault/pump-1", "technician", facility.OrderCompleted
	want.AcceptedAt, want.ArrivedAt, want.FinishedAt = &at, &at, &at
	want.Count, want.Reopened, want.Version, want.ActedVersion = 3, 1, 9, 7
	want.UpdatedAt = at
	want = insert(t, l, want)
	if want.ID == "" || want.No != "20261122-0001" || want.CreatedBy != facility.SystemActor {
		t.Errorf("filled in: id %q, no %q, by %q", want.ID, want.No, want.CreatedBy)
	}
	got, err := l.Order(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	events, err := l.OrderEvents(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 1 || events[0].ID == "" || events[0].Action != facility.OrderCreate || !events[0].At.Equal(noon) {
		t.Errorf("history %+v", events)
	}
}
