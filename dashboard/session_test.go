package dashboard

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
)

func cookieOf(a answer, name string) *http.Cookie {
	for _, c := range a.Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func TestSignInAndOut(t *testing.T) {
	h := startHouse(t, func(o *Options) {
		o.DemoLogins = []DemoLogin{{Login: "admin", Password: secret, Role: facility.RoleAdmin, Name: "A"}}
	})
	b := h.browser()
	var s struct {
		Person      *struct{ Login, Name, Role string }
		Permissions []string
		Site        struct {
			ID, Zone string
			Name     facility.Text
		}
		Version    string
		Now        time.Time
		DemoLogins []DemoLogin `json:"demo_logins"`
	}
	a := b.want(200, "GET", "/api/session", nil, &s)
	if s.Person != nil || len(s.Permissions) != 0 || s.Permissions == nil || s.Site.Zone != "Asia/Shanghai" || s.Site.Name.EN != "Example Estate" ||
		s.Version != "1.2.3" || !s.Now.Equal(noon) || len(s.DemoLogins) != 1 {
		t.Errorf("signed out: %s", a.body)
	}
	a = b.want(200, "POST", "/api/session", map[string]string{"login": " Guard ", "password": secret}, &s)
	if s.Person == nil || s.Person.Role != "guard" || !slices.Equal(s.Permissions, []string{"see_patrol", "create_order", "make_tap"}) {
		t.Errorf("signed in: %s", a.body)
	}
	cookie := cookieOf(a, "gengfu")
	if cookie == nil || !cookie.HttpOnly || cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || len(cookie.Value) != 43 {
		t.Fatalf("the cookie is %+v", cookie)
	}
	if _, stored := h.sessions[cookie.Value]; stored || len(h.sessions) != 1 {
		t.Error("the ledger keeps the token itself")
	}
	if cookie.MaxAge != 30*24*3600 || !cookie.Expires.IsZero() {
		t.Errorf("a cookie that hangs on the browser's clock: %v", cookie)
	}
	b.want(204, "DELETE", "/api/session", nil, nil)
	if left := b.client.Jar.Cookies(mustURL(t, h.url)); len(left) != 0 {
		t.Errorf("the browser still has %v", left)
	}
	if len(h.sessions) != 0 {
		t.Error("the session is still in the ledger")
	}
	b.wantError("signed_out", "", "GET", "/api/rounds", nil)
	if got := h.audited(); !slices.Equal(got, []string{"guard sign_in guard", "guard sign_out guard"}) {
		t.Errorf("the audit says %q", got)
	}
}

func TestSessionEnds(t *testing.T) {
	h := startHouse(t)
	desk := h.as("desk")
	h.clock.advance(30*24*time.Hour - time.Minute)
	desk.want(200, "GET", "/api/orders", nil, nil)
	h.clock.advance(2 * time.Minute)
	desk.wantError("signed_out", "", "GET", "/api/orders", nil)

	desk = h.as("desk")
	h.as("admin").want(200, "PATCH", "/api/people/desk", map[string]bool{"disabled": true}, nil)
	desk.wantError("signed_out", "", "GET", "/api/orders", nil)
	h.browser().wantError("wrong_login", "", "POST", "/api/session", map[string]string{"login": "desk", "password": secret})
}

func TestSignInAgainEndsTheSessionBefore(t *testing.T) {
	h := startHouse(t)
	b := h.as("desk")
	b.want(200, "POST", "/api/session", map[string]string{"login": "manager", "password": secret}, nil)
	if len(h.sessions) != 1 {
		t.Errorf("%d sessions are left", len(h.sessions))
	}
}

func TestWrongLogin(t *testing.T) {
	h := startHouse(t)
	try := func(login, password string) map[string]string {
		return map[string]string{"login": login, "password": password}
	}
	b := h.browser()
	b.wantError("wrong_login", "", "POST", "/api/session", try("desk", "wrong"))
	b.wantError("wrong_login", "", "POST", "/api/session", try("nobody", "wrong"))
	b.wantError("wrong_login", "", "POST", "/api/session", try("My Secret!", ""))
	want := []string{"sign_in_failed desk", "sign_in_failed nobody", "sign_in_failed"}
	if got := h.audited(); !slices.Equal(got, want) {
		t.Errorf("the audit says %q, want %q: what is no login may be a password", got, want)
	}
}

func TestFiveTriesAMinute(t *testing.T) {
	h := startHouse(t)
	wrong := map[string]string{"login": "desk", "password": "wrong"}
	b := h.browser()
	for range 5 {
		b.wantError("wrong_login", "", "POST", "/api/session", wrong)
	}
	a := b.want(http.StatusTooManyRequests, "POST", "/api/session", wrong, nil)
	if a.Header.Get("Retry-After") != "12" {
		t.Errorf("Retry-After is %q, want 12 s: a fifth of a minute", a.Header.Get("Retry-After"))
	}
	// Neither the right password gets in now, nor is anybody else kept out.
	b.wantError("too_many", "", "POST", "/api/session", map[string]string{"login": "desk", "password": secret})
	h.as("manager")
	h.clock.advance(12 * time.Second)
	b.want(200, "POST", "/api/session", map[string]string{"login": "desk", "password": secret}, nil)
}

func TestRightPasswordsAreNotCounted(t *testing.T) {
	h := startHouse(t)
	for range 20 {
		h.as("desk")
	}
}

func TestPasswordChange(t *testing.T) {
	h := startHouse(t)
	one, other := h.as("guard"), h.as("guard")
	change := func(old, new string) map[string]string { return map[string]string{"old": old, "new": new} }
	one.wantError("invalid", "old", "POST", "/api/session/password", change("wrong", "new password"))
	one.wantError("invalid", "new", "POST", "/api/session/password", change(secret, "1234567"))
	one.wantError("invalid", "new", "POST", "/api/session/password", change(secret, strings.Repeat("x", 257)))
	one.want(204, "POST", "/api/session/password", change(secret, "八个字的新密码吧"), nil)
	one.want(200, "GET", "/api/rounds", nil, nil)
	other.wantError("signed_out", "", "GET", "/api/rounds", nil)
	h.browser().wantError("wrong_login", "", "POST", "/api/session", map[string]string{"login": "guard", "password": secret})
	h.browser().want(200, "POST", "/api/session", map[string]string{"login": "guard", "password": "八个字的新密码吧"}, nil)
}

func TestCrossSite(t *testing.T) {
	h := startHouse(t)
	b := h.as("desk")
	host := strings.TrimPrefix(h.url, "http://")
	tests := []struct {
		name   string
		header map[string]string
		passes bool
	}{
		{"the app", map[string]string{"X-Gengfu": "1", "Sec-Fetch-Site": "same-origin", "Origin": h.url}, true},
		{"the app in an old browser", map[string]string{"X-Gengfu": "1", "Origin": h.url}, true},
		{"a command-line client", map[string]string{"X-Gengfu": "1"}, true},
		{"without the header", map[string]string{"Sec-Fetch-Site": "same-origin"}, false},
		{"another site", map[string]string{"X-Gengfu": "1", "Sec-Fetch-Site": "cross-site"}, false},
		{"a sibling site", map[string]string{"X-Gengfu": "1", "Sec-Fetch-Site": "same-site"}, false},
		{"another site in an old browser", map[string]string{"X-Gengfu": "1", "Origin": "http://evil.example"}, false},
		{"another port", map[string]string{"X-Gengfu": "1", "Origin": "http://127.0.0.1:1"}, false},
		{"a sandboxed frame", map[string]string{"X-Gengfu": "1", "Origin": "null"}, false},
		{"our name inside another", map[string]string{"X-Gengfu": "1", "Origin": "http://" + host + ".evil.example"}, false},
		{"a lie about the fetch", map[string]string{"X-Gengfu": "1", "Sec-Fetch-Site": "Same-Origin?"}, false},
	}
	for _, test := range tests {
		test.header["Content-Type"] = "application/json"
		a := b.send("POST", "/api/orders", strings.NewReader(`{"title":"x"}`), test.header)
		if (a.StatusCode == http.StatusCreated) != test.passes {
			t.Errorf("%s: status %d", test.name, a.StatusCode)
		}
		if !test.passes {
			checkError(t, a, "cross_site", "")
		}
	}
	if len(h.orders) != 3 {
		t.Errorf("%d orders were made", len(h.orders))
	}
}

func TestPublicAddressIsTheSameOrigin(t *testing.T) {
	if !sameOrigin("", "https://estate.example", "10.0.0.1:8080", "https://estate.example/") {
		t.Error("the public address is refused")
	}
	if sameOrigin("", "https://evil.example", "10.0.0.1:8080", "") {
		t.Error("another address is let through")
	}
}

func TestHTTPS(t *testing.T) {
	authority := httptest.NewUnstartedServer(nil) // for its certificate
	authority.StartTLS()
	authority.Close()
	h := startHouse(t, func(o *Options) {
		o.TLS = &tls.Config{Certificates: authority.TLS.Certificates, MinVersion: tls.VersionTLS12}
	})
	b := h.browser()
	pool := x509.NewCertPool()
	pool.AddCert(authority.Certificate())
	b.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool}
	a := b.want(200, "POST", "/api/session", map[string]string{"login": "desk", "password": secret}, nil)
	cookie := cookieOf(a, "__Host-gengfu")
	if cookie == nil || !cookie.Secure || !cookie.HttpOnly || cookie.Path != "/" || cookie.Domain != "" {
		t.Fatalf("the cookie is %+v", cookie)
	}
	b.want(200, "GET", "/api/orders", nil, nil)
	plain := b.send("GET", "/api/orders", nil, map[string]string{"Cookie": "gengfu=" + cookie.Value})
	if plain.StatusCode != 200 { // the jar's own cookie still counts
		t.Errorf("status %d", plain.StatusCode)
	}
	b.client.Jar = nil
	checkError(t, b.send("GET", "/api/orders", nil, map[string]string{"Cookie": "gengfu=" + cookie.Value}), "signed_out", "")
}

func TestTrustedProxy(t *testing.T) {
	h := startHouse(t, func(o *Options) {
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	})
	forwarded := map[string]string{
		"X-Gengfu": "1", "Content-Type": "application/json", "X-Forwarded-Proto": "https",
		"X-Forwarded-For": "192.0.2.66, 203.0.113.9, 10.1.2.3",
	}
	b := h.browser()
	a := b.send("POST", "/api/session", strings.NewReader(`{"login":"admin","password":"`+secret+`"}`), forwarded)
	if a.StatusCode != 200 || cookieOf(a, "__Host-gengfu") == nil {
		t.Errorf("behind HTTPS: %d, cookies %v", a.StatusCode, a.Cookies())
	}
	if got := h.fake.audit[0].Detail; got != "203.0.113.9" {
		t.Errorf("the address is %s: what the client itself writes must not count", got)
	}
}

func TestProxyIsNotBelievedUnlessTrusted(t *testing.T) {
	h := startHouse(t)
	a := h.browser().send("POST", "/api/session", strings.NewReader(`{"login":"admin","password":"`+secret+`"}`), map[string]string{
		"X-Gengfu": "1", "Content-Type": "application/json", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9",
	})
	if cookieOf(a, "gengfu") == nil || h.fake.audit[0].Detail != "127.0.0.1" {
		t.Errorf("cookies %v, address %s", a.Cookies(), h.fake.audit[0].Detail)
	}
}

func TestPaceOfASession(t *testing.T) {
	h := startHouse(t)
	desk := h.as("desk")
	for range 200 {
		desk.want(200, "GET", "/api/people", nil, nil)
	}
	desk.wantError("too_many", "", "GET", "/api/people", nil)
	h.as("manager").want(200, "GET", "/api/people", nil, nil)
	h.clock.advance(time.Second)
	desk.want(200, "GET", "/api/people", nil, nil)
}

func TestLimiterForgets(t *testing.T) {
	c := &clock{t: noon}
	l := newLimiter(1, 2, c.now)
	for i := range maxLimited * 3 {
		l.take(time.Duration(i).String())
		if len(l.keys) > maxLimited {
			t.Fatalf("%d keys are remembered", len(l.keys))
		}
	}
	for i, want := range []time.Duration{0, 0, time.Second} {
		if got := l.take("a"); got != want {
			t.Errorf("try %d must wait %v, want %v", i, got, want)
		}
	}
	c.advance(time.Hour)
	l.take("b")
	if l.take("b"); len(l.keys) > maxLimited {
		t.Errorf("%d keys", len(l.keys))
	}
}

func TestSecurityHeaders(t *testing.T) {
	h := startHouse(t)
	for _, path := range []string{"/", "/api/session", "/api/nothing", "/basic/sign-in", "/assets/app-1a2b.js"} {
		a := h.browser().get(path)
		for name, part := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Referrer-Policy": "same-origin", "Permissions-Policy": "camera=(self)",
		} {
			if !strings.Contains(a.Header.Get(name), part) {
				t.Errorf("%s: %s is %q", path, name, a.Header.Get(name))
			}
		}
		if csp := a.Header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") {
			t.Errorf("%s: %s", path, csp)
		}
		if a.Header.Get("Server") != "" {
			t.Errorf("%s tells what the server is: %q", path, a.Header.Get("Server"))
		}
	}
}

func TestPanicTellsNothing(t *testing.T) {
	h := startHouse(t)
	h.set(func() { h.panics = true })
	admin := h.as("admin")
	a := admin.call("GET", "/api/health", nil)
	checkError(t, a, "internal", "")
	if strings.Contains(string(a.body), "secret") || strings.Contains(string(a.body), "goroutine") {
		t.Errorf("the panic is told to the client: %s", a.body)
	}
	h.set(func() { h.panics = false })
	admin.want(200, "GET", "/api/health", nil, nil)
	h.stop()
	if !strings.Contains(h.logs.String(), "the secret of the pump house") {
		t.Errorf("the log does not say what happened: %s", h.logs)
	}
}

func TestLedgerThatFails(t *testing.T) {
	h := startHouse(t)
	admin := h.as("admin")
	h.set(func() { h.failing = http.ErrServerClosed })
	a := admin.call("GET", "/api/people", nil)
	checkError(t, a, "internal", "")
	if strings.Contains(string(a.body), "closed") {
		t.Errorf("the cause is told to the client: %s", a.body)
	}
}
