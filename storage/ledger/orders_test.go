package ledger_test

import (
	"bytes"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
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
	update(t, l, func(tx *ledger.Tx) error { return tx.InsertOrder(&o, facility.OrderEvent{}) })
	return o
}

// act does what a person does to an order, as the hub would.
func act(t testing.TB, l *ledger.Ledger, id string, by facility.Role, a facility.Act) (facility.Order, error) {
	t.Helper()
	var o facility.Order
	err := l.Update(t.Context(), func(tx *ledger.Tx) (err error) {
		p, err := tx.Person(string(by))
		if err != nil {
			return err
		}
		if o, err = tx.Order(id); err != nil {
			return err
		}
		e, err := o.Do(p, a, o.UpdatedAt.Add(time.Minute))
		if err != nil {
			return err
		}
		return tx.SaveOrder(o, e, nil)
	})
	return o, err
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
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	events, err := l.OrderEvents(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 1 || events[0].ID == "" || events[0].Action != facility.OrderCreate || !events[0].At.Equal(noon) {
		t.Errorf("history %+v", events)
	}
}

func TestTimesOutsideOfTheRange(t *testing.T) {
	l := staffed(t)
	o := newOrder()
	o.AcceptBy, o.FinishBy, o.ArriveBy = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(1, 2, 3, 0, 0, 0, 0, time.UTC), time.Time{}
	o = insert(t, l, o)
	got, err := l.Order(t.Context(), o.ID)
	if err != nil || got.AcceptBy.Year() != 2262 || got.FinishBy.Year() != 1677 || !got.ArriveBy.IsZero() {
		t.Errorf("%v, %v, %v, %v; want them at the ends of the range", got.AcceptBy, got.FinishBy, got.ArriveBy, err)
	}
}

func TestNumbersBeginAnewAtLocalMidnight(t *testing.T) {
	l := staffed(t)
	midnight := time.Date(2026, 11, 23, 0, 0, 0, 0, shanghai(t))
	tests := []struct {
		at   time.Time
		want string
	}{
		{midnight.Add(-2 * time.Second), "20261122-0001"},
		{midnight.Add(-1), "20261122-0002"},
		{midnight, "20261123-0001"},
		{midnight.Add(-time.Second), "20261122-0003"}, // told late
		{midnight.Add(time.Second).UTC(), "20261123-0002"},
		{midnight.AddDate(0, 0, 1).Add(-1), "20261123-0003"},
	}
	for _, tt := range tests {
		o := newOrder()
		o.CreatedAt = tt.at
		if got := insert(t, l, o).No; got != tt.want {
			t.Errorf("order of %v is %s, want %s", tt.at, got, tt.want)
		}
	}
	// A number that was taken in a transaction that failed is given again.
	boom := errors.New("boom")
	o := newOrder()
	if err := l.Update(t.Context(), func(tx *ledger.Tx) error {
		return errors.Join(tx.InsertOrder(&o, facility.OrderEvent{}), boom)
	}); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if got := insert(t, l, newOrder()).No; got != "20261122-0004" {
		t.Errorf("next number %s", got)
	}
}

func TestMoreOrdersThanFourDigits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := open(t, path)
	insert(t, l, newOrder())
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `UPDATE order_number SET last = 9998`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"20261122-9999", "20261122-10000", "20261122-10001"} {
		if got := insert(t, l, newOrder()).No; got != want {
			t.Errorf("number %s, want %s", got, want)
		}
	}
}

func TestOneOpenOrderPerKey(t *testing.T) {
	l := staffed(t)
	first := newOrder()
	first.Key = "fault/pump-1"
	first = insert(t, l, first)
	byKey := func(want string, latest string) {
		t.Helper()
		update(t, l, func(tx *ledger.Tx) error {
			o, err := tx.OpenOrderByKey("fault/pump-1")
			if o.ID != want || (err != nil) != (want == "") || err != nil && !errors.Is(err, facility.ErrNotFound) {
				t.Errorf("open order %q, %v; want %q", o.ID, err, want)
			}
			if o, err = tx.LatestOrderByKey("fault/pump-1"); o.ID != latest || err != nil {
				t.Errorf("latest order %q, %v; want %q", o.ID, err, latest)
			}
			return nil
		})
	}
	byKey(first.ID, first.ID)
	second := newOrder()
	second.Key, second.CreatedAt = first.Key, noon.Add(time.Hour)
	if err := l.Update(t.Context(), func(tx *ledger.Tx) error { return tx.InsertOrder(&second, facility.OrderEvent{}) }); !errors.Is(err, facility.ErrConflict) {
		t.Fatalf("a second open order: %v, want ErrConflict", err)
	}
	if second.ID != "" || second.No != "" {
		t.Errorf("an order that was refused was filled in: %+v", second)
	}
	if _, err := act(t, l, first.ID, facility.RoleDesk, facility.Act{Action: facility.OrderCancel, Note: "test"}); err != nil {
		t.Fatal(err)
	}
	byKey("", first.ID)
	second = insert(t, l, second)
	byKey(second.ID, second.ID)
	for range 2 { // no key is no key
		insert(t, l, newOrder())
	}
	update(t, l, func(tx *ledger.Tx) error {
		if o, err := tx.OpenOrderByKey(""); !errors.Is(err, facility.ErrNotFound) {
			t.Errorf("an order without a key was found by it: %+v, %v", o, err)
		}
		if o, err := tx.LatestOrderByKey(""); !errors.Is(err, facility.ErrNotFound) {
			t.Errorf("an order without a key was found by it: %+v, %v", o, err)
		}
		return nil
	})
}

func TestReopenMeetsANewOrderOfTheSameFault(t *testing.T) {
	l := staffed(t)
	old := newOrder()
	old.Key, old.State = "k", facility.OrderClosed
	old = insert(t, l, old)
	fresh := newOrder()
	fresh.Key = "k"
	insert(t, l, fresh)
	if _, err := act(t, l, old.ID, facility.RoleDesk, facility.Act{Action: facility.OrderReopen, Note: "again"}); !errors.Is(err, facility.ErrConflict) {
		t.Errorf("reopened beside a new order: %v, want ErrConflict", err)
	}
}

func TestSaveOrder(t *testing.T) {
	l := staffed(t)
	o := insert(t, l, newOrder())
	assigned, err := act(t, l, o.ID, facility.RoleDesk, facility.Act{Action: facility.OrderAssign, Target: "technician"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.Order(t.Context(), o.ID)
	if diff := cmp.Diff(assigned, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	// Somebody who read the order before that may not write over it.
	stale := o
	e, err := stale.Do(facility.Person{Login: "desk", Role: facility.RoleDesk}, facility.Act{Action: facility.OrderCancel, Note: "x"}, noon)
	if err != nil {
		t.Fatal(err)
	}
	save := func(o facility.Order, e facility.OrderEvent, p *facility.Photo) error {
		return l.Update(t.Context(), func(tx *ledger.Tx) error { return tx.SaveOrder(o, e, p) })
	}
	if err := save(stale, e, nil); !errors.Is(err, facility.ErrConflict) {
		t.Errorf("a stale order: %v, want ErrConflict", err)
	}
	ghost := stale
	ghost.ID = "ghost"
	if err := save(ghost, e, nil); !errors.Is(err, facility.ErrNotFound) {
		t.Errorf("an order that is not there: %v, want ErrNotFound", err)
	}
	lie := assigned
	e = facility.OrderEvent{At: noon, Actor: "desk", Action: facility.OrderComment, From: lie.State, To: facility.OrderClosed}
	lie.Version++
	if err := save(lie, e, nil); !errors.Is(err, facility.ErrInvalid) {
		t.Errorf("a history that says something else than the order: %v, want ErrInvalid", err)
	}
	if events, err := l.OrderEvents(t.Context(), o.ID); err != nil || len(events) != 2 || events[1].Target != "technician" {
		t.Errorf("history %+v, %v", events, err)
	}
}

func TestOrdersGoToThoseWhoMayTakeThem(t *testing.T) {
	l := staffed(t)
	if err := l.UpdatePerson(t.Context(), facility.Person{Login: "technician", Role: facility.RoleTechnician, Disabled: true}); err != nil {
		t.Fatal(err)
	}
	o := insert(t, l, newOrder())
	for _, login := range []string{"technician", "viewer", "ghost", "system"} {
		if _, err := act(t, l, o.ID, facility.RoleDesk, facility.Act{Action: facility.OrderAssign, Target: login}); !errors.Is(err, facility.ErrInvalid) {
			t.Errorf("assigned to %s: %v, want ErrInvalid", login, err)
		}
		n := newOrder()
		n.Assignee = login
		if err := l.Update(t.Context(), func(tx *ledger.Tx) error { return tx.InsertOrder(&n, facility.OrderEvent{}) }); !errors.Is(err, facility.ErrInvalid) {
			t.Errorf("made for %s: %v, want ErrInvalid", login, err)
		}
	}
	if _, err := act(t, l, o.ID, facility.RoleDesk, facility.Act{Action: facility.OrderAssign, Target: "guard"}); err != nil {
		t.Errorf("assigned to a guard: %v", err)
	}
}

func TestPhotos(t *testing.T) {
	l := staffed(t)
	o := insert(t, l, newOrder())
	data := bytes.Repeat([]byte{0xff, 0xd8, 0, 0x27}, 200_000)
	photo := facility.Photo{ID: "p1", Type: "image/jpeg", Data: data, By: "desk", At: noon}
	add := func(p facility.Photo, named string) error {
		return l.Update(t.Context(), func(tx *ledger.Tx) error {
			o, err := tx.Order(o.ID)
			if err != nil {
				return err
			}
			e, err := o.Do(facility.Person{Login: "desk", Role: facility.RoleDesk}, facility.Act{Action: facility.OrderPhoto, Photo: named}, noon)
			if err != nil {
				return err
			}
			return tx.SaveOrder(o, e, &p)
		})
	}
	if err := add(photo, "p1"); err != nil {
		t.Fatal(err)
	}
	got, err := l.Photo(t.Context(), "p1")
	if err != nil || !bytes.Equal(got.Data, data) {
		t.Errorf("%d bytes came back, %v; want %d", len(got.Data), err, len(data))
	}
	got.Data = nil
	if diff := cmp.Diff(facility.Photo{ID: "p1", Order: o.ID, Type: "image/jpeg", By: "desk", At: noon}, got); diff != "" {
		t.Error(diff)
	}
	events, err := l.OrderEvents(t.Context(), o.ID)
	if err != nil || len(events) != 2 || events[1].Photo != "p1" {
		t.Errorf("history %+v, %v", events, err)
	}
	for name, tt := range map[string]struct {
		photo facility.Photo
		named string
		want  error
	}{
		"the same id again": {photo, "p1", facility.ErrConflict},
		"two ids":           {facility.Photo{ID: "p2", Type: "image/jpeg", Data: data, At: noon}, "p3", facility.ErrInvalid},
		"no picture":        {facility.Photo{ID: "p2", Type: "image/jpeg", At: noon}, "p2", facility.ErrInvalid},
		"no type":           {facility.Photo{ID: "p2", Data: data, At: noon}, "p2", facility.ErrInvalid},
	} {
		if err := add(tt.photo, tt.named); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if got, err := l.Order(t.Context(), o.ID); err != nil || got.Version != 2 {
		t.Errorf("photos that failed left version %d, %v", got.Version, err)
	}
}

// list returns the numbers' counts of the orders that the filter finds.
func list(t testing.TB, l *ledger.Ledger, f facility.OrderFilter) []string {
	t.Helper()
	orders, err := l.Orders(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, o := range orders {
		out = append(out, o.No[len(o.No)-2:])
	}
	return out
}

func TestOrderLists(t *testing.T) {
	l := staffed(t)
	add := func(after time.Duration, state facility.OrderState, assignee, by string, change func(*facility.Order)) {
		o := newOrder()
		o.CreatedAt, o.State, o.Assignee, o.CreatedBy = noon.Add(after), state, assignee, by
		if change != nil {
			change(&o)
		}
		insert(t, l, o)
	}
	add(1, facility.OrderNew, "", "desk", func(o *facility.Order) { o.Title = facility.Text{ZH: "电梯困人", EN: "Lift stuck 100%"} })         // 01
	add(2, facility.OrderAssigned, "technician", "guard", func(o *facility.Order) { o.Detail = facility.Text{ZH: "3栋水管爆裂"} })             // 02
	add(3, facility.OrderInProgress, "guard", "system", func(o *facility.Order) { o.Device = "Main-Water" })                              // 03
	add(4, facility.OrderVerified, "technician", "system", func(o *facility.Order) { o.Place = "roof_tank" })                             // 04
	add(5, facility.OrderCancelled, "", "guard", nil)                                                                                     // 05
	add(5, facility.OrderClosed, "guard", "guard", func(o *facility.Order) { o.Title = facility.Text{EN: "STRASSE ÄÖÜ ΣΊΣΥΦΟΣ Kelvin"} }) // 06

	// 05 and 06 are of the same instant, in either order.
	if all := list(t, l, facility.OrderFilter{}); len(all) != 6 || !slices.Equal(all[2:], []string{"04", "03", "02", "01"}) {
		t.Errorf("all, newest first: %v", all)
	}
	tests := map[string]struct {
		filter facility.OrderFilter
		want   []string
	}{
		"open":              {facility.OrderFilter{Open: true}, []string{"01", "02", "03"}},
		"done":              {facility.OrderFilter{Done: true}, []string{"04", "05", "06"}},
		"open and done":     {facility.OrderFilter{Open: true, Done: true}, []string{}},
		"mine":              {facility.OrderFilter{Mine: "technician"}, []string{"02", "04"}},
		"open of mine":      {facility.OrderFilter{Mine: "technician", Open: true}, []string{"02"}},
		"my concern":        {facility.OrderFilter{Concern: "guard"}, []string{"02", "03", "05", "06"}},
		"done of concern":   {facility.OrderFilter{Concern: "guard", Done: true}, []string{"05", "06"}},
		"nobody's":          {facility.OrderFilter{Mine: "ghost"}, []string{}},
		"Chinese title":     {facility.OrderFilter{Search: "电梯"}, []string{"01"}},
		"one character":     {facility.OrderFilter{Search: "梯"}, []string{"01"}},
		"Chinese detail":    {facility.OrderFilter{Search: "栋水"}, []string{"02"}},
		"English, any case": {facility.OrderFilter{Search: "lIFT STUCK"}, []string{"01"}},
		"device":            {facility.OrderFilter{Search: "main-water"}, []string{"03"}},
		"place":             {facility.OrderFilter{Search: "Roof_T"}, []string{"04"}},
		"number":            {facility.OrderFilter{Search: "1122-0002"}, []string{"02"}},
		"umlauts":           {facility.OrderFilter{Search: "straSSe äöü"}, []string{"06"}},
		"sigma":             {facility.OrderFilter{Search: "σίσυφος"}, []string{"06"}},
		"Kelvin sign":       {facility.OrderFilter{Search: "\u212Aelvin"}, []string{"06"}},
		"percent":           {facility.OrderFilter{Search: "100%"}, []string{"01"}},
		"percent is itself": {facility.OrderFilter{Search: "1%0"}, []string{}},
		"underscore":        {facility.OrderFilter{Search: "f_t"}, []string{"04"}},
		"underscore itself": {facility.OrderFilter{Search: "p_mp"}, []string{}},
		"search and open":   {facility.OrderFilter{Search: "pump", Done: true}, []string{"04", "05", "06"}},
		"not in the state":  {facility.OrderFilter{Search: "cancelled"}, []string{}},
		"limit":             {facility.OrderFilter{Open: true, Page: facility.Page{Limit: 1}}, []string{"03"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := sorted(list(t, l, tt.filter)); !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

// Going through a list page by page gives the same as the whole list, also while
// new orders come in on top, and when many orders are of the same instant.
func TestPages(t *testing.T) {
	l := staffed(t)
	update(t, l, func(tx *ledger.Tx) error {
		for i := range 1010 {
			o := newOrder()
			o.CreatedAt = noon.Add(time.Duration(i/7) * time.Second)
			if err := tx.InsertOrder(&o, facility.OrderEvent{}); err != nil {
				return err
			}
		}
		return nil
	})
	ids := func(p facility.Page) []string {
		orders, err := l.Orders(t.Context(), facility.OrderFilter{Page: p, Open: true})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for i, o := range orders {
			out = append(out, o.ID)
			if i > 0 && o.CreatedAt.After(orders[i-1].CreatedAt) {
				t.Fatalf("order %d is newer than the one above it", i)
			}
		}
		return out
	}
	if n := len(ids(facility.Page{})); n != 100 {
		t.Errorf("a page without a limit has %d, want 100", n)
	}
	if n := len(ids(facility.Page{Limit: 5000})); n != 1000 {
		t.Errorf("the largest page has %d, want 1000", n)
	}
	for _, size := range []int{1, 7, 20} {
		want := ids(facility.Page{Limit: 60})
		var got []string
		for page := (facility.Page{Limit: size}); len(got) < len(want); page.Before = got[len(got)-1] {
			got = append(got, ids(page)...)
			newer := newOrder()
			newer.CreatedAt = noon.Add(time.Hour)
			insert(t, l, newer)
		}
		if !slices.Equal(got[:len(want)], want) {
			t.Errorf("pages of %d differ from the whole list", size)
		}
	}
	if _, err := l.Orders(t.Context(), facility.OrderFilter{Page: facility.Page{Before: "ghost"}}); !errors.Is(err, facility.ErrNotFound) {
		t.Errorf("a page before nothing: %v", err)
	}
}

func TestOrderTotalsAgreeWithTheDomain(t *testing.T) {
	l := staffed(t)
	var orders []facility.Order
	stamp := noon.Add(time.Minute)
	for _, state := range []facility.OrderState{
		"new", "assigned", "accepted", "arrived", "in_progress", "on_hold", "completed", "verified", "closed", "cancelled", "reopened",
	} {
		for stamps := range 4 {
			for _, promised := range []bool{true, false} {
				o := newOrder()
				o.State = state
				if stamps > 0 {
					o.Assignee, o.AcceptedAt = "technician", &stamp
				}
				if stamps > 1 {
					o.ArrivedAt = &stamp
				}
				if stamps > 2 {
					o.FinishedAt = &stamp
				}
				if !promised {
					o.AcceptBy, o.ArriveBy, o.FinishBy = time.Time{}, time.Time{}, time.Time{}
				}
				orders = append(orders, insert(t, l, o))
			}
		}
	}
	for _, after := range []time.Duration{0, 10 * time.Minute, 10*time.Minute + 1, 31 * time.Minute, 13 * time.Hour} {
		var want facility.OrderTotals
		load := map[string]int{}
		for _, o := range orders {
			if !o.State.Open() {
				continue
			}
			want.Open++
			if o.Assignee == "" {
				want.Unassigned++
			} else {
				load[o.Assignee]++
			}
			if o.Overdue(noon.Add(after)) {
				want.Overdue++
			}
		}
		got, err := l.OrderTotals(t.Context(), noon.Add(after))
		if err != nil || got != want {
			t.Errorf("after %v: %+v, %v; want %+v", after, got, err, want)
		}
		if got, err := l.OpenOrders(t.Context()); err != nil || !cmp.Equal(got, load) {
			t.Errorf("open orders %v, %v; want %v", got, err, load)
		}
	}
}
