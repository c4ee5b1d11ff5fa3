package dashboard

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"gengfu/facility"
)

// The cookies with the token of a session. The prefix binds the cookie to this
// very host, which browsers only grant over HTTPS.
const (
	hostCookie  = "__Host-gengfu"
	plainCookie = "gengfu"
)

// visitor is who sent a request; the zero value is nobody who is signed in.
type visitor struct {
	person facility.Person
	token  string // of the cookie
	hash   string // of the token, as the ledger keeps it
}

func (v *visitor) signedIn() bool { return v.person.Login != "" }

func (v *visitor) may(p facility.Permission) bool {
	return v.signedIn() && v.person.Role.May(p)
}

// accessKind says how a route chooses who may use it.
type accessKind int

const (
	open      accessKind = iota // everybody, and nobody is asked who they are
	anybody                     // everybody, who they are makes a difference
	signedIn                    // everybody who is signed in
	permitted                   // whoever has the permission
	operator                    // this machine itself, a monitor, or whoever has the permission
)

// access is who may use a route.
type access struct {
	kind       accessKind
	permission facility.Permission
	roles      []facility.Role // if any: only these, of those who are signed in
}

func may(p facility.Permission) access { return access{kind: permitted, permission: p} }

// decide returns nil when the visitor may go on, else signed_out or forbidden.
func (a access) decide(v *visitor, thisMachine bool) error {
	switch {
	case a.kind == open || a.kind == anybody:
		return nil
	case a.kind == operator && thisMachine:
		return nil
	case !v.signedIn():
		return fail("signed_out")
	case (a.kind == permitted || a.kind == operator) && !v.may(a.permission):
		return fail("forbidden")
	case len(a.roles) > 0 && !hasRole(a.roles, v.person.Role):
		return fail("forbidden")
	}
	return nil
}

func hasRole(roles []facility.Role, role facility.Role) bool {
	for _, r := range roles {
		if r == role {
			return true
		}
	}
	return false
}

// handler answers a request of somebody who may make it.
type handler func(c *fiber.Ctx, v *visitor) error

// guarded is the only way from a route to its handler: same origin, not too
// often, and allowed.
func (s *Server) guarded(a access, h handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if err := s.checkOrigin(c); err != nil {
			return err
		}
		v := &visitor{}
		if a.kind != open {
			var err error
			if v, err = s.visitor(c); err != nil {
				return err
			}
			if err := s.checkPace(c, v); err != nil {
				return err
			}
		}
		if err := a.decide(v, s.fromThisMachine(c) || s.fromMonitor(c)); err != nil {
			return s.toSignIn(c, err)
		}
		return h(c, v)
	}
}

// visitor finds out whose session the cookie is. A cookie of an ended session is
// nobody's.
func (s *Server) visitor(c *fiber.Ctx) (*visitor, error) {
	return s.holder(c.UserContext(), c.Cookies(s.cookieName(c)))
}

// holder is whose session a token opens.
func (s *Server) holder(ctx context.Context, token string) (*visitor, error) {
	if token == "" || len(token) > 128 {
		return &visitor{}, nil
	}
	hash := hashToken(token)
	_, person, err := s.options.People.Session(ctx, hash, s.now())
	if errors.Is(err, facility.ErrNotFound) || err == nil && person.Disabled {
		return &visitor{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up a session: %w", err)
	}
	return &visitor{person: person, token: token, hash: hash}, nil
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func (s *Server) cookieName(c *fiber.Ctx) string {
	if s.secure(c) {
		return hostCookie
	}
	return plainCookie
}

// checkPace holds back a session, or an address without one, that asks more
// than any page would.
func (s *Server) checkPace(c *fiber.Ctx, v *visitor) error {
	key := v.hash
	if key == "" {
		key = s.address(c).String()
	}
	if wait := s.visitors.take(key); wait > 0 {
		return tooMany(wait)
	}
	return nil
}

// checkOrigin refuses what another site makes a browser send here. The header
// that no form and no plain cross-site request can carry is asked for as well,
// but of the plain pages, whose forms carry a token instead.
func (s *Server) checkOrigin(c *fiber.Ctx) error {
	if c.Method() == fiber.MethodGet || c.Method() == fiber.MethodHead {
		return nil
	}
	if !sameOrigin(c.Get("Sec-Fetch-Site"), c.Get(fiber.HeaderOrigin), string(c.Request().Host()), s.options.BaseURL) {
		return fail("cross_site")
	}
	if !s.isBasic(c) && c.Get("X-Gengfu") != "1" {
		return failWith("cross_site", "header_missing", nil)
	}
	return nil
}

// sameOrigin judges by what browsers cannot be made to forge: Sec-Fetch-Site,
// else Origin against the host that was asked or the public address. A client
// that sends neither is not a browser, or one too old, and is let through to
// the other checks.
func sameOrigin(fetchSite, origin, host, baseURL string) bool {
	switch fetchSite {
	case "same-origin", "none":
		return true
	case "":
	default:
		return false
	}
	if origin == "" {
		return true
	}
	o, err := url.Parse(origin)
	if err != nil || o.Host == "" {
		return false
	}
	if strings.EqualFold(o.Host, host) {
		return true
	}
	b, err := url.Parse(baseURL)
	return err == nil && b.Host != "" && strings.EqualFold(o.Host, b.Host)
}

// trusted reports whether an address is a proxy whose word is believed.
func (s *Server) trusted(a netip.Addr) bool {
	for _, p := range s.options.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func remote(c *fiber.Ctx) netip.Addr {
	a, _ := netip.AddrFromSlice(c.Context().RemoteIP())
	return a.Unmap()
}

// address is where a request comes from: the last one that no trusted proxy
// vouches for.
func (s *Server) address(c *fiber.Ctx) netip.Addr {
	a := remote(c)
	hops := strings.Split(c.Get(fiber.HeaderXForwardedFor), ",")
	for i := len(hops) - 1; i >= 0 && s.trusted(a); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		a = hop.Unmap()
	}
	return a
}

// secure reports whether the visitor's browser speaks HTTPS.
func (s *Server) secure(c *fiber.Ctx) bool {
	if c.Context().IsTLS() {
		return true
	}
	return s.trusted(remote(c)) && c.Get(fiber.HeaderXForwardedProto) == "https"
}

// fromThisMachine reports whether a program on this machine asks by itself, and
// not a proxy on this machine for somebody else.
func (s *Server) fromThisMachine(c *fiber.Ctx) bool {
	return remote(c).IsLoopback() &&
		c.Get(fiber.HeaderXForwardedFor) == "" && c.Get("Forwarded") == "" && c.Get("X-Real-IP") == ""
}

// fromMonitor reports whether whoever asks shows the token of monitoring.
func (s *Server) fromMonitor(c *fiber.Ctx) bool {
	return MayMonitor(c.Get(fiber.HeaderAuthorization), s.options.MonitorToken)
}

// MayMonitor reports whether an Authorization header shows the token; an empty token is
// nobody's.
func MayMonitor(header, token string) bool {
	shown, ok := strings.CutPrefix(header, "Bearer ")
	return ok && token != "" && subtle.ConstantTimeCompare([]byte(shown), []byte(token)) == 1
}

// base is the address under which the visitor knows this server.
func (s *Server) base(c *fiber.Ctx) string {
	if s.estate.baseURL != "" {
		return s.estate.baseURL
	}
	if s.secure(c) {
		return "https://" + string(c.Request().Host())
	}
	return "http://" + string(c.Request().Host())
}

// protections are the headers that keep a browser from doing harm, and the
// caching of answers that say nothing about it themselves.
var protections = [...][2]string{
	{
		"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; " +
			"font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; " +
			"base-uri 'none'; frame-ancestors 'none'",
	},
	{"X-Frame-Options", "DENY"},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "same-origin"},
	{"Permissions-Policy", "camera=(self), geolocation=(), microphone=(), payment=(), usb=()"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cache-Control", "no-store"},
}

// protected sets those headers, bounds what the handlers wait for and turns their
// panics into errors.
func (s *Server) protected(c *fiber.Ctx) error {
	for _, p := range protections {
		c.Set(p[0], p[1])
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	c.SetUserContext(ctx)
	return recovered(c)
}
