package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"gengfu/dashboard/password"
	"gengfu/facility"
)

// noon is 12:00 in the site's zone.
var noon = time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)

// clock is a time that only tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

var (
	pressure = facility.PointID{Device: "pump-1", Quantity: "outlet_pressure"}
	fault    = facility.PointID{Device: "pump-1", Quantity: "fault"}
	pumpOn   = facility.PointID{Device: "pump-1", Quantity: "online"}
	volume   = facility.PointID{Device: "water", Quantity: "volume"}
	waterOn  = facility.PointID{Device: "water", Quantity: "online"}
)

func testEstate(t testing.TB) facility.Estate {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	online := func(id facility.PointID) facility.Point {
		return facility.Point{
			ID: id, Name: facility.Text{ZH: "在线", EN: "Online"}, Kind: facility.State, Period: time.Minute, Detail: true,
			Labels: map[int]facility.Text{0: {ZH: "离线", EN: "offline"}, 1: {ZH: "在线", EN: "online"}},
		}
	}
	return facility.Estate{
		Site:   facility.Site{ID: "example", Name: facility.Text{ZH: "示例小区", EN: "Example Estate"}, Zone: zone},
		Places: []facility.Place{{ID: "pump-room", Name: facility.Text{ZH: "泵房", EN: "Pump room"}}},
		Devices: []facility.Device{
			{
				ID: "pump-1", Name: facility.Text{ZH: "1号泵", EN: "Pump 1"}, Kind: "pump", Place: "pump-room", Line: "l1", Address: "11", Profile: "pump-controller",
				Points: []facility.Point{
					{ID: pressure, Name: facility.Text{ZH: "出口压力", EN: "Outlet pressure"}, Kind: facility.Measure, Unit: "bar", Min: new(0.0), Max: new(16.0), Period: 5 * time.Second, Decimals: 2},
					{ID: fault, Name: facility.Text{ZH: "故障", EN: "Fault"}, Kind: facility.Signal, Period: time.Second, Labels: map[int]facility.Text{0: {ZH: "正常", EN: "OK"}, 1: {ZH: "故障", EN: "fault"}}},
					online(pumpOn),
				},
			},
			{
				ID: "water", Name: facility.Text{ZH: "总水表", EN: "Water meter"}, Kind: "water_meter", Line: "l1", Address: "21", Profile: "tuf-2000",
				Points: []facility.Point{
					{ID: volume, Name: facility.Text{ZH: "累计流量", EN: "Volume"}, Kind: facility.Counter, Unit: "m3", Period: time.Minute, Decimals: 1},
					online(waterOn),
				},
			},
		},
		Checkpoints: []facility.Checkpoint{
			{ID: "gate", Name: facility.Text{ZH: "东门", EN: "East gate"}, Token: "gate-7f3a91"},
			{ID: "roof", Name: facility.Text{ZH: "屋顶", EN: "Roof"}, Place: "pump-room", Token: "roof/2b 8c"},
		},
	}
}

// house is a dashboard on a real listener with the fake behind it.
type house struct {
	*fake
	t      testing.TB
	server *Server
	clock  *clock
	url    string
	logs   *bytes.Buffer
	stop   func()
}

// cheapPassword keeps tests quick; what a hash costs is tested elsewhere.
var cheapPassword = password.Cost{Memory: 64, Passes: 1, Lanes: 1}

const secret = "correct horse"

func startHouse(t testing.TB, change ...func(*Options)) *house {
	t.Helper()
	h := &house{t: t, clock: &clock{t: noon}, logs: &bytes.Buffer{}}
	h.fake = newFake(h.clock.now)
	hash, err := password.Hash(secret, cheapPassword)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range facility.Roles {
		h.people[string(r)] = facility.Person{Login: string(r), Name: "name of " + string(r), Role: r}
		h.hashes[string(r)] = hash
	}
	o := Options{
		Estate: testEstate(t), Tiles: []facility.PointID{pressure}, Version: "1.2.3",
		People: h.fake, Orders: h.fake, Desk: h.fake, Watch: h.fake, Live: h.fake, History: h.fake,
		Now: h.clock.now, PasswordCost: cheapPassword, Assets: testApp(),
		Logger: slog.New(slog.NewTextHandler(&syncWriter{w: h.logs}, nil)),
	}
	for _, c := range change {
		c(&o)
	}
	if h.server, err = New(o); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.url = "http://" + ln.Addr().String()
	if o.TLS != nil {
		h.url = "https://" + ln.Addr().String()
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.server.Serve(ctx, ln) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(h.stop)
	<-h.subbed // the event streams are open for business
	return h
}

type syncWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *syncWriter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}

// testApp is a built app in small.
func testApp() fstest.MapFS {
	return fstest.MapFS{
		".gitkeep":              {},
		"index.html":            {Data: []byte("<!doctype html><title>app</title>")},
		"sw.js":                 {Data: []byte("// service worker")},
		"manifest.webmanifest":  {Data: []byte("{}")},
		"assets/app-1a2b.js":    {Data: []byte("export const plain = 1")},
		"assets/app-1a2b.js.br": {Data: []byte("brotli bytes")},
		"assets/app-1a2b.js.gz": {Data: []byte("gzip bytes")},
	}
}

// browser is one person's browser.
type browser struct {
	h      *house
	t      testing.TB
	client *http.Client
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	h.t.Cleanup(transport.CloseIdleConnections)
	return &browser{h: h, t: h.t, client: &http.Client{
		Jar: jar, Transport: transport, Timeout: 2 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// as is the browser of somebody who is signed in.
func (h *house) as(login string) *browser {
	h.t.Helper()
	b := h.browser()
	b.want(http.StatusOK, "POST", "/api/session", map[string]string{"login": login, "password": secret}, nil)
	return b
}

// answer is a response that was read to its end.
type answer struct {
	*http.Response
	body []byte
}

func (b *browser) send(method, path string, body io.Reader, header map[string]string) answer {
	b.t.Helper()
	r, err := http.NewRequest(method, b.h.url+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	for name, value := range header {
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{resp, read}
}

// call sends what the app would: JSON with the header that it always carries.
func (b *browser) call(method, path string, body any) answer {
	b.t.Helper()
	header := map[string]string{"X-Gengfu": "1", "Sec-Fetch-Site": "same-origin"}
	if body == nil {
		return b.send(method, path, nil, header)
	}
	text, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	header["Content-Type"] = "application/json"
	return b.send(method, path, bytes.NewReader(text), header)
}

// want calls, checks the status and decodes the answer.
func (b *browser) want(status int, method, path string, body, into any) answer {
	b.t.Helper()
	a := b.call(method, path, body)
	if a.StatusCode != status {
		b.t.Fatalf("%s %s: status %d, want %d: %s", method, path, a.StatusCode, status, a.body)
	}
	if into != nil {
		if err := json.Unmarshal(a.body, into); err != nil {
			b.t.Fatalf("%s %s: %v in %s", method, path, err, a.body)
		}
	}
	return a
}

// wantError calls and checks the error's code and field, and that it is told in
// both languages.
func (b *browser) wantError(code, field, method, path string, body any) {
	b.t.Helper()
	a := b.call(method, path, body)
	checkError(b.t, a, code, field)
}

func checkError(t testing.TB, a answer, code, field string) {
	t.Helper()
	var e struct {
		Error struct {
			Code    string
			Field   string
			Message facility.Text
		}
	}
	if err := json.Unmarshal(a.body, &e); err != nil {
		t.Fatalf("%s: %v in %q", a.Request.URL, err, a.body)
	}
	if e.Error.Code != code || e.Error.Field != field || a.StatusCode != statuses[code] {
		t.Errorf("%s %s: %d %s of field %q, want %d %s of %q: %s", a.Request.Method, a.Request.URL.Path,
			a.StatusCode, e.Error.Code, e.Error.Field, statuses[code], code, field, a.body)
	}
	if e.Error.Message.ZH == "" || e.Error.Message.EN == "" || e.Error.Message.ZH == e.Error.Message.EN {
		t.Errorf("%s: the error is told as %+v", a.Request.URL.Path, e.Error.Message)
	}
}

// get sends a plain page's link.
func (b *browser) get(path string) answer {
	b.t.Helper()
	return b.send("GET", path, nil, nil)
}

// post sends a plain page's form.
func (b *browser) post(path string, fields ...string) answer {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.send("POST", path, strings.NewReader(form.Encode()), map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
}

// set changes what is behind the dashboard while it runs.
func (h *house) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

func (h *house) value(id facility.PointID, v float64) facility.Reading {
	return facility.Reading{Point: id, Time: h.clock.now(), Value: v, Quality: facility.Good}
}

// order puts a work order into the ledger.
func (h *house) order(by, assignee string) facility.Order {
	h.t.Helper()
	o, err := h.CreateOrder(context.Background(), h.people[by], facility.Order{
		Source: facility.FromDesk, Title: facility.Text{ZH: "漏水"}, Device: "pump-1", Priority: facility.P3,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if assignee != "" {
		o, err = h.ActOnOrder(context.Background(), h.people["desk"], o.ID, facility.Act{Action: facility.OrderAssign, Target: assignee}, nil)
		if err != nil {
			h.t.Fatal(err)
		}
	}
	return o
}

func (h *house) alarm(p facility.Priority, s facility.AlarmState) facility.Alarm {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := facility.Alarm{
		ID: h.id(), Rule: "pump-fault", Key: "pump-fault/pump-1", Device: "pump-1", Priority: p, State: s, Count: 1,
		Title:    facility.Text{ZH: "1号泵 故障", EN: "Pump 1 fault"},
		RaisedAt: h.clock.now(), LastAt: h.clock.now(), Value: 1,
	}
	h.alarms[a.ID] = a
	return a
}
