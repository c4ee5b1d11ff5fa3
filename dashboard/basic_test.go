package dashboard

import (
	"bytes"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gengfu/dashboard/photo"
	"gengfu/facility"
)

func mustURL(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

var tokenField = regexp.MustCompile(`name="token" value="([0-9a-f]{64})"`)

// tokenOf is the token that the forms of a plain page carry.
func tokenOf(t testing.TB, a answer) string {
	t.Helper()
	m := tokenField.FindSubmatch(a.body)
	if m == nil {
		t.Fatalf("%s has no form: %s", a.Request.URL.Path, a.body)
	}
	return string(m[1])
}

// basicAs signs somebody in through the plain pages.
func (h *house) basicAs(login string) *browser {
	h.t.Helper()
	b := h.browser()
	token := tokenOf(h.t, b.get("/basic/sign-in"))
	if a := b.post("/basic/sign-in", "token", token, "login", login, "password", secret); a.StatusCode != http.StatusSeeOther {
		h.t.Fatalf("sign in as %s: %d %s", login, a.StatusCode, a.body)
	}
	return b
}

func wantPage(t testing.TB, a answer, status int, parts ...string) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s: status %d, want %d", a.Request.URL.Path, a.StatusCode, status)
	}
	for _, p := range parts {
		if !strings.Contains(string(a.body), p) {
			t.Errorf("%s lacks %q:\n%s", a.Request.URL.Path, p, a.body)
		}
	}
}

func wantRedirect(t testing.TB, a answer, to string) {
	t.Helper()
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != to {
		t.Errorf("%s: %d to %q, want %q: %s", a.Request.URL.Path, a.StatusCode, a.Header.Get("Location"), to, a.body)
	}
}

func TestBasicSignIn(t *testing.T) {
	h := startHouse(t, func(o *Options) {
		o.DemoLogins = []DemoLogin{{Login: "guard", Password: secret, Role: facility.RoleGuard, Name: "赵队"}}
	})
	b := h.browser()
	wantRedirect(t, b.get("/basic"), "/basic/sign-in")
	wantRedirect(t, b.get("/basic/orders?show=mine"), "/basic/sign-in?next=%2Fbasic%2Forders%3Fshow%3Dmine")
	page := b.get("/basic/sign-in?next=/basic/orders")
	wantPage(t, page, 200, "示例小区", "赵队 · 保安", `name="next" value="/basic/orders"`)
	token := tokenOf(t, page)
	wantPage(t, b.post("/basic/sign-in", "login", "guard", "password", secret), 403, "页面已过期")
	wantPage(t, b.post("/basic/sign-in", "token", strings.Repeat("0", 64), "login", "guard", "password", secret), 403)
	wantPage(t, h.browser().post("/basic/sign-in", "token", token, "login", "guard", "password", secret), 403)
	wantPage(t, b.post("/basic/sign-in", "token", token, "login", "guard", "password", "wrong"), 401, "账号或密码不对", `value="guard"`)
	wantRedirect(t, b.post("/basic/sign-in", "token", token, "login", "guard", "password", secret, "next", "//evil.example"), "/basic")
	wantRedirect(t, b.get("/basic"), "/basic/rounds")
	wantRedirect(t, b.get("/basic/sign-in?next=/demo/"), "/demo/")
	wantRedirect(t, b.post("/basic/sign-out", "token", tokenOf(t, b.get("/basic/rounds"))), "/basic/sign-in")
	if len(h.sessions) != 0 {
		t.Error("the session is still there")
	}
}

func TestBasicFormsAreOurs(t *testing.T) {
	h := startHouse(t)
	a := h.alarm(facility.P2, facility.AlarmUnacknowledged)
	desk := h.basicAs("desk")
	token := tokenOf(t, desk.get("/basic/alarms"))
	path := "/basic/alarms/" + a.ID + "/acknowledge"
	wantPage(t, desk.post(path), 403, "页面已过期")
	form := func(header map[string]string) answer {
		header["Content-Type"] = "application/x-www-form-urlencoded"
		return desk.send("POST", path, strings.NewReader("token="+token), header)
	}
	wantPage(t, form(map[string]string{"Sec-Fetch-Site": "cross-site"}), 403, "其他网站")
	wantPage(t, form(map[string]string{"Origin": "http://evil.example"}), 403, "其他网站")
	wantPage(t, h.basicAs("manager").post(path, "token", token), 403)
	wantRedirect(t, form(map[string]string{"Origin": h.url}), "/basic/alarms")
	if h.alarms[a.ID].AckedBy != "desk" {
		t.Errorf("the alarm is %+v", h.alarms[a.ID])
	}
}

// With no script at all: the fault is reported, sent, mended with a photo and
// verified.
func TestBasicOrder(t *testing.T) {
	h := startHouse(t)
	guard, desk, technician, manager := h.basicAs("guard"), h.basicAs("desk"), h.basicAs("technician"), h.basicAs("manager")
	page := guard.get("/basic/report")
	wantPage(t, page, 200, "泵房", "1号泵", "P3 一般")
	made := guard.post("/basic/report", "token", tokenOf(t, page), "title", `<b>漏水</b>`, "device", "pump-1", "priority", "P2")
	path := made.Header.Get("Location")
	wantRedirect(t, made, path)
	wantPage(t, guard.get(path), 200, "&lt;b&gt;漏水&lt;/b&gt;", "待派", "泵房")
	wantPage(t, guard.post("/basic/report", "token", tokenOf(t, page), "title", " "), 400, "请填写 title")

	steps := []struct {
		who    *browser
		fields []string
	}{
		{desk, []string{"action", "assign", "target", "technician"}},
		{technician, []string{"action", "accept"}},
		{technician, []string{"action", "arrive"}},
	}
	for _, s := range steps {
		page := s.who.get(path)
		wantRedirect(t, s.who.post(path+"/actions", append(s.fields, "token", tokenOf(t, page))...), path)
	}
	page = technician.get(path)
	wantPage(t, page, 200, "到场", `type="file"`, `value="complete"`)
	wantPage(t, technician.post(path+"/actions", "token", tokenOf(t, page), "action", "complete"), 400, "请写明")
	wantRedirect(t, technician.upload(path+"/photos", tokenOf(t, page), "修好了", picture(t)), path)
	wantRedirect(t, technician.post(path+"/actions", "token", tokenOf(t, page), "action", "complete", "note", "换了密封圈"), path)
	page = manager.get(path)
	wantPage(t, page, 200, "修好了", `<img src="/api/photos/`, "换了密封圈", "name of technician")
	wantPage(t, manager.post(path+"/actions", "token", tokenOf(t, page), "action", "verify", "version", "1"), 409, "已被他人更改")
	wantRedirect(t, manager.post(path+"/actions", "token", tokenOf(t, page), "action", "verify"), path)
	wantPage(t, manager.get("/basic/orders?show=done"), 200, "验收")
	wantPage(t, manager.get("/basic/orders?show=nonsense"), 400)
	wantPage(t, manager.get("/basic/orders/nothing"), 404, "没有找到")
}

func TestBasicPages(t *testing.T) {
	h := startHouse(t)
	h.tell(Event{Readings: []facility.Reading{h.value(pressure, 4.256), h.value(fault, 1), h.value(pumpOn, 1)}})
	a := h.alarm(facility.P1, facility.AlarmUnacknowledged)
	h.set(func() {
		h.rounds = []facility.Round{{
			ID: "r", Name: facility.Text{ZH: "夜巡", EN: "Night patrol"}, Start: noon, End: noon.Add(time.Hour), State: facility.RoundIncomplete,
			Visits: []facility.Visit{{Checkpoint: "gate", Verdict: facility.Missed}, {Checkpoint: "roof", Verdict: facility.OnTime, TappedAt: new(noon), By: "guard"}},
		}}
	})
	h.clock.advance(2 * time.Minute)
	b := h.basicAs("manager")
	wantPage(t, b.get("/basic/overview"), 200, "1号泵 故障（P1）", "4.26 bar", "数据已旧", "2 分钟前", "无数据")
	wantPage(t, b.get("/basic/alarms"), 200, "未确认", `/basic/alarms/`+a.ID+`/acknowledge`)
	wantPage(t, b.get("/basic/rounds"), 200, "夜巡", "12:00–13:00", "漏巡", "name of guard")
	english := b.get("/basic/overview?lang=en")
	wantPage(t, english, 200, "Pump 1 fault (P1)", "out of date", `<html lang="en">`)
	wantPage(t, b.get("/basic/rounds"), 200, "Night patrol", "missed") // it is remembered
	wantPage(t, b.get("/basic/rounds?lang=xx"), 200, "Night patrol")
	wantPage(t, h.browser().send("GET", "/basic/sign-in", nil, map[string]string{"Accept-Language": "en-GB,en;q=0.9"}), 200, "Sign in")
	wantPage(t, h.browser().send("GET", "/basic/sign-in", nil, map[string]string{"Accept-Language": "fr"}), 200, "登录")
	wantPage(t, h.basicAs("guard").get("/basic/overview"), 403, "没有这项权限")
	css := b.get("/basic/style.css")
	if css.StatusCode != 200 || !strings.HasPrefix(css.Header.Get("Content-Type"), "text/css") {
		t.Errorf("the style: %d %q", css.StatusCode, css.Header.Get("Content-Type"))
	}
	for _, path := range []string{"/basic/overview", "/basic/alarms", "/basic/rounds", "/basic/orders", "/basic/report"} {
		if page := string(b.get(path).body); strings.Contains(page, "basic.") || strings.Contains(page, "<script") || strings.Contains(page, "style=") {
			t.Errorf("%s has a key without a sentence, or what the policy forbids:\n%s", path, page)
		}
	}
}

func TestBasicTap(t *testing.T) {
	h := startHouse(t)
	h.set(func() {
		h.rounds = []facility.Round{{
			ID: "r", Name: facility.Text{ZH: "夜巡"}, Start: noon, End: noon.Add(time.Hour),
			Visits: []facility.Visit{{Checkpoint: "gate", Verdict: facility.Pending}, {Checkpoint: "roof", Verdict: facility.Pending}},
		}}
	})
	guard := h.basicAs("guard")
	page := guard.get("/basic/t/gate-7f3a91")
	wantPage(t, page, 200, "东门", "夜巡", "还剩 2 处")
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindSubmatch(page.body)
	for range 2 {
		done := guard.post("/basic/t/gate-7f3a91", "token", tokenOf(t, page), "id", string(id[1]))
		wantPage(t, done, 200, "已打点", "东门")
	}
	if len(h.taps) != 1 || h.taps[0].Checkpoint != "gate" || h.taps[0].Person != "guard" || h.taps[0].Source != facility.TapURL {
		t.Errorf("the taps are %+v", h.taps)
	}
	wantPage(t, guard.get("/basic/t/guess"), 404, "标签无效")
	wantPage(t, guard.post("/basic/t/gate-7f3a91", "token", tokenOf(t, page), "id", "x"), 400)
	wantPage(t, guard.get("/basic/t/roof%2F2b%208c"), 200, "屋顶")
	wantPage(t, h.basicAs("desk").get("/basic/t/gate-7f3a91"), 403)
}

// picture is a JPEG as a phone would send it.
func picture(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 48)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// noise is a JPEG that is longer than any other request may be.
func noise(t testing.TB) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 2000, 2000))
	source := rand.NewChaCha8([32]byte{})
	if _, err := source.Read(m.Pix); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	if b.Len() <= maxBody {
		t.Fatalf("only %d bytes", b.Len())
	}
	return b.Bytes()
}

// upload sends a form with a photo. With an empty token it is the app's.
func (b *browser) upload(path, token, note string, file []byte) answer {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	header := map[string]string{"Content-Type": form.FormDataContentType()}
	if token == "" {
		header["X-Gengfu"] = "1"
	}
	for name, value := range map[string]string{"token": token, "note": note} {
		if err := form.WriteField(name, value); err != nil {
			b.t.Fatal(err)
		}
	}
	part, err := form.CreateFormFile("photo", "../../etc/passwd.php")
	if err == nil {
		_, err = part.Write(file)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return b.send("POST", path, &body, header)
}

func TestPhotos(t *testing.T) {
	h := startHouse(t)
	o := h.order("desk", "technician")
	path := "/api/orders/" + o.ID + "/photos"
	technician := h.as("technician")
	a := technician.upload(path, "", "看这里", picture(t))
	if a.StatusCode != http.StatusCreated {
		t.Fatalf("upload: %d %s", a.StatusCode, a.body)
	}
	var d orderDetailShape
	decode(t, a.body, &d)
	last := d.Events[len(d.Events)-1]
	if last.Action != facility.OrderPhoto || last.Note != "看这里" || last.Photo == "" {
		t.Fatalf("the last event is %+v", last)
	}
	shown := technician.get("/api/photos/" + last.Photo)
	header, err := jpeg.DecodeConfig(bytes.NewReader(shown.body))
	if err != nil || header.Width != 64 || shown.Header.Get("Content-Type") != "image/jpeg" || shown.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the photo comes as %q, %d wide, %v", shown.Header.Get("Content-Type"), header.Width, err)
	}
	if shown.Header.Get("Cache-Control") != "private, max-age=3600" {
		t.Errorf("Cache-Control is %q", shown.Header.Get("Cache-Control"))
	}
	h.as("viewer").want(200, "GET", "/api/orders/"+o.ID, nil, nil)
	h.as("guard").wantError("not_found", "", "GET", "/api/photos/"+last.Photo, nil)
	technician.wantError("not_found", "", "GET", "/api/photos/nothing", nil)

	checkError(t, h.as("viewer").upload(path, "", "", picture(t)), "forbidden", "")
	checkError(t, h.as("guard").upload(path, "", "", picture(t)), "not_found", "")
	checkError(t, technician.upload(path, "", "", []byte("<script>alert(1)</script>")), "unsupported", "")
	checkError(t, technician.upload(path, "", "", picture(t)[:100]), "invalid", "photo")
	checkError(t, technician.upload(path, "", "", append(picture(t), make([]byte, photo.MaxBytes)...)), "too_large", "")
	checkError(t, technician.send("POST", path, strings.NewReader("x"), map[string]string{"X-Gengfu": "1", "Content-Type": "text/plain"}), "invalid", "photo")
	if a := technician.upload(path, "", "", noise(t)); a.StatusCode != http.StatusCreated {
		t.Errorf("a photo of two megabytes: %d %s", a.StatusCode, a.body)
	}
	if len(h.photos) != 2 {
		t.Errorf("%d photos are kept", len(h.photos))
	}
}

func TestLocalPath(t *testing.T) {
	for next, want := range map[string]string{
		"/basic/orders": "/basic/orders", "/demo/?a=b": "/demo/?a=b", "": "/basic", "https://evil.example": "/basic",
		"//evil.example": "/basic", `/\evil.example`: "/basic", "/a\r\nSet-Cookie: x": "/basic", "javascript:alert(1)": "/basic",
	} {
		if got := localPath(next); got != want {
			t.Errorf("%q goes on to %q, want %q", next, got, want)
		}
	}
}
