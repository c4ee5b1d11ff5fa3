package dashboard

import (
	"net/http"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"

	"gengfu/dashboard/lang"
)

func (s *Server) healthz(c *fiber.Ctx, _ *visitor) error {
	return c.JSON(fiber.Map{"status": "ok"})
}

func (s *Server) readyz(c *fiber.Ctx, _ *visitor) error {
	if waiting := s.options.Live.Ready(); len(waiting) > 0 {
		return c.Status(fiber.StatusServiceUnavailable).JSON(fiber.Map{"status": "unready", "waiting_for": waiting})
	}
	return c.JSON(fiber.Map{"status": "ok"})
}

func (s *Server) metrics(c *fiber.Ctx, _ *visitor) error { return handOver(c, s.options.Metrics) }

func (s *Server) deadLetters(c *fiber.Ctx, _ *visitor) error {
	return handOver(c, s.options.DeadLetters)
}

func handOver(c *fiber.Ctx, to http.Handler) error {
	if to == nil {
		return fail("not_found")
	}
	return adaptor.HTTPHandler(to)(c)
}

func (s *Server) health(c *fiber.Ctx, _ *visitor) error {
	return c.JSON(s.options.Live.Health(c.UserContext()))
}

// language sends the sentences of the server, for pages that want to use them.
func (s *Server) language(c *fiber.Ctx, _ *visitor) error {
	body := lang.JSON(c.Params("lang"))
	if body == nil {
		return fail("not_found")
	}
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSONCharsetUTF8)
	c.Set(fiber.HeaderCacheControl, "no-cache")
	return c.Send(body)
}

func (s *Server) getOverview(c *fiber.Ctx, _ *visitor) error {
	o, err := s.hub.readOverview(c.UserContext())
	if err != nil {
		return err
	}
	return c.JSON(o)
}
