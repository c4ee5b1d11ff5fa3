package dashboard

import (
	"context"
	"net/url"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"gengfu/dashboard/lang"
	"gengfu/facility"
)

// maxTaps is how many taps a phone may hand over at once.
const maxTaps = 200

func (s *Server) listRounds(c *fiber.Ctx, _ *visitor) error {
	start, end, err := s.day(c)
	if err != nil {
		return err
	}
	rounds, err := s.options.Watch.Rounds(c.UserContext(), start, end)
	if err != nil {
		return doing("list the rounds", err)
	}
	view, err := s.view(c)
	if err != nil {
		return err
	}
	shapes := make([]roundShape, 0, len(rounds))
	for _, r := range rounds {
		shapes = append(shapes, view.round(r))
	}
	return c.JSON(fiber.Map{"day": start.Format(time.DateOnly), "rounds": shapes})
}

func (s *Server) listCheckpoints(c *fiber.Ctx, v *visitor) error {
	base := ""
	if v.may(facility.SeeAudit) {
		base = s.base(c) // whoever has the address can tap from anywhere
	}
	shapes := make([]checkpointShape, 0, len(s.estate.Checkpoints))
	for i := range s.estate.Checkpoints {
		shapes = append(shapes, s.estate.checkpoint(&s.estate.Checkpoints[i], base))
	}
	return c.JSON(fiber.Map{"checkpoints": shapes})
}

func (s *Server) checkpointByToken(c *fiber.Ctx, _ *visitor) error {
	checkpoint, err := s.tagged(c)
	if err != nil {
		return err
	}
	round, err := s.expectedRound(c, checkpoint.ID)
	if err != nil {
		return err
	}
	return c.JSON(fiber.Map{"checkpoint": s.estate.checkpoint(checkpoint, ""), "round": round})
}

// tagged finds the checkpoint whose token the path names.
func (s *Server) tagged(c *fiber.Ctx) (*facility.Checkpoint, error) {
	token, err := url.PathUnescape(c.Params("token"))
	if err != nil {
		return nil, failWith("not_found", "tag", nil)
	}
	checkpoint := s.estate.tokens[token]
	if checkpoint == nil {
		return nil, failWith("not_found", "tag", nil)
	}
	return checkpoint, nil
}

// expectedRound returns the round that a tap at the checkpoint would count for
// now, nil for none.
func (s *Server) expectedRound(c *fiber.Ctx, checkpoint string) (*roundShape, error) {
	now := s.now()
	rounds, err := s.options.Watch.Rounds(c.UserContext(), now.Add(-36*time.Hour), now.Add(12*time.Hour))
	if err != nil {
		return nil, doing("list the rounds", err)
	}
	round := bestRound(rounds, checkpoint, now)
	if round == nil {
		return nil, nil
	}
	view, err := s.view(c)
	if err != nil {
		return nil, err
	}
	shape := view.round(*round)
	return &shape, nil
}

// bestRound finds the round in which a checkpoint that is still to be reached
// would be so at a time: rather in its window than late, rather late than early.
func bestRound(rounds []facility.Round, checkpoint string, now time.Time) *facility.Round {
	var best *facility.Round
	bestRank := 3
	for i := range rounds {
		r := &rounds[i]
		if r.State == facility.RoundCancelled || !expects(r, checkpoint) {
			continue
		}
		if rank := fit(r, now); rank < bestRank {
			best, bestRank = r, rank
		}
	}
	return best
}

func expects(r *facility.Round, checkpoint string) bool {
	for _, v := range r.Visits {
		if v.Checkpoint == checkpoint && v.Verdict == facility.Pending {
			return true
		}
	}
	return false
}

// fit ranks a time for a round: 0 in its window, 1 late, 2 early, 3 outside.
func fit(r *facility.Round, t time.Time) int {
	switch {
	case t.Before(r.Start.Add(-r.Tolerance)) || t.After(r.End.Add(r.Tolerance)):
		return 3
	case t.Before(r.Start):
		return 2
	case t.After(r.End):
		return 1
	}
	return 0
}

func (s *Server) listTaps(c *fiber.Ctx, _ *visitor) error {
	start, end, err := s.day(c)
	if err != nil {
		return err
	}
	taps, err := s.options.Watch.Taps(c.UserContext(), start, end)
	if err != nil {
		return doing("list the taps", err)
	}
	view, err := s.view(c)
	if err != nil {
		return err
	}
	shapes := make([]tapShape, 0, len(taps))
	for _, t := range taps {
		shapes = append(shapes, view.tap(t))
	}
	return c.JSON(fiber.Map{"taps": shapes})
}

// handedTap is one tap as a phone hands it over.
type handedTap struct {
	ID       string             `json:"id"`
	Token    string             `json:"token"`
	Source   facility.TapSource `json:"source"`
	TappedAt time.Time          `json:"tapped_at"`
}

// takeTaps takes what a phone has gathered. A tap that cannot be one is refused
// by itself, so that it does not hold up the others.
func (s *Server) takeTaps(c *fiber.Ctx, v *visitor) error {
	var body struct {
		SentAt time.Time   `json:"sent_at"`
		Taps   []handedTap `json:"taps"`
	}
	if err := readBody(c, &body); err != nil {
		return err
	}
	if len(body.Taps) == 0 || len(body.Taps) > maxTaps {
		return invalid("taps", "tap_count", lang.Args{"n": maxTaps})
	}
	if body.SentAt.IsZero() {
		return invalid("sent_at", "time", lang.Args{"field": "sent_at"})
	}
	results, err := s.bookTaps(c.UserContext(), v, body.SentAt, body.Taps)
	if err != nil {
		return err
	}
	return c.JSON(fiber.Map{"results": results})
}

func (s *Server) bookTaps(ctx context.Context, v *visitor, sent time.Time, handed []handedTap) ([]tapResultShape, error) {
	received := s.now().UTC()
	results := make([]tapResultShape, len(handed))
	taps := make([]facility.Tap, 0, len(handed))
	for i, h := range handed {
		results[i].ID = clip(h.ID, 64)
		checkpoint, err := s.checkTap(h)
		if err != nil {
			results[i].Error = &errorBody{Code: err.code, Message: err.message, Field: err.field}
			continue
		}
		shape := s.estate.checkpoint(checkpoint, "")
		results[i].Accepted, results[i].Checkpoint = true, &shape
		taps = append(taps, facility.Tap{
			ID: h.ID, Source: h.Source, Checkpoint: checkpoint.ID, Person: v.person.Login,
			TappedAt: h.TappedAt.UTC(), SentAt: sent.UTC(), ReceivedAt: received,
		})
	}
	if len(taps) == 0 {
		return results, nil
	}
	return results, doing("keep the taps", s.options.Desk.TakeTaps(ctx, taps))
}

func (s *Server) checkTap(h handedTap) (*facility.Checkpoint, *problem) {
	if id, err := uuid.Parse(h.ID); err != nil || id.String() != h.ID {
		return nil, invalid("id", "tap_id", nil)
	}
	switch h.Source {
	case facility.TapNFC, facility.TapURL, facility.TapQR:
	default:
		return nil, invalid("source", "tap_source", nil)
	}
	if h.TappedAt.IsZero() || h.TappedAt.Year() < 2000 || h.TappedAt.Year() > 9999 {
		return nil, invalid("tapped_at", "time", lang.Args{"field": "tapped_at"})
	}
	checkpoint := s.estate.tokens[h.Token]
	if checkpoint == nil {
		return nil, failWith("not_found", "tag", nil)
	}
	return checkpoint, nil
}
