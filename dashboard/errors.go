package dashboard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"gengfu/dashboard/lang"
	"gengfu/dashboard/photo"
	"gengfu/facility"
)

// problem is an error that a person or a program on the other side can act on,
// as docs/api.md describes it.
type problem struct {
	status     int
	code       string
	message    facility.Text
	field      string
	problems   []RuleProblem // of a rule
	retryAfter time.Duration
}

// Error makes a problem an error of a handler.
func (p *problem) Error() string { return p.code + ": " + p.message.EN }

// retryStorage is when to ask again for what could not be kept.
const retryStorage = 5 * time.Second

var statuses = map[string]int{
	"invalid": fiber.StatusBadRequest, "signed_out": fiber.StatusUnauthorized, "wrong_login": fiber.StatusUnauthorized,
	"forbidden": fiber.StatusForbidden, "cross_site": fiber.StatusForbidden, "not_found": fiber.StatusNotFound,
	"not_allowed": fiber.StatusMethodNotAllowed, "unlawful": fiber.StatusConflict, "conflict": fiber.StatusConflict,
	"too_large": fiber.StatusRequestEntityTooLarge, "unsupported": fiber.StatusUnsupportedMediaType,
	"too_many": fiber.StatusTooManyRequests, "internal": fiber.StatusInternalServerError,
	"unavailable": fiber.StatusServiceUnavailable,
}

// fail is the problem with the code's own sentence.
func fail(code string) *problem {
	return &problem{status: statuses[code], code: code, message: lang.Text("error."+code, nil)}
}

// failWith is the problem with a sentence of its own, found under "error.".
func failWith(code, sentence string, args lang.Args) *problem {
	return &problem{status: statuses[code], code: code, message: lang.Text("error."+sentence, args)}
}

// invalid is the problem of one field of a request.
func invalid(field, sentence string, args lang.Args) *problem {
	p := failWith("invalid", sentence, args)
	p.field = field
	return p
}

func tooMany(after time.Duration) *problem {
	p := fail("too_many")
	p.retryAfter = after
	return p
}

// asProblem finds what to tell the client about an error. What the client cannot
// mend is not told to it: known is false and the error belongs in the log.
func asProblem(err error) (p *problem, known bool) {
	if errors.As(err, &p) {
		return p, true
	}
	if p := ofRule(err); p != nil {
		return p, true
	}
	var fiberError *fiber.Error
	if errors.As(err, &fiberError) {
		return ofStatus(fiberError.Code), true
	}
	if p := ofAlarm(err); p != nil {
		return p, true
	}
	codes := []struct {
		err  error
		code string
	}{
		{facility.ErrNotFound, "not_found"},
		{facility.ErrForbidden, "forbidden"},
		{facility.ErrUnlawful, "unlawful"},
		{facility.ErrConflict, "conflict"},
		{facility.ErrInvalid, "invalid"},
		{photo.ErrType, "unsupported"},
		{photo.ErrLarge, "too_large"},
		{photo.ErrBroken, "photo_broken"},
	}
	for _, c := range codes {
		if !errors.Is(err, c.err) {
			continue
		}
		if c.code == "photo_broken" {
			return invalid("photo", "photo_broken", nil), true
		}
		return fail(c.code), true
	}
	if errors.Is(err, facility.ErrUnavailable) {
		p := failWith("unavailable", "not_kept", nil)
		p.retryAfter = retryStorage
		return p, false
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return fail("unavailable"), false
	}
	return fail("internal"), false
}

func ofStatus(status int) *problem {
	switch status {
	case fiber.StatusNotFound:
		return fail("not_found")
	case fiber.StatusMethodNotAllowed:
		return fail("not_allowed")
	case fiber.StatusRequestEntityTooLarge:
		return fail("too_large")
	case fiber.StatusUnsupportedMediaType, fiber.StatusUnprocessableEntity:
		return fail("unsupported")
	case fiber.StatusTooManyRequests:
		return fail("too_many")
	}
	p := fail("invalid")
	if status >= 500 {
		p = fail("internal")
	}
	p.status = status // 408, 431: the code says who is to blame, the status what happened
	return p
}

type errorShape struct {
	Error errorBody `json:"error"`
}

type errorBody struct {
	Code    string        `json:"code"`
	Message facility.Text `json:"message"`
	Field   string        `json:"field,omitempty"`

	Problems []RuleProblem `json:"problems,omitempty"` // of a rule
}

// body is the problem as it is told.
func (p *problem) body() *errorBody {
	return &errorBody{Code: p.code, Message: p.message, Field: p.field, Problems: p.problems}
}

// showError answers with an error: a page below /basic, else JSON.
func (s *Server) showError(c *fiber.Ctx, err error) error {
	p, known := asProblem(err)
	if !known {
		s.log.LogAttrs(c.UserContext(), slog.LevelError, "request failed",
			slog.String("method", c.Method()), slog.String("route", c.Route().Path), slog.Any("error", err))
	}
	c.Status(p.status)
	c.Set(fiber.HeaderCacheControl, "no-store") // whatever the handler had promised of its answer
	if p.retryAfter > 0 {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	if s.isBasic(c) {
		return s.basicError(c, p)
	}
	return c.JSON(errorShape{Error: *p.body()})
}

// recovered turns a panic of a handler into an error whose cause only the log sees.
func recovered(c *fiber.Ctx) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, stack())
		}
	}()
	return c.Next()
}
