package dashboard

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
)

// expected is who may use which route, written down by hand and independently of
// the server's own table: the letters of those who may.
//
//	A admin, M manager, D desk, T technician, G guard, V viewer, - signed out
//
// A route with "o" is decided by the order: here only that a visitor who is not
// signed in gets nowhere.
var expected = map[string]string{
	"GET /healthz": "AMDTGV-",
	"GET /readyz":  "AMDTGV-",
	"GET /metrics": "AM",

	"GET /api/health/dead-letters": "AM",

	"GET /api/session":           "AMDTGV-",
	"POST /api/session":          "AMDTGV-",
	"DELETE /api/session":        "AMDTGV",
	"POST /api/session/password": "AMDTGV",
	"GET /api/lang/:lang":        "AMDTGV-",

	"GET /api/overview":                      "AMDTV",
	"GET /api/devices":                       "AMDTV",
	"GET /api/devices/:id":                   "AMDTV",
	"GET /api/history/:device/:quantity":     "AMDTV",
	"GET /api/consumption/:device/:quantity": "AMDTV",
	"GET /api/alarms":                        "AMDTV",
	"GET /api/alarms/:id":                    "AMDTV",
	"POST /api/alarms/:id/acknowledge":       "AMDT",
	"POST /api/alarms/:id/reset":             "AMDT",
	"POST /api/alarms/:id/usual":             "AM",
	"GET /api/holds":                         "AMDTV",
	"POST /api/holds":                        "AMDT",
	"POST /api/holds/release":                "AMDT",
	"GET /api/notices":                       "AMDT",

	"GET /api/alarm-figures": "AMD",

	"GET /api/rules":           "AMDTV",
	"GET /api/rules/:id":       "AMDTV",
	"POST /api/rules/check":    "AMDTV",
	"POST /api/rules/backtest": "AMDTV",
	"PUT /api/rules/:id":       "AM",

	"GET /api/orders":              "AMDTGV",
	"POST /api/orders":             "AMDTG",
	"GET /api/orders/:id":          "AMDTGV",
	"POST /api/orders/:id/actions": "AMDTGV",
	"POST /api/orders/:id/photos":  "AMDTGV",
	"GET /api/photos/:id":          "AMDTGV",

	"GET /api/rounds":                      "AMDGV",
	"GET /api/checkpoints":                 "AMDGV",
	"GET /api/checkpoints/by-token/:token": "AG",
	"GET /api/taps":                        "AMDGV",
	"POST /api/taps":                       "AG",
	"POST /api/taps/import":                "AMD",

	"GET /api/people":          "AMDTGV",
	"POST /api/people":         "A",
	"PATCH /api/people/:login": "A",
	"GET /api/audit":           "AM",
	"GET /api/health":          "AM",
	"GET /api/events":          "AMDTGV",

	"GET /basic":                         "AMDTGV-",
	"GET /basic/style.css":               "AMDTGV-",
	"GET /basic/sign-in":                 "AMDTGV-",
	"POST /basic/sign-in":                "AMDTGV-",
	"POST /basic/sign-out":               "AMDTGV",
	"GET /basic/overview":                "AMDTV",
	"GET /basic/alarms":                  "AMDTV",
	"POST /basic/alarms/:id/acknowledge": "AMDT",
	"POST /basic/alarms/:id/reset":       "AMDT",
	"GET /basic/orders":                  "AMDTGV",
	"GET /basic/orders/:id":              "AMDTGV",
	"POST /basic/orders/:id/actions":     "AMDTGV",
	"POST /basic/orders/:id/photos":      "AMDTGV",
	"GET /basic/report":                  "AMDTG",
	"POST /basic/report":                 "AMDTG",
	"GET /basic/rounds":                  "AMDGV",
	"GET /basic/t/:token":                "AG",
	"POST /basic/t/:token":               "AG",

	"GET /*": "AMDTGV-",

	"GET /demo": "AM", "POST /demo": "AM", "PUT /demo": "AM", "PATCH /demo": "AM", "DELETE /demo": "AM",
	"GET /demo/*": "AM", "POST /demo/*": "AM", "PUT /demo/*": "AM", "PATCH /demo/*": "AM", "DELETE /demo/*": "AM",
}

var letters = map[string]string{
	"admin": "A", "manager": "M", "desk": "D", "technician": "T", "guard": "G", "viewer": "V", "": "-",
}

func withDemo(o *Options) {
	o.Extensions = []Extension{{
		Path: "/demo", Name: facility.Text{ZH: "演示", EN: "Demo"},
		Roles:   []facility.Role{facility.RoleAdmin, facility.RoleManager},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("below: " + r.URL.Path)) }),
	}}
	o.MonitorToken = "secret"
	o.DeadLetters = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}\n")) })
	o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("gengfu_up 1\n")) })
}

// TestEveryRouteAsEveryRole walks all routes that the server really has.
func TestEveryRouteAsEveryRole(t *testing.T) {
	h := startHouse(t, withDemo)
	seen := map[string]bool{}
	for _, r := range h.server.app.GetRoutes(true) {
		if r.Method == http.MethodHead { // stands beside its GET with the same guard
			if _, ok := expected["GET "+r.Path]; !ok {
				t.Errorf("HEAD %s is a route without a GET", r.Path)
			}
			continue
		}
		route := r.Method + " " + r.Path
		who, ok := expected[route]
		if !ok {
			t.Errorf("%s is a route that nobody has thought about: who may use it?", route)
			continue
		}
		seen[route] = true
		if route == "GET /api/events" {
			continue // never ends: the tests of the stream open it as everybody
		}
		t.Run(route, func(t *testing.T) { checkRoute(t, h, r.Method, r.Path, who) })
	}
	for route := range expected {
		if !seen[route] {
			t.Errorf("%s is expected, but the server does not have it", route)
		}
	}
}

func checkRoute(t *testing.T, h *house, method, path, who string) {
	target := strings.NewReplacer(
		":device", "pump-1", ":quantity", "outlet_pressure", ":lang", "en", ":token", "gate-7f3a91",
		":id", "nothing", ":login", "nobody", "*", "x",
	).Replace(path)
	for role, letter := range letters {
		h.clock.advance(time.Minute) // so that the pace of this test is no matter
		b := h.browser()
		if role != "" {
			b = h.as(role)
		}
		// Behind a proxy nobody is this machine itself.
		a := b.send(method, target, nil, map[string]string{"X-Gengfu": "1", "X-Forwarded-For": "203.0.113.9"})
		refused := a.StatusCode == http.StatusForbidden && !strings.Contains(string(a.body), "cross_site") && !formRefused(a) ||
			a.StatusCode == http.StatusUnauthorized && role == "" ||
			a.StatusCode == http.StatusSeeOther && role == "" && strings.Contains(a.Header.Get("Location"), "sign-in?next=")
		if allowed := strings.Contains(who, letter); allowed == refused {
			t.Errorf("as %q: status %d (%s), but may use it: %v", role, a.StatusCode, a.Header.Get("Location"), allowed)
		}
	}
}

// formRefused reports that a form lacked its token, which is asked for only
// after the permission.
func formRefused(a answer) bool {
	return strings.Contains(string(a.body), "页面已过期")
}

func TestMetricsForThisMachine(t *testing.T) {
	h := startHouse(t, withDemo)
	for header, may := range map[string]bool{"Bearer secret": true, "Bearer other": false, "secret": false, "Bearer ": false, "": false} {
		for _, path := range []string{"/metrics", "/api/health"} {
			a := h.browser().send("GET", path, nil, map[string]string{"X-Forwarded-For": "198.51.100.7", "Authorization": header})
			if (a.StatusCode == 200) != may {
				t.Errorf("%s with %q: %d", path, header, a.StatusCode)
			}
		}
	}
	if a := h.browser().get("/metrics"); a.StatusCode != 200 || string(a.body) != "gengfu_up 1\n" {
		t.Errorf("from this machine: %d %q", a.StatusCode, a.body)
	}
	for _, header := range []string{"X-Forwarded-For", "Forwarded", "X-Real-IP"} {
		a := h.browser().send("GET", "/metrics", nil, map[string]string{header: "198.51.100.7"})
		if a.StatusCode != http.StatusSeeOther {
			t.Errorf("through a proxy that says %s: %d %q", header, a.StatusCode, a.body)
		}
	}
}

func TestExtension(t *testing.T) {
	h := startHouse(t, withDemo)
	manager := h.as("manager")
	if a := manager.get("/demo"); a.StatusCode != http.StatusPermanentRedirect || a.Header.Get("Location") != "/demo/" {
		t.Errorf("/demo: %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	for path, want := range map[string]string{"/demo/": "below: /", "/demo/panel.js": "below: /panel.js", "/demo/a/b": "below: /a/b"} {
		if a := manager.get(path); string(a.body) != want || a.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %q, want %q", path, a.body, want)
		}
	}
	checkError(t, manager.send("POST", "/demo/control", nil, nil), "cross_site", "")
	if a := manager.call("POST", "/demo/control", map[string]int{"n": 1}); string(a.body) != "below: /control" {
		t.Errorf("POST: %q", a.body)
	}
	var s struct {
		Extensions []struct{ Path string }
	}
	if manager.want(200, "GET", "/api/session", nil, &s); len(s.Extensions) != 1 || s.Extensions[0].Path != "/demo" {
		t.Errorf("the manager's extensions: %+v", s)
	}
	if h.as("guard").want(200, "GET", "/api/session", nil, &s); len(s.Extensions) != 0 {
		t.Errorf("the guard's extensions: %+v", s)
	}
}
