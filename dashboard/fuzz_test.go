package dashboard

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
)

// inProcess is a dashboard without a listener, for the many requests of a fuzz
// run: no network is between the fuzzer and the handlers.
type inProcess struct {
	*house
	cookies map[string]string // by login
}

func newInProcess(tb testing.TB) *inProcess {
	h := startHouse(tb)
	in := &inProcess{house: h, cookies: map[string]string{}}
	for _, r := range facility.Roles {
		u := mustURL(tb, h.url)
		in.cookies[string(r)] = h.as(string(r)).client.Jar.Cookies(u)[0].Value
	}
	return in
}

func (in *inProcess) send(t *testing.T, login, method, target, contentType string, body []byte) answer {
	t.Helper()
	in.clock.advance(time.Minute) // the pace is not what is tested here
	r := httptest.NewRequest(method, "/", bytes.NewReader(body))
	u, err := url.Parse(target)
	if err != nil || !strings.HasPrefix(target, "/") || strings.ContainsAny(target, " \r\n\x00") {
		t.Skip("no client can send this target")
	}
	r.URL = u
	r.RequestURI = ""
	r.Header.Set("X-Gengfu", "1")
	r.Header.Set("Content-Type", contentType)
	r.AddCookie(&http.Cookie{Name: "gengfu", Value: in.cookies[login]})
	resp, err := in.server.app.Test(r, -1)
	if err != nil {
		t.Skip(err) // not even HTTP
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, read}
}

// checkAnswer is what holds for every answer to whatever is sent: no 5xx, and an
// error that says what is wrong in both languages.
func checkAnswer(t *testing.T, a answer) {
	t.Helper()
	if a.StatusCode >= 500 {
		t.Fatalf("status %d: %s", a.StatusCode, a.body)
	}
	if a.StatusCode < 400 || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
		return
	}
	var e errorShape
	if err := json.Unmarshal(a.body, &e); err != nil || e.Error.Code == "" || e.Error.Message.ZH == "" || e.Error.Message.EN == "" {
		t.Fatalf("status %d: %v in %s", a.StatusCode, err, a.body)
	}
}

func FuzzJSONBodies(f *testing.F) {
	in := newInProcess(f)
	o := in.order("desk", "technician")
	targets := []struct{ login, method, path string }{
		{"admin", "POST", "/api/session"},
		{"guard", "POST", "/api/session/password"},
		{"desk", "POST", "/api/alarms/x/acknowledge"},
		{"desk", "POST", "/api/orders"},
		{"technician", "POST", "/api/orders/" + o.ID + "/actions"},
		{"desk", "POST", "/api/orders/" + o.ID + "/actions"},
		{"guard", "POST", "/api/taps"},
		{"admin", "POST", "/api/people"},
		{"admin", "PATCH", "/api/people/viewer"},
	}
	for _, seed := range []string{
		`{"login":"desk","password":"correct horse"}`, `{"old":"x","new":"12345678"}`, `{"note":"x"}`,
		`{"title":"x","detail":"y","place":"pump-room","device":"pump-1","priority":"P1"}`,
		`{"action":"accept","version":1}`, `{"action":"assign","target":"technician","note":null}`,
		`{"sent_at":"2026-11-22T04:00:00Z","taps":[{"id":"0193a1b2-0000-7000-8000-000000000001","token":"gate-7f3a91","source":"phone_url","tapped_at":"2026-11-22T04:00:00Z"}]}`,
		`{"login":"new","name":"x","role":"guard","password":"12345678","badges":["04A035B2"]}`,
		`{"disabled":false,"badges":[],"name":"x"}`, `{"sent_at":1e999}`, `{"title":"\ud800"}`, `[[[[`, `null`, `{"taps":[null]}`, "\xff",
	} {
		for i := range targets {
			f.Add(uint8(i), []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		target := targets[int(which)%len(targets)]
		checkAnswer(t, in.send(t, target.login, target.method, target.path, "application/json", body))
	})
}

func FuzzQueries(f *testing.F) {
	in := newInProcess(f)
	paths := []string{
		"/api/history/pump-1/outlet_pressure", "/api/consumption/water/volume", "/api/alarms", "/api/orders",
		"/api/rounds", "/api/taps", "/api/audit", "/basic/orders", "/basic/rounds", "/basic/sign-in", "/metrics",
	}
	for _, seed := range []string{
		"from=2026-11-22T00:00:00Z&to=2026-11-22T04:00:00Z&steps=10", "days=400", "show=all&limit=1000&before=x&device=pump-1",
		"q=%E6%BC%8F&show=mine", "day=2026-11-22", "day=9999-12-31", "lang=en", "next=/x", "steps=-1", "from=0001-01-01T00:00:00Z", "%zz", "limit=1&limit=2",
	} {
		for i := range paths {
			f.Add(uint8(i), seed)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, query string) {
		checkAnswer(t, in.send(t, "admin", "GET", paths[int(which)%len(paths)]+"?"+query, "", nil))
	})
}

func FuzzPathsAndTokens(f *testing.F) {
	in := newInProcess(f)
	for _, seed := range []string{
		"/api/checkpoints/by-token/gate-7f3a91", "/api/checkpoints/by-token/%00", "/api/checkpoints/by-token/%zz", "/t/..%2f..%2fetc", "/assets/../index.html",
		"/api/photos/x", "/api/orders/..%2fpeople", "/basic/t/x", "/api/devices/%E6%B3%B5", "//evil.example", "/demo/", "/api/lang/../zh",
	} {
		f.Add("guard", seed)
	}
	f.Fuzz(func(t *testing.T, login, path string) {
		if path == "/api/events" || strings.HasPrefix(path, "/api/events/") || strings.HasPrefix(path, "/api/events?") {
			t.Skip("never ends")
		}
		a := in.send(t, login, "GET", path, "", nil)
		checkAnswer(t, a)
		if to := a.Header.Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")) {
			t.Errorf("%s sends the browser to %q", path, to)
		}
	})
}

func FuzzSessionCookie(f *testing.F) {
	in := newInProcess(f)
	f.Add("")
	f.Add(in.cookies["admin"][:42])
	f.Add(strings.Repeat("x", 200))
	f.Add("\x00\xff; Path=/")
	f.Fuzz(func(t *testing.T, token string) {
		if token == in.cookies["admin"] {
			t.Skip("the right one")
		}
		in.clock.advance(time.Second)
		r := httptest.NewRequest("GET", "/api/people", nil)
		r.Header.Set("Cookie", "gengfu="+strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(token))
		resp, err := in.server.app.Test(r, -1)
		if err != nil {
			t.Skip(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusBadRequest {
			t.Errorf("cookie %q: status %d", token, resp.StatusCode)
		}
	})
}

func FuzzUpload(f *testing.F) {
	in := newInProcess(f)
	o := in.order("desk", "technician")
	const boundary = "multipart/form-data; boundary=b"
	part := func(head string, data []byte) []byte {
		return append(append([]byte("--b\r\n"+head+"\r\n\r\n"), data...), "\r\n--b--\r\n"...)
	}
	f.Add(boundary, part(`Content-Disposition: form-data; name="photo"; filename="x.jpg"`, picture(f)))
	f.Add(boundary, part(`Content-Disposition: form-data; name="photo"`, []byte("x")))
	f.Add(boundary, part(`Content-Disposition: form-data; name="photo"; filename="../../x"`, []byte("GIF89a")))
	f.Add(boundary, []byte("--b\r\n"))
	f.Add("multipart/form-data", []byte("x"))
	f.Add("application/json", []byte("{}"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		if strings.ContainsAny(contentType, "\r\n\x00") {
			t.Skip("not a header")
		}
		checkAnswer(t, in.send(t, "technician", "POST", "/api/orders/"+o.ID+"/photos", contentType, body))
	})
}
