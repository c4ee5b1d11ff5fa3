package dashboard

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
)

// mountExtension puts somebody else's pages behind the sign-in. Paths in them
// that are relative work, because the extension's own page ends in a slash.
func (s *Server) mountExtension(app *fiber.App, e Extension) {
	path := "/" + strings.Trim(e.Path, "/")
	serve := adaptor.HTTPHandler(http.StripPrefix(path, e.Handler))
	h := s.guarded(access{kind: signedIn, roles: e.Roles}, func(c *fiber.Ctx, _ *visitor) error {
		if c.Path() == path {
			return c.Redirect(path+"/", fiber.StatusPermanentRedirect)
		}
		return serve(c)
	})
	for _, method := range []string{
		fiber.MethodGet, fiber.MethodHead, fiber.MethodPost, fiber.MethodPut, fiber.MethodPatch, fiber.MethodDelete,
	} {
		app.Add(method, path, h)
		app.Add(method, path+"/*", h)
	}
}

// toSignIn sends somebody who opens a page without being signed in to where that
// can be done and back; everything else gets the error.
func (s *Server) toSignIn(c *fiber.Ctx, err error) error {
	p, known := asProblem(err)
	if !known || p.code != "signed_out" || c.Method() != fiber.MethodGet || strings.HasPrefix(c.Path(), "/api/") {
		return err
	}
	next := "?next=" + url.QueryEscape(c.OriginalURL())
	if s.isBasic(c) || !s.files.app {
		return c.Redirect("/basic/sign-in"+next, fiber.StatusSeeOther)
	}
	return c.Redirect("/sign-in"+next, fiber.StatusSeeOther)
}
