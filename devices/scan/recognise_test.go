package scan

import (
	"io/fs"
	"math/rand/v2"
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
func ask(s *simulator.Slave, q Question, has func(profile.Table, int) bool) Answer {
	a := Answer{Question: q}
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

// interview asks until nothing more is to be learned.
func interview(t testing.TB, models []profile.Profile, ask func(Question) Answer) []Answer {
	t.Helper()
	var answers []Answer
	for {
		q, ok := Next(answers, models)
		if !ok {
			return answers
		}
		if len(answers) > 300 {
			t.Fatalf("questions without end, the last %+v", q)
		}
		answers = append(answers, ask(q))
	}
}

func modbusModels(t testing.TB) (out []profile.Profile) {
	t.Helper()
	for _, p := range builtIn(t) {
		if p.Language() == profile.Modbus {
			out = append(out, p)
		}
	}
	return out
}

func TestPersonasAreNamed(t *testing.T) {
	all := modbusModels(t)
	for _, test := range []struct {
		name string
		// turn makes another device of the one that refuses what it does not have.
		turn  func(Answer) Answer
		share float64
	}{
		{"that refuse what they do not have", func(a Answer) Answer { return a }, 0.95},
		{"that are silent on what they do not have", func(a Answer) Answer {
			if a.Outcome == Refused {
				a.Outcome = Unheard
			}
			return a
		}, 0.90},
		{"that give zeros for what they do not have", func(a Answer) Answer {
			if a.Outcome == Refused {
				a.Outcome, a.Words = Answered, make([]uint16, a.Count)
			}
			return a
		}, 0.65},
	} {
		t.Run(test.name, func(t *testing.T) {
			named, most := 0, 0
			for _, p := range all {
				s, err := simulator.NewSlave(p, 1)
				if err != nil {
					t.Fatal(err)
				}
				has := exists(p)
				for _, m := range p.Identify {
					s.SetWords(m.Table, m.Address, m.Shown()...)
				}
				answers := interview(t, all, func(q Question) Answer { return test.turn(ask(s, q, has)) })
				most = max(most, len(answers))
				got := Recognise(answers, all)
				if len(got) > 0 && got[0].Profile == p.ID {
					named++
					continue
				}
				for _, c := range got {
					if c.Confidence == Sure {
						t.Errorf("%s is surely taken for %s: %s", p.ID, c.Profile, c.Why)
					}
				}
				t.Logf("%s was taken for %v", p.ID, names(got))
			}
			share := float64(named) / float64(len(all))
			t.Logf("%d of %d named, %.1f %%, with at most %d questions", named, len(all), 100*share, most)
			if share < test.share {
				t.Errorf("%.1f %% of the personas are named, want %.0f", 100*share, 100*test.share)
			}
		})
	}
}

func names(all []Candidate) (out []string) {
	for _, c := range all[:min(3, len(all))] {
		out = append(out, c.Profile+" "+string(c.Confidence))
	}
	return out
}

func TestAnUnknownDeviceIsNotSurelyNamed(t *testing.T) {
	t.Parallel()
	all := modbusModels(t)
	dice := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		answers := interview(t, all, func(q Question) Answer {
			a := Answer{Question: q, Words: make([]uint16, q.Count)}
			for i := range a.Words {
				a.Words[i] = uint16(dice.Uint32())
			}
			return a
		})
		if got := Recognise(answers, all); len(got) > 0 && got[0].Confidence == Sure {
			t.Fatalf("noise is surely taken for %s: %s", got[0].Profile, got[0].Why)
		}
	}
	zeros := interview(t, all, func(q Question) Answer { return Answer{Question: q, Words: make([]uint16, q.Count)} })
	if got := Recognise(zeros, all); len(got) > 0 && got[0].Confidence != Possible {
		t.Errorf("zeros are taken for %+v", got[0])
	}
}
