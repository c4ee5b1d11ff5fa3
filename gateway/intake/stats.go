package intake

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"gengfu/facility"
)

// StreamStats is one stream as the hub sees it.
type StreamStats struct {
	Site         string          `json:"site"`
	Gateway      string          `json:"gateway"`
	Stream       facility.Stream `json:"stream"`
	Epoch        string          `json:"epoch"`
	Acknowledged uint64          `json:"acknowledged"`     // sequence
	Held         uint64          `json:"held,omitempty"`   // sequence up to which people know, though it is not durable
	Batches      int64           `json:"batches"`          // made durable
	Readings     int64           `json:"readings"`         // in them
	Taps         int64           `json:"taps"`             // in them
	Duplicates   int64           `json:"duplicates"`       // batches that came again
	Gaps         int64           `json:"gaps"`             // batches that came too early
	Dropped      int64           `json:"dropped"`          // batches that the gateway no longer had
	Stuck        string          `json:"stuck,omitempty"`  // why nothing is taken from it
	Rivals       []string        `json:"rivals,omitempty"` // epochs of two gateways or more that use this name
	// Copies are epochs in which the same sequences were given: an old copy of the
	// gateway's disk was put back, or two gateways run from one disk. Each is taken.
	Copies []string `json:"copies,omitempty"`
}

// GatewayStats is a gateway by its own word, or by the broker's.
type GatewayStats struct {
	Site    string    `json:"site"`
	ID      string    `json:"id"`
	Online  bool      `json:"online"`
	Since   time.Time `json:"since"`
	Version string    `json:"version"`
	Clock   string    `json:"clock,omitempty"`         // the state of its clock, by its own word
	Differs float64   `json:"clock_differs,omitempty"` // seconds that its clock is behind the hub's

	heard time.Time // when Online became so, on the hub's clock
}

// Connected reports whether the hub's urgent stream is connected to the broker.
func (in *Intake) Connected() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return !in.urgent.IsZero()
}

func (in *Intake) noteConnected(s facility.Stream, at time.Time) {
	if s != facility.Urgent {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.urgent = at
}

const (
	// drained is how long after a gateway came its urgent journal is thought sent:
	// it holds a few kilobytes, and is never behind samples.
	drained = 10 * time.Second
	// dispersed is how long a gateway that was known before has to come back after
	// the hub has: twice the longest pause between its tries. After that it is
	// thought to be no more.
	dispersed = time.Minute
)

// Quiet reports whether at the instant now no urgent fact can be on its way from
// a gateway: the hub is connected, and every gateway that is known is too, both
// for long enough that what was held back has come.
func (in *Intake) Quiet(now time.Time) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.urgent.IsZero() || now.Sub(in.urgent) < drained || in.trouble[string(facility.Urgent)] != "" {
		return false
	}
	for _, g := range in.gateways {
		if !g.Online || now.Sub(g.heard) < drained {
			return false
		}
	}
	if now.Sub(in.urgent) >= dispersed {
		return true
	}
	for key := range in.streams {
		if _, here := in.gateways[gatewayKey{key.site, key.gateway}]; !here {
			return false
		}
	}
	return true
}

// Stats is everything for the health page.
type Stats struct {
	Streams     []StreamStats     `json:"streams"`
	Gateways    []GatewayStats    `json:"gateways"`
	DeadLetters int64             `json:"dead_letters"` // that came since the start or were kept before it
	Dead        []DeadLetter      `json:"dead"`         // the newest last
	Refused     int64             `json:"refused"`      // groups or messages that were not taken, to be sent again
	Trouble     map[string]string `json:"trouble"`      // why nothing is made durable now, by stream
	Hubs        []Peer            `json:"hubs"`         // others that take the same site, which is one too many
}

// Stats returns the present figures. Counters begin with the program; an epoch
// that was last seen before shows with its mark.
func (in *Intake) Stats() Stats {
	dead, all := in.o.Letters.newest()
	now := in.o.Now()
	in.mu.Lock()
	defer in.mu.Unlock()
	s := Stats{
		Streams: []StreamStats{}, Gateways: []GatewayStats{}, DeadLetters: all, Dead: dead,
		Refused: in.refused, Trouble: maps.Clone(in.trouble), Hubs: in.others(now),
	}
	for key, st := range in.streams {
		s.Streams = append(s.Streams, st.stats(key, now))
	}
	for _, g := range in.gateways {
		s.Gateways = append(s.Gateways, *g)
	}
	slices.SortFunc(s.Streams, func(a, b StreamStats) int {
		return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.Stream, b.Stream))
	})
	slices.SortFunc(s.Gateways, func(a, b GatewayStats) int {
		return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.ID, b.ID))
	})
	return s
}

// stats are those of the epoch that was taken from last.
func (s *stream) stats(key streamKey, now time.Time) StreamStats {
	out := StreamStats{
		Site: key.site, Gateway: key.gateway, Stream: key.stream, Epoch: s.latest(),
		Batches: s.batches, Readings: s.readings, Taps: s.taps,
		Duplicates: s.duplicates, Gaps: s.gaps, Dropped: s.missing, Rivals: s.rivals(now), Copies: s.copies(now),
	}
	for name, e := range s.epochs {
		if name == out.Epoch {
			out.Acknowledged, out.Held = e.mark, e.ahead
		}
		if e.stuck != "" {
			out.Stuck = e.stuck
		}
	}
	return out
}
