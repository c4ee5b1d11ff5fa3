package dashboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"gengfu/dashboard/lang"
	"gengfu/facility"
)

// readBody decodes the JSON body of a request. Fields that this version does not
// know are let pass: a page that was kept offline may be newer or older than the
// server, and what it brings must not be lost for that.
func readBody(c *fiber.Ctx, into any) error {
	kind, _, err := mime.ParseMediaType(c.Get(fiber.HeaderContentType))
	if err != nil || kind != fiber.MIMEApplicationJSON {
		return failWith("unsupported", "want_json", nil)
	}
	decoder := json.NewDecoder(strings.NewReader(string(c.Body())))
	err = decoder.Decode(into)
	if err == nil {
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
			return invalid("", "json", lang.Args{"why": "more than one value"})
		}
		return nil
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return invalid(wrong.Field, "json_type", lang.Args{"field": wrong.Field, "type": wrong.Type.String()})
	}
	return invalid("", "json", lang.Args{"why": err.Error()})
}

// wholeNumber reads a number from the query, or the default when it is not there.
func wholeNumber(c *fiber.Ctx, name string, standard, least, most int) (int, error) {
	s := c.Query(name)
	if s == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		return 0, invalid(name, "number", lang.Args{"field": name, "least": least, "most": most})
	}
	return n, nil
}

// number reads a whole number that is not negative from a form.
func number(field, s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, invalid(field, "number", lang.Args{"field": field, "least": 0, "most": math.MaxInt32})
	}
	return n, nil
}

// oneOf reads a word from the query that must be one of a few, the first of which
// is the default.
func oneOf(c *fiber.Ctx, name string, words ...string) (string, error) {
	s := c.Query(name, words[0])
	for _, w := range words {
		if s == w {
			return s, nil
		}
	}
	return "", invalid(name, "one_of", lang.Args{"field": name, "words": strings.Join(words, ", ")})
}

// page reads which stretch of a list is wanted.
func page(c *fiber.Ctx) (facility.Page, error) {
	limit, err := wholeNumber(c, "limit", 100, 1, 1000)
	if err != nil {
		return facility.Page{}, err
	}
	before := c.Query("before")
	if len(before) > 64 {
		return facility.Page{}, invalid("before", "too_long", lang.Args{"field": "before", "n": 64})
	}
	return facility.Page{Before: before, Limit: limit}, nil
}

// instant reads a time from the query, or the default when it is not there.
func instant(c *fiber.Ctx, name string, standard time.Time) (time.Time, error) {
	s := c.Query(name)
	if s == "" {
		return standard, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}, invalid(name, "time", lang.Args{"field": name})
	}
	return t.UTC(), nil
}

// day reads a local day from the query, today when it is not there, and returns
// where it begins and ends.
func (s *Server) day(c *fiber.Ctx) (start, end time.Time, err error) {
	word := c.Query("day")
	if word == "" {
		start, end = s.estate.localDay(s.now())
		return start, end, nil
	}
	noon, err := time.ParseInLocation("2006-01-02 15:04", word+" 12:00", s.estate.Site.Zone)
	if err != nil {
		return time.Time{}, time.Time{}, invalid("day", "day", nil)
	}
	start, end = s.estate.localDay(noon)
	return start, end, nil
}

// text checks a sentence that a person wrote and returns it trimmed.
func text(field, s string, most int, needed bool) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case needed && s == "":
		return "", invalid(field, "needed", lang.Args{"field": field})
	case !utf8.ValidString(s) || strings.ContainsFunc(s, isOddControl):
		return "", invalid(field, "text", lang.Args{"field": field})
	case utf8.RuneCountInString(s) > most:
		return "", invalid(field, "too_long", lang.Args{"field": field, "n": most})
	}
	return s, nil
}

// isOddControl reports whether a character is one that no keyboard writes.
func isOddControl(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t'
}

// clip shortens a text that nobody waits for to at most n bytes.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "")
	for len(s) > n {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

// seconds returns the shortest step of whole seconds with which a range has at
// most n steps.
func seconds(span time.Duration, n int) time.Duration {
	return time.Duration(math.Ceil(span.Seconds()/float64(n))) * time.Second
}

// view makes the shapes of one answer.
func (s *Server) view(c *fiber.Ctx) (*views, error) {
	names, err := s.register.all(c.UserContext())
	if err != nil {
		return nil, err
	}
	return &views{estate: s.estate, names: names, now: s.now()}, nil
}

// note checks what a person wrote beside an action.
func note(s string) (string, error) { return text("note", s, 2000, false) }

func doing(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
