package dashboard

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"gengfu/dashboard/lang"
	"gengfu/facility"
)

var loginForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

func isLogin(s string) bool { return loginForm.MatchString(s) }

// showPerson shows a person, with all that only some may see or without.
func showPerson(p facility.Person, all bool) personShape {
	s := personShape{Login: p.Login, Name: p.Name, Role: p.Role}
	if all {
		badges := p.Badges
		if badges == nil {
			badges = []string{}
		}
		s.Phone, s.Badges, s.Disabled = &p.Phone, &badges, &p.Disabled
	}
	return s
}

func (s *Server) listPeople(c *fiber.Ctx, v *visitor) error {
	people, err := s.options.People.People(c.UserContext())
	if err != nil {
		return doing("read the people", err)
	}
	all := v.may(facility.ManagePeople)
	shapes := make([]personShape, 0, len(people))
	for _, p := range people {
		if all || !p.Disabled {
			shapes = append(shapes, showPerson(p, all))
		}
	}
	return c.JSON(fiber.Map{"people": shapes})
}

func (s *Server) createPerson(c *fiber.Ctx, v *visitor) error {
	var body struct {
		Login    string        `json:"login"`
		Name     string        `json:"name"`
		Role     facility.Role `json:"role"`
		Password string        `json:"password"`
		Phone    string        `json:"phone"`
		Badges   []string      `json:"badges"`
	}
	if err := readBody(c, &body); err != nil {
		return err
	}
	if !isLogin(body.Login) || body.Login == facility.SystemActor {
		return invalid("login", "login", nil)
	}
	p := facility.Person{Login: body.Login, Created: s.now().UTC()}
	if err := fillIn(&p, &body.Name, &body.Role, &body.Phone, &body.Badges); err != nil {
		return err
	}
	if err := checkPassword("password", body.Password); err != nil {
		return err
	}
	ctx := c.UserContext()
	hash, err := s.passwords.Hash(ctx, body.Password)
	if err != nil {
		return doing("create "+p.Login, err)
	}
	if err := s.options.People.CreatePerson(ctx, p, hash); err != nil {
		return doing("create "+p.Login, taken(err))
	}
	s.register.forget()
	s.audit(ctx, v.person.Login, "person.create", p.Login, string(p.Role))
	return c.Status(fiber.StatusCreated).JSON(showPerson(p, true))
}

// taken tells what a conflict means for a person: the login or a badge.
func taken(err error) error {
	if errors.Is(err, facility.ErrConflict) {
		return failWith("conflict", "login_taken", nil)
	}
	return err
}

func (s *Server) updatePerson(c *fiber.Ctx, v *visitor) error {
	var body struct {
		Name     *string        `json:"name"`
		Role     *facility.Role `json:"role"`
		Phone    *string        `json:"phone"`
		Badges   *[]string      `json:"badges"`
		Disabled *bool          `json:"disabled"`
		Password *string        `json:"password"`
	}
	if err := readBody(c, &body); err != nil {
		return err
	}
	ctx := c.UserContext()
	before, err := s.options.People.Person(ctx, c.Params("login"))
	if err != nil {
		return doing("read a person", err)
	}
	p := before
	if err := fillIn(&p, body.Name, body.Role, body.Phone, body.Badges); err != nil {
		return err
	}
	if body.Disabled != nil {
		p.Disabled = *body.Disabled
	}
	if p.Login == v.person.Login && (p.Disabled || p.Role != before.Role) {
		return failWith("unlawful", "own_role", nil) // else the last one who could undo it might be gone
	}
	if body.Password != nil {
		if err := checkPassword("password", *body.Password); err != nil {
			return err
		}
	}
	if err := s.options.People.UpdatePerson(ctx, p); err != nil {
		return doing("change "+p.Login, taken(err))
	}
	s.register.forget()
	if changes := changed(before, p); changes != "" {
		s.audit(ctx, v.person.Login, "person.update", p.Login, changes)
	}
	if body.Password != nil {
		if err := s.replacePassword(c, v, p.Login, *body.Password); err != nil {
			return err
		}
	}
	return c.JSON(showPerson(p, true))
}

// replacePassword sets somebody's password. One's own ends one's own session,
// which is made anew.
func (s *Server) replacePassword(c *fiber.Ctx, v *visitor, login, secret string) error {
	if err := s.setPassword(c.UserContext(), v.person.Login, login, secret); err != nil {
		return err
	}
	if login != v.person.Login {
		return nil
	}
	token, err := s.newSession(c, v.person)
	if err != nil {
		return err
	}
	s.setCookie(c, token)
	return nil
}

// fillIn checks what is given and puts it into the person.
func fillIn(p *facility.Person, name *string, role *facility.Role, phone *string, badges *[]string) error {
	if name != nil {
		n, err := text("name", *name, 100, true)
		if err != nil {
			return err
		}
		p.Name = n
	}
	if role != nil {
		if !role.Valid() {
			return invalid("role", "role", nil)
		}
		p.Role = *role
	}
	if phone != nil {
		n, err := text("phone", *phone, 40, false)
		if err != nil {
			return err
		}
		p.Phone = n
	}
	if badges == nil {
		return nil
	}
	if len(*badges) > 20 {
		return invalid("badges", "too_long", lang.Args{"field": "badges", "n": 20})
	}
	p.Badges = []string{}
	for _, b := range *badges {
		uid, err := facility.NormaliseUID(b)
		if err != nil {
			return invalid("badges", "badge", lang.Args{"badge": clip(b, 40)})
		}
		if !slices.Contains(p.Badges, uid) {
			p.Badges = append(p.Badges, uid)
		}
	}
	return nil
}

// changed names what differs, for the audit.
func changed(a, b facility.Person) string {
	var parts []string
	if a.Name != b.Name {
		parts = append(parts, "name "+b.Name)
	}
	if a.Role != b.Role {
		parts = append(parts, "role "+string(a.Role)+" to "+string(b.Role))
	}
	if a.Phone != b.Phone {
		parts = append(parts, "phone")
	}
	if !slices.Equal(a.Badges, b.Badges) {
		parts = append(parts, "badges "+strings.Join(b.Badges, " "))
	}
	if a.Disabled != b.Disabled {
		parts = append(parts, map[bool]string{true: "disabled", false: "enabled"}[b.Disabled])
	}
	return strings.Join(parts, ", ")
}

func (s *Server) auditLog(c *fiber.Ctx, _ *visitor) error {
	stretch, err := page(c)
	if err != nil {
		return err
	}
	entries, err := s.options.People.AuditLog(c.UserContext(), stretch)
	if err != nil {
		return doing("read the audit", err)
	}
	shapes := make([]auditShape, 0, len(entries))
	for _, e := range entries {
		shapes = append(shapes, auditShape{ID: e.ID, At: e.At.UTC(), Actor: e.Actor, Action: e.Action, Target: e.Target, Detail: e.Detail})
	}
	return c.JSON(fiber.Map{"entries": shapes})
}
