// Package account proves that nothing is lost: it sets what was read against what was
// delivered, waits and was dropped, from counters that are each kept where the thing
// happens. It is plain values in, plain values out, and never counts anything itself.
package account

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gengfu/gateway/intake"
	"gengfu/gateway/journal"
	"gengfu/gateway/uplink"
)

// Reasons why facts are dropped, beside those of uplink that stand before a journal.
const (
	Evicted    = "evicted"    // the edge's journal was full, and the oldest went
	Damaged    = "damaged"    // the file was
	Memory     = "memory"     // which was full while the disk refused
	Dead       = "dead"       // what came cannot be read, and is a dead letter
	Unreadable = "unreadable" // in the hub's journal
)

// Reasons are all of them.
var Reasons = [...]string{
	uplink.DropInvalid, uplink.DropFull, uplink.DropDisk, Evicted, Damaged, Memory, Dead, Unreadable,
}

// Balance is one equation: Read = Delivered + Queued + Dropped + Difference, in readings
// and taps. Where the Difference is not 0 counters contradict each other: above, facts
// are missing; below, there are more than anybody knows of.
type Balance struct {
	Read       int64            `json:"read"`
	Delivered  int64            `json:"delivered"`
	Queued     int64            `json:"queued"`
	Dropped    int64            `json:"dropped"`
	DroppedBy  map[string]int64 `json:"dropped_by"`
	Difference int64            `json:"difference"`
}

// Stream is the way of one stream of a gateway to the hub's disk, or as far as is known
// here.
type Stream struct {
	Site    string `json:"site"`
	Gateway string `json:"gateway"`
	Stream  string `json:"stream"`
	// Own is whether the gateway's journal is here; of others it is known what came.
	Own   bool       `json:"own"`
	Since *time.Time `json:"since,omitempty"` // when its books began
	Kills int64      `json:"kills"`           // times since then that its process ended without warning
	Balance
}

// Law is the whole: what the field brought against what history and judge have.
type Law struct {
	Since time.Time `json:"since"` // when the youngest of the books began
	Balance
	Streams []Stream `json:"streams"`
	// Hub is what came over all streams, against what is in the hub's journal; History
	// and Judge are what is in it against what they have taken.
	Hub     *Balance `json:"hub,omitempty"`
	History *Balance `json:"history,omitempty"`
	Judge   *Balance `json:"judge,omitempty"`
	Kills   int64    `json:"kills"`
}

// Edge is what an edge knows of one of its streams.
type Edge struct {
	Site, Gateway, Stream string
	Books                 journal.Books
}

func (e Edge) name() string { return e.Site + "/" + e.Gateway + "/" + e.Stream }

// Base is the name of the count of the hub's journal that says by how much the books of
// the two ends differed when they first met, because one of them is younger.
func (e Edge) Base() string {
	return "base/" + e.name() + "/" + strconv.FormatInt(e.Books.Since.Unix(), 10)
}

// Apart is by how much they differ now, while nothing is under way.
func (e Edge) Apart(hub journal.Books) int64 {
	return hub.Counts[intake.Arrived+e.name()] - e.Books.Passed(uplink.Cursor)
}

// Hub is what the hub knows.
type Hub struct {
	Books          journal.Books
	Opened         int64  // facts that the history's cursor had passed when the journal was opened
	Given          int64  // facts that the history was given since, by its own count
	Unreadable     int64  // of these
	History, Judge string // cursors
}

// Of states the law of a process. While facts move, counters that are read one after the
// other differ by what moved in between; so it is given the edges before and after the
// hub, and the history's count likewise, and takes for a difference only what is there
// in any case. A nil hub is elsewhere.
func Of(before []Edge, hub *Hub, after []Edge, givenAfter int64) Law {
	law := Law{Streams: []Stream{}}
	for i, e := range after {
		s := streamOf(e, hub)
		s.Difference = certain(streamOf(before[i], hub).Difference, s.Difference)
		law.Streams = append(law.Streams, s)
		law.began(e.Books)
	}
	if hub != nil {
		law.received(before, *hub)
		law.kept(*hub, givenAfter)
	}
	law.sum()
	return law
}

// certain is what two differences, of which one is too small and one too large, leave.
func certain(a, b int64) int64 {
	low, high := min(a, b), max(a, b)
	switch {
	case low > 0:
		return low
	case high < 0:
		return high
	}
	return 0
}

func streamOf(e Edge, hub *Hub) Stream {
	b := e.Books
	dropped := map[string]int64{Evicted: b.Evicted, Damaged: b.Damaged, Memory: b.Forgotten}
	refused := int64(0)
	for name, n := range b.Counts {
		if reason, ok := strings.CutPrefix(name, uplink.Refused); ok {
			dropped[reason] += n
			refused += n
		}
	}
	since := b.Since
	s := Stream{Site: e.Site, Gateway: e.Gateway, Stream: e.Stream, Own: true, Since: &since, Kills: b.Kills}
	s.Read, s.Queued = b.Taken+refused, b.Waiting[uplink.Cursor]
	s.Delivered, s.DroppedBy = b.Passed(uplink.Cursor), dropped
	if hub != nil {
		s.arrived(hub.Books.Counts[intake.Arrived+e.name()] - hub.Books.Counts[e.Base()])
	}
	s.settle()
	return s
}

// arrived takes the hub's word for what came. More than was acknowledged is on the
// gateway's disk still, or was dropped there when it had come already.
func (s *Stream) arrived(facts int64) {
	more := facts - s.Delivered
	s.Delivered = facts
	take := func(n int64) int64 {
		n = max(0, min(more, n))
		more -= n
		return n
	}
	s.Queued -= take(s.Queued)
	for _, why := range []string{Evicted, Memory} {
		s.DroppedBy[why] -= take(s.DroppedBy[why])
	}
}

// settle adds up what was dropped, and states what is left.
func (b *Balance) settle() {
	b.Dropped = 0
	for why, n := range b.DroppedBy {
		if b.Dropped += n; n == 0 {
			delete(b.DroppedBy, why)
		}
	}
	b.Difference = b.Read - b.Delivered - b.Queued - b.Dropped
}

func (l *Law) began(b journal.Books) {
	l.Kills += b.Kills
	if b.Since.After(l.Since) {
		l.Since = b.Since
	}
}

// received states what came over all streams, and adds those of gateways elsewhere.
func (l *Law) received(own []Edge, hub Hub) {
	all := Balance{Delivered: hub.Books.Taken, DroppedBy: map[string]int64{}}
	for _, name := range slices.Sorted(maps.Keys(hub.Books.Counts)) {
		n := hub.Books.Counts[name]
		if of, ok := strings.CutPrefix(name, intake.Dead); ok && of != "" {
			all.DroppedBy[Dead] += n
		}
		of, ok := strings.CutPrefix(name, intake.Arrived)
		if !ok {
			continue
		}
		all.Read += n
		parts := strings.SplitN(of, "/", 3)
		if len(parts) != 3 || slices.ContainsFunc(own, func(e Edge) bool { return e.name() == of }) {
			continue
		}
		l.Streams = append(l.Streams, Stream{
			Site: parts[0], Gateway: parts[1], Stream: parts[2],
			Balance: Balance{Read: n, Delivered: n, DroppedBy: map[string]int64{}},
		})
	}
	all.settle()
	l.Hub = &all
	l.began(hub.Books)
}

// kept states what history and judge have of the hub's journal.
func (l *Law) kept(hub Hub, givenAfter int64) {
	of := func(cursor string) Balance {
		return Balance{
			Read: hub.Books.Taken, Delivered: hub.Books.Passed(cursor), Queued: hub.Books.Waiting[cursor],
			DroppedBy: map[string]int64{Damaged: hub.Books.Damaged, Evicted: hub.Books.Evicted, Memory: hub.Books.Forgotten},
		}
	}
	judge, history := of(hub.Judge), of(hub.History)
	judge.settle()
	passed := history.Delivered - hub.Opened
	history.Delivered -= certain(passed-givenAfter, passed-hub.Given) + hub.Unreadable
	history.DroppedBy[Unreadable] = hub.Unreadable
	history.settle()
	l.History, l.Judge = &history, &judge
}

// sum states the whole from its parts.
func (l *Law) sum() {
	l.DroppedBy = map[string]int64{}
	add := func(b Balance) {
		for why, n := range b.DroppedBy {
			l.DroppedBy[why] += n
		}
		l.Dropped += b.Dropped
		l.Queued += b.Queued
		l.Difference += b.Difference
	}
	for _, s := range l.Streams {
		add(s.Balance)
		l.Read += s.Read
		l.Delivered += s.Delivered
	}
	if l.Hub == nil {
		return
	}
	add(*l.Hub)
	add(*l.History)
	// What moves between the readings of two counters is in the history already, or will
	// be; while nothing moves this is what the history's cursor has passed.
	l.Delivered = l.Read - l.Queued - l.Dropped - l.Difference
}
