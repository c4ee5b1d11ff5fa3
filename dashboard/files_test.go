package dashboard

import (
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
)

func TestFiles(t *testing.T) {
	h := startHouse(t)
	b := h.browser()
	const page = "<!doctype html><title>app</title>"
	tests := []struct {
		path, encoding string // asked for
		status         int
		body, coding   string
		caching, kind  string
	}{
		{"/", "", 200, page, "", "no-cache", "text/html; charset=utf-8"},
		{"/index.html", "", 200, page, "", "no-cache", "text/html; charset=utf-8"},
		{"/orders/0193", "br", 200, page, "", "no-cache", "text/html; charset=utf-8"},
		{"/t/token.with.dots", "", 200, page, "", "no-cache", "text/html; charset=utf-8"},
		{"/sw.js", "gzip, br", 200, "// service worker", "", "no-cache", "text/javascript; charset=utf-8"},
		{"/manifest.webmanifest", "", 200, "{}", "", "no-cache", "application/manifest+json"},
		{"/assets/app-1a2b.js", "", 200, "export const plain = 1", "", "public, max-age=31536000, immutable", "text/javascript; charset=utf-8"},
		{"/assets/app-1a2b.js", "gzip, deflate, br", 200, "brotli bytes", "br", "public, max-age=31536000, immutable", "text/javascript; charset=utf-8"},
		{"/assets/app-1a2b.js", "gzip;q=1.0, br;q=0", 200, "gzip bytes", "gzip", "public, max-age=31536000, immutable", "text/javascript; charset=utf-8"},
		{"/assets/app-1a2b.js.br", "", 404, "", "", "no-store", "application/json"},
		{"/assets/app-0000.js", "", 404, "", "", "no-store", "application/json"},
		{"/assets/missing", "", 404, "", "", "no-store", "application/json"},
		{"/favicon.ico", "", 404, "", "", "no-store", "application/json"},
		{"/.gitkeep", "", 404, "", "", "no-store", "application/json"},
		{"/../server.go", "", 404, "", "", "no-store", "application/json"},
		{"/assets/..%2f..%2fserver.go", "", 404, "", "", "no-store", "application/json"},
	}
	for _, test := range tests {
		a := b.send("GET", test.path, nil, map[string]string{"Accept-Encoding": test.encoding})
		if a.StatusCode != test.status || test.body != "" && string(a.body) != test.body ||
			a.Header.Get("Content-Encoding") != test.coding || a.Header.Get("Cache-Control") != test.caching || a.Header.Get("Content-Type") != test.kind {
			t.Errorf("%s (%s): %d %q as %q, %q, %q", test.path, test.encoding, a.StatusCode, a.body,
				a.Header.Get("Content-Encoding"), a.Header.Get("Cache-Control"), a.Header.Get("Content-Type"))
		}
	}
	first := b.get("/")
	again := b.send("GET", "/", nil, map[string]string{"If-None-Match": first.Header.Get("ETag")})
	if again.StatusCode != http.StatusNotModified || len(again.body) != 0 {
		t.Errorf("unchanged: %d with %d bytes", again.StatusCode, len(again.body))
	}
}

func TestWithoutTheApp(t *testing.T) {
	h := startHouse(t, func(o *Options) { o.Assets = fstest.MapFS{".gitkeep": {}} })
	for path, want := range map[string]string{
		"/": "/basic", "/orders": "/basic", "/t/gate-7f3a91": "/basic/t/gate-7f3a91", "/t/roof%2F2b%208c": "/basic/t/roof%2F2b%208c",
	} {
		if a := h.browser().get(path); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != want {
			t.Errorf("%s: %d to %q, want %q", path, a.StatusCode, a.Header.Get("Location"), want)
		}
	}
}

// The build may be there or not; what is embedded must be usable either way.
func TestEmbeddedApp(t *testing.T) {
	h := startHouse(t, func(o *Options) { o.Assets = nil })
	a := h.browser().get("/")
	if h.server.files.app != (a.StatusCode == 200) || a.StatusCode == 200 && !strings.Contains(string(a.body), "<html") {
		t.Errorf("app %v: %d %.80q", h.server.files.app, a.StatusCode, a.body)
	}
}

func TestAccepts(t *testing.T) {
	for header, want := range map[string]bool{
		"br": true, "gzip, br": true, "gzip,br;q=0.5": true, "BR": true, "br;q=0": false, "br; q=0.0": false, "br;q=0.001": true,
		"": false, "gzip": false, "brotli": false, "*": false,
	} {
		if accepts(header, "br") != want {
			t.Errorf("%q accepts br: %v", header, !want)
		}
	}
}
