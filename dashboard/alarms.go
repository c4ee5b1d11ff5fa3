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

func (s *Server) acknowledge(c *fiber.Ctx, v *visitor) error {
	var body struct {
		Note string `json:"note"`
	}
	if len(c.Body()) > 0 { // a note is not needed, so a body is not either
		if err := readBody(c, &body); err != nil {
			return err
		}
	}
	alarm, err := s.acknowledgeAlarm(c.UserContext(), v, c.Params("id"), body.Note)
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
