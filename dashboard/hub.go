package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gengfu/facility"
)

// Pace and limits of the event stream.
const (
	pointsEvery    = 250 * time.Millisecond
	changesEvery   = 100 * time.Millisecond // at least between points that do not wait for the next beat
	overviewEvery  = time.Second
	overviewIdle   = 10 * time.Second // values grow stale and orders overdue without an event
	lookupTimeout  = 5 * time.Second
	clientQueue    = 64 // frames; a client that is further behind reads its pages again
	maxClients     = 4000
	maxClientsEach = 20 // of one session
)

var errFull = errors.New("too many event streams")

// hub spreads what happens over the event streams. One goroutine owns all of its
// state; another one reads the ledger for the overview, so that a slow ledger
// never holds up the events.
type hub struct {
	estate   *estate
	options  Options
	register *register
	log      *slog.Logger
	now      func() time.Time

	joins   chan join
	leaves  chan *client
	seen    *sightings
	closed  chan struct{}  // closed when run ends
	streams sync.WaitGroup // writers of the clients that have joined
}

// client is one open event stream.
type client struct {
	person facility.Person
	hash   string      // of its session
	queue  chan []byte // frames; closed by the hub when the stream must end
	hurry  func()      // bounds what the writer may still take for what is on its way
}

type join struct {
	client *client
	answer chan error
}

func newHub(e *estate, o Options, r *register) *hub {
	return &hub{
		estate: e, options: o, register: r, log: o.Logger, now: o.Now,
		seen: &sightings{at: map[string]time.Time{}}, joins: make(chan join), leaves: make(chan *client), closed: make(chan struct{}),
	}
}

// enter opens a stream for a person. The caller must call left when its writer
// has ended. It fails when there are too many streams or the server stops. When
// the hub ends the stream it calls hurry.
func (h *hub) enter(ctx context.Context, p facility.Person, hash string, hurry func()) (*client, error) {
	j := join{
		client: &client{person: p, hash: hash, queue: make(chan []byte, clientQueue), hurry: hurry},
		answer: make(chan error, 1),
	}
	select {
	case h.joins <- j:
		return j.client, <-j.answer
	case <-h.closed:
		return nil, fail("unavailable")
	case <-ctx.Done():
		return nil, fmt.Errorf("open an event stream: %w", ctx.Err())
	}
}

// left ends a stream whose writer has ended.
func (h *hub) left(c *client) {
	defer h.streams.Done()
	select {
	case h.leaves <- c:
	case <-h.closed:
	}
}

// state is what the goroutine of the hub knows.
type state struct {
	clients   map[*client]struct{}
	pending   map[facility.PointID]facility.Reading // since the points were last sent
	urgent    bool                                  // one of them does not wait for the next beat
	rested    bool                                  // changesEvery has passed since one did not wait
	values    latest                                // the newest reading of each point that was seen
	reach     map[string]reachShape                 // of each device, as last sent
	assignees map[string]string                     // of the orders that were seen
	overview  []byte                                // what the last one sent said; nil when a client has had none
	asleep    bool                                  // values and reach are of before: nobody has looked since
}

// run serves the hub until ctx ends, then says goodbye to all streams.
func (h *hub) run(ctx context.Context) {
	defer close(h.closed)
	st := &state{
		clients: map[*client]struct{}{}, pending: map[facility.PointID]facility.Reading{},
		values: latest{}, reach: map[string]reachShape{}, assignees: map[string]string{},
	}
	defer st.goodbye()

	dirty := make(chan struct{}, 1)
	overviews := make(chan overviewShape)
	var worker sync.WaitGroup
	defer worker.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	worker.Go(func() { h.watchOverview(ctx, dirty, overviews) })

	events, unsubscribe := h.options.Live.Subscribe()
	defer func() { unsubscribe() }()
	h.prime(st)
	h.seedAssignees(ctx, st)
	beat := time.NewTicker(pointsEvery)
	defer beat.Stop()
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok { // too slow, or the source stops: what was missed is not known
				st.goodbye()
				unsubscribe()
				events, unsubscribe = h.resubscribe(ctx)
				h.prime(st)
				continue
			}
			if h.take(ctx, st, e) && len(st.clients) > 0 {
				mark(dirty)
			}
			h.hurry(st, rest)
		case j := <-h.joins:
			if st.asleep {
				h.prime(st)
			}
			j.answer <- h.admit(st, j.client)
			mark(dirty)
		case c := <-h.leaves:
			delete(st.clients, c)
		case o := <-overviews:
			st.sendOverview(o)
		case <-beat.C:
			h.flush(st)
		case <-rest.C:
			st.rested = true
			h.hurry(st, rest)
		}
	}
}

// resubscribe waits a moment, so that a source that stops is not asked in a loop.
func (h *hub) resubscribe(ctx context.Context) (<-chan Event, func()) {
	pause := time.NewTimer(time.Second)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
	return h.options.Live.Subscribe()
}

// prime learns what is known now, so that only changes are sent.
func (h *hub) prime(st *state) {
	st.values, st.asleep = latest{}, false
	clear(st.pending)
	for id, r := range h.options.Live.Latest() {
		st.values[id] = r
		h.seen.note(r)
	}
	now := h.now()
	for i := range h.estate.Devices {
		d := &h.estate.Devices[i]
		st.reach[d.ID] = h.seen.fill(d.ID, reach(d, st.values, now))
	}
}

// seedAssignees learns who has which order, so that they are told when somebody
// else gets it.
func (h *hub) seedAssignees(ctx context.Context, st *state) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	open, err := h.options.Orders.Orders(ctx, facility.OrderFilter{Open: true, Page: facility.Page{Limit: 1000}})
	if err != nil {
		h.log.WarnContext(ctx, "the event stream does not know who has which order", "error", err)
	}
	for _, o := range open {
		st.assignees[o.ID] = o.Assignee
	}
}

func mark(dirty chan<- struct{}) {
	select {
	case dirty <- struct{}{}:
	default:
	}
}

// admit takes in a client and sends it what it needs to begin.
func (h *hub) admit(st *state, c *client) error {
	same := 0
	for other := range st.clients {
		if other.hash == c.hash {
			same++
		}
	}
	if len(st.clients) >= maxClients || same >= maxClientsEach {
		return errFull
	}
	h.streams.Add(1)
	st.clients[c] = struct{}{}
	st.send(c, frame("hello", struct {
		Now     time.Time `json:"now"`
		Version string    `json:"version"`
	}{h.now().UTC(), h.options.Version}))
	st.overview = nil
	return nil
}

// sendOverview sends an overview that says something new, or that somebody waits
// for.
func (st *state) sendOverview(o overviewShape) {
	said := essence(o)
	if !bytes.Equal(said, st.overview) {
		st.overview = said
		st.spread(frame("overview", o), facility.SeeEstate)
	}
}

// take handles one event of the estate and reports whether the overview may be
// another one now.
func (h *hub) take(ctx context.Context, st *state, e Event) (changed bool) {
	switch {
	case e.Stopping:
		st.goodbye()
		return false
	case e.Readings != nil:
		return h.takeReadings(st, e.Readings)
	case e.Alarm != nil:
		st.spread(frame("alarm", h.view(ctx).alarm(*e.Alarm)), facility.SeeEstate)
	case e.Order != nil:
		h.takeOrder(ctx, st, *e.Order)
	case e.Notice != nil:
		st.spread(frame("notice", noticeOf(*e.Notice)), facility.AcknowledgeAlarm)
		return false // the alarms come by themselves
	case e.Round != nil:
		st.spread(frame("round", h.view(ctx).round(*e.Round)), facility.SeePatrol)
	case e.Tap != nil:
		st.spread(frame("tap", h.view(ctx).tap(*e.Tap)), facility.SeePatrol)
		return false // what it changed comes as a round
	default:
		return false
	}
	return true
}

func (h *hub) view(ctx context.Context) *views {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	names, err := h.register.all(ctx)
	if err != nil {
		h.log.WarnContext(ctx, "the event stream shows logins for names", "error", err)
	}
	return &views{estate: h.estate, names: names, now: h.now()}
}

// takeOrder sends an order to everybody who may see it, and once more to whom it
// was assigned before, so that it leaves their list. What may be done to it
// depends on the reader, so there is one frame for each kind of reader.
func (h *hub) takeOrder(ctx context.Context, st *state, o facility.Order) {
	type reader struct {
		role              facility.Role
		assignee, creator bool
	}
	before := st.assignees[o.ID]
	if o.State.Open() {
		st.assignees[o.ID] = o.Assignee
	} else {
		delete(st.assignees, o.ID)
	}
	view := h.view(ctx)
	frames := map[reader][]byte{}
	for c := range st.clients {
		if !mayFollow(c.person, o) && (before == "" || c.person.Login != before) {
			continue
		}
		kind := reader{c.person.Role, c.person.Login == o.Assignee, c.person.Login == o.CreatedBy}
		if frames[kind] == nil {
			frames[kind] = frame("order", view.order(o, c.person))
		}
		st.send(c, frames[kind])
	}
}

// spread sends a frame to all clients whose role has the permission.
func (st *state) spread(f []byte, p facility.Permission) {
	for c := range st.clients {
		if c.person.Role.May(p) {
			st.send(c, f)
		}
	}
}

// send queues a frame. A client whose queue is full is let go: it comes back and
// reads its pages again, which is better than pages that are wrong.
func (st *state) send(c *client, f []byte) {
	select {
	case c.queue <- f:
	default:
		st.end(c)
	}
}

func (st *state) end(c *client) {
	if _, here := st.clients[c]; here {
		delete(st.clients, c)
		close(c.queue)
		c.hurry()
	}
}

// goodbye ends all streams.
func (st *state) goodbye() {
	bye := frame("bye", struct{}{})
	for c := range st.clients {
		st.send(c, bye)
		st.end(c)
	}
}

// frame is one event as it goes over the wire.
func frame(event string, data any) []byte {
	body, err := json.Marshal(data)
	if err != nil {
		body = []byte("{}") // a value that is no number: the event still says that something changed
	}
	f := make([]byte, 0, len("event: \ndata: \n\n")+len(event)+len(body))
	f = append(f, "event: "...)
	f = append(f, event...)
	f = append(f, "\ndata: "...)
	f = append(f, body...)
	return append(f, "\n\n"...)
}
