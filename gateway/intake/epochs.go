package intake

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/gateway/journal"
)

// What is kept of the epochs of a stream. One begins at each start of a gateway. What
// comes from one that is forgotten is taken a second time, and changes nothing in history
// and ledger, where the same fact is the same row. A gateway sends what is live before a
// backlog has gone, which may be of hundreds of starts: so what was heard a short time ago
// is kept whatever comes after it.
const (
	maxEpochs  = 512  // of a stream; the one that was heard the longest ago goes first
	mostEpochs = 8192 // of a stream that begins more of them than that within keepFor
	keepFor    = time.Hour
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
	heard time.Time // likewise, and the start for what was heard before it
	stuck string    // why what follows the mark is not taken; empty when it is

	life  string // of its name
	first uint64 // likewise
	// apart: no other epoch of the life shares sequences with this one while its mark
	// is below. 0 is not known.
	apart uint64
}

func newEpoch(name string) *epoch {
	return &epoch{life: journal.Life(name), first: journal.First(name)}
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
	e, o := s.epochs[a], s.epochs[b]
	return e != nil && o != nil && e.life == o.life && !e.shares(o)
}

// add takes in an epoch.
func (s *stream) add(name string, e *epoch) {
	s.epochs[name] = e
	for _, other := range s.epochs {
		other.apart = 0
	}
}

// lookForCopies notes when an epoch shares sequences with another of the same life: a
// file was copied, and both copies were written.
func (s *stream) lookForCopies(name string, now time.Time) {
	e := s.epochs[name]
	if e.mark < e.apart {
		return
	}
	e.apart = math.MaxUint64
	var shared []string
	for other, o := range s.epochs {
		switch {
		case o == e || o.life != e.life:
		case e.shares(o):
			shared = append(shared, other)
		case e.first < o.first:
			e.apart = min(e.apart, o.first)
		}
	}
	if len(shared) == 0 {
		return
	}
	e.apart = 0 // each time that it is heard
	if now.Sub(s.copiedAt) > copiesWithin {
		s.copied = nil
	}
	s.copied = append(append(s.copied, name), shared...)
	slices.Sort(s.copied)
	s.copied, s.copiedAt = slices.Compact(s.copied), now
}

// shares reports whether two epochs of one life have sequences in common.
func (e *epoch) shares(o *epoch) bool {
	if e.first > o.first {
		e, o = o, e
	}
	return e.mark >= o.first
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
func (s *stream) prune(now time.Time, keep string) (gone []string) {
	today := dayOf(now)
	old := func(e *epoch, left int) bool {
		return left >= mostEpochs || left >= maxEpochs && now.Sub(e.heard) > keepFor || e.day+rememberBy < today
	}
	names := slices.DeleteFunc(s.byAge(), func(name string) bool { return name == keep })
	for i, name := range names {
		if old(s.epochs[name], len(names)-i) {
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
