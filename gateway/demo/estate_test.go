package demo

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gengfu/devices"
	"gengfu/devices/profile"
	"gengfu/devices/simulator"
	"gengfu/facility"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func start(t *testing.T, o Options) *Estate {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	e, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func do(t *testing.T, e *Estate, name string, args ...string) Status {
	t.Helper()
	s, err := e.Control(t.Context(), Action{Name: name, Args: args})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// register returns the words of a quantity as they stand in the slave.
func register(t *testing.T, e *Estate, device, quantity string) []uint16 {
	t.Helper()
	s := e.slaves[device]
	pt, ok := s.Profile().Point(quantity)
	if !ok {
		t.Fatalf("%s has no %s", device, quantity)
	}
	return s.Words(pt.Table, pt.Address, pt.Words())
}

func TestControlChangesTheRegisters(t *testing.T) {
	e := start(t, Options{Now: (&clock{now: at(10, 0)}).Now})
	fault := func() uint16 { return register(t, e, "pump-1", "fault_word")[0] }

	do(t, e, "break-pump", "1")
	if got := fault(); got != 0x0001 {
		t.Errorf("the fault word of the broken pump is %04x", got)
	}
	pt, _ := e.slaves["pump-1"].Profile().Point("fault")
	if pt.Table != profile.Holding || *pt.Bit != 0 || register(t, e, "pump-1", "fault")[0]>>*pt.Bit&1 != 1 {
		t.Error("the bit that the profile names is not set")
	}
	if got := register(t, e, "pump-1", "running")[0] & 1; got != 0 {
		t.Error("the broken pump still says that it runs")
	}
	do(t, e, "break-pump", "pump-1", "overload")
	if got := fault(); got != 0x0003 {
		t.Errorf("the fault word with overload is %04x", got)
	}
	do(t, e, "repair-pump", "1")
	if got := fault(); got != 0 {
		t.Errorf("the fault word of the repaired pump is %04x", got)
	}

	do(t, e, "flood")
	if got := register(t, e, "pump-room-inputs", "floor_water")[0]; got != 1 {
		t.Errorf("the floor contact is %d", got)
	}
	do(t, e, "dry")
	if got := register(t, e, "pump-room-inputs", "floor_water")[0]; got != 0 {
		t.Errorf("the floor contact is %d", got)
	}

	sound := do(t, e, "status")
	burst := do(t, e, "burst", "building-a")
	if got, err := e.slaves["water-a"].Get("flow"); err != nil || got < sound.Flow+5 {
		t.Errorf("with a burst pipe meter A shows %v m3/h (%v), before the estate took %v", got, err, sound.Flow)
	}
	if !slices.Equal(burst.Burst, []string{"building-a"}) {
		t.Errorf("burst are %v", burst.Burst)
	}
	do(t, e, "silence", "tank")
	if f := e.slaves["tank"].Fault(); f.Kind != simulator.Silent {
		t.Errorf("the silenced device has the fault %v", f)
	}
	do(t, e, "fault", "water-b", "slow", "800ms")
	if f := e.slaves["water-b"].Fault(); f.Delay != 800*time.Millisecond {
		t.Errorf("the slow device has the fault %v", f)
	}
	whole := do(t, e, "reset")
	if len(whole.Burst)+len(whole.Faults) != 0 || whole.Flood {
		t.Errorf("after a reset: %+v", whole)
	}
}

func TestControlRefuses(t *testing.T) {
	e := start(t, Options{Now: (&clock{now: at(10, 0)}).Now})
	for _, s := range []string{
		"explode", "break-pump", "break-pump 4", "break-pump 1 rust", "burst roof", "silence toaster",
		"fault tank", "fault tank asleep", "tap moon zhao", "tap gate nobody", "skip moon", "guard maybe",
	} {
		words := strings.Fields(s)
		if _, err := e.Control(t.Context(), Action{Name: words[0], Args: words[1:]}); !errors.Is(err, ErrAction) {
			t.Errorf("%s: %v, want ErrAction", s, err)
		}
	}
}

// The meters go on where an earlier run left them, whatever the time between.
func TestTheEstateIsTakenUpAgain(t *testing.T) {
	dir := t.TempDir()
	now := &clock{now: at(23, 50)}
	e := start(t, Options{Dir: dir, Now: now.Now})
	if e.Resumed() {
		t.Error("a first run was taken up again")
	}
	now.add(30 * time.Second)
	before := e.Status()
	total, err := e.slaves["main-water"].Get("total")
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	now.add(26 * time.Hour)
	e = start(t, Options{Dir: dir, Now: now.Now})
	after, err := e.slaves["main-water"].Get("total")
	if err != nil {
		t.Fatal(err)
	}
	if rise := after - total; !e.Resumed() || rise < 100 || rise > 400 {
		t.Errorf("a day after %v m3 (%v) the meter shows %v m3", total, before.At, after)
	}
}

func TestOnlyOneDemoInAFolder(t *testing.T) {
	dir := t.TempDir()
	start(t, Options{Dir: dir})
	if second, err := Start(t.Context(), Options{Dir: dir}); err == nil {
		t.Errorf("a second one started: %v", second.Close())
	}
}

func TestWalk(t *testing.T) {
	m := Model{Seed: 1, Zone: shanghai}
	five := []string{"a", "b", "c", "d", "e"}
	taps := m.walk(five, at(8, 0).Add(-time.Nanosecond), at(11, 0))
	if len(taps) != 15 {
		t.Fatalf("%d taps in three rounds of five", len(taps))
	}
	for i, tap := range taps {
		hour := at(8+i/5, 0)
		if into := tap.At.Sub(hour); into < 3*time.Minute || into > 45*time.Minute || tap.Checkpoint != five[i%5] {
			t.Errorf("tap %d at %v is %v into its round", i, tap.Checkpoint, into)
		}
	}
	// In pieces it is the same walk.
	var pieces []walkTap
	for t0 := at(8, 0).Add(-time.Nanosecond); t0.Before(at(11, 0)); t0 = t0.Add(7 * time.Minute) {
		end := t0.Add(7 * time.Minute)
		if end.After(at(11, 0)) {
			end = at(11, 0)
		}
		pieces = append(pieces, m.walk(five, t0, end)...)
	}
	if !slices.Equal(pieces, taps) {
		t.Errorf("in pieces the walk is %v, want %v", pieces, taps)
	}
}

func TestTheGuardCatchesUpSkipsAndRests(t *testing.T) {
	s, err := loadSite()
	if err != nil {
		t.Fatal(err)
	}
	m := s.model()
	now := at(10, 30)
	collect := func(r *round, from, to time.Time) []string {
		var out []string
		for t0 := from; !t0.After(to); t0 = t0.Add(time.Second) {
			if tap, ok := r.next(m, t0); ok {
				out = append(out, tap.Checkpoint)
			}
		}
		return out
	}
	all := []string{"gate", "pump-room", "electric-room", "garage", "garden"}

	r := newRound(s, now, false)
	if got := collect(&r, now, now.Add(time.Minute)); !slices.Equal(got, all) {
		t.Errorf("in the middle of a round he catches up %v", got)
	}
	late := newRound(s, at(10, 50), false)
	if got := collect(&late, at(10, 50), at(10, 59)); len(got) != 0 {
		t.Errorf("after the window he still taps %v", got)
	}
	r.skipping["garage"] = true
	if got := collect(&r, at(11, 0), at(11, 50)); !slices.Equal(got, []string{"gate", "pump-room", "electric-room", "garden"}) {
		t.Errorf("told to skip the garage he taps %v", got)
	}
	r.skipping[""] = true
	if got := collect(&r, at(12, 0), at(12, 50)); !slices.Equal(got, all[1:]) {
		t.Errorf("told to skip the next he taps %v", got)
	}
	r.resting = true
	if got := collect(&r, at(13, 0), at(13, 50)); len(got) != 0 {
		t.Errorf("resting he taps %v", got)
	}
	r.resting = false
	if got := collect(&r, at(14, 0), at(14, 50)); !slices.Equal(got, all) {
		t.Errorf("sent out again he taps %v", got)
	}
}

// sink keeps the last reading of every point.
type sink struct {
	mu   sync.Mutex
	last map[facility.PointID]facility.Reading
	taps []facility.Tap
	more chan struct{}
}

func (s *sink) Readings(_ context.Context, readings []facility.Reading) error {
	s.mu.Lock()
	for _, r := range readings {
		s.last[r.Point] = r
	}
	s.mu.Unlock()
	return s.wake()
}

func (s *sink) Tap(_ context.Context, tap facility.Tap) error {
	s.mu.Lock()
	s.taps = append(s.taps, tap)
	s.mu.Unlock()
	return s.wake()
}

func (s *sink) wake() error {
	select {
	case s.more <- struct{}{}:
	default:
	}
	return nil
}

// await waits until the condition holds of what has arrived.
func (s *sink) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.NewTimer(2 * time.Minute)
	defer limit.Stop()
	for {
		s.mu.Lock()
		done := ok()
		s.mu.Unlock()
		if done {
			return
		}
		select {
		case <-s.more:
		case <-limit.C:
			t.Fatalf("%s: it did not come", what)
		}
	}
}

// The ordinary field side reads the whole estate over its ptys and its socket.
func TestTheGatewayReadsTheEstate(t *testing.T) {
	e := start(t, Options{NoGuard: true})
	lines := slices.Clone(e.site.Lines)
	for i, l := range lines {
		address := e.Addresses()[l.ID]
		if l.TCP != nil {
			tcp := *l.TCP
			tcp.Address = address
			lines[i].TCP = &tcp
		} else {
			port := *l.Serial
			port.Port = address
			lines[i].Serial = &port
		}
	}
	got := &sink{last: map[facility.PointID]facility.Reading{}, more: make(chan struct{}, 1)}
	field, err := devices.New(lines, e.site.Devices, e.site.Readers, e.site.profiles, devices.Options{Sink: got})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- field.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()

	want := map[facility.PointID]bool{}
	for _, d := range e.site.Devices {
		for _, pt := range e.site.profiles[d.Profile].Points {
			want[facility.PointID{Device: d.ID, Quantity: pt.ID}] = true
		}
	}
	good := func() bool {
		for id := range want {
			if got.last[id].Quality != facility.Good {
				return false
			}
		}
		return true
	}
	got.await(t, "every point, good", good)

	fault := facility.PointID{Device: "pump-2", Quantity: "fault"}
	do(t, e, "break-pump", "2")
	got.await(t, "the fault bit", func() bool { return got.last[fault].Value == 1 })

	do(t, e, "silence", "tank")
	got.await(t, "silence of the tank", func() bool {
		return got.last[facility.PointID{Device: "tank", Quantity: "level"}].Quality == facility.Bad
	})
	do(t, e, "restore", "tank")

	do(t, e, "tap", "garage", "小孙")
	got.await(t, "a tap", func() bool { return len(got.taps) > 0 })
	if tap := got.taps[0]; tap.Reader != "reader-garage" || tap.Credential != "0473C1F24B6180" {
		t.Errorf("the tap is %+v", tap)
	}

	for _, l := range field.Status() {
		if l.Planned > 0.6 {
			t.Errorf("line %s is planned to be busy %.0f %% of the time, more than 60 %%", l.ID, 100*l.Planned)
		}
		t.Logf("line %s: planned %.1f %%", l.ID, 100*l.Planned)
	}
}

func TestPanel(t *testing.T) {
	e := start(t, Options{Now: (&clock{now: at(10, 0)}).Now})
	server := httptest.NewServer(http.StripPrefix("/demo", e.Handler()))
	defer server.Close()
	get := func(path string) (string, http.Header) {
		res, err := http.Get(server.URL + "/demo/" + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", path, res.Status)
		}
		return string(body), res.Header
	}
	page, header := get("")
	for _, want := range []string{`data-device="pump-1"`, "1号生活泵", "Pump 1", `data-checkpoint="garden"`, `src="panel.js"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if strings.Contains(page, "onclick") || strings.Contains(page, "<style") || header.Get("Content-Security-Policy") == "" {
		t.Error("the page needs inline code, or states no policy")
	}
	get("panel.css")
	get("panel.js")

	post := func(header, body string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/demo/control", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Gengfu", header)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	if code, _ := post("", `{"name":"flood"}`); code != http.StatusForbidden || e.Status().Flood {
		t.Errorf("without the header: %d", code)
	}
	for _, body := range []string{"", "{", `{"name":"explode"}`, `{"nome":"flood"}`, `{"name":"` + strings.Repeat("x", maxAction) + `"}`} {
		if code, text := post("1", body); code != http.StatusBadRequest || !strings.Contains(text, `"code":"invalid"`) {
			t.Errorf("%.20q: %d %s", body, code, text)
		}
	}
	if code, text := post("1", `{"name":"flood"}`); code != http.StatusOK || !strings.Contains(text, `"flood":true`) {
		t.Errorf("flood: %d %s", code, text)
	}
	state, _ := get("state")
	if strings.Contains(strings.ReplaceAll(state, `"last_tap":null`, ""), ":null") {
		t.Errorf("the page expects lists, not null: %s", state)
	}
	var s Status
	if err := json.Unmarshal([]byte(state), &s); err != nil || !s.Flood || len(s.Pumps) != 3 {
		t.Errorf("the state is %s (%v)", state, err)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestSocket(t *testing.T) {
	dir := t.TempDir()
	if _, err := Dial(dir); err == nil {
		t.Error("a demo was reached where none runs")
	}
	e := start(t, Options{Dir: dir, Now: (&clock{now: at(10, 0)}).Now})
	c, err := Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.Do(t.Context(), Action{Name: "break-pump", Args: []string{"3"}})
	if err != nil || s.Pumps[2].FaultWord != 1 || e.Status().Pumps[2].FaultWord != 1 {
		t.Errorf("break-pump 3: %+v (%v)", s, err)
	}
	if _, err := c.Do(t.Context(), Action{Name: "explode"}); err == nil || !strings.Contains(err.Error(), "break-pump") {
		t.Errorf("explode: %v, want the actions that there are", err)
	}
}

func TestPeople(t *testing.T) {
	seen := map[string]bool{}
	roles := map[facility.Role]int{}
	for _, p := range People() {
		if seen[p.Person.Login] || len(p.Password) < 8 || !p.Person.Role.Valid() || p.Person.Name == "" {
			t.Errorf("%+v", p)
		}
		seen[p.Person.Login] = true
		roles[p.Person.Role]++
		for _, b := range p.Person.Badges {
			if uid, err := facility.NormaliseUID(b); err != nil || uid != b {
				t.Errorf("badge %s: %v", b, err)
			}
		}
	}
	if len(roles) != len(facility.Roles) {
		t.Errorf("roles %v of %v", slices.Collect(maps.Keys(roles)), facility.Roles)
	}
	if _, ok := badge("sun"); !ok {
		t.Error("小孙 has no badge")
	}
}
