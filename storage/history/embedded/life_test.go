package embedded_test

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
	"gengfu/storage/history/embedded"
)

const kind = "electricity_meter"

func count(t *testing.T, s *embedded.Store, p facility.Point, from, to time.Time) int {
	t.Helper()
	got, err := s.Query(context.Background(), p, kind, from, to, to.Sub(from))
	if err != nil {
		t.Fatalf("query: %v", err)
	}
	if len(got) == 0 {
		return 0
	}
	return got[0].Count
}

func mustWrite(t *testing.T, s *embedded.Store, rows []history.Row) {
	t.Helper()
	if err := s.Write(context.Background(), rows); err != nil {
		t.Fatalf("write: %v", err)
	}
}

func reopen(t *testing.T, s *embedded.Store, o embedded.Options) *embedded.Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	again, err := embedded.Open(context.Background(), o)
	if err != nil {
		t.Fatalf("open again: %v", err)
	}
	return again
}

func TestReopen(t *testing.T) {
	o := embedded.Options{Path: filepath.Join(t.TempDir(), "a folder?", "50% #1.db"), HeadLimit: 1000}
	if err := os.MkdirAll(filepath.Dir(o.Path), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := embedded.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	rows := meterRows(3, 1000, time.Minute)
	end := begin.Add(1000 * time.Minute)
	for part := range slices.Chunk(rows, 250) {
		mustWrite(t, s, part)
		s = reopen(t, s, o)
	}
	defer s.Close() //nolint:errcheck // it was only read
	for p := range 3 {
		got, err := s.Readings(context.Background(), meterPoint(p), kind, begin, end)
		if err != nil {
			t.Fatal(err)
		}
		var want []facility.Reading
		for _, r := range rows {
			if r.Point == meterPoint(p).ID {
				want = append(want, r.Reading)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("meter %d: %d readings are not the %d that were written", p, len(got), len(want))
		}
	}
	if _, err := os.Stat(o.Path); err != nil {
		t.Errorf("the file is not where it was asked for: %v", err)
	}
}

// late9 is a meter whose readings come late.
var late9 = meterPoint(9)

func lateRow(at time.Time) history.Row {
	return history.Row{Kind: kind, Reading: facility.Reading{Point: late9.ID, Time: at, Value: 1, Unit: "kWh", Quality: facility.Good}}
}

func TestRetention(t *testing.T) {
	const day = 24 * time.Hour
	now := begin.Add(10 * day)
	o := embedded.Options{
		Path: filepath.Join(t.TempDir(), "history.db"), HeadLimit: 1, Retention: 3 * day, Now: func() time.Time { return now },
	}
	s := open(t, o)
	rows := meterRows(2, 10*24*60, time.Minute)
	for part := range slices.Chunk(rows[:len(rows)-4], 1440) { // nothing is too old while nothing newer was there
		mustWrite(t, s, part)
	}
	s = reopen(t, s, o)
	defer s.Close()           //nolint:errcheck // what it did was looked at
	mustWrite(t, s, rows[:0]) // old chunks go at the end of a Write
	p := meterPoint(1)
	if n := count(t, s, p, begin, now.Add(-3*day-6*time.Hour)); n != 0 {
		t.Errorf("%d readings are older than the retention and a chunk", n)
	}
	if n := count(t, s, p, now.Add(-3*day), now); n < 3*1440-2 {
		t.Errorf("%d readings of the last three days, want all", n)
	}

	// Within the hour nothing is looked for; then it is, by the age of now.
	now = now.Add(30 * time.Minute)
	mustWrite(t, s, rows[len(rows)-4:len(rows)-2])
	before := count(t, s, p, begin, now)
	now = now.Add(day)
	late := slices.Clone(rows[len(rows)-2:])
	for i := range late {
		late[i].Time = now
	}
	mustWrite(t, s, late)
	if after := count(t, s, p, begin, now.Add(day)); after > before-1440+300 || after < 2*1440-300 {
		t.Errorf("%d readings, after a day %d: want about 1440 fewer", before, after)
	}

	// What comes late is taken while its time is kept, and refused after that.
	mustWrite(t, s, []history.Row{lateRow(now.Add(-3*day + time.Second))})
	var rejected *history.RejectedError
	if err := s.Write(context.Background(), []history.Row{lateRow(now.Add(-3*day - time.Second)), lateRow(now.Add(-time.Second))}); !errors.As(err, &rejected) ||
		len(rejected.Rows) != 1 || !strings.Contains(rejected.Rows[0].Why, "older than the 72h") {
		t.Errorf("a reading that is too old: %v, want a RejectedError", err)
	}
	if n := count(t, s, late9, begin, now.Add(day)); n != 2 {
		t.Errorf("%d readings came late, want 2", n)
	}

	// A clock that jumps ahead deletes and refuses nothing, for no reading confirms it.
	kept := count(t, s, p, begin, now.Add(day))
	now = now.AddDate(50, 0, 0)
	mustWrite(t, s, []history.Row{lateRow(begin.Add(11 * day))})
	if n := count(t, s, p, begin, begin.Add(20*day)); n != kept {
		t.Errorf("a clock that jumped left %d readings of %d", n, kept)
	}
}

func TestTakenOver(t *testing.T) {
	o := embedded.Options{Path: filepath.Join(t.TempDir(), "history.db")}
	first := open(t, o)
	rows := meterRows(1, 3, time.Minute)
	mustWrite(t, first, rows[:1])
	second := open(t, o)
	var configuration *history.ConfigurationError
	if err := first.Write(context.Background(), rows[1:2]); !errors.As(err, &configuration) {
		t.Errorf("the first one writes on: %v, want a ConfigurationError", err)
	}
	mustWrite(t, second, rows[2:])
	if n := count(t, second, meterPoint(0), begin, begin.Add(time.Hour)); n != 2 {
		t.Errorf("the second one has %d readings, want 2", n)
	}
	if st := first.Stats(); st.Failures != 1 || st.Error == "" {
		t.Errorf("stats: %+v", st)
	}
}

func TestFilesThatAreNotOurs(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte("this is no database, however long the file may be"), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(dir, "newer.db")
	db, err := sql.Open("sqlite", newer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, embedded.Options{Path: text})
	embedded.Settled(s)
	mustWrite(t, s, meterRows(1, 1, time.Minute))
	if aside, err := filepath.Glob(text + ".damaged-*Z"); err != nil || len(aside) != 1 {
		t.Errorf("set aside are %v, %v", aside, err)
	} else if kept, err := os.ReadFile(aside[0]); err != nil || !strings.HasPrefix(string(kept), "this is no database") {
		t.Errorf("set aside is %q, %v", kept, err)
	}
	for _, path := range []string{newer, filepath.Join(dir, "missing", "history.db")} {
		_, err := embedded.Open(context.Background(), embedded.Options{Path: path})
		var configuration *history.ConfigurationError
		if !errors.As(err, &configuration) {
			t.Errorf("%s: %v, want a ConfigurationError", filepath.Base(path), err)
		}
	}
}

// A file of an earlier version, with what that wrote into it, is kept whole, and a new
// one takes its place.
func TestAFileOfAnEarlierVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"PRAGMA journal_mode = WAL",
		"CREATE TABLE series (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, device TEXT NOT NULL, quantity TEXT NOT NULL, UNIQUE (kind, device, quantity)) STRICT",
		"CREATE TABLE log (id INTEGER PRIMARY KEY AUTOINCREMENT, entries BLOB NOT NULL) STRICT",
		"CREATE TABLE owner (epoch INTEGER NOT NULL) STRICT",
		"INSERT INTO owner VALUES (3)",
		"INSERT INTO series VALUES (1, 'meter', 'meter-1', 'energy')",
		"PRAGMA user_version = 1",
	} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Open(t.Context(), embedded.Options{Path: path, ReadOnly: true}); err == nil {
		t.Error("who only reads takes it for its own")
	}
	s := open(t, embedded.Options{Path: path})
	mustWrite(t, s, meterRows(1, 5, time.Minute))
	aside, err := filepath.Glob(path + ".older-*Z")
	if err != nil || len(aside) != 1 {
		t.Fatalf("set aside are %v, %v", aside, err)
	}
	if st := s.Stats(); st.Damaged != 0 || !strings.Contains(st.Damage, filepath.Base(aside[0])) || !strings.Contains(st.Damage, "version 1") {
		t.Errorf("stats %+v", st)
	}
	old, err := sql.Open("sqlite", aside[0])
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close() //nolint:errcheck // it was only read
	var device string
	if err := old.QueryRow("SELECT device FROM series").Scan(&device); err != nil || device != "meter-1" {
		t.Errorf("of what the old file held %q is left, %v", device, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, embedded.Options{Path: path})
	if st := again.Stats(); st.Damage != "" {
		t.Errorf("the next start finds %q", st.Damage)
	}
}

// A chunk whose bytes were damaged must not keep the readings after it out.
func TestDamagedChunk(t *testing.T) {
	o := embedded.Options{Path: filepath.Join(t.TempDir(), "history.db"), HeadLimit: 1}
	s := open(t, o)
	rows := meterRows(1, 200, time.Minute)
	mustWrite(t, s, rows[:100])
	db, err := sql.Open("sqlite", o.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it did its part
	if _, err := db.Exec("UPDATE data SET samples = x'0102'"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Readings(context.Background(), meterPoint(0), kind, begin, begin.Add(time.Hour)); err != nil || len(got) > 0 {
		t.Errorf("%d readings of damaged bytes, %v", len(got), err)
	}
	if st := s.Stats(); st.Damaged != 100 || st.Error != "" || !strings.Contains(st.Damage, "damaged") {
		t.Errorf("stats: %+v, want 100 readings found damaged", st)
	}
	mustWrite(t, s, rows[100:])
	if n := count(t, s, meterPoint(0), begin, begin.Add(24*time.Hour)); n != 100 {
		t.Errorf("%d readings after the damage, want 100", n)
	}
	aside := 0
	if err := db.QueryRow("SELECT count(*) FROM damaged").Scan(&aside); err != nil || aside != 1 {
		t.Errorf("%d chunks laid aside, want 1 (%v)", aside, err)
	}
}

// When chunks cannot be written the readings wait in the log, and nobody notices
// but the health page.
func TestPackingThatFails(t *testing.T) {
	o := embedded.Options{Path: filepath.Join(t.TempDir(), "history.db"), HeadLimit: 10}
	s := open(t, o)
	db, err := sql.Open("sqlite", o.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it did its part
	if _, err := db.Exec("CREATE TRIGGER full BEFORE INSERT ON data BEGIN SELECT raise(ABORT, 'no room'); END"); err != nil {
		t.Fatal(err)
	}
	rows := meterRows(1, 100, time.Minute)
	for part := range slices.Chunk(rows[:60], 6) {
		mustWrite(t, s, part)
	}
	if st := s.Stats(); !strings.Contains(st.Error, "no room") || st.Failures != 0 || st.Stored != 60 {
		t.Errorf("stats: %+v", st)
	}
	if n := count(t, s, meterPoint(0), begin, begin.Add(24*time.Hour)); n != 60 {
		t.Errorf("%d readings, want 60", n)
	}
	if _, err := db.Exec("DROP TRIGGER full"); err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(rows[60:], 6) {
		mustWrite(t, s, part)
	}
	if st := s.Stats(); st.Error != "" {
		t.Errorf("stats after room was made: %+v", st)
	}
	chunks := 0
	if err := db.QueryRow("SELECT sum(readings) FROM chunk").Scan(&chunks); err != nil || chunks < 80 {
		t.Errorf("%d readings in chunks (%v)", chunks, err)
	}
	if n := count(t, s, meterPoint(0), begin, begin.Add(24*time.Hour)); n != 100 {
		t.Errorf("%d readings, want 100", n)
	}
}

// A month that comes at once, shuffled, is what a month that came in order is.
func TestBackfill(t *testing.T) {
	rows := meterRows(10, 30*144, 10*time.Minute)
	inOrder := open(t, embedded.Options{})
	mustWrite(t, inOrder, rows)
	shuffled := slices.Clone(rows)
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	inPieces := open(t, embedded.Options{HeadLimit: 5000})
	for part := range slices.Chunk(shuffled, 3000) {
		mustWrite(t, inPieces, part)
	}
	end := begin.Add(30 * 24 * time.Hour)
	for p := range 10 {
		want, err := inOrder.Readings(context.Background(), meterPoint(p), kind, begin, end)
		if err != nil {
			t.Fatal(err)
		}
		got, err := inPieces.Readings(context.Background(), meterPoint(p), kind, begin, end)
		if err != nil {
			t.Fatal(err)
		}
		if len(want) != 30*144 || !slices.Equal(got, want) {
			t.Errorf("meter %d: %d readings in pieces, %d in order", p, len(got), len(want))
		}
	}
}

// Readings of meters take at most four bytes each, with all that stands around them.
func TestSize(t *testing.T) {
	for _, period := range []time.Duration{10 * time.Second, time.Minute} {
		path := filepath.Join(t.TempDir(), "history.db")
		s := open(t, embedded.Options{Path: path})
		rows := meterRows(20, 20_000, period)
		for part := range slices.Chunk(rows, 100_000) {
			mustWrite(t, s, part)
		}
		if each := float64(usedBytes(t, path)) / float64(len(rows)); each > 4 {
			t.Errorf("a reading each %s takes %.2f bytes, at most 4", period, each)
		}
	}
}

// A second process reads what the first one has written until then, in the log and
// in chunks, and takes nothing from it.
func TestReadBesideTheWriter(t *testing.T) {
	o := embedded.Options{Path: filepath.Join(t.TempDir(), "history.db"), HeadLimit: 250}
	if s, err := embedded.Open(t.Context(), embedded.Options{Path: o.Path, ReadOnly: true}); err == nil {
		t.Errorf("a file that is not there is opened: %v", s.Close())
	}
	writer := open(t, o)
	rows := meterRows(1, 500, time.Minute)
	for i, part := range slices.Collect(slices.Chunk(rows, 100)) {
		mustWrite(t, writer, part)
		o.ReadOnly = true
		reader := open(t, o)
		if n := count(t, reader, meterPoint(0), begin, begin.Add(24*time.Hour)); n != 100*(i+1) {
			t.Errorf("the reader has %d readings, want %d", n, 100*(i+1))
		}
		if first, last, err := reader.Span(t.Context(), nil); err != nil || !first.Equal(rows[0].Time) || !last.Equal(rows[100*i+99].Time) {
			t.Errorf("%s to %s, %v", first, last, err)
		}
		var configuration *history.ConfigurationError
		if err := reader.Write(t.Context(), rows); !errors.As(err, &configuration) {
			t.Errorf("the reader writes: %v", err)
		}
	}
	mustWrite(t, writer, rows)
}

// A scan cuts a minute that holds too much, and finds all of it.
func TestScanOfMuch(t *testing.T) {
	s := open(t, embedded.Options{})
	rows := meterRows(60, 2000, 10*time.Millisecond)
	mustWrite(t, s, rows)
	n, parts := 0, 0
	err := history.Scan(t.Context(), s, nil, begin, begin.Add(time.Hour), func(part []history.Row, _ time.Time) error {
		n, parts = n+len(part), parts+1
		return nil
	})
	// Jitter lets some readings of a meter fall on the time of its next one.
	distinct := map[facility.PointID]map[int64]bool{}
	want := 0
	for _, r := range rows {
		if distinct[r.Point] == nil {
			distinct[r.Point] = map[int64]bool{}
		}
		if ms := r.Time.UnixMilli(); !distinct[r.Point][ms] {
			distinct[r.Point][ms] = true
			want++
		}
	}
	if err != nil || n != want || parts < 2 {
		t.Errorf("%d rows in %d parts, want %d: %v", n, parts, want, err)
	}
}

// A long chart is read in two halves at once and is one.
func TestLongChart(t *testing.T) {
	s := open(t, embedded.Options{HeadLimit: 500})
	mustWrite(t, s, meterRows(1, 101*24, time.Hour))
	const day = 24 * time.Hour
	got, err := s.Query(t.Context(), meterPoint(0), kind, begin, begin.Add(101*day), day)
	if err != nil || len(got) != 101 {
		t.Fatalf("%d days, %v, want 101", len(got), err)
	}
	for i, b := range got {
		if !b.Start.Equal(begin.Add(time.Duration(i)*day)) || b.Count != 24 || i > 0 && b.First < got[i-1].Last {
			t.Errorf("day %d is %+v", i, b)
		}
	}
}
