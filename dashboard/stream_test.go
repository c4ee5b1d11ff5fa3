package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gengfu/facility"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(
		m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),    // one for the program
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"), // sleeps ten seconds before it sees that its server has stopped
	)
}

// event is one event as a browser gets it.
type event struct {
	name string
	data json.RawMessage
}

// stream is an open event stream.
type stream struct {
	t      testing.TB
	resp   *http.Response
	events chan event // closed when the stream ends
}

// open opens the event stream of a browser that is signed in.
func (b *browser) open() *stream {
	b.t.Helper()
	r, err := http.NewRequest("GET", b.h.url+"/api/events", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	client := *b.client
	client.Timeout = 0
	resp, err := client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	if resp.StatusCode != 200 {
		b.t.Fatalf("the stream opens with %s", resp.Status)
	}
	s := &stream{t: b.t, resp: resp, events: make(chan event, 1000)}
	var reader sync.WaitGroup
	reader.Go(s.read)
	b.t.Cleanup(func() {
		_ = resp.Body.Close()
		reader.Wait()
	})
	return s
}

func (s *stream) read() {
	defer close(s.events)
	var e event
	lines := bufio.NewScanner(s.resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case line == "":
			if e.name != "" {
				s.events <- e
			}
			e = event{}
		case strings.HasPrefix(line, "event: "):
			e.name = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			e.data = json.RawMessage(line[len("data: "):])
		case strings.HasPrefix(line, ":"):
			s.events <- event{name: "comment"}
		}
	}
}

// next waits for the next event of the name; others are passed over.
func (s *stream) next(name string) json.RawMessage {
	s.t.Helper()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for {
		select {
		case e, ok := <-s.events:
			if !ok {
				s.t.Fatalf("the stream ended without %s", name)
			}
			if e.name == name {
				return e.data
			}
		case <-limit.C:
			s.t.Fatalf("no %s came", name)
		}
	}
}

// until gathers the names of the events that come before the one of the name.
func (s *stream) until(name string) map[string]int {
	s.t.Helper()
	seen := map[string]int{}
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for {
		select {
		case e, ok := <-s.events:
			if !ok {
				s.t.Fatalf("the stream ended without %s", name)
			}
			if e.name == name {
				return seen
			}
			seen[e.name]++
		case <-limit.C:
			s.t.Fatalf("no %s came", name)
		}
	}
}

// ended waits for the end of the stream.
func (s *stream) ended() {
	s.t.Helper()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for {
		select {
		case _, ok := <-s.events:
			if !ok {
				return
			}
		case <-limit.C:
			s.t.Fatal("the stream does not end")
		}
	}
}

func TestStream(t *testing.T) {
	h := startHouse(t)
	s := h.as("viewer").open()
	if kind := s.resp.Header.Get("Content-Type"); kind != "text/event-stream; charset=utf-8" {
		t.Errorf("Content-Type is %q", kind)
	}
	var hello struct {
		Now     time.Time
		Version string
	}
	decode(t, s.next("hello"), &hello)
	if !hello.Now.Equal(noon) || hello.Version != "1.2.3" {
		t.Errorf("hello %+v", hello)
	}
	h.tell(Event{Readings: []facility.Reading{
		h.value(pressure, 1), h.value(pressure, 2), h.value(facility.PointID{Device: "no", Quantity: "such"}, 1),
		{Point: fault, Time: noon, Quality: facility.Bad, Reason: facility.NoAnswer},
	}})
	var points pointsEventShape
	decode(t, s.next("points"), &points)
	if len(points.Points) != 2 {
		t.Errorf("points %+v: the last of each, and none that nobody knows", points)
	}
	for _, p := range points.Points {
		if p.ID == pressure && *p.Value != 2 || p.ID == fault && (p.Value != nil || p.Reason != facility.NoAnswer) {
			t.Errorf("point %+v", p)
		}
	}
	a := h.alarm(facility.P1, facility.AlarmUnacknowledged)
	h.tell(Event{Alarm: &a})
	var alarm alarmShape
	if decode(t, s.next("alarm"), &alarm); alarm.ID != a.ID || alarm.DeviceName.EN != "Pump 1" {
		t.Errorf("alarm %+v", alarm)
	}
	var o overviewShape
	for o.State != estateAlarm {
		decode(t, s.next("overview"), &o)
	}
	if o.Alarms.P1 != 1 {
		t.Errorf("overview %+v", o)
	}
}

func decode(t testing.TB, data json.RawMessage, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
}

// What was computed while nobody looked is old: a new page gets one of its own.
func TestStreamBeginsWithAnOverviewOfNow(t *testing.T) {
	h := startHouse(t)
	viewer := h.as("viewer")
	for range 2 {
		h.set(func() {
			for _, id := range []facility.PointID{pumpOn, waterOn} {
				h.values[id] = facility.Reading{Point: id, Time: noon, Value: 1, Quality: facility.Good}
			}
		})
		s := viewer.open()
		var o overviewShape
		if decode(t, s.next("overview"), &o); o.State != estateOK {
			t.Errorf("a new page is told %s", o.State)
		}
	}
}

func TestStreamTellsWhenADeviceGoes(t *testing.T) {
	h := startHouse(t)
	s := h.as("viewer").open()
	s.next("hello")
	h.tell(Event{Readings: []facility.Reading{h.value(pumpOn, 1)}})
	var d deviceEventShape
	if decode(t, s.next("device"), &d); d.ID != "pump-1" || d.Online == nil || !*d.Online {
		t.Errorf("device %+v", d)
	}
	h.clock.advance(time.Second)
	h.tell(Event{Readings: []facility.Reading{h.value(pumpOn, 1)}}) // nothing new
	h.clock.advance(time.Second)
	h.tell(Event{Readings: []facility.Reading{h.value(pumpOn, 0)}})
	if decode(t, s.next("device"), &d); d.Online == nil || *d.Online || d.Reason != "no_answer" || !d.LastSeen.Equal(noon.Add(time.Second)) {
		t.Errorf("device %+v", d)
	}
}

// What comes while nobody looks is not kept for the stream, but who comes then is
// told only of what changes from there on, and when the device was last there.
func TestStreamAfterNobodyLooked(t *testing.T) {
	h := startHouse(t)
	h.tell(Event{Readings: []facility.Reading{h.value(pumpOn, 1)}})
	h.heard()
	s := h.as("viewer").open()
	s.next("hello")
	h.clock.advance(time.Second)
	again := h.value(pumpOn, 1)
	h.tell(Event{Readings: []facility.Reading{again}})
	h.clock.advance(time.Second)
	h.tell(Event{Readings: []facility.Reading{h.value(pumpOn, 0)}})
	var d deviceEventShape
	if decode(t, s.next("device"), &d); d.Online == nil || *d.Online || !d.LastSeen.Equal(again.Time) {
		t.Errorf("the first that is told of the device is %+v", d)
	}
}

// A journal that is read late must not turn the clock of a page back.
func TestStreamKeepsTheNewest(t *testing.T) {
	h := startHouse(t)
	s := h.as("viewer").open()
	s.next("hello")
	old := h.value(pressure, 1)
	old.Time = noon.Add(-time.Hour)
	h.tell(Event{Readings: []facility.Reading{h.value(pressure, 2)}})
	h.tell(Event{Readings: []facility.Reading{old}})
	h.tell(Event{Readings: []facility.Reading{h.value(fault, 1)}})
	values := map[facility.PointID]float64{}
	for len(values) < 2 {
		var points pointsEventShape
		decode(t, s.next("points"), &points)
		for _, p := range points.Points {
			values[p.ID] = *p.Value
		}
	}
	if values[pressure] != 2 {
		t.Errorf("the page shows %v", values)
	}
}

func TestStreamShowsEachRoleItsOwn(t *testing.T) {
	h := startHouse(t)
	mine := h.order("technician", "")
	other := h.order("desk", "guard")
	alarm := h.alarm(facility.P1, facility.AlarmUnacknowledged)
	streams := map[string]*stream{}
	for _, role := range facility.Roles {
		streams[string(role)] = h.as(string(role)).open()
		streams[string(role)].next("hello")
	}
	round := facility.Round{ID: "r"}
	tap := facility.JudgedTap{Tap: facility.Tap{ID: "t"}}
	h.tell(Event{Readings: []facility.Reading{h.value(pressure, 1), h.value(pumpOn, 1)}})
	h.tell(Event{Alarm: &alarm})
	h.tell(Event{Order: &mine})
	h.tell(Event{Order: &other})
	h.tell(Event{Round: &round})
	h.tell(Event{Tap: &tap})
	h.tell(Event{Stopping: true})
	want := map[string]string{
		"admin": "alarm 1 order 2 round 1 tap 1 device 1", "manager": "alarm 1 order 2 round 1 tap 1 device 1",
		"desk": "alarm 1 order 2 round 1 tap 1 device 1", "technician": "alarm 1 order 1 round 0 tap 0 device 1",
		"guard": "alarm 0 order 1 round 1 tap 1 device 0", "viewer": "alarm 1 order 2 round 1 tap 1 device 1",
	}
	for role, s := range streams {
		seen := s.until("bye")
		got := fmt.Sprintf("alarm %d order %d round %d tap %d device %d", seen["alarm"], seen["order"], seen["round"], seen["tap"], seen["device"])
		if got != want[role] {
			t.Errorf("%s sees %s, want %s", role, got, want[role])
		}
		if role == "guard" && seen["points"]+seen["overview"] > 0 {
			t.Errorf("the guard sees the estate: %v", seen)
		}
		s.ended()
	}
}

func TestStreamOrderForItsReader(t *testing.T) {
	h := startHouse(t)
	h.set(func() {
		h.people["tech2"] = facility.Person{Login: "tech2", Name: "tech2", Role: facility.RoleTechnician}
		h.hashes["tech2"] = h.hashes["technician"]
	})
	o := h.order("desk", "technician")
	technician, desk, second := h.as("technician").open(), h.as("desk").open(), h.as("tech2").open()
	for _, s := range []*stream{technician, desk, second} {
		s.next("hello")
	}
	h.tell(Event{Order: &o})
	var shape orderShape
	decode(t, technician.next("order"), &shape)
	if fmt.Sprint(shape.Actions) != "[accept return comment photo]" || shape.DeviceName.EN != "Pump 1" {
		t.Errorf("the technician may %v", shape.Actions)
	}
	decode(t, desk.next("order"), &shape)
	if fmt.Sprint(shape.Actions) != "[assign cancel comment photo]" {
		t.Errorf("the desk may %v", shape.Actions)
	}
	// Given to somebody else, it goes to both: to one to do, to the other to forget.
	o, err := h.ActOnOrder(context.Background(), h.people["desk"], o.ID, facility.Act{Action: facility.OrderAssign, Target: "tech2"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.tell(Event{Order: &o})
	decode(t, technician.next("order"), &shape)
	if shape.Assignee != "tech2" || len(shape.Actions) != 0 {
		t.Errorf("the first technician sees %s with %v", shape.Assignee, shape.Actions)
	}
	decode(t, second.next("order"), &shape)
	if shape.Assignee != "tech2" || len(shape.Actions) == 0 {
		t.Errorf("the second technician sees %s with %v", shape.Assignee, shape.Actions)
	}
}

func TestStreamNeedsSignIn(t *testing.T) {
	h := startHouse(t)
	h.browser().wantError("signed_out", "", "GET", "/api/events", nil)
	viewer := h.as("viewer")
	for range maxClientsEach {
		viewer.open().next("hello")
	}
	viewer.wantError("too_many", "", "GET", "/api/events", nil)
	h.as("viewer").open().next("hello")
}

func TestStreamsSayGoodbyeWhenTheServerStops(t *testing.T) {
	h := startHouse(t)
	s := h.as("guard").open()
	s.next("hello")
	h.stop()
	s.next("bye")
	s.ended()
	if _, err := h.server.hub.enter(context.Background(), facility.Person{}, "", func() {}); err == nil {
		t.Error("a stream opened after the end")
	}
}

// When the hub could not keep up, pages would be wrong without knowing it: they
// are sent away to read anew.
func TestStreamsEndWhenEventsWereLost(t *testing.T) {
	h := startHouse(t)
	viewer := h.as("viewer")
	s := viewer.open()
	s.next("hello")
	h.dropAll()
	s.next("bye")
	s.ended()
	<-h.subbed // it subscribes again by itself
	again := viewer.open()
	again.next("hello")
	h.tell(Event{Readings: []facility.Reading{h.value(pressure, 7)}})
	again.next("points")
}

func TestTwoHundredStreams(t *testing.T) {
	h := startHouse(t)
	const sessions, each = 20, 10
	var streams []*stream
	for range sessions {
		viewer := h.as("viewer")
		for range each {
			streams = append(streams, viewer.open())
		}
	}
	for _, s := range streams {
		s.next("hello")
	}
	for i := range 20 {
		a := h.alarm(facility.P3, facility.AlarmUnacknowledged)
		a.Count = i
		h.tell(Event{Alarm: &a})
	}
	for n, s := range streams {
		for i := range 20 {
			var a alarmShape
			if decode(t, s.next("alarm"), &a); a.Count != i {
				t.Fatalf("stream %d: alarm %d came as number %d", n, a.Count, i)
			}
		}
	}
}

// A client that does not read is let go, and nobody else waits for it.
func TestSlowClientIsLetGo(t *testing.T) {
	h := startHouse(t)
	viewer := h.as("viewer")
	token := viewer.client.Jar.Cookies(mustURL(t, h.url))[0]
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET /api/events HTTP/1.1\r\nHost: x\r\nCookie: %s\r\n\r\n", token); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil { // it has been let in
		t.Fatal(err)
	}
	quick := viewer.open()
	quick.next("hello")
	a := h.alarm(facility.P3, facility.AlarmUnacknowledged)
	a.AckNote = strings.Repeat("x", 100_000)
	for range 200 { // 20 MB: more than all buffers between here and there
		h.tell(Event{Alarm: &a})
		quick.next("alarm")
	}
	h.stop() // would wait for the slow one's writer if it were still kept
}

func TestHeartbeatEndsARevokedSession(t *testing.T) {
	h := startHouse(t)
	admin, viewer := h.as("admin"), h.as("viewer")
	viewer.want(200, "GET", "/api/overview", nil, nil)
	cl := &client{person: h.people["viewer"], hash: hashToken(viewer.client.Jar.Cookies(mustURL(t, h.url))[0].Value)}
	if !h.server.stillSignedIn(cl) {
		t.Error("a session that goes on is ended")
	}
	admin.want(200, "PATCH", "/api/people/viewer", object{"role": "guard"}, nil)
	if h.server.stillSignedIn(cl) {
		t.Error("a stream goes on with a role that its person no longer has")
	}
	admin.want(200, "PATCH", "/api/people/viewer", object{"role": "viewer", "disabled": true}, nil)
	if h.server.stillSignedIn(cl) {
		t.Error("a stream of a disabled person goes on")
	}
}
