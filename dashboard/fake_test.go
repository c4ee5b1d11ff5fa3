package dashboard

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"gengfu/facility"
)

// fake is the rest of the house in memory: the ledger, the hub and the history.
type fake struct {
	mu       sync.Mutex
	now      func() time.Time
	people   map[string]facility.Person
	hashes   map[string]string
	sessions map[string]facility.Session
	audit    []facility.AuditEntry
	orders   map[string]facility.Order
	events   map[string][]facility.OrderEvent
	photos   map[string]facility.Photo
	alarms   map[string]facility.Alarm
	rounds   []facility.Round
	taps     []facility.Tap
	values   map[facility.PointID]facility.Reading
	buckets  []facility.Bucket
	asked    query
	waiting  []string
	subs     map[chan Event]struct{}
	subbed   chan struct{} // receives one for each subscription
	next     int
	failing  error // of every call to the ledger, when not nil
	panics   bool  // Health panics
}

// query is what the history was last asked.
type query struct {
	point    facility.PointID
	kind     string
	from, to time.Time
	step     time.Duration
}

var (
	_ People  = (*fake)(nil)
	_ Orders  = (*fake)(nil)
	_ Desk    = (*fake)(nil)
	_ Watch   = (*fake)(nil)
	_ Live    = (*fake)(nil)
	_ History = (*fake)(nil)
)

func newFake(now func() time.Time) *fake {
	return &fake{
		now: now, people: map[string]facility.Person{}, hashes: map[string]string{}, sessions: map[string]facility.Session{},
		orders: map[string]facility.Order{}, events: map[string][]facility.OrderEvent{}, photos: map[string]facility.Photo{},
		alarms: map[string]facility.Alarm{}, values: map[facility.PointID]facility.Reading{},
		subs: map[chan Event]struct{}{}, subbed: make(chan struct{}, 100),
	}
}

func (f *fake) lock() (func(), error) {
	f.mu.Lock()
	return f.mu.Unlock, f.failing
}

// id numbers things so that a later one sorts after.
func (f *fake) id() string {
	f.next++
	return fmt.Sprintf("00000000-0000-7000-8000-%012d", f.next)
}

func (f *fake) People(context.Context) ([]facility.Person, error) {
	unlock, err := f.lock()
	defer unlock()
	var out []facility.Person
	for _, p := range f.people {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b facility.Person) int { return strings.Compare(a.Login, b.Login) })
	return out, err
}

func (f *fake) Person(_ context.Context, login string) (facility.Person, error) {
	unlock, err := f.lock()
	defer unlock()
	if p, ok := f.people[login]; ok || err != nil {
		return p, err
	}
	return facility.Person{}, facility.ErrNotFound
}

func (f *fake) CreatePerson(_ context.Context, p facility.Person, hash string) error {
	unlock, err := f.lock()
	defer unlock()
	if _, exists := f.people[p.Login]; exists {
		return facility.ErrConflict
	}
	for _, other := range f.people {
		for _, b := range p.Badges {
			if slices.Contains(other.Badges, b) {
				return facility.ErrConflict
			}
		}
	}
	f.people[p.Login], f.hashes[p.Login] = p, hash
	return err
}

func (f *fake) UpdatePerson(_ context.Context, p facility.Person) error {
	unlock, err := f.lock()
	defer unlock()
	f.people[p.Login] = p
	if p.Disabled {
		f.endSessions(p.Login)
	}
	return err
}

func (f *fake) endSessions(login string) {
	for hash, s := range f.sessions {
		if s.Login == login {
			delete(f.sessions, hash)
		}
	}
}

func (f *fake) PasswordHash(_ context.Context, login string) (string, error) {
	unlock, err := f.lock()
	defer unlock()
	return f.hashes[login], err
}

func (f *fake) SetPassword(_ context.Context, login, hash string) error {
	unlock, err := f.lock()
	defer unlock()
	f.hashes[login] = hash
	f.endSessions(login)
	return err
}

func (f *fake) CreateSession(_ context.Context, s facility.Session) error {
	unlock, err := f.lock()
	defer unlock()
	f.sessions[s.Hash] = s
	return err
}

func (f *fake) Session(_ context.Context, hash string, now time.Time) (facility.Session, facility.Person, error) {
	unlock, err := f.lock()
	defer unlock()
	s, ok := f.sessions[hash]
	if err == nil && (!ok || !now.Before(s.Expires)) {
		err = facility.ErrNotFound
	}
	return s, f.people[s.Login], err
}

func (f *fake) DeleteSession(_ context.Context, hash string) error {
	unlock, err := f.lock()
	defer unlock()
	delete(f.sessions, hash)
	return err
}

func (f *fake) Audit(_ context.Context, e facility.AuditEntry) error {
	unlock, err := f.lock()
	defer unlock()
	f.audit = append(f.audit, e)
	return err
}

func (f *fake) AuditLog(_ context.Context, page facility.Page) ([]facility.AuditEntry, error) {
	unlock, err := f.lock()
	defer unlock()
	out := slices.Clone(f.audit)
	slices.Reverse(out)
	return out[:min(page.Limit, len(out))], err
}

// audited returns the audit as "actor action target".
func (f *fake) audited() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, e := range f.audit {
		out = append(out, strings.TrimSpace(e.Actor+" "+e.Action+" "+e.Target))
	}
	return out
}

func (f *fake) Orders(_ context.Context, filter facility.OrderFilter) ([]facility.Order, error) {
	unlock, err := f.lock()
	defer unlock()
	var out []facility.Order
	for _, o := range f.orders {
		if filter.Open && !o.State.Open() || filter.Done && o.State.Open() ||
			filter.Mine != "" && o.Assignee != filter.Mine ||
			filter.Concern != "" && o.Assignee != filter.Concern && o.CreatedBy != filter.Concern ||
			filter.Search != "" && !strings.Contains(o.Title.ZH+o.No, filter.Search) ||
			filter.Before != "" && o.ID >= filter.Before {
			continue
		}
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b facility.Order) int { return strings.Compare(b.ID, a.ID) })
	if filter.Limit > 0 && len(out) > filter.Limit {
		out = out[:filter.Limit]
	}
	return out, err
}

func (f *fake) Order(_ context.Context, id string) (facility.Order, error) {
	unlock, err := f.lock()
	defer unlock()
	if o, ok := f.orders[id]; ok || err != nil {
		return o, err
	}
	return facility.Order{}, facility.ErrNotFound
}

func (f *fake) OrderEvents(_ context.Context, id string) ([]facility.OrderEvent, error) {
	unlock, err := f.lock()
	defer unlock()
	return slices.Clone(f.events[id]), err
}

func (f *fake) OrderAlarms(_ context.Context, id string) ([]facility.Alarm, error) {
	unlock, err := f.lock()
	defer unlock()
	var out []facility.Alarm
	for _, a := range f.alarms {
		if a.OrderID == id {
			out = append(out, a)
		}
	}
	return out, err
}

func (f *fake) OpenOrders(context.Context) (map[string]int, error) {
	unlock, err := f.lock()
	defer unlock()
	out := map[string]int{}
	for _, o := range f.orders {
		if o.State.Open() {
			out[o.Assignee]++
		}
	}
	return out, err
}

func (f *fake) OrderTotals(_ context.Context, now time.Time) (facility.OrderTotals, error) {
	unlock, err := f.lock()
	defer unlock()
	var n facility.OrderTotals
	for _, o := range f.orders {
		if !o.State.Open() {
			continue
		}
		n.Open++
		if o.Assignee == "" {
			n.Unassigned++
		}
		if o.Overdue(now) {
			n.Overdue++
		}
	}
	return n, err
}

func (f *fake) Photo(_ context.Context, id string) (facility.Photo, error) {
	unlock, err := f.lock()
	defer unlock()
	if p, ok := f.photos[id]; ok || err != nil {
		return p, err
	}
	return facility.Photo{}, facility.ErrNotFound
}

func (f *fake) CreateOrder(_ context.Context, by facility.Person, o facility.Order) (facility.Order, error) {
	unlock, err := f.lock()
	defer unlock()
	if err != nil {
		return o, err
	}
	now := f.now()
	o.ID, o.State, o.Count, o.CreatedBy, o.Version = f.id(), facility.OrderNew, 1, by.Login, 1
	o.No = fmt.Sprintf("20261122-%04d", f.next)
	o.CreatedAt, o.LastAt, o.UpdatedAt = now, now, now
	o.Promise(now)
	f.orders[o.ID] = o
	f.events[o.ID] = []facility.OrderEvent{{ID: f.id(), Order: o.ID, At: now, Actor: by.Login, Action: facility.OrderCreate, To: o.State}}
	return o, nil
}

func (f *fake) ActOnOrder(_ context.Context, by facility.Person, id string, act facility.Act, photo *facility.Photo) (facility.Order, error) {
	unlock, err := f.lock()
	defer unlock()
	o, ok := f.orders[id]
	if !ok || err != nil {
		return o, facility.ErrNotFound
	}
	if o.MayAct(by, act.Action) && o.Already(act) {
		return o, nil
	}
	event, err := o.Do(by, act, f.now())
	if err != nil {
		return o, err
	}
	event.ID = f.id()
	f.orders[id], f.events[id] = o, append(f.events[id], event)
	if photo != nil {
		f.photos[photo.ID] = *photo
	}
	return o, nil
}

func (f *fake) AcknowledgeAlarm(_ context.Context, by facility.Person, id, note string) (facility.Alarm, error) {
	unlock, err := f.lock()
	defer unlock()
	a, ok := f.alarms[id]
	if !ok || err != nil {
		return a, facility.ErrNotFound
	}
	next, ok := map[facility.AlarmState]facility.AlarmState{
		facility.AlarmUnacknowledged: facility.AlarmAcknowledged, facility.AlarmReturned: facility.AlarmNormal,
	}[a.State]
	if !ok {
		return a, facility.ErrUnlawful
	}
	a.State = next
	a.AckedBy, a.AckNote, a.AckedAt = by.Login, note, new(f.now())
	f.alarms[id] = a
	return a, nil
}

func (f *fake) TakeTaps(_ context.Context, taps []facility.Tap) error {
	unlock, err := f.lock()
	defer unlock()
	if err != nil {
		return err
	}
	for _, t := range taps {
		if !slices.ContainsFunc(f.taps, func(have facility.Tap) bool { return have.ID == t.ID }) {
			f.taps = append(f.taps, t)
		}
	}
	return nil
}

func (f *fake) Alarms(_ context.Context, filter facility.AlarmFilter) ([]facility.Alarm, error) {
	unlock, err := f.lock()
	defer unlock()
	var out []facility.Alarm
	for _, a := range f.alarms {
		if filter.Standing && a.State == facility.AlarmNormal || filter.Device != "" && a.Device != filter.Device {
			continue
		}
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b facility.Alarm) int { return strings.Compare(b.ID, a.ID) })
	return out, err
}

func (f *fake) Alarm(_ context.Context, id string) (facility.Alarm, error) {
	unlock, err := f.lock()
	defer unlock()
	if a, ok := f.alarms[id]; ok || err != nil {
		return a, err
	}
	return facility.Alarm{}, facility.ErrNotFound
}

func (f *fake) Rounds(_ context.Context, from, to time.Time) ([]facility.Round, error) {
	unlock, err := f.lock()
	defer unlock()
	var out []facility.Round
	for _, r := range f.rounds {
		if !r.Start.Before(from) && r.Start.Before(to) {
			out = append(out, r)
		}
	}
	return out, err
}

func (f *fake) Taps(_ context.Context, from, to time.Time) ([]facility.JudgedTap, error) {
	unlock, err := f.lock()
	defer unlock()
	var out []facility.JudgedTap
	for _, t := range f.taps {
		if !t.TappedAt.Before(from) && t.TappedAt.Before(to) {
			out = append(out, facility.JudgedTap{Tap: t, Checkpoint: t.Checkpoint, Person: t.Person, Verdict: facility.OnTime})
		}
	}
	return out, err
}

func (f *fake) Latest() map[facility.PointID]facility.Reading {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make(map[facility.PointID]facility.Reading, len(f.values))
	for id, r := range f.values {
		out[id] = r
	}
	return out
}

func (f *fake) Subscribe() (<-chan Event, func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	events := make(chan Event, 1000)
	f.subs[events] = struct{}{}
	f.subbed <- struct{}{}
	return events, func() { f.drop(events) }
}

func (f *fake) drop(events chan Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.subs[events]; ok {
		delete(f.subs, events)
		close(events)
	}
}

// dropAll does what the hub does to subscribers that are too slow.
func (f *fake) dropAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for events := range f.subs {
		delete(f.subs, events)
		close(events)
	}
}

// tell publishes an event and books readings as the latest.
func (f *fake) tell(e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range e.Readings {
		f.values[r.Point] = r
	}
	for events := range f.subs {
		events <- e
	}
}

// heard waits until all that was told is taken.
func (f *fake) heard() {
	for waiting := true; waiting; runtime.Gosched() {
		f.mu.Lock()
		waiting = false
		for events := range f.subs {
			waiting = waiting || len(events) > 0
		}
		f.mu.Unlock()
	}
}

func (f *fake) Health(context.Context) any {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.panics {
		panic("the secret of the pump house")
	}
	return map[string]any{"version": "test"}
}

func (f *fake) Ready() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.waiting
}

func (f *fake) Query(_ context.Context, p facility.Point, kind string, from, to time.Time, step time.Duration) ([]facility.Bucket, error) {
	unlock, err := f.lock()
	defer unlock()
	f.asked = query{p.ID, kind, from, to, step}
	var out []facility.Bucket
	for _, b := range f.buckets {
		if !b.Start.Before(from) && b.Start.Before(to) {
			out = append(out, b)
		}
	}
	return out, err
}
