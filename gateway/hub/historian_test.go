package hub_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
)

// picky is a history that takes so many rows of a write, refuses the values above
// 100, and notes what it took.
type picky struct {
	history.Store
	mu    sync.Mutex
	most  int
	taken []float64
}

func (p *picky) Write(_ context.Context, rows []history.Row) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var refused []history.Rejected
	for i, r := range rows {
		if i == p.most {
			return &history.TemporaryError{Err: errors.New("enough for now"), Done: i, Refused: refused}
		}
		if r.Value > 100 {
			refused = append(refused, history.Rejected{Row: r, Why: "too much"})
			continue
		}
		p.taken = append(p.taken, r.Value)
	}
	if len(refused) > 0 {
		return &history.RejectedError{Rows: refused}
	}
	return nil
}

// shelf is where refused readings go, unless it fails.
type shelf struct {
	mu   sync.Mutex
	err  error
	held []history.Rejected
}

func (s *shelf) add(_ context.Context, refused []history.Rejected) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.held = append(s.held, refused...)
	}
	return s.err
}

func (s *shelf) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *shelf) values() (out []float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.held {
		out = append(out, r.Row.Value)
	}
	return out
}

// TestWhatIsRefusedIsSetAside: what the history refuses, and what is of no device, is
// somewhere else before the journal may forget it, and all else goes on from where it
// was.
func TestWhatIsRefusedIsSetAside(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		some, aside := &picky{most: 3}, &shelf{err: errors.New("no room")}
		h.watch = func(s history.Store) history.Store { some.Store = s; return some }
		h.aside = aside.add
		h.restart()

		var rows []facility.Reading
		for i, v := range []float64{1, 101, 2, 3, 102, 4, 5, 6, 103} {
			r := h.bar(v)
			r.Time = r.Time.Add(time.Duration(i) * time.Millisecond)
			rows = append(rows, r)
		}
		stray := h.bar(7)
		stray.Point.Device = "nobody"
		h.tell(append(rows, stray)...)
		h.pass(time.Minute)
		if held := aside.values(); len(held) > 0 || h.behind("history") != 1 {
			t.Errorf("without a shelf %v is on it, and the cursor is %d behind", held, h.behind("history"))
		}
		aside.fail(nil)
		h.pass(2 * time.Minute)
		some.mu.Lock()
		taken := slices.Clone(some.taken)
		some.mu.Unlock()
		if want := []float64{1, 2, 3, 4, 5, 6}; !slices.Equal(taken, want) {
			t.Errorf("the history took %v, want %v, each once", taken, want)
		}
		if held, want := aside.values(), []float64{101, 102, 103, 7}; !slices.Equal(held, want) {
			t.Errorf("set aside is %v, want %v", held, want)
		}
		if h.behind("history") != 0 || h.hub.Aside() != 4 || h.hub.Strays() != 1 {
			t.Errorf("%d behind, %d aside, %d strays", h.behind("history"), h.hub.Aside(), h.hub.Strays())
		}
	})
}

// behind is how many records a consumer has yet to read.
func (h *house) behind(name string) uint64 {
	for _, c := range h.hub.Consumers() {
		if c.Name == name {
			return c.Behind
		}
	}
	h.t.Fatalf("nobody is called %s", name)
	return 0
}
