package command

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// browser keeps cookies, as browsers do.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport, Timeout: time.Minute}
}

// ask sends a request to the JSON API and returns its status and body.
func ask(t *testing.T, c *http.Client, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Gengfu", "1")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(said)
}

// TestRun runs a site, adds a person meanwhile, and watches a fault arrive.
func TestRun(t *testing.T) {
	slave, address := pump(t)
	data := filepath.Join(t.TempDir(), "data")
	g := start(t, "run", "--config", siteWith(t, address), "--data", data)

	run(t, "geheim-1\n", "user", "add", "li", "--role", "admin", "--data", data).wants(t, done, "li may", "")
	c := browser(t)
	if code, body := ask(t, c, http.MethodPost, g.url+"/api/session", `{"login":"li","password":"geheim-1"}`); code != http.StatusOK {
		t.Fatalf("who was added meanwhile cannot sign in: %d %s", code, body)
	}
	if err := slave.Set("fault", 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the alarm", func() bool {
		_, body := ask(t, c, http.MethodGet, g.url+"/api/alarms?show=standing", "")
		return strings.Contains(body, `"device":"pump-1"`)
	})
	_, body := ask(t, c, http.MethodGet, g.url+"/api/health", "")
	var health struct {
		Judge  map[string]int `json:"judge"`
		Ledger struct{ Engine, Error string }
	}
	if err := json.Unmarshal([]byte(body), &health); err != nil || health.Ledger.Engine != "sqlite" || health.Ledger.Error != "" {
		t.Errorf("%v: the health page says %s", err, body)
	}
	if _, there := health.Judge["set_aside"]; !there {
		t.Errorf("nobody counts what is set aside: %s", body)
	}
	if _, body := ask(t, c, http.MethodGet, g.url+"/metrics", ""); !strings.Contains(body, "gengfu_judge_set_aside_total 0") || !strings.Contains(body, `gengfu_ledger_up{engine="sqlite"} 1`) {
		t.Errorf("the metrics are\n%s", body)
	}

	run(t, "", "run", "--config", siteWith(t, address), "--data", data).
		wants(t, failed, "", fmt.Sprintf("another gateway (process %d) works in %s", os.Getpid(), data))
	run(t, "", "run", "--config", siteWith(t, address), "--data", t.TempDir(), "--listen", strings.TrimPrefix(g.url, "http://")).
		wants(t, failed, "", "choose another address with --listen")

	// A browser that keeps connections open does not hold up the end.
	for _, said := range []string{"", "GET /heal"} {
		idle, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
		if _, err := io.WriteString(idle, said); err != nil {
			t.Fatal(err)
		}
	}
	if code, took := g.stop(); code != done || took > 4*time.Second {
		t.Errorf("it ended with %d after %v: %s", code, took, g.err.String())
	}

	g = start(t, "run", "--config", siteWith(t, address), "--data", data) // on the same folder
	if code, body := ask(t, c, http.MethodPost, g.url+"/api/session", `{"login":"li","password":"geheim-1"}`); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	// People are told, and the order is made, before or after the restart: once.
	eventually(t, "the one order", func() bool {
		_, body := ask(t, c, http.MethodGet, g.url+"/api/orders?show=open", "")
		return strings.Count(body, `"source":"alarm"`) == 1
	})
}

func TestRunWhereNothingCanBeKept(t *testing.T) {
	file := write(t, "file", "")
	run(t, "", "run", "--config", siteWith(t, "127.0.0.1:1"), "--data", file).wants(t, failed, "", "data folder")
	if os.Getuid() == 0 {
		t.Log("root may write to every folder")
		return
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	run(t, "", "run", "--config", siteWith(t, "127.0.0.1:1"), "--data", dir).wants(t, failed, "", "the data folder cannot be used")
}

// TestRunOnADamagedLedger: a ledger that is none of ours is named, and nothing is left
// running.
func TestRunOnADamagedLedger(t *testing.T) {
	dir := t.TempDir()
	noDatabase(t, filepath.Join(dir, "ledger.db"))
	run(t, "", "run", "--config", siteWith(t, "127.0.0.1:1"), "--data", dir).wants(t, failed, "", "ledger.db")
}

// TestRunOnADamagedHistory: the gateway starts with a new file, keeps the old one, says
// so in the log and on the health page, and the history takes what comes.
func TestRunOnADamagedHistory(t *testing.T) {
	_, address := pump(t)
	dir := t.TempDir()
	wrong := noDatabase(t, filepath.Join(dir, "history.db"))
	g := start(t, "run", "--config", siteWith(t, address), "--data", dir)
	run(t, "geheim-1\n", "user", "add", "li", "--role", "admin", "--data", dir).wants(t, done, "li may", "")
	c := browser(t)
	if code, body := ask(t, c, http.MethodPost, g.url+"/api/session", `{"login":"li","password":"geheim-1"}`); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	var health struct {
		History struct {
			Damage string
			Stored int
		}
	}
	eventually(t, "readings in the new file", func() bool {
		_, body := ask(t, c, http.MethodGet, g.url+"/api/health", "")
		if err := json.Unmarshal([]byte(body), &health); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		return health.History.Stored > 0
	})
	if !strings.Contains(health.History.Damage, "damaged") {
		t.Errorf("the health page says %+v", health.History)
	}
	if said := g.err.String(); !strings.Contains(said, "the history's file could not be used as it was") {
		t.Errorf("the log says %s", said)
	}
	var aside []string
	eventually(t, "the old file under its last name", func() bool {
		aside, _ = filepath.Glob(filepath.Join(dir, "history.db.damaged-*Z"))
		return len(aside) == 1
	})
	if kept, err := os.ReadFile(aside[0]); err != nil || len(kept) < len(wrong) {
		t.Errorf("of %d bytes %d are kept, %v", len(wrong), len(kept), err)
	}
	if code, _ := g.stop(); code != done {
		t.Errorf("it ended with %d: %s", code, g.err.String())
	}
}

// noDatabase writes a file that is none.
func noDatabase(t *testing.T, path string) string {
	t.Helper()
	text := strings.Repeat("no database at all ", 500)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return text
}

// TestDemo starts the demo, breaks a pump from another command and sees it.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("it fills 30 days of history")
	}
	data := t.TempDir()
	g := start(t, "demo", "--data", data, "--listen", "127.0.0.1:0", "--no-guard", "--log-level", "warn")
	for _, piece := range []string{"gengfu-admin", "gengfu simulate break-pump 1 --data " + data} {
		if !strings.Contains(g.out.String(), piece) {
			t.Errorf("%q is not in the welcome", piece)
		}
	}
	run(t, "", "demo", "--data", data, "--listen", "127.0.0.1:0").wants(t, failed, "", "another demo runs")
	run(t, "", "simulate", "status", "--data", data).wants(t, done, "{", "")
	run(t, "", "simulate", "break-pump", "9", "--data", data).wants(t, failed, "", "gengfu:")
	run(t, "", "simulate", "break-pump", "1", "--data", data).wants(t, done, "{", "")
	c := browser(t)
	if code, body := ask(t, c, http.MethodPost, g.url+"/api/session", `{"login":"li","password":"gengfu-li"}`); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	eventually(t, "the order", func() bool {
		_, body := ask(t, c, http.MethodGet, g.url+"/api/orders?show=open", "")
		return strings.Contains(body, `"device":"pump-1"`)
	})
	if code, took := g.stop(); code != done || took > 4*time.Second {
		t.Errorf("it ended with %d after %v: %s", code, took, g.err.String())
	}
	if said := g.err.String(); strings.Contains(said, "level=ERROR") {
		t.Errorf("it complained: %s", said)
	}
}
