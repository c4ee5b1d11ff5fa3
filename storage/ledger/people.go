package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gengfu/facility"
)

// People returns everybody, by login, the disabled ones too.
func (l *Ledger) People(ctx context.Context) ([]facility.Person, error) {
	return l.read().people(ctx, "TRUE")
}

// Person returns one person, or facility.ErrNotFound.
func (l *Ledger) Person(ctx context.Context, login string) (facility.Person, error) {
	return l.read().person(ctx, login)
}

// Person returns one person, or facility.ErrNotFound.
func (t *Tx) Person(login string) (facility.Person, error) { return t.person(t.ctx, login) }

// PersonByBadge returns the person whose badge it is, also when they are
// disabled, or facility.ErrNotFound. The UID is the normalised one. A card that
// nobody was given by its whole UID may have been given by its printed number.
func (t *Tx) PersonByBadge(uid string) (facility.Person, error) {
	p, err := t.byUID(uid)
	if printed, ok := facility.PrintedUID(uid); ok && errors.Is(err, facility.ErrNotFound) {
		return t.byUID(printed)
	}
	return p, err
}

func (t *Tx) byUID(uid string) (facility.Person, error) {
	return t.one(t.ctx, "badge "+uid, "p.login IN (SELECT login FROM badge WHERE site = $1 AND uid = $2)", uid)
}

func (r register) person(ctx context.Context, login string) (facility.Person, error) {
	return r.one(ctx, "person "+login, "p.login = $2", login)
}

func (r register) one(ctx context.Context, what, where string, arg any) (facility.Person, error) {
	people, err := r.people(ctx, where, arg)
	if err != nil {
		return facility.Person{}, err
	}
	if len(people) == 0 {
		return facility.Person{}, fmt.Errorf("%s: %w", what, facility.ErrNotFound)
	}
	return people[0], nil
}

// people returns those who meet the condition, in which "p" is the person.
func (r register) people(ctx context.Context, where string, args ...any) ([]facility.Person, error) {
	var out []facility.Person
	_, err := collect(ctx, r, func(row row) (struct{}, error) {
		var p facility.Person
		var badge string
		err := row.Scan(&p.Login, &p.Name, &p.Role, &p.Phone, &p.Disabled, asTime{&p.Created}, asText{&badge})
		if err != nil {
			return struct{}{}, err
		}
		if n := len(out); n == 0 || out[n-1].Login != p.Login {
			out = append(out, p)
		}
		if last := &out[len(out)-1]; badge != "" {
			last.Badges = append(last.Badges, badge)
		}
		return struct{}{}, nil
	}, `SELECT p.login, p.name, p.role, p.phone, p.disabled, p.created_at, b.uid
		FROM person p LEFT JOIN badge b ON b.site = p.site AND b.login = p.login
		WHERE p.site = $1 AND `+where+` ORDER BY p.login, b.uid`, append([]any{r.site}, args...)...)
	if err != nil {
		return nil, failure(err, "read people")
	}
	return out, nil
}

// CreatePerson fails with facility.ErrConflict when the login exists or a badge
// is taken, and with facility.ErrInvalid when the person cannot be.
func (l *Ledger) CreatePerson(ctx context.Context, p facility.Person, passwordHash string) error {
	return l.Update(ctx, func(t *Tx) error { return t.CreatePerson(p, passwordHash) })
}

// CreatePerson does the same within a transaction.
func (t *Tx) CreatePerson(p facility.Person, passwordHash string) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if p.Created.IsZero() {
		p.Created = t.now()
	}
	_, err := t.exec(`
		INSERT INTO person (site, login, name, role, phone, disabled, password_hash, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		[]any{t.site, p.Login, p.Name, p.Role, p.Phone, p.Disabled, passwordHash, nanos(p.Created)},
		"create person %s", p.Login)
	if err != nil {
		return err
	}
	return t.setBadges(p)
}

// UpdatePerson replaces all fields but the password and the time of creation,
// and ends the person's sessions when disabled. The last administrator can be
// neither disabled nor given another role: that is facility.ErrUnlawful.
func (l *Ledger) UpdatePerson(ctx context.Context, p facility.Person) error {
	return l.Update(ctx, func(t *Tx) error { return t.UpdatePerson(p) })
}

// UpdatePerson does the same within a transaction.
func (t *Tx) UpdatePerson(p facility.Person) error {
	if err := p.Validate(); err != nil {
		return err
	}
	before, err := t.Person(p.Login)
	if err != nil {
		return err
	}
	_, err = t.exec(`
		UPDATE person SET name = $3, role = $4, phone = $5, disabled = $6 WHERE site = $1 AND login = $2`,
		[]any{t.site, p.Login, p.Name, p.Role, p.Phone, p.Disabled}, "change person %s", p.Login)
	if err != nil {
		return err
	}
	if administers(before) && !administers(p) {
		if err := t.needAdministrator(p.Login); err != nil {
			return err
		}
	}
	if p.Disabled {
		if err := t.endSessions(p.Login); err != nil {
			return err
		}
	}
	return t.setBadges(p)
}

func administers(p facility.Person) bool { return p.Role == facility.RoleAdmin && !p.Disabled }

func (t *Tx) needAdministrator(login string) error {
	var left int
	err := t.db.QueryRowContext(t.ctx, `
		SELECT count(*) FROM person WHERE site = $1 AND role = 'admin' AND NOT disabled`, t.site).Scan(&left)
	if err != nil {
		return failure(err, "count administrators")
	}
	if left == 0 {
		return fmt.Errorf("%s is the last administrator: %w", login, facility.ErrUnlawful)
	}
	return nil
}

func (t *Tx) setBadges(p facility.Person) error {
	_, err := t.exec(`DELETE FROM badge WHERE site = $1 AND login = $2`, []any{t.site, p.Login},
		"take back badges of %s", p.Login)
	if err != nil {
		return err
	}
	for _, uid := range slices.Compact(slices.Sorted(slices.Values(p.Badges))) {
		_, err := t.exec(`INSERT INTO badge (site, uid, login) VALUES ($1, $2, $3)`, []any{t.site, uid, p.Login},
			"give badge %s to %s", uid, p.Login)
		if err != nil {
			return err
		}
	}
	return nil
}

// PasswordHash returns what CreatePerson or SetPassword stored.
func (l *Ledger) PasswordHash(ctx context.Context, login string) (string, error) {
	var hash string
	err := l.reader.QueryRowContext(ctx, `SELECT password_hash FROM person WHERE site = $1 AND login = $2`,
		l.site, login).Scan(&hash)
	return hash, failure(err, "password of %s", login)
}

// SetPassword also ends all sessions of the person.
func (l *Ledger) SetPassword(ctx context.Context, login, hash string) error {
	return l.Update(ctx, func(t *Tx) error {
		n, err := t.exec(`UPDATE person SET password_hash = $3 WHERE site = $1 AND login = $2`,
			[]any{t.site, login, hash}, "set password of %s", login)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("set password of %s: %w", login, facility.ErrNotFound)
		}
		return t.endSessions(login)
	})
}

func (t *Tx) endSessions(login string) error {
	_, err := t.exec(`DELETE FROM session WHERE site = $1 AND login = $2`, []any{t.site, login},
		"end sessions of %s", login)
	return err
}

// CreateSession keeps a session and forgets those that had expired when it was
// created.
func (l *Ledger) CreateSession(ctx context.Context, s facility.Session) error {
	return l.Update(ctx, func(t *Tx) error {
		_, err := t.exec(`DELETE FROM session WHERE site = $1 AND expires_at <= $2`, []any{t.site, nanos(s.Created)},
			"forget expired sessions")
		if err != nil {
			return err
		}
		_, err = t.exec(`
			INSERT INTO session (site, hash, login, created_at, expires_at, agent) VALUES ($1, $2, $3, $4, $5, $6)`,
			[]any{t.site, s.Hash, s.Login, nanos(s.Created), nanos(s.Expires), s.Agent},
			"sign in %s", s.Login)
		return err
	})
}

// Session finds a session that has not expired at now, by the hash of its token,
// with its person. The session of a disabled person is not found.
func (l *Ledger) Session(ctx context.Context, hash string, now time.Time) (facility.Session, facility.Person, error) {
	s := facility.Session{Hash: hash}
	r := l.read()
	err := r.db.QueryRowContext(ctx, `
		SELECT login, created_at, expires_at, agent FROM session WHERE site = $1 AND hash = $2 AND expires_at > $3`,
		r.site, hash, nanos(now)).Scan(&s.Login, asTime{&s.Created}, asTime{&s.Expires}, &s.Agent)
	if err != nil {
		return facility.Session{}, facility.Person{}, failure(err, "session")
	}
	p, err := r.person(ctx, s.Login)
	if err != nil {
		return facility.Session{}, facility.Person{}, err
	}
	if p.Disabled {
		return facility.Session{}, facility.Person{}, fmt.Errorf("session of disabled %s: %w", s.Login, facility.ErrNotFound)
	}
	return s, p, nil
}

// DeleteSession ends a session; one that is not there is no error.
func (l *Ledger) DeleteSession(ctx context.Context, hash string) error {
	return l.Update(ctx, func(t *Tx) error {
		_, err := t.exec(`DELETE FROM session WHERE site = $1 AND hash = $2`, []any{t.site, hash}, "end session")
		return err
	})
}
