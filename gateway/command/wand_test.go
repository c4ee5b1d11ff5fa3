package command

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"
)

const wandDump = `序号,机号,人员,地点卡号,时间
1,W7,李四,04A035B2BC2B80,2026/11/21 22:01:00
2,W7,李四,FB0EE20B,2026/11/21 22:03:00
3,W7,王五,FB0EE20B,2026/11/21 22:04:00
4,W7,李四,DEADBEEF,2026/11/21 22:05:00
`

// wandSite is a site with checkpoints, and the dump of its wand in GBK.
func wandSite(t *testing.T) (site, dump string) {
	t.Helper()
	_, address := pump(t)
	text, err := os.ReadFile(siteWith(t, address))
	if err != nil {
		t.Fatal(err)
	}
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(wandDump)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "site.yaml", string(text)+`patrol:
  checkpoints:
    - {id: gate, name: 东门, token: token-of-the-gate, tags: ["04:A0:35:B2:BC:2B:80"]}
    - {id: roof, name: 屋面, token: token-of-the-roof, tags: [FB0EE20B]}
`), write(t, "dump.csv", gbk)
}

// tapsOf are those of the day of the dump, at a gateway that runs.
func tapsOf(t *testing.T, c *http.Client, url string) (found []string) {
	t.Helper()
	_, body := ask(t, c, http.MethodGet, url+"/api/taps?day=2026-11-21", "")
	var list struct {
		Taps []struct{ Source, Reader, Checkpoint, Person string }
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	for _, tap := range list.Taps {
		found = append(found, strings.Join([]string{tap.Source, tap.Reader, tap.Checkpoint, tap.Person}, " "))
	}
	return found
}

func TestWandImport(t *testing.T) {
	site, dump := wandSite(t)
	data := filepath.Join(t.TempDir(), "data")
	g := start(t, "run", "--config", site, "--data", data)
	run(t, "geheim-1\n", "user", "add", "li", "--name", "李四", "--role", "guard", "--data", data).wants(t, done, "li may", "")
	run(t, "geheim-2\n", "user", "add", "desk", "--role", "desk", "--data", data).wants(t, done, "desk may", "")
	send := []string{"wand", "import", dump, "--address", g.url, "--login", "desk"}

	run(t, "geheim-1\n", send...).wants(t, failed, "", "login or the password is wrong")
	run(t, "geheim-1\n", "wand", "import", dump, "--address", g.url, "--login", "li").wants(t, failed, "", "not allowed")
	run(t, "geheim-2\n", append(send, "--map", "time=Zeit")...).wants(t, failed, "", "headings are not among the first 10 lines")
	dry := run(t, "geheim-2\n", append(send, "--dry-run")...)
	dry.wants(t, done, "line 2: new, li at gate with wand W7, 2026-11-21 22:01:00\n", "")
	dry.wants(t, done, `line 4: Nobody has the login, badge or name "王五". Add the person first`, "")
	dry.wants(t, done, `line 5: No checkpoint has the tag or the name "DEADBEEF"`, "")
	dry.wants(t, done, "2 would be taken, 0 known already, 2 wrong\n", "")
	run(t, "geheim-2\n", send...).wants(t, done, "2 taken, 0 known already, 2 wrong\n", "")

	c := browser(t)
	if code, body := ask(t, c, http.MethodPost, g.url+"/api/session", `{"login":"desk","password":"geheim-2"}`); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	eventually(t, "the taps", func() bool { return len(tapsOf(t, c, g.url)) == 2 })
	if got := strings.Join(tapsOf(t, c, g.url), "; "); got != "wand W7 roof li; wand W7 gate li" {
		t.Errorf("the taps are %s", got)
	}
	run(t, "geheim-2\n", send...).wants(t, done, "0 taken, 2 known already, 2 wrong\n", "")
	put := []string{"wand", "import", dump, "--config", site, "--data", data}
	run(t, "", append(put, "--dry-run")...).wants(t, done, "0 would be taken, 2 known already, 2 wrong\n", "")
	run(t, "", append(put, "--wand", "W8", "--map", "time=时间,checkpoint=地点卡号,wand=1")...).wants(t, failed, "", "send it with --login")
}

// Into the data folder while no gateway runs: its next start judges them.
func TestWandImportIntoTheDataFolder(t *testing.T) {
	site, dump := wandSite(t)
	data := filepath.Join(t.TempDir(), "data")
	run(t, "geheim-1\n", "user", "add", "li", "--name", "李四", "--role", "admin", "--data", data, "--site", "garden").wants(t, done, "li may", "")
	put := []string{"wand", "import", dump, "--config", site, "--data", data}
	run(t, "", "wand", "import", dump).wants(t, failed, "", "where to?")
	r := run(t, "", append(put, "--json")...)
	r.wants(t, done, `"new": 2`, "")
	if !json.Valid([]byte(r.out)) {
		t.Errorf("no JSON: %s", r.out)
	}
	run(t, "", put...).wants(t, done, "2 taken", "") // it stands in the journal twice now, and counts once
	g := start(t, "run", "--config", site, "--data", data)
	c := browser(t)
	if code, body := ask(t, c, http.MethodPost, g.url+"/api/session", `{"login":"li","password":"geheim-1"}`); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	eventually(t, "the taps", func() bool { return len(tapsOf(t, c, g.url)) == 2 })
	run(t, "", append(put, "--dry-run")...).wants(t, done, "0 would be taken, 2 known already, 2 wrong\n", "")
	if got := strings.Join(tapsOf(t, c, g.url), "; "); got != "wand W7 roof li; wand W7 gate li" {
		t.Errorf("the taps are %s", got)
	}
}
