package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// model is what a reader may rely on, whatever the disk does: a name (epoch and
// sequence) is of one record for ever, what was promised to be durable is there
// until it is passed or evicted, and order is that in which it was taken.
type model struct {
	named   map[string]string // everything that was ever seen, by its name
	promise []string          // bodies that are durable and not yet passed, in order
	tail    []string          // bodies that are in memory only
}

func (m *model) see(rt *rapid.T, recs []Record) (bodies []string) {
	var last uint64
	for _, r := range recs {
		if r.Seq <= last {
			rt.Fatalf("sequence %d after %d", r.Seq, last)
		}
		last = r.Seq
		name := fmt.Sprint(r.Epoch, "/", r.Seq)
		if had, ok := m.named[name]; ok && had != string(r.Body) {
			rt.Fatalf("%s was %q and is %q now", name, had, r.Body)
		}
		m.named[name] = string(r.Body)
		bodies = append(bodies, string(r.Body))
	}
	return bodies
}

// TestAgainstModelOfDisks lets the disk refuse and take again, and the process
// crash, stop and start, and compares with the model.
func TestAgainstModelOfDisks(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "model")
		if err != nil {
			rt.Fatal(err)
		}
		path := filepath.Join(dir, "j")
		o := Options{Memory: 1 << 20, Cursors: []string{"hub"}}
		j, err := Open(path, o)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = j.Close() }()
		m := &model{named: map[string]string{}}
		refuses, n := false, 0
		pages := func(max string) {
			j.file.Lock()
			defer j.file.Unlock()
			if err := j.f.exec("PRAGMA max_page_count = " + max); err != nil {
				rt.Fatal(err)
			}
		}
		reopen := func() {
			if j, err = Open(path, o); err != nil {
				rt.Fatal(err)
			}
			refuses = false
		}
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				n++
				body := fmt.Sprintf("%d-%0*d", n, rapid.IntRange(1, 9000).Draw(rt, "size"), 0)
				switch _, err := j.Append(context.Background(), []byte(body)); {
				case err == nil:
					m.promise = append(append(m.promise, m.tail...), body)
					m.tail = nil
				case errors.Is(err, ErrVolatile) && refuses:
					m.tail = append(m.tail, body)
				default:
					rt.Fatal(err)
				}
			},
			"disk refuses": func(rt *rapid.T) {
				if !refuses {
					pages("1")
					refuses = true
				}
			},
			"disk takes again": func(rt *rapid.T) {
				if refuses {
					pages("1073741823")
					refuses = false
					if j.commit(true) != nil {
						rt.Fatal("the disk takes nothing")
					}
					m.promise, m.tail = append(m.promise, m.tail...), nil
				}
			},
			"split": func(*rapid.T) { j.Split() },
			"deliver": func(rt *rapid.T) {
				recs, err := j.Read(j.Cursor("hub"), rapid.IntRange(1, 50_000).Draw(rt, "bytes"))
				if err != nil {
					rt.Fatal(err)
				}
				m.see(rt, recs)
				if len(recs) == 0 {
					return
				}
				if err := j.Commit("hub", recs[len(recs)-1].Seq); err != nil {
					rt.Fatal(err)
				}
				passed := len(recs)
				k := min(passed, len(m.promise))
				m.promise, m.tail = m.promise[k:], m.tail[passed-k:]
			},
			"stop and start": func(rt *rapid.T) {
				if err := j.Close(); err != nil && (!refuses || len(m.tail) == 0) && !refuses {
					rt.Fatal(err)
				}
				reopen()
				recs, err := j.Read(j.Cursor("hub"), 1<<30)
				if err != nil {
					rt.Fatal(err)
				}
				// What the disk refused to the last may be there, or all of it not.
				m.keep(rt, recs)
			},
			"crash": func(rt *rapid.T) {
				copied := filepath.Join(dir, fmt.Sprint("crash", n, len(m.named), rapid.IntRange(0, 1<<30).Draw(rt, "name")))
				for _, suffix := range []string{"", "-wal"} {
					b, err := os.ReadFile(path + suffix)
					if err == nil {
						err = os.WriteFile(copied+suffix, b, 0o600)
					}
					if err != nil && !errors.Is(err, os.ErrNotExist) {
						rt.Fatal(err)
					}
				}
				_ = j.Close()
				path = copied
				reopen()
				recs, err := j.Read(j.Cursor("hub"), 1<<30)
				if err != nil {
					rt.Fatal(err)
				}
				m.keep(rt, recs)
			},
			"": func(rt *rapid.T) {
				recs, err := j.Read(j.Cursor("hub"), 1<<30)
				if err != nil {
					rt.Fatal(err)
				}
				if got, want := m.see(rt, recs), slices.Concat(m.promise, m.tail); !slices.Equal(got, want) {
					rt.Fatalf("%d records can be read, want %d", len(got), len(want))
				}
				if s := j.Stats(); s.Volatile < int64(len(m.tail)) || s.Damaged != 0 || s.Resets != 0 {
					rt.Fatalf("stats %+v", s)
				}
			},
		})
	})
}

// keep takes over what a start finds: all that was promised, maybe behind some that
// were delivered before their cursor reached the disk, and of what was in memory
// all or nothing.
func (m *model) keep(rt *rapid.T, recs []Record) {
	got := m.see(rt, recs)
	for _, want := range [][]string{slices.Concat(m.promise, m.tail), m.promise} {
		if at := len(got) - len(want); at >= 0 && slices.Equal(got[at:], want) {
			m.promise, m.tail = got, nil
			return
		}
	}
	rt.Fatalf("%d records are there, %d were promised, %d were in memory", len(got), len(m.promise), len(m.tail))
}
