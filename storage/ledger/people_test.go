package ledger_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/ledger"

	"github.com/google/go-cmp/cmp"
)

// nasty are texts that a careless statement, page or file would trip over.
var nasty = []string{
	`'; DROP TABLE person; --`, `" OR 1=1 --`, `$1`, `?`, `%`, `_`, `\`, `\%`, "a\x00b", "泵房'漏水\"", "\n\t",
	"<script>alert(1)</script>", "👷‍♀️", strings.Repeat("长", 5000),
}

func TestPeople(t *testing.T) {
	l := fresh(t)
	want := []facility.Person{
		{Login: "li", Name: "李姐", Role: facility.RoleDesk, Phone: "138 0000 0000", Created: noon},
		{Login: "wang", Name: "王经理", Role: facility.RoleManager, Disabled: true, Created: noon.Add(time.Second)},
		{Login: "zhao", Name: "赵队", Role: facility.RoleGuard, Badges: []string{"04A035B2", "04A035B2C1D2E3"}, Created: noon},
	}
	for _, p := range []int{2, 0, 1} {
		if err := l.CreatePerson(t.Context(), want[p], "hash"); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.People(t.Context())
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	one, err := l.Person(t.Context(), "zhao")
	if diff := cmp.Diff(want[2], one); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if _, err := l.Person(t.Context(), "nobody"); !errors.Is(err, facility.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	update(t, l, func(tx *ledger.Tx) error {
		p, err := tx.PersonByBadge("04A035B2C1D2E3")
		if diff := cmp.Diff(want[2], p); diff != "" {
			t.Error(diff)
		}
		if _, err := tx.PersonByBadge("FFFFFFFF"); !errors.Is(err, facility.ErrNotFound) {
			t.Errorf("a foreign badge: %v", err)
		}
		return err
	})
}

// An EM4100 card that is known by its printed number is found by what a reader of
// five bytes or of four reports; a card known by its whole UID goes before.
func TestPersonByPrintedNumber(t *testing.T) {
	l := fresh(t)
	for login, entered := range map[string]string{"zhao": "dec:0006547886", "sun": "29:00:63:E9:AE"} {
		uid, err := facility.NormaliseUID(entered)
		if err != nil {
			t.Fatal(err)
		}
		p := facility.Person{Login: login, Role: facility.RoleGuard, Badges: []string{uid}, Created: noon}
		if err := l.CreatePerson(t.Context(), p, "hash"); err != nil {
			t.Fatal(err)
		}
	}
	for uid, want := range map[string]string{
		"010063E9AE": "zhao", "0063E9AE": "zhao", "290063E9AE": "sun",
		"2900DEB30A": "", "00DEB30A": "", "01010063E9AE": "", "0100000063E9AE": "",
	} {
		update(t, l, func(tx *ledger.Tx) error {
			p, err := tx.PersonByBadge(uid)
			if p.Login != want || (err != nil) != (want == "") || err != nil && !errors.Is(err, facility.ErrNotFound) {
				t.Errorf("%s belongs to %q (%v), want %q", uid, p.Login, err, want)
			}
			return nil
		})
	}
}

func TestPersonIsRefused(t *testing.T) {
	l := staffed(t)
	zhao := facility.Person{Login: "zhao", Role: facility.RoleGuard, Badges: []string{"04A035B2"}}
	if err := l.CreatePerson(t.Context(), zhao, ""); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		person facility.Person
		want   error
	}{
		"login exists":     {facility.Person{Login: "zhao", Role: facility.RoleDesk}, facility.ErrConflict},
		"badge taken":      {facility.Person{Login: "sun", Role: facility.RoleGuard, Badges: []string{"04A035B2"}}, facility.ErrConflict},
		"no such role":     {facility.Person{Login: "sun", Role: "boss"}, facility.ErrInvalid},
		"no login":         {facility.Person{Role: facility.RoleGuard}, facility.ErrInvalid},
		"the program":      {facility.Person{Login: facility.SystemActor, Role: facility.RoleGuard}, facility.ErrInvalid},
		"badge as printed": {facility.Person{Login: "sun", Role: facility.RoleGuard, Badges: []string{"04:a0:35:b3"}}, facility.ErrInvalid},
	}
	for name, tt := range tests {
		if err := l.CreatePerson(t.Context(), tt.person, ""); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if _, err := l.Person(t.Context(), "sun"); !errors.Is(err, facility.ErrNotFound) {
		t.Errorf("half of a refused person is there: %v", err)
	}
	if err := l.UpdatePerson(t.Context(), facility.Person{Login: "ghost", Role: facility.RoleGuard}); !errors.Is(err, facility.ErrNotFound) {
		t.Errorf("changing nobody: %v", err)
	}
	desk := facility.Person{Login: "desk", Role: facility.RoleDesk, Name: "changed", Badges: []string{"04A035B2"}}
	if err := l.UpdatePerson(t.Context(), desk); !errors.Is(err, facility.ErrConflict) {
		t.Errorf("taking over a badge: %v", err)
	}
	if p, err := l.Person(t.Context(), "desk"); err != nil || p.Name != "desk" {
		t.Errorf("half of a refused change is there: %+v, %v", p, err)
	}
}

func TestUpdatePersonReplacesAllButThePassword(t *testing.T) {
	l := staffed(t)
	want := facility.Person{
		Login: "guard", Name: "小孙", Role: facility.RoleTechnician, Phone: "1", Badges: []string{"0102030405"}, Created: noon,
	}
	change := want
	change.Created = noon.Add(time.Hour)
	change.Badges = []string{"0102030405", "0102030405"}
	for range 2 { // the same again is no conflict with itself
		if err := l.UpdatePerson(t.Context(), change); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.Person(t.Context(), "guard")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if hash, err := l.PasswordHash(t.Context(), "guard"); err != nil || hash != "hash of guard" {
		t.Errorf("password %q, %v", hash, err)
	}
}

func TestTheLastAdministratorStays(t *testing.T) {
	l := staffed(t)
	for _, p := range []facility.Person{
		{Login: "admin", Role: facility.RoleAdmin, Disabled: true},
		{Login: "admin", Role: facility.RoleDesk},
	} {
		if err := l.UpdatePerson(t.Context(), p); !errors.Is(err, facility.ErrUnlawful) {
			t.Errorf("%+v: %v, want ErrUnlawful", p, err)
		}
	}
	if err := l.UpdatePerson(t.Context(), facility.Person{Login: "manager", Role: facility.RoleAdmin}); err != nil {
		t.Fatal(err)
	}
	if err := l.UpdatePerson(t.Context(), facility.Person{Login: "admin", Role: facility.RoleAdmin, Disabled: true}); err != nil {
		t.Errorf("with another administrator there: %v", err)
	}
}

func TestSessions(t *testing.T) {
	l := staffed(t)
	session := func(hash, login string, lasts time.Duration) facility.Session {
		return facility.Session{Hash: hash, Login: login, Created: noon, Expires: noon.Add(lasts), Agent: "Firefox"}
	}
	sign := func(hash, login string, lasts time.Duration) {
		t.Helper()
		if err := l.CreateSession(t.Context(), session(hash, login, lasts)); err != nil {
			t.Fatal(err)
		}
	}
	valid := func(hash string, now time.Time) bool {
		t.Helper()
		s, p, err := l.Session(t.Context(), hash, now)
		if err != nil && !errors.Is(err, facility.ErrNotFound) {
			t.Fatal(err)
		}
		if err == nil && (s.Login != p.Login || s.Agent != "Firefox" || s.Hash != hash) {
			t.Errorf("session %+v of %+v", s, p)
		}
		return err == nil
	}
	sign("h1", "guard", time.Hour)
	sign("h2", "guard", time.Hour)
	sign("h3", "desk", time.Hour)
	if !valid("h1", noon) || !valid("h1", noon.Add(time.Hour-1)) || valid("h1", noon.Add(time.Hour)) || valid("h9", noon) || valid("", noon) {
		t.Error("a session is valid until it expires, and others are not")
	}
	if err := l.DeleteSession(t.Context(), "h1"); err != nil || valid("h1", noon) || !valid("h2", noon) {
		t.Errorf("ending one session: %v", err)
	}
	if err := l.DeleteSession(t.Context(), "h1"); err != nil {
		t.Errorf("ending it again: %v", err)
	}
	if err := l.SetPassword(t.Context(), "guard", "new"); err != nil || valid("h2", noon) || !valid("h3", noon) {
		t.Errorf("a new password ends the person's sessions and no others: %v", err)
	}
	if hash, err := l.PasswordHash(t.Context(), "guard"); err != nil || hash != "new" {
		t.Errorf("password %q, %v", hash, err)
	}
	if err := l.UpdatePerson(t.Context(), facility.Person{Login: "desk", Role: facility.RoleDesk, Disabled: true}); err != nil || valid("h3", noon) {
		t.Errorf("disabling ends the sessions: %v", err)
	}
	if sign("h4", "desk", time.Hour); valid("h4", noon) {
		t.Error("a disabled person has a session")
	}
	if err := l.CreateSession(t.Context(), session("h5", "ghost", time.Hour)); !errors.Is(err, facility.ErrInvalid) {
		t.Errorf("a session of nobody: %v", err)
	}
	for _, err := range []error{l.SetPassword(t.Context(), "ghost", "x"), func() error { _, err := l.PasswordHash(t.Context(), "ghost"); return err }()} {
		if !errors.Is(err, facility.ErrNotFound) {
			t.Errorf("password of nobody: %v", err)
		}
	}
}

func TestNastyTexts(t *testing.T) {
	l := staffed(t)
	for i, s := range nasty {
		p := facility.Person{Login: "desk", Name: s, Phone: s, Role: facility.RoleDesk, Created: noon}
		if err := l.UpdatePerson(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if got, err := l.Person(t.Context(), "desk"); err != nil || got.Name != s {
			t.Errorf("%q came back as %q, %v", s, got.Name, err)
		}
		for _, err := range []error{
			func() error { _, err := l.Person(t.Context(), s); return err }(),
			func() error { _, _, err := l.Session(t.Context(), s, noon); return err }(),
			func() error { _, err := l.Order(t.Context(), s); return err }(),
			func() error { _, err := l.Photo(t.Context(), s); return err }(),
			func() error { _, err := l.Alarm(t.Context(), s); return err }(),
			func() error {
				_, err := l.Orders(t.Context(), facility.OrderFilter{Page: facility.Page{Before: s}})
				return err
			}(),
		} {
			if !errors.Is(err, facility.ErrNotFound) {
				t.Errorf("%q: %v, want ErrNotFound", s, err)
			}
		}
		o := newOrder()
		o.Title, o.Key, o.Device = facility.Text{ZH: s}, s, s
		o = insert(t, l, o)
		if got, err := l.Order(t.Context(), o.ID); err != nil || got.Title.ZH != s || got.Key != s {
			t.Errorf("%q came back as %q, %v", s, got.Title.ZH, err)
		}
		if len([]rune(s)) > 200 {
			if _, err := l.Orders(t.Context(), facility.OrderFilter{Search: s}); !errors.Is(err, facility.ErrInvalid) {
				t.Errorf("a search for %d characters: %v", len(s), err)
			}
			continue
		}
		found, err := l.Orders(t.Context(), facility.OrderFilter{Search: s})
		if err != nil {
			t.Errorf("search %q: %v", s, err)
		}
		var want, got []string
		for _, other := range nasty[:i+1] {
			if strings.Contains(other, s) {
				want = append(want, other)
			}
		}
		for _, o := range found {
			got = append(got, o.Title.ZH)
		}
		slices.Sort(want)
		slices.Sort(got)
		if s != "\n\t" && !slices.Equal(want, got) { // fields are joined by line breaks
			t.Errorf("search %q found %q, want %q", s, got, want)
		}
	}
	if people, err := l.People(t.Context()); err != nil || len(people) != len(facility.Roles) {
		t.Errorf("people: %v, %v", people, err)
	}
}
