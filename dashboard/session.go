package dashboard

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"gengfu/dashboard/lang"
	"gengfu/dashboard/password"
	"gengfu/facility"
)

// sessionAge is how long a sign-in lasts, used or not.
const sessionAge = 30 * 24 * time.Hour

// tokenBytes is how many random bytes a session's token has.
const tokenBytes = 32

func (s *Server) getSession(c *fiber.Ctx, v *visitor) error {
	return c.JSON(s.session(v))
}

func (s *Server) session(v *visitor) sessionShape {
	shape := sessionShape{
		Permissions: []facility.Permission{}, Extensions: []extensionShape{},
		Site:    siteShape{ID: s.estate.Site.ID, Name: s.estate.Site.Name, Zone: s.estate.Site.Zone.String()},
		Version: s.options.Version, Now: s.now().UTC(), DemoLogins: s.options.DemoLogins,
	}
	if !v.signedIn() {
		return shape
	}
	person := showPerson(v.person, true)
	shape.Person = &person
	for _, p := range facility.Permissions {
		if v.may(p) {
			shape.Permissions = append(shape.Permissions, p)
		}
	}
	for _, e := range s.options.Extensions {
		if hasRole(e.Roles, v.person.Role) {
			shape.Extensions = append(shape.Extensions, extensionShape{Path: e.Path, Name: e.Name})
		}
	}
	return shape
}

func (s *Server) signIn(c *fiber.Ctx, v *visitor) error {
	var body struct {
		Login    string `json:"login"`
		Password string `json:"password"`
	}
	if err := readBody(c, &body); err != nil {
		return err
	}
	person, token, err := s.openSession(c, body.Login, body.Password)
	if err != nil {
		return err
	}
	s.closeSession(c.UserContext(), v) // the one that the browser had until now
	s.setCookie(c, token)
	return c.JSON(s.session(&visitor{person: person}))
}

// openSession checks a login and its password and makes a session. It fails with
// wrong_login or too_many, in the same time for logins that exist and others.
func (s *Server) openSession(c *fiber.Ctx, login, secret string) (facility.Person, string, error) {
	ctx := c.UserContext()
	login = strings.ToLower(strings.TrimSpace(login))
	address := s.address(c).String()
	for _, try := range []struct {
		limiter *limiter
		key     string
	}{{s.addresses, address}, {s.logins, login + " " + address}} {
		if wait := try.limiter.take(try.key); wait > 0 {
			return facility.Person{}, "", tooMany(wait)
		}
	}
	person, stored, err := s.credentials(ctx, login)
	if err != nil {
		return facility.Person{}, "", err
	}
	matches, err := s.passwords.Matches(ctx, stored, secret)
	if err != nil {
		return facility.Person{}, "", fmt.Errorf("check the password of %s: %w", person.Login, err)
	}
	if !matches {
		s.auditFailure(ctx, login, address)
		return facility.Person{}, "", fail("wrong_login")
	}
	s.addresses.give(address)
	s.logins.give(login + " " + address)
	token, err := s.newSession(c, person)
	return person, token, err
}

// credentials finds a person and the stored hash of the password, both empty for
// a login that nobody may use. It looks up both whatever the first one says.
func (s *Server) credentials(ctx context.Context, login string) (facility.Person, string, error) {
	person, errPerson := s.options.People.Person(ctx, login)
	stored, errHash := s.options.People.PasswordHash(ctx, login)
	nobody := person.Disabled
	for _, err := range []error{errPerson, errHash} {
		switch {
		case errors.Is(err, facility.ErrNotFound):
			nobody = true
		case err != nil:
			return facility.Person{}, "", fmt.Errorf("look up who signs in: %w", err)
		}
	}
	if nobody {
		return facility.Person{}, "", nil
	}
	return person, stored, nil
}

func (s *Server) newSession(c *fiber.Ctx, p facility.Person) (token string, err error) {
	secret := make([]byte, tokenBytes)
	if _, err := rand.Read(secret); err != nil {
		return "", fmt.Errorf("make a session of %s: %w", p.Login, err)
	}
	token = base64.RawURLEncoding.EncodeToString(secret)
	now := s.now().UTC()
	err = s.options.People.CreateSession(c.UserContext(), facility.Session{
		Hash: hashToken(token), Login: p.Login, Created: now, Expires: now.Add(sessionAge),
		Agent: clip(c.Get(fiber.HeaderUserAgent), 200),
	})
	if err != nil {
		return "", fmt.Errorf("make a session of %s: %w", p.Login, err)
	}
	s.audit(c.UserContext(), p.Login, "sign_in", p.Login, s.address(c).String())
	return token, nil
}

// setCookie gives the browser a token, or takes it back when it is empty. Its age and no
// date is told: the clock of a phone may be wrong. Lax rather than Strict: the address on a
// checkpoint's tag is opened from outside, and the guard must be signed in there.
func (s *Server) setCookie(c *fiber.Ctx, token string) {
	cookie := &fiber.Cookie{
		Name: s.cookieName(c), Value: token, Path: "/", MaxAge: int(sessionAge / time.Second),
		HTTPOnly: true, Secure: s.secure(c), SameSite: fiber.CookieSameSiteLaxMode,
	}
	if token == "" {
		cookie.MaxAge, cookie.Expires = 0, time.Unix(1, 0)
	}
	c.Cookie(cookie)
}

func (s *Server) signOut(c *fiber.Ctx, v *visitor) error {
	if err := s.options.People.DeleteSession(c.UserContext(), v.hash); err != nil && !errors.Is(err, facility.ErrNotFound) {
		return fmt.Errorf("end a session of %s: %w", v.person.Login, err)
	}
	s.audit(c.UserContext(), v.person.Login, "sign_out", v.person.Login, "")
	s.setCookie(c, "")
	return c.SendStatus(fiber.StatusNoContent)
}

// closeSession ends a session that another one replaces.
func (s *Server) closeSession(ctx context.Context, v *visitor) {
	if !v.signedIn() {
		return
	}
	if err := s.options.People.DeleteSession(ctx, v.hash); err != nil && !errors.Is(err, facility.ErrNotFound) {
		s.log.WarnContext(ctx, "could not end a replaced session", "login", v.person.Login, "error", err)
	}
}

func (s *Server) changePassword(c *fiber.Ctx, v *visitor) error {
	var body struct {
		Old string `json:"old"`
		New string `json:"new"`
	}
	if err := readBody(c, &body); err != nil {
		return err
	}
	ctx, login := c.UserContext(), v.person.Login
	if err := checkPassword("new", body.New); err != nil {
		return err
	}
	key := login + " " + s.address(c).String()
	if wait := s.logins.take(key); wait > 0 {
		return tooMany(wait)
	}
	stored, err := s.options.People.PasswordHash(ctx, login)
	if err != nil {
		return fmt.Errorf("read the password hash of %s: %w", login, err)
	}
	matches, err := s.passwords.Matches(ctx, stored, body.Old)
	if err != nil {
		return fmt.Errorf("check the password of %s: %w", login, err)
	}
	if !matches {
		s.auditFailure(ctx, login, s.address(c).String())
		return invalid("old", "password_wrong", nil)
	}
	s.logins.give(key)
	if err := s.setPassword(ctx, v.person.Login, login, body.New); err != nil {
		return err
	}
	token, err := s.newSession(c, v.person) // a new password ended all sessions, this one too
	if err != nil {
		return err
	}
	s.setCookie(c, token)
	return c.SendStatus(fiber.StatusNoContent)
}

// setPassword stores a new password of a person.
func (s *Server) setPassword(ctx context.Context, actor, login, secret string) error {
	hash, err := s.passwords.Hash(ctx, secret)
	if err != nil {
		return fmt.Errorf("set the password of %s: %w", login, err)
	}
	if err := s.options.People.SetPassword(ctx, login, hash); err != nil {
		return fmt.Errorf("set the password of %s: %w", login, err)
	}
	s.audit(ctx, actor, "person.password", login, "")
	return nil
}

func checkPassword(field, secret string) error {
	switch {
	case len([]rune(secret)) < password.MinLength:
		return invalid(field, "password_short", lang.Args{"n": password.MinLength})
	case len(secret) > password.MaxLength:
		return invalid(field, "password_long", lang.Args{"n": password.MaxLength})
	}
	return nil
}

// auditFailure notes a failed sign-in. What is no login is not written down: it
// may be a password that was typed into the wrong field.
func (s *Server) auditFailure(ctx context.Context, login, address string) {
	if !isLogin(login) {
		login = ""
	}
	s.audit(ctx, "", "sign_in_failed", login, address)
}

// audit adds to the list of who did what. What was done is done, so a list that
// cannot be written is only reported.
func (s *Server) audit(ctx context.Context, actor, action, target, detail string) {
	id, err := uuid.NewV7()
	if err == nil {
		err = s.options.People.Audit(ctx, facility.AuditEntry{
			ID: id.String(), At: s.now().UTC(), Actor: actor, Action: action, Target: target, Detail: detail,
		})
	}
	if err != nil {
		s.log.LogAttrs(ctx, slog.LevelError, "could not write the audit", slog.String("actor", actor),
			slog.String("action", action), slog.String("target", target), slog.Any("error", err))
	}
}
