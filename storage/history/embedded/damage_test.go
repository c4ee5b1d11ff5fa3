package embedded_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
	"gengfu/storage/history/embedded"
)

const (
	flipMeters = 5
	flipRounds = 6000
)

// flipFile makes a file of some 60 pages with chunks, chunks that grow, and a log.
func flipFile(t *testing.T, path string) map[facility.PointID][]facility.Reading {
	t.Helper()
	s, err := embedded.Open(t.Context(), embedded.Options{Path: path, HeadLimit: 4000})
	if err != nil {
		t.Fatal(err)
	}
	want := map[facility.PointID][]facility.Reading{}
	for part := range slices.Chunk(meterRows(flipMeters, flipRounds, 10*time.Second), 350) {
		mustWrite(t, s, part)
		for _, r := range part {
			want[r.Point] = append(want[r.Point], r.Reading)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return want
}

// compareFlipped fails where a reading is there that was not written, and returns
// how many are not there.
func compareFlipped(t *testing.T, s *embedded.Store, want map[facility.PointID][]facility.Reading) (lost int, err error) {
	t.Helper()
	for p, all := range want {
		got, err := s.Readings(t.Context(), facility.Point{ID: p, Unit: "kWh"}, kind, begin, begin.Add(24*time.Hour))
		if err != nil {
			return 0, err
		}
		written := map[facility.Reading]bool{}
		for _, r := range all {
			written[r] = true
		}
		for _, r := range got {
			if !written[r] {
				t.Fatalf("%+v was never written", r)
			}
			delete(written, r)
		}
		lost += len(written)
	}
	return lost, nil
}

// Whatever bits turn in the file, it opens and takes new readings, gives nothing
// that was not written, keeps nearly all, and counts what is lost.
func TestFlippedBits(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole.db")
	want := flipFile(t, whole)
	bytes, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	const readings = flipMeters * flipRounds
	pages, worst := len(bytes)/4096, 0
	for seed := range uint64(40) {
		chance := rand.New(rand.NewPCG(seed, 7))
		damaged := slices.Clone(bytes)
		what := ""
		for range 1 + chance.IntN(4) {
			at := chance.IntN(len(damaged))
			if seed%3 == 0 {
				at = chance.IntN(100) // where the file says what it is
			}
			damaged[at] ^= 1 << chance.IntN(8)
			what += fmt.Sprintf(" %d of page %d", at%4096, at/4096)
		}
		path := filepath.Join(dir, fmt.Sprint(seed, ".db"))
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		lost := openFlipped(t, path, want, what)
		if worst = max(worst, lost); lost > readings/4 {
			t.Errorf("seed %d,%s: %d of %d readings are lost, in %d pages", seed, what, lost, readings, pages)
		}
	}
	cut := filepath.Join(dir, "cut.db")
	if err := os.WriteFile(cut, bytes[:len(bytes)*9/10], 0o600); err != nil {
		t.Fatal(err)
	}
	if lost := openFlipped(t, cut, want, "cut"); lost == 0 || lost > readings*2/3 {
		t.Errorf("a file that was cut lost %d of %d readings", lost, readings)
	}
	t.Logf("%d pages, at most %d of %d readings are lost", pages, worst, readings)
}

func openFlipped(t *testing.T, path string, want map[facility.PointID][]facility.Reading, what string) (lost int) {
	t.Helper()
	s, err := embedded.Open(t.Context(), embedded.Options{Path: path, HeadLimit: 4000})
	if err != nil {
		t.Fatalf("%s: open: %v", what, err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("%s: close: %v", what, err)
		}
	}()
	embedded.Settled(s)
	_, first := compareFlipped(t, s, want) // a damaged page may be found now only
	mustWrite(t, s, []history.Row{lateRow(begin.Add(time.Hour))})
	embedded.Settled(s)
	lost, err = compareFlipped(t, s, want)
	if err != nil {
		t.Fatalf("%s: read after the first failure (%v): %v", what, first, err)
	}
	if n := count(t, s, late9, begin, begin.Add(24*time.Hour)); n != 1 {
		t.Errorf("%s: the new reading is there %d times", what, n)
	}
	if st := s.Stats(); lost > 0 && (st.Damaged == 0 || st.Damage == "") {
		t.Errorf("%s: %d readings are lost, and the stats say %+v", what, lost, st)
	}
	return lost
}
