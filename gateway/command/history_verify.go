package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"gengfu/facility"
	"gengfu/gateway/config"
	"gengfu/storage/history"
	"gengfu/storage/history/embedded"
)

// copyFile is where a copy keeps how far it is.
const copyFile = "history-copy.json"

// copyState is how far a copy is.
type copyState struct {
	Target   string    `json:"target"` // what it is copied to
	UpTo     time.Time `json:"up_to"`  // all before is there
	Readings int       `json:"readings"`
	Refused  int       `json:"refused"`
}

// readCopyState returns what an earlier copy to the same target left.
func readCopyState(data string, cfg *config.Config, restart bool) (copyState, error) {
	db := cfg.History.InfluxDB
	fresh := copyState{Target: fmt.Sprintf("%s %s %s %s", db.URL, db.Org, db.Bucket, cfg.Site.ID)}
	text, err := os.ReadFile(filepath.Join(data, copyFile))
	if errors.Is(err, fs.ErrNotExist) || restart {
		return fresh, nil
	}
	if err != nil {
		return fresh, err
	}
	var s copyState
	if broken := json.Unmarshal(text, &s); broken == nil && s.Target == fresh.Target {
		return s, nil
	}
	return fresh, nil // copying again changes nothing
}

func (s copyState) write(data string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	path := filepath.Join(data, copyFile)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// verifyStep is how finely both histories are compared, and what is copied again
// where they differ.
const verifyStep = 30 * 24 * time.Hour

// verify compares both histories and copies again what differs, once: readings that
// came late may have been written behind the copy.
func (k *copying) verify(from, to time.Time) error {
	all := k.from.Series(nil)
	wrong := 0
	for i, series := range all {
		differ, err := k.differences(series, from, to)
		if err != nil {
			return fmt.Errorf("compare: %w", err)
		}
		for _, at := range differ {
			if err := k.again(series, at, to); err != nil {
				return err
			}
		}
		if len(differ) > 0 {
			if differ, err = k.differences(series, from, to); err != nil {
				return fmt.Errorf("compare: %w", err)
			}
		}
		for _, at := range differ {
			fmt.Fprintf(k.c.err, "%s differs in the 30 days from %s\n", series.Point, at.Format(time.DateOnly))
		}
		wrong += len(differ)
		k.say.at("compared %d of %d points", i+1, len(all))
	}
	if wrong > 0 && k.state.Refused == 0 {
		return errors.New("InfluxDB does not hold what the embedded history holds; its bucket may keep less long")
	}
	if wrong > 0 {
		return fmt.Errorf("InfluxDB refused %d readings: see \"gengfu history refused\"", k.state.Refused)
	}
	return nil
}

// again copies a stretch of one series once more.
func (k *copying) again(series embedded.Series, from, to time.Time) error {
	if end := from.Add(verifyStep); end.Before(to) {
		to = end
	}
	return history.Scan(k.c.ctx, k.from, []string{series.Point.Device}, from, to, func(rows []history.Row, _ time.Time) error {
		return k.write(rows)
	})
}

// differences returns the starts of the stretches in which the new history has less
// of a series than the old one, or something else. It may have more.
func (k *copying) differences(series embedded.Series, from, to time.Time) ([]time.Time, error) {
	p := facility.Point{ID: series.Point}
	want, err := k.from.Query(k.c.ctx, p, series.Kind, from, to, verifyStep)
	if err != nil {
		return nil, err
	}
	var got []facility.Bucket
	err = history.Persist(k.c.ctx, telling(k.c), func() error {
		got, err = k.to.Query(k.c.ctx, p, series.Kind, from, to, verifyStep)
		return err
	})
	if err != nil {
		return nil, err
	}
	there := map[time.Time]facility.Bucket{}
	for _, b := range got {
		there[b.Start.UTC()] = b
	}
	var out []time.Time
	for _, b := range want {
		if !covers(there[b.Start.UTC()], b) {
			out = append(out, b.Start)
		}
	}
	return out, nil
}

// covers reports whether a bucket of the new history has all that the old one's has.
func covers(got, want facility.Bucket) bool {
	if got.Count != want.Count {
		return got.Count > want.Count
	}
	near := math.Abs(got.Mean-want.Mean) <= 1e-9*max(1, math.Abs(want.Mean))
	return near && got.Min == want.Min && got.Max == want.Max && got.First == want.First && got.Last == want.Last
}
