package dashboard

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"gengfu/dashboard/lang"
	"gengfu/facility"
)

//go:embed basic
var basicFiles embed.FS

const (
	languageCookie = "gengfu-lang"
	formCookie     = "gengfu-form" // ties the sign-in form to the browser that asked for it
)

// pages are the plain pages: they need no script and stand in where the app is
// not built or not understood.
type pages struct {
	layouts map[string]*template.Template // by the name of the page
	style   []byte
}

func parsePages() (*pages, error) {
	style, err := basicFiles.ReadFile("basic/style.css")
	if err != nil {
		return nil, err
	}
	all := &pages{layouts: map[string]*template.Template{}, style: style}
	names, err := basicFiles.ReadDir("basic")
	if err != nil {
		return nil, err
	}
	for _, f := range names {
		name, isPage := strings.CutSuffix(f.Name(), ".html")
		if !isPage || name == "layout" {
			continue
		}
		all.layouts[name], err = template.ParseFS(basicFiles, "basic/layout.html", "basic/"+f.Name())
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// sheet is what every plain page is made from.
type sheet struct {
	Lang   string
	Site   facility.Text
	Path   string // of this page, with its query
	Person *facility.Person
	Title  string
	Token  string // for the forms
	App    bool   // there is an app to go to
	Data   any

	zone *time.Location
	now  time.Time
}

// T is a sentence of the page's language. The arguments are names and values in turn.
func (s sheet) T(key string, pairs ...any) string {
	args := lang.Args{}
	for i := 0; i+1 < len(pairs); i += 2 {
		args[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return lang.In(s.Lang, "basic."+key, args)
}

// Word is the sentence for one of the values of an enumeration.
func (s sheet) Word(kind string, value any) string { return s.T(kind + "." + fmt.Sprint(value)) }

// In is a name in the page's language.
func (s sheet) In(t any) string {
	switch t := t.(type) {
	case facility.Text:
		return t.In(s.Lang)
	case *facility.Text:
		if t != nil {
			return t.In(s.Lang)
		}
	}
	return ""
}

// Time is a time in the site's zone: the clock alone when it is today.
func (s sheet) Time(v any) string {
	var t time.Time
	switch v := v.(type) {
	case time.Time:
		t = v
	case *time.Time:
		if v == nil {
			return "–"
		}
		t = *v
	}
	t = t.In(s.zone)
	if t.Format(time.DateOnly) == s.now.In(s.zone).Format(time.DateOnly) {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}

// Number is the number, from 1, of what stands at an index.
func (s sheet) Number(index int) int { return index + 1 }

// Age is how long ago something was.
func (s sheet) Age(t *time.Time) string {
	if t == nil {
		return s.T("never")
	}
	age := s.now.Sub(*t)
	switch {
	case age < time.Minute:
		return s.T("age_seconds", "n", max(int(age.Seconds()), 0))
	case age < time.Hour:
		return s.T("age_minutes", "n", int(age.Minutes()))
	}
	return s.T("age_hours", "n", int(age.Hours()))
}

// Old reports whether a point's value says nothing about now.
func (s sheet) Old(p pointShape) bool {
	return p.Time == nil || s.now.Sub(*p.Time).Seconds() > p.StaleAfter
}

// Value is a point's value as a person reads it.
func (s sheet) Value(p pointShape) string {
	if p.Value == nil {
		return "–"
	}
	if label, ok := p.Labels[int(*p.Value)]; ok {
		return label.In(s.Lang)
	}
	return strings.TrimSpace(fmt.Sprintf("%.*f %s", p.Decimals, *p.Value, p.Unit))
}

// Reach is whether a device answers: online, offline or unknown.
func (s sheet) Reach(d deviceShape) string { return known(d.reachShape) }

// May reports whether the reader has a permission.
func (s sheet) May(permission string) bool {
	return s.Person != nil && s.Person.Role.May(facility.Permission(permission))
}

func (s *Server) isBasic(c *fiber.Ctx) bool {
	return c.Path() == "/basic" || strings.HasPrefix(c.Path(), "/basic/")
}

// show sends a plain page.
func (s *Server) show(c *fiber.Ctx, v *visitor, name, title string, data any) error {
	page := sheet{
		Lang: s.languageOf(c), Site: s.estate.Site.Name, Path: c.OriginalURL(), Title: title, App: s.files.app,
		Data: data, zone: s.estate.Site.Zone, now: s.now(),
	}
	if v.signedIn() {
		page.Person, page.Token = &v.person, formToken(v.token)
	} else if name == "sign-in" {
		secret, err := s.formSecret(c)
		if err != nil {
			return err
		}
		page.Token = formToken(secret)
	}
	var body bytes.Buffer
	if err := s.pages.layouts[name].ExecuteTemplate(&body, "layout.html", page); err != nil {
		return fmt.Errorf("make the page %s: %w", name, err)
	}
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return c.Send(body.Bytes())
}

// languageOf is the language of the plain pages: what was asked for now, what was
// asked for before, what the browser says, Chinese.
func (s *Server) languageOf(c *fiber.Ctx) string {
	if asked := c.Query("lang"); lang.Known(asked) {
		c.Cookie(&fiber.Cookie{
			Name: languageCookie, Value: asked, Path: "/basic", MaxAge: 365 * 24 * 3600,
			Secure: s.secure(c), HTTPOnly: true, SameSite: fiber.CookieSameSiteLaxMode,
		})
		return asked
	}
	if chosen := c.Cookies(languageCookie); lang.Known(chosen) {
		return chosen
	}
	if c.AcceptsLanguages("zh", "zh-CN", "en", "en-US", "en-GB") != "" && strings.HasPrefix(c.Get(fiber.HeaderAcceptLanguage), "en") {
		return "en"
	}
	return "zh"
}

func (s *Server) basicStyle(c *fiber.Ctx, _ *visitor) error {
	c.Set(fiber.HeaderContentType, "text/css; charset=utf-8")
	c.Set(fiber.HeaderCacheControl, "no-cache")
	return c.Send(s.pages.style)
}

// basicError shows an error as a page.
func (s *Server) basicError(c *fiber.Ctx, p *problem) error {
	status := c.Response().StatusCode()
	if err := s.show(c, &visitor{}, "error", "error_title", p.message); err != nil {
		return c.SendStatus(fiber.StatusInternalServerError)
	}
	c.Status(status)
	return nil
}

// formToken is what the forms of a session carry, so that another site cannot
// send them even with a browser that does not say where a request comes from.
func formToken(secret string) string {
	sum := sha256.Sum256([]byte("gengfu form\x00" + secret))
	return hex.EncodeToString(sum[:])
}

// formSecret is what the token of the sign-in form is made from, when there is
// no session yet.
func (s *Server) formSecret(c *fiber.Ctx) (string, error) {
	if secret := c.Cookies(formCookie); len(secret) == base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return secret, nil
	}
	random := make([]byte, tokenBytes)
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("make a form: %w", err)
	}
	secret := base64.RawURLEncoding.EncodeToString(random)
	c.Cookie(&fiber.Cookie{
		Name: formCookie, Value: secret, Path: "/basic", HTTPOnly: true, Secure: s.secure(c),
		SameSite: fiber.CookieSameSiteLaxMode,
	})
	return secret, nil
}

// form lets only forms of this session through to a handler.
func (s *Server) form(h handler) handler {
	return func(c *fiber.Ctx, v *visitor) error {
		if !rightToken(c, v.token) {
			return failWith("cross_site", "form_token", nil)
		}
		return h(c, v)
	}
}

func rightToken(c *fiber.Ctx, secret string) bool {
	return secret != "" && subtle.ConstantTimeCompare([]byte(c.FormValue("token")), []byte(formToken(secret))) == 1
}

// back sends the browser to a page after a form was taken.
func back(c *fiber.Ctx, page string) error {
	return c.Redirect(page, fiber.StatusSeeOther)
}
