package intake

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"gengfu/gateway/broker"
	"gengfu/gateway/journal"
)

// Bounds of the dead letters.
const (
	maxLetters      = 2000     // that are kept; older ones go
	maxLettersBytes = 16 << 20 // and their size
	maxShown        = 64       // on the health page, the newest
	maxExcerpt      = 512      // bytes that are shown of each
	maxHead         = 4 << 10  // bytes that are kept of one whose sender keeps it or nobody knows
	maxBody         = 1 << 20  // bytes that are kept of one whose sender forgets it
	lettersCursor   = "kept"
)

// DeadLetter is a message that could not be taken.
type DeadLetter struct {
	At      time.Time `json:"at"`
	Topic   string    `json:"topic"`
	Reason  string    `json:"reason"`
	Size    int       `json:"size"`
	Excerpt string    `json:"excerpt"`
	Times   int64     `json:"times"` // that it came since the start, at least 1
}

// Letter is a dead letter as it is kept and exported.
type Letter struct {
	DeadLetter
	// Body is what was sent, all of it or its beginning.
	Body []byte `json:"body"`
}

// Letters keeps messages that cannot be taken, for somebody to look at: a bounded
// number of them and of their bytes, the oldest going first. One that comes again
// is counted, not kept twice.
type Letters struct {
	j    *journal.Journal // nil: in memory only
	seed maphash.Seed

	mu     sync.Mutex
	shown  []DeadLetter // the newest last
	prints []uint64     // of shown
	all    int64
}

// OpenLetters opens the file of dead letters, or begins it.
func OpenLetters(path string, log *slog.Logger, now func() time.Time) (*Letters, error) {
	j, err := journal.Open(path, journal.Options{
		MaxBytes: maxLettersBytes, Evict: true, Cursors: []string{lettersCursor}, Logger: log, Now: now,
	})
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	l := newLetters(j)
	err = l.Each(func(d Letter) error {
		l.remember(d, l.print(d.Topic, d.Body))
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("dead letters: %w", err), j.Close())
	}
	return l, nil
}

func newLetters(j *journal.Journal) *Letters { return &Letters{j: j, seed: maphash.MakeSeed()} }

// Close closes the file.
func (l *Letters) Close() error {
	if l.j == nil {
		return nil
	}
	return l.j.Close()
}

// newLetter makes a letter of a message. Only keeps says whether this is the only
// copy, as its sender is told that it need not keep it.
func newLetter(m broker.Message, why error, only bool, now time.Time) Letter {
	most := maxHead
	if only {
		most = maxBody
	}
	excerpt := string(m.Payload[:min(len(m.Payload), maxExcerpt)])
	return Letter{
		DeadLetter: DeadLetter{
			At: now.UTC(), Topic: m.Topic, Reason: why.Error(), Size: len(m.Payload), Times: 1,
			Excerpt: strings.ToValidUTF8(excerpt, "\uFFFD"),
		},
		Body: m.Payload[:min(len(m.Payload), most)],
	}
}

// add makes letters durable that did not come just before, and returns them.
func (l *Letters) add(ctx context.Context, letters []Letter) (fresh []Letter, err error) {
	var prints []uint64
	var records [][]byte
	for _, d := range letters {
		print := l.print(d.Topic, d.Body)
		if slices.Contains(prints, print) || l.again(print) {
			continue
		}
		record, err := json.Marshal(d)
		if err != nil {
			return nil, fmt.Errorf("keep a dead letter: %w", err)
		}
		fresh, prints, records = append(fresh, d), append(prints, print), append(records, record)
	}
	if l.j != nil && len(records) > 0 {
		last, err := l.j.Append(ctx, records...)
		if err != nil {
			return nil, fmt.Errorf("keep %d dead letters: %w", len(records), err)
		}
		if last > maxLetters {
			err = l.j.Commit(lettersCursor, last-maxLetters)
		}
		if err != nil {
			return nil, fmt.Errorf("let old dead letters go: %w", err)
		}
	}
	for i, d := range fresh {
		l.remember(d, prints[i])
	}
	return fresh, nil
}

// again counts a letter that came before.
func (l *Letters) again(print uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.prints, print)
	if i < 0 {
		return false
	}
	l.all++
	l.shown[i].Times++
	return true
}

func (l *Letters) remember(d Letter, print uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all++
	if len(l.shown) == maxShown {
		l.shown, l.prints = l.shown[1:], l.prints[1:]
	}
	l.shown, l.prints = append(l.shown, d.DeadLetter), append(l.prints, print)
}

func (l *Letters) print(topic string, body []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	_, _ = h.WriteString(topic) // it never fails
	_ = h.WriteByte(0)
	_, _ = h.Write(body[:min(len(body), maxHead)])
	return h.Sum64()
}

// newest returns those that are shown, the newest last, and how many came.
func (l *Letters) newest() ([]DeadLetter, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.shown), l.all
}

// Each calls do with every letter that is kept, the oldest first, until do fails.
func (l *Letters) Each(do func(Letter) error) error {
	if l.j == nil {
		return nil
	}
	first := l.j.Cursor(lettersCursor)
	for after := first; ; {
		records, err := l.j.Read(after, 1<<20)
		if err != nil || len(records) == 0 {
			return err
		}
		for _, r := range records {
			after = r.Seq
			var d Letter
			if err := json.Unmarshal(r.Body, &d); err != nil {
				return fmt.Errorf("dead letter %d: %w", r.Seq, err)
			}
			d.Times = cmp.Or(d.Times, 1)
			if err := do(d); err != nil {
				return err
			}
		}
	}
}

// Export writes every letter that is kept as a line of JSON, the oldest first.
func (l *Letters) Export(w io.Writer) error {
	enc := json.NewEncoder(w)
	return l.Each(func(d Letter) error { return enc.Encode(d) })
}
