package dashboard

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"gengfu/dashboard/lang"
	"gengfu/facility"
)

const (
	maxHoldReason = 500
	soonestEnd    = time.Minute // of a hold: an end that comes at once is a slip of the hand
)

// listHolds answers with all that keeps alarms quiet now.
func (s *Server) listHolds(c *fiber.Ctx, _ *visitor) error {
	if s.options.Held == nil {
		return fail("not_found")
	}
	holds, err := s.options.Held.AlarmHolds(c.UserContext())
	if err != nil {
		return doing("read what keeps alarms quiet", err)
	}
	shapes, err := s.holdShapes(c, holds)
	if err != nil {
		return err
	}
	return c.JSON(fiber.Map{"holds": shapes})
}

// holdAsked is what somebody wants to hold an alarm by.
type holdAsked struct {
	Key     string              `json:"key"`
	Kind    facility.AlarmState `json:"kind"`
	Reason  string              `json:"reason"`
	Until   string              `json:"until"`
	OneShot bool                `json:"one_shot"`
	Order   string              `json:"order"`
}

func (s *Server) hold(c *fiber.Ctx, v *visitor) error {
	if s.options.Holds == nil {
		return fail("not_found")
	}
	var body holdAsked
	if err := readBody(c, &body); err != nil {
		return err
	}
	asked, err := body.check(s.now())
	if err != nil {
		return err
	}
	if !v.may(facility.HoldAlarm) && (asked.Kind != facility.AlarmOutOfService || asked.Order == "") {
		return fail("forbidden")
	}
	ctx := c.UserContext()
	made, err := s.options.Holds.HoldAlarm(ctx, v.person, asked)
	if err != nil {
		return doing("hold alarm "+asked.Key, err)
	}
	s.audit(ctx, v.person.Login, "alarm."+string(asked.Kind), asked.Key, asked.Reason)
	shapes, err := s.holdShapes(c, []facility.AlarmHold{made})
	if err != nil {
		return err
	}
	return c.Status(fiber.StatusCreated).JSON(shapes[0])
}

// check returns the hold that is asked for. Whether the alarm may be held so is for the
// hub to say.
func (b holdAsked) check(now time.Time) (facility.AlarmHold, error) {
	h := facility.AlarmHold{Kind: b.Kind, OneShot: b.OneShot && b.Kind == facility.AlarmShelved, Order: b.Order}
	var err error
	if h.Key, err = text("key", b.Key, 200, true); err != nil {
		return h, err
	}
	if !byPeople(b.Kind) {
		return h, invalid("kind", "one_of", lang.Args{"field": "kind", "words": holdKinds})
	}
	if h.Reason, err = text("reason", b.Reason, maxHoldReason, false); err != nil {
		return h, err
	}
	if b.Until != "" {
		until, err := time.Parse(time.RFC3339, b.Until)
		if err != nil {
			return h, invalid("until", "time", lang.Args{"field": "until"})
		}
		if until.Before(now.Add(soonestEnd)) {
			return h, invalid("until", "hold_soon", nil)
		}
		h.Until = new(until.UTC())
	}
	switch {
	case h.Kind == facility.AlarmShelved && h.Reason == "":
		return h, invalid("reason", "shelf_reason", nil)
	case h.Kind == facility.AlarmShelved && h.Until == nil:
		return h, invalid("until", "shelf_until", nil)
	case h.Kind == facility.AlarmOutOfService && h.Reason == "" && h.Order == "":
		return h, invalid("reason", "outage_reason", nil)
	}
	return h, nil
}

const holdKinds = string(facility.AlarmShelved) + ", " + string(facility.AlarmOutOfService)

// byPeople reports whether holds of the kind are for people to make and to end.
func byPeople(kind facility.AlarmState) bool {
	return kind == facility.AlarmShelved || kind == facility.AlarmOutOfService
}

func (s *Server) release(c *fiber.Ctx, v *visitor) error {
	if s.options.Holds == nil {
		return fail("not_found")
	}
	var body struct {
		Key  string              `json:"key"`
		Kind facility.AlarmState `json:"kind"`
		Note string              `json:"note"`
	}
	if err := readBody(c, &body); err != nil {
		return err
	}
	key, err := text("key", body.Key, 200, true)
	if err != nil {
		return err
	}
	words, err := note(body.Note)
	switch {
	case err != nil:
		return err
	case !byPeople(body.Kind):
		return invalid("kind", "one_of", lang.Args{"field": "kind", "words": holdKinds})
	case !v.may(facility.HoldAlarm) && body.Kind != facility.AlarmOutOfService:
		return fail("forbidden")
	}
	ctx := c.UserContext()
	if err := s.options.Holds.ReleaseAlarm(ctx, v.person, key, body.Kind, words); err != nil {
		return doing("release alarm "+key, err)
	}
	s.audit(ctx, v.person.Login, "alarm.release", key, string(body.Kind))
	return c.SendStatus(fiber.StatusNoContent)
}

// ofAlarm is the problem that a person has with an alarm; nil when it is none of these.
func ofAlarm(err error) *problem {
	var long *facility.ShelfTooLongError
	switch {
	case errors.As(err, &long):
		return invalid("until", "shelf_long", lang.Args{"longest": lang.Span(long.Longest)})
	case errors.Is(err, facility.ErrNoteMissing):
		return invalid("note", "note_needed", nil)
	case errors.Is(err, facility.ErrPatrolHold):
		return invalid("key", "patrol_hold", nil)
	case errors.Is(err, facility.ErrHoldOrder):
		return invalid("order", "hold_order", nil)
	case errors.Is(err, facility.ErrAlarmActive):
		return failWith("unlawful", "alarm_active", nil)
	}
	return nil
}

// heldNames are what people call the things that holds name.
type heldNames struct {
	titles map[string]facility.Text // of the alarms that stand, by key
	rules  map[string]facility.Text // by id
	orders map[string]string        // numbers, by id
}

// heldNames reads those of the holds.
func (s *Server) heldNames(ctx context.Context, holds []facility.AlarmHold) (heldNames, error) {
	n := heldNames{titles: map[string]facility.Text{}, rules: map[string]facility.Text{}, orders: map[string]string{}}
	if len(holds) == 0 {
		return n, nil
	}
	standing, err := s.options.Watch.Alarms(ctx, facility.AlarmFilter{Standing: true, Page: facility.Page{Limit: 1000}})
	if err != nil {
		return n, doing("list the standing alarms", err)
	}
	for _, a := range standing {
		n.titles[a.Key] = a.Title
	}
	if s.options.Rules != nil {
		rules, err := s.options.Rules.Rules(ctx)
		if err != nil {
			return n, doing("list the rules", err)
		}
		for _, r := range rules {
			n.rules[r.ID] = r.Name
		}
	}
	for _, h := range holds {
		if h.Order == "" || n.orders[h.Order] != "" {
			continue
		}
		o, err := s.options.Orders.Order(ctx, h.Order)
		if err != nil {
			return n, doing("read order "+h.Order, err)
		}
		n.orders[h.Order] = o.No
	}
	return n, nil
}

func (s *Server) holdShapes(c *fiber.Ctx, holds []facility.AlarmHold) ([]holdShape, error) {
	view, err := s.view(c)
	if err != nil {
		return nil, err
	}
	names, err := s.heldNames(c.UserContext(), holds)
	if err != nil {
		return nil, err
	}
	out := make([]holdShape, 0, len(holds))
	for _, h := range holds {
		out = append(out, view.hold(h, names))
	}
	return out, nil
}

func (v *views) hold(h facility.AlarmHold, n heldNames) holdShape {
	rule, device, _ := strings.Cut(h.Key, "/")
	s := holdShape{
		Key: h.Key, Kind: h.Kind, Rule: rule, RuleName: v.ruleName(h.Key, n), Device: device, DeviceName: v.estate.deviceName(device),
		By: h.By, ByName: v.names[h.By], Reason: h.Reason, Cause: h.Cause, Order: h.Order, OrderNo: n.orders[h.Order],
		Since: h.Since.UTC(), Until: utcOf(h.Until), OneShot: h.OneShot,
	}
	if h.Cause != "" {
		s.CauseName = new(v.alarmName(h.Cause, n))
	}
	return s
}

// ruleName is the name of a key's rule, else the title of its alarm, else what it is
// called in the files: a rule may have gone since.
func (v *views) ruleName(key string, n heldNames) facility.Text {
	rule, _, _ := strings.Cut(key, "/")
	if name, ok := n.rules[rule]; ok {
		return name
	}
	if title, ok := n.titles[key]; ok {
		return title
	}
	return facility.Text{ZH: rule}
}

// alarmName is what the alarm of a key is called, whether it stands or not.
func (v *views) alarmName(key string, n heldNames) facility.Text {
	if title, ok := n.titles[key]; ok {
		return title
	}
	name := v.ruleName(key, n)
	_, device, _ := strings.Cut(key, "/")
	d := v.estate.deviceName(device)
	if d == nil {
		return name
	}
	return facility.Text{ZH: d.In("zh") + " " + name.In("zh"), EN: d.In("en") + " " + name.In("en")}
}

func (v *views) alarmEvent(e facility.AlarmRecord) alarmEventShape {
	return alarmEventShape{
		ID: e.ID, At: e.At.UTC(), Actor: e.Actor, ActorName: cmp.Or(v.names[e.Actor], e.Actor),
		Event: e.Event, From: e.From, To: e.To, Value: e.Value, Note: e.Note, Until: utcOf(e.Until),
	}
}
