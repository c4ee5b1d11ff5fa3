package scan

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"gengfu/configs"
	"gengfu/devices/profile"
	"gengfu/devices/simulator"
)

// builtIn returns the profiles that the program carries.
func builtIn(t testing.TB) []profile.Profile {
	t.Helper()
	files, err := fs.Glob(configs.FS, "profiles/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out []profile.Profile
	for _, f := range files {
		b, err := configs.FS.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var p profile.Profile
		if err := yaml.UnmarshalWithOptions(b, &p, yaml.Strict()); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		p.Defaults()
		out = append(out, p)
	}
	return out
}

// ask answers a question as the slave would.
func ask(s *simulator.Slave, q Question, p profile.Profile) Answer {
	a := Answer{Question: q}
	has := exists(p)
	for i := range q.Count {
		if !has(q.Table, q.Address+i) {
			a.Outcome = Refused
			return a
		}
	}
	a.Words = s.Words(q.Table, q.Address, q.Count)
	return a
}

// exists returns which registers a slave of the model has.
func exists(p profile.Profile) func(profile.Table, int) bool {
	type at struct {
		t profile.Table
		a int
	}
	have := map[at]bool{}
	for _, pt := range p.Points {
		for i := range pt.Words() {
			have[at{pt.Table, pt.Address + i}] = true
		}
	}
	for _, m := range p.Identify {
		for i := range m.Words() {
			have[at{m.Table, m.Address + i}] = true
		}
	}
	for _, t := range []profile.Table{profile.Holding, profile.Input} {
		last := -1
		for a := range 1 << 16 {
			if !have[at{t, a}] {
				continue
			}
			if last >= 0 && a-last-1 <= p.Limits.Gap {
				for b := last + 1; b < a; b++ {
					have[at{t, b}] = true
				}
			}
			last = a
		}
	}
	return func(t profile.Table, a int) bool { return have[at{t, a}] }
}

func TestPersonasAreNamed(t *testing.T) {
	var modbus []profile.Profile
	for _, p := range builtIn(t) {
		if p.Language() == profile.Modbus {
			modbus = append(modbus, p)
		}
	}
	named, most := 0, 0
	for _, p := range modbus {
		s, err := simulator.NewSlave(p, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range p.Identify {
			if m.Words() > 0 {
				s.SetWords(m.Table, m.Address, m.Shown()...)
			}
		}
		var answers []Answer
		for {
			q, ok := Next(answers, modbus)
			if !ok {
				break
			}
			if len(answers) > 300 {
				t.Fatalf("%s: questions without end, the last %+v", p.ID, q)
			}
			answers = append(answers, ask(s, q, p))
		}
		most = max(most, len(answers))
		got := Recognise(answers, modbus)
		if len(got) > 0 && got[0].Profile == p.ID {
			named++
			t.Logf("%s: %s after %d questions", p.ID, got[0].Confidence, len(answers))
			continue
		}
		var names []string
		for _, c := range got[:min(3, len(got))] {
			names = append(names, c.Profile, string(c.Confidence), c.Why)
		}
		t.Logf("%s was taken for %s", p.ID, strings.Join(names, " "))
	}
	share := float64(named) / float64(len(modbus))
	t.Logf("%d of %d named, %.1f %%, with at most %d questions", named, len(modbus), 100*share, most)
	if share < 0.95 {
		t.Errorf("%.1f %% of the personas are named, want 95", 100*share)
	}
}
