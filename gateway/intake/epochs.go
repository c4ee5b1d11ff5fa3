package intake

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/gateway/journal"
)

// What is kept of the epochs of a stream. An epoch ends when its journal is lost,
// or where a backlog is set apart, so there are few; what comes from one that is forgotten is taken a second time,
// and changes nothing in history and ledger, where the same fact is the same row.
const (
	maxEpochs  = 64  // of a stream; the one that was heard the longest ago goes first
	maxEpoch   = 128 // bytes of its name
	youngest   = 4   // that their gateway is told of by a hub that has just come
	rememberBy = 90  // days that an epoch is kept after it was heard
	day        = 24 * time.Hour
)

// Two gateways that use one name are told from one whose journal was replaced by
// this: the second never goes back.
const (
	turnsOfRivals = 3
	rivalsWithin  = 10 * time.Minute
	copiesWithin  = day // that copies are shown after they were heard
)

// stream is what is known of one stream of one gateway.
type stream struct {
	epochs   map[string]*epoch
	current  string // the epoch that was taken from last, since the start
	turns    []turn
	copied   []string // epochs that gave the same sequences, when that was seen last
	copiedAt time.Time

	batches, readings, taps   int64 // taken
	duplicates, gaps, missing int64
}

// epoch is what is known of one life of a gateway's journal.
type epoch struct {
	mark  uint64    // everything up to here is durable
	ahead uint64    // everything up to here is known to people; 0 when that is no more than mark
	day   uint64    // when it was heard last, in days since 1970
	heard time.Time // likewise, since the start
	stuck string    // why what follows the mark is not taken; empty when it is
}

// turn is one return of a stream to an epoch that another had followed.
type turn struct {
	at       time.Time
	from, to string
}

// heard notes from which epoch new facts came. Epochs of one life take turns where a
// gateway sends a backlog beside what is live.
func (s *stream) heard(name string, now time.Time, known bool) {
	s.lookForCopies(name, now)
	if known && s.current != "" && s.current != name && !s.oneJournal(s.current, name) {
		s.turns = append(s.turns, turn{now, s.current, name})
		s.turns = s.turns[max(0, len(s.turns)-turnsOfRivals):]
	}
	s.current = name
}

// rivals returns the epochs that take turns, sorted: there are as many gateways of
// one name. None when there is one gateway.
func (s *stream) rivals(now time.Time) (names []string) {
	if len(s.turns) < turnsOfRivals || now.Sub(s.turns[0].at) > rivalsWithin {
		return nil
	}
	for _, t := range s.turns {
		names = append(names, t.from, t.to)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// oneJournal reports whether two epochs can be of one file: stretches of one life that
// share no sequence. An epoch that is forgotten counts as one of another.
func (s *stream) oneJournal(a, b string) bool {
	if journal.Life(a) != journal.Life(b) {
		return false
	}
	if journal.First(a) > journal.First(b) {
		a, b = b, a
	}
	e := s.epochs[a]
	return e != nil && e.mark < journal.First(b)
}

// lookForCopies notes when an epoch shares sequences with another of the same life: a
// file was copied, and both copies were written.
func (s *stream) lookForCopies(name string, now time.Time) {
	for other := range s.epochs {
		if other == name || journal.Life(other) != journal.Life(name) || s.oneJournal(other, name) {
			continue
		}
		if now.Sub(s.copiedAt) > copiesWithin {
			s.copied = nil
		}
		s.copied = append(s.copied, name, other)
		slices.Sort(s.copied)
		s.copied, s.copiedAt = slices.Compact(s.copied), now
	}
}

// copies returns the epochs that give the same sequences, sorted.
func (s *stream) copies(now time.Time) []string {
	if now.Sub(s.copiedAt) > copiesWithin {
		return nil
	}
	return slices.Clone(s.copied)
}

// latest is the epoch that was taken from last; before any was, that with the
// greatest name, which is the youngest as epochs are UUIDv7.
func (s *stream) latest() string {
	if s.current != "" {
		return s.current
	}
	latest := ""
	for name := range s.epochs {
		latest = max(latest, name)
	}
	return latest
}

// byAge returns the epochs, that which was heard the longest ago first.
func (s *stream) byAge() []string {
	return slices.SortedFunc(maps.Keys(s.epochs), func(a, b string) int {
		x, y := s.epochs[a], s.epochs[b]
		return cmp.Or(cmp.Compare(x.day, y.day), x.heard.Compare(y.heard), strings.Compare(a, b))
	})
}

// prune forgets epochs that were not heard for long, and what is too many, but
// never the one named keep. It returns which.
func (s *stream) prune(today uint64, keep string) (gone []string) {
	names := slices.DeleteFunc(s.byAge(), func(name string) bool { return name == keep })
	for i, name := range names {
		if left := len(names) - i; left >= maxEpochs || s.epochs[name].day+rememberBy < today {
			delete(s.epochs, name)
			gone = append(gone, name)
		}
	}
	return gone
}

func dayOf(t time.Time) uint64 { return uint64(max(0, t.Unix())) / uint64(day/time.Second) }

// streamKey names one stream of one gateway.
type streamKey struct {
	site, gateway string
	stream        facility.Stream
}

// Counts of the hub's journal: facts that came of a stream, and those among them that
// could not be read and are dead letters. What follows is the name of the stream.
const (
	Arrived = "arrived/"
	Dead    = "dead/"
)

// name is site/gateway/stream.
func (k streamKey) name() string { return k.site + "/" + k.gateway + "/" + string(k.stream) }

type gatewayKey struct{ site, gateway string }

// mark is the key of the stream's high-water mark in the journal.
func (k streamKey) mark(epoch string) string {
	return strings.Join([]string{k.site, k.gateway, string(k.stream), epoch}, "/")
}

// dayMark is the key of the day on which the epoch was heard last. No site begins
// so.
func (k streamKey) dayMark(epoch string) string { return dayPrefix + k.mark(epoch) }

const dayPrefix = "@day/"

func parseMark(mark string) (streamKey, string, bool) {
	p := strings.SplitN(mark, "/", 4)
	if len(p) != 4 || strings.HasPrefix(mark, dayPrefix) {
		return streamKey{}, "", false
	}
	return streamKey{p[0], p[1], facility.Stream(p[2])}, p[3], true
}
