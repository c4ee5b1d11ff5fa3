package dashboard

import (
	"bufio"
	"errors"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"gengfu/dashboard/lang"
	"gengfu/facility"
)

const (
	// maxRuleSource is how long a rule may be, in bytes: the longest shipped one has 1,500.
	maxRuleSource   = 64 << 10
	maxReason       = 500 // characters
	maxBacktestDays = 400
)

// book returns the rule book, or not_found where none is offered.
func (s *Server) book() (RuleBook, error) {
	if s.options.Rules == nil {
		return nil, fail("not_found")
	}
	return s.options.Rules, nil
}

func (s *Server) listRules(c *fiber.Ctx, v *visitor) error {
	book, err := s.book()
	if err != nil {
		return err
	}
	rules, err := book.Rules(c.UserContext())
	if err != nil {
		return doing("list the rules", err)
	}
	names, err := s.register.all(c.UserContext())
	if err != nil {
		return err
	}
	for i := range rules {
		rules[i].AuthorName = names[rules[i].Author]
	}
	return c.JSON(fiber.Map{"rules": rules, "may_edit": v.may(facility.EditRules)})
}

func (s *Server) getRule(c *fiber.Ctx, _ *visitor) error {
	book, err := s.book()
	if err != nil {
		return err
	}
	rule, err := book.Rule(c.UserContext(), c.Params("id"))
	if err != nil {
		return doing("show rule "+c.Params("id"), err)
	}
	return s.sendRule(c, rule)
}

// sendRule answers with a rule, with the names of its authors.
func (s *Server) sendRule(c *fiber.Ctx, rule RuleDetailShape) error {
	names, err := s.register.all(c.UserContext())
	if err != nil {
		return err
	}
	rule.Rule.AuthorName = names[rule.Rule.Author]
	for i := range rule.Versions {
		rule.Versions[i].AuthorName = names[rule.Versions[i].Author]
	}
	return c.JSON(rule)
}

func (s *Server) checkRule(c *fiber.Ctx, _ *visitor) error {
	book, err := s.book()
	if err != nil {
		return err
	}
	var body struct {
		Source string `json:"source"`
	}
	if err := readBody(c, &body); err != nil {
		return err
	}
	if len(body.Source) > maxRuleSource {
		return tooLongRule()
	}
	check, err := book.CheckRule(c.UserContext(), body.Source)
	if err != nil {
		return doing("check a rule", err)
	}
	return c.JSON(check)
}

func tooLongRule() *problem {
	p := failWith("too_large", "rule_long", lang.Args{"n": maxRuleSource >> 10})
	p.field = "source"
	return p
}

func (s *Server) saveRule(c *fiber.Ctx, v *visitor) error {
	book, err := s.book()
	if err != nil {
		return err
	}
	var body struct {
		Source  string `json:"source"`
		Reason  string `json:"reason"`
		Version int    `json:"version"`
	}
	if err := readBody(c, &body); err != nil {
		return err
	}
	if len(body.Source) > maxRuleSource {
		return tooLongRule()
	}
	reason, err := text("reason", body.Reason, maxReason, true)
	if err != nil {
		return err
	}
	if strings.TrimSpace(body.Source) == "" {
		body.Source = ""
	}
	rule, err := book.SaveRule(c.UserContext(), v.person, RuleSaving{
		ID: c.Params("id"), Source: body.Source, Reason: reason, Version: body.Version,
	})
	if err != nil {
		return doing("save rule "+c.Params("id"), err)
	}
	return s.sendRule(c, rule)
}

// backtestRule answers with a stream of lines. All that can be said at once is said with
// its own status.
func (s *Server) backtestRule(c *fiber.Ctx, v *visitor) error {
	book, err := s.book()
	if err != nil {
		return err
	}
	ask, err := readBacktest(c)
	if err != nil {
		return err
	}
	turn, err := s.trials.enter(v.person.Login)
	if err != nil {
		return err
	}
	conn := c.Context().Conn()
	c.Set(fiber.HeaderContentType, "application/x-ndjson")
	c.Set(fiber.HeaderCacheControl, "no-store, no-transform")
	c.Set("X-Accel-Buffering", "no") // nginx keeps it back otherwise
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		t := &trial{ask: ask, book: book, conn: conn, w: w, log: s.log}
		t.run(s.trials, turn)
	})
	return nil
}

func readBacktest(c *fiber.Ctx) (BacktestAsk, error) {
	var body struct {
		Rule   string    `json:"rule"`
		Source string    `json:"source"`
		From   time.Time `json:"from"`
		To     time.Time `json:"to"`
	}
	if err := readBody(c, &body); err != nil {
		return BacktestAsk{}, err
	}
	switch {
	case (body.Rule == "") == (strings.TrimSpace(body.Source) == ""):
		return BacktestAsk{}, invalid("rule", "backtest_what", nil)
	case len(body.Source) > maxRuleSource:
		return BacktestAsk{}, tooLongRule()
	case body.From.Year() < 1970 || body.To.Year() > 9999 || !body.From.Before(body.To) ||
		body.To.Sub(body.From) > maxBacktestDays*24*time.Hour:
		return BacktestAsk{}, invalid("from", "backtest_span", lang.Args{"n": maxBacktestDays})
	}
	return BacktestAsk{Rule: body.Rule, Source: body.Source, From: body.From.UTC(), To: body.To.UTC()}, nil
}

// ofRule is the problem of a rule that cannot be judged or tried, nil for other errors.
func ofRule(err error) *problem {
	var mistakes *RuleMistakesError
	switch {
	case errors.As(err, &mistakes):
		p := invalid("source", "rule_wrong", lang.Args{"n": len(mistakes.Problems)})
		p.problems = mistakes.Problems
		return p
	case errors.Is(err, ErrNoDevice):
		return invalid("rule", "backtest_no_device", nil)
	case errors.Is(err, ErrNoHistory):
		return invalid("from", "backtest_empty", nil)
	}
	return nil
}
