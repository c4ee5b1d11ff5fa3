package dashboard

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"gengfu/facility"
)

func (s *Server) listAlarms(c *fiber.Ctx, _ *visitor) error {
	show, err := oneOf(c, "show", "standing", "all")
	if err != nil {
		return err
	}
	stretch, err := page(c)
	if err != nil {
		return err
	}
	alarms, err := s.options.Watch.Alarms(c.UserContext(), facility.AlarmFilter{
		Page: stretch, Standing: show == "standing", Device: c.Query("device"),
	})
	if err != nil {
		return doing("list the alarms", err)
	}
	view, err := s.view(c)
	if err != nil {
		return err
	}
	return c.JSON(fiber.Map{"alarms": view.alarms(alarms)})
}

// getAlarm answers with an alarm and what became of it.
func (s *Server) getAlarm(c *fiber.Ctx, _ *visitor) error {
	if s.options.Held == nil {
		return fail("not_found")
	}
	ctx, id := c.UserContext(), c.Params("id")
	alarm, err := s.options.Watch.Alarm(ctx, id)
	if err != nil {
		return doing("read alarm "+id, err)
	}
	events, err := s.options.Held.AlarmEvents(ctx, id)
	if err != nil {
		return doing("read the history of alarm "+id, err)
	}
	view, err := s.view(c)
	if err != nil {
		return err
	}
	names, err := s.heldNames(ctx, alarm.Holds)
	if err != nil {
		return err
	}
	shape := alarmDetailShape{
		Alarm: view.alarm(alarm), Events: make([]alarmEventShape, 0, len(events)),
		LongestShelf: s.options.Limits.MaxShelf[alarm.Priority].Seconds(), NoteNeeded: s.options.Limits.AckNote[alarm.Priority],
	}
	for i, h := range alarm.Holds {
		shape.Alarm.Holds[i] = view.hold(h, names)
	}
	for _, e := range events {
		shape.Events = append(shape.Events, view.alarmEvent(e))
	}
	return c.JSON(shape)
}

func (s *Server) acknowledge(c *fiber.Ctx, v *visitor) error {
	return s.handleAlarm(c, v, s.acknowledgeAlarm)
}

func (s *Server) reset(c *fiber.Ctx, v *visitor) error {
	return s.handleAlarm(c, v, s.resetAlarm)
}

func (s *Server) usual(c *fiber.Ctx, v *visitor) error {
	return s.handleAlarm(c, v, s.takeAsUsual)
}

// handleAlarm does what a person wants of an alarm, with a note, and answers with it.
func (s *Server) handleAlarm(c *fiber.Ctx, v *visitor, do func(ctx context.Context, v *visitor, id, words string) (facility.Alarm, error)) error {
	var body struct {
		Note string `json:"note"`
	}
	if len(c.Body()) > 0 { // a note is not needed, so a body is not either
		if err := readBody(c, &body); err != nil {
			return err
		}
	}
	alarm, err := do(c.UserContext(), v, c.Params("id"), body.Note)
	if err != nil {
		return err
	}
	view, err := s.view(c)
	if err != nil {
		return err
	}
	return c.JSON(view.alarm(alarm))
}

func (s *Server) acknowledgeAlarm(ctx context.Context, v *visitor, id, words string) (facility.Alarm, error) {
	words, err := note(words)
	if err != nil {
		return facility.Alarm{}, err
	}
	alarm, err := s.options.Desk.AcknowledgeAlarm(ctx, v.person, id, words)
	if err != nil {
		return facility.Alarm{}, doing("acknowledge alarm "+id, err)
	}
	s.audit(ctx, v.person.Login, "acknowledge", alarm.ID, alarm.Title.ZH)
	return alarm, nil
}

func (s *Server) resetAlarm(ctx context.Context, v *visitor, id, words string) (facility.Alarm, error) {
	if s.options.Holds == nil {
		return facility.Alarm{}, fail("not_found")
	}
	words, err := note(words)
	if err != nil {
		return facility.Alarm{}, err
	}
	alarm, err := s.options.Holds.ResetAlarm(ctx, v.person, id, words)
	if err != nil {
		return facility.Alarm{}, doing("reset alarm "+id, err)
	}
	s.audit(ctx, v.person.Login, "alarm.reset", alarm.ID, alarm.Title.ZH)
	return alarm, nil
}

// takeAsUsual says that what an alarm is about is how things are from now on.
func (s *Server) takeAsUsual(ctx context.Context, v *visitor, id, words string) (facility.Alarm, error) {
	if s.options.Usual == nil {
		return facility.Alarm{}, fail("not_found")
	}
	words, err := note(words)
	if err != nil {
		return facility.Alarm{}, err
	}
	alarm, err := s.options.Usual.TakeAsUsual(ctx, v.person, id, words)
	if err != nil {
		return facility.Alarm{}, doing("take alarm "+id+" as usual", err)
	}
	s.audit(ctx, v.person.Login, "alarm.usual", alarm.ID, alarm.Title.ZH)
	return alarm, nil
}
