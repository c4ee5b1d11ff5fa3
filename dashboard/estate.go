package dashboard

import (
	"net/url"
	"strings"
	"sync"
	"time"

	"gengfu/facility"
)

// stale is the reason of a device that nothing has been heard of for too long.
const stale = "stale"

// estate is the configured estate with ways to find things in it. It never
// changes, so that everybody may read it.
type estate struct {
	facility.Estate
	devices     map[string]*facility.Device
	points      map[facility.PointID]*facility.Point
	places      map[string]*facility.Place
	checkpoints map[string]*facility.Checkpoint
	tokens      map[string]*facility.Checkpoint
	baseURL     string
}

func newEstate(e facility.Estate, baseURL string) *estate {
	x := &estate{
		Estate:      e,
		devices:     make(map[string]*facility.Device, len(e.Devices)),
		points:      map[facility.PointID]*facility.Point{},
		places:      make(map[string]*facility.Place, len(e.Places)),
		checkpoints: make(map[string]*facility.Checkpoint, len(e.Checkpoints)),
		tokens:      make(map[string]*facility.Checkpoint, len(e.Checkpoints)),
		baseURL:     strings.TrimSuffix(baseURL, "/"),
	}
	if x.Site.Zone == nil {
		x.Site.Zone = time.UTC
	}
	for i := range e.Devices {
		d := &e.Devices[i]
		x.devices[d.ID] = d
		for j := range d.Points {
			x.points[d.Points[j].ID] = &d.Points[j]
		}
	}
	for i := range e.Places {
		x.places[e.Places[i].ID] = &e.Places[i]
	}
	for i := range e.Checkpoints {
		c := &e.Checkpoints[i]
		x.checkpoints[c.ID] = c
		if c.Token != "" {
			x.tokens[c.Token] = c
		}
	}
	return x
}

func (x *estate) deviceName(id string) *facility.Text {
	if d := x.devices[id]; d != nil {
		return &d.Name
	}
	return nil
}

func (x *estate) placeName(id string) *facility.Text {
	if p := x.places[id]; p != nil {
		return &p.Name
	}
	return nil
}

func (x *estate) checkpointName(id string) *facility.Text {
	if c := x.checkpoints[id]; c != nil {
		return &c.Name
	}
	return nil
}

// placeOf is the place of an alarm or order: its own, else its device's.
func (x *estate) placeOf(place, device string) string {
	if d := x.devices[device]; place == "" && d != nil {
		return d.Place
	}
	return place
}

// localDay returns the start of the local day that holds t, and of the next one.
func (x *estate) localDay(t time.Time) (start, end time.Time) {
	return facility.LocalDays(t, x.Site.Zone, 1)
}

// staleAfter is how old the last reading of a point may be before it says
// nothing about now any more: three missed periods, at least a minute and a
// half. A point without a period is read at a pace that its kind suggests.
func staleAfter(p *facility.Point) time.Duration {
	if p.Period > 0 {
		return max(3*p.Period, 90*time.Second)
	}
	switch p.Kind {
	case facility.State, facility.Signal:
		return 3 * time.Minute // sent on change, and every minute so that silence tells
	case facility.Counter:
		return time.Hour
	default:
		return 5 * time.Minute
	}
}

// fresh reports whether a reading still says something about now.
func fresh(p *facility.Point, r facility.Reading, now time.Time) bool {
	return now.Sub(r.Time) <= staleAfter(p)
}

// latest are the last readings of the points that have one.
type latest map[facility.PointID]facility.Reading

func (x *estate) point(d *facility.Device, p *facility.Point, values latest) pointShape {
	s := pointShape{
		ID: p.ID, Device: d.ID, DeviceName: d.Name, Name: p.Name, Kind: p.Kind, Unit: p.Unit, Decimals: p.Decimals,
		Labels: p.Labels, Min: p.Min, Max: p.Max, StaleAfter: staleAfter(p).Seconds(), Detail: p.Detail,
	}
	r, ok := values[p.ID]
	if !ok {
		return s
	}
	s.Quality, s.Reason, s.Time = &r.Quality, r.Reason, utc(r.Time)
	if r.Quality != facility.Bad {
		s.Value = &r.Value
	}
	return s
}

func (x *estate) device(d *facility.Device, values latest, now time.Time) deviceShape {
	s := deviceShape{
		ID: d.ID, Name: d.Name, Kind: d.Kind, Place: d.Place, PlaceName: x.placeName(d.Place),
		Line: d.Line, Address: d.Address, Profile: d.Profile,
		reachShape: reach(d, values, now), Points: make([]pointShape, 0, len(d.Points)),
	}
	for i := range d.Points {
		s.Points = append(s.Points, x.point(d, &d.Points[i], values))
	}
	return s
}

// reach says whether a device answers. Its own "online" tells; a device without
// one is judged by what its points last said. What is too old tells nothing.
func reach(d *facility.Device, values latest, now time.Time) reachShape {
	var s reachShape
	var heard, good, bad bool
	for i := range d.Points {
		p := &d.Points[i]
		r, ok := values[p.ID]
		if !ok {
			continue
		}
		if p.ID.Quantity == facility.OnlineQuantity {
			return reachByWord(d, p, r, values, now)
		}
		heard = true
		switch {
		case !fresh(p, r, now):
		case r.Quality == facility.Bad:
			bad = true
			s.Reason = string(r.Reason)
		default:
			good = true
		}
	}
	s.LastSeen = lastSeen(d, values)
	switch {
	case good:
		s.Online, s.Reason = new(true), ""
	case bad:
		s.Online = new(false)
	case heard:
		s.Reason = stale
	}
	return s
}

func reachByWord(d *facility.Device, p *facility.Point, r facility.Reading, values latest, now time.Time) reachShape {
	s := reachShape{LastSeen: lastSeen(d, values)}
	switch {
	case !fresh(p, r, now):
		s.Reason = stale
	case r.Quality == facility.Bad || r.Value == 0:
		s.Online, s.Reason = new(false), string(r.Reason)
		if s.Reason == "" {
			s.Reason = badReason(d, values)
		}
	default:
		s.Online = new(true)
	}
	return s
}

// badReason is why the points of a device are bad.
func badReason(d *facility.Device, values latest) string {
	for i := range d.Points {
		if r, ok := values[d.Points[i].ID]; ok && r.Quality == facility.Bad {
			return string(r.Reason)
		}
	}
	return string(facility.NoAnswer)
}

// lastSeen is the time of the newest value that the device itself gave, of those
// that are still known.
func lastSeen(d *facility.Device, values latest) *time.Time {
	var last time.Time
	for i := range d.Points {
		if r, ok := values[d.Points[i].ID]; ok && isSign(r) && r.Time.After(last) {
			last = r.Time
		}
	}
	return utc(last)
}

// isSign reports whether a reading shows that its device was there.
func isSign(r facility.Reading) bool {
	return r.Quality != facility.Bad && (r.Point.Quantity != facility.OnlineQuantity || r.Value != 0)
}

// sightings remember when each device was last there: when it goes away, all its
// last readings are bad ones.
type sightings struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (s *sightings) note(readings ...facility.Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	device, at := "", time.Time{} // that of the reading before: they mostly come device by device
	for i := range readings {
		r := &readings[i]
		if !isSign(*r) {
			continue
		}
		if r.Point.Device != device {
			device, at = r.Point.Device, s.at[r.Point.Device]
		}
		if r.Time.After(at) {
			at = r.Time
			s.at[device] = at
		}
	}
}

// fill puts in when a device was last there if that is later than what its last
// readings say.
func (s *sightings) fill(device string, shape reachShape) reachShape {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.at[device]; shape.LastSeen == nil || at.After(*shape.LastSeen) {
		shape.LastSeen = utc(at)
	}
	return shape
}

// checkpoint shows a checkpoint; base is where this server is found, empty to
// keep the address of the tag, which is as good as a tap, to oneself.
func (x *estate) checkpoint(c *facility.Checkpoint, base string) checkpointShape {
	s := checkpointShape{ID: c.ID, Name: c.Name, Place: c.Place, PlaceName: x.placeName(c.Place)}
	if c.Token == "" {
		return s
	}
	s.TokenHash = hashToken(c.Token)
	if base != "" {
		s.URL = base + "/t/" + url.PathEscape(c.Token)
	}
	return s
}

// utc returns the time in UTC, nil for the zero time.
func utc(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func utcOf(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return utc(*t)
}
