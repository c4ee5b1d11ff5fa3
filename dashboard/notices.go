package dashboard

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"gengfu/facility"
)

// noticeShape is one telling of people.
type noticeShape struct {
	ID       string             `json:"id"`
	At       time.Time          `json:"at"`
	Priority facility.Priority  `json:"priority"`
	Flood    bool               `json:"flood"`
	Alarms   []noticeAlarmShape `json:"alarms"`
}

type noticeAlarmShape struct {
	Alarm    string            `json:"alarm"`
	Key      string            `json:"key"`
	Title    facility.Text     `json:"title"`
	Priority facility.Priority `json:"priority"`
	Gone     bool              `json:"gone"`
	Follow   int               `json:"follow"`
}

func noticeOf(n facility.Notice) noticeShape {
	s := noticeShape{ID: n.ID, At: n.At.UTC(), Priority: n.Priority, Flood: n.Flood, Alarms: make([]noticeAlarmShape, 0, len(n.Alarms))}
	for _, a := range n.Alarms {
		s.Alarms = append(s.Alarms, noticeAlarmShape(a))
	}
	return s
}

// listNotices shows what people were told, newest first.
func (s *Server) listNotices(c *fiber.Ctx, _ *visitor) error {
	if s.options.Notices == nil {
		return fail("not_found")
	}
	stretch, err := page(c)
	if err != nil {
		return err
	}
	notices, err := s.options.Notices.Notices(c.UserContext(), stretch)
	if err != nil {
		return doing("list the notices", err)
	}
	out := make([]noticeShape, 0, len(notices))
	for _, n := range notices {
		out = append(out, noticeOf(n))
	}
	return c.JSON(fiber.Map{"notices": out})
}
