package dashboard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"slices"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"gengfu/dashboard/lang"
	"gengfu/facility"
)

const (
	maxDump = 8 << 20 // bytes of a dump
	// mostListed is how many lines of a dump are told of one by one, those that are
	// wrong before the others.
	mostListed = 1000
)

// dumpState is what becomes of a line of a dump.
type dumpState string

const (
	dumpNew   dumpState = "new"   // it is taken, or would be
	dumpKnown dumpState = "known" // it was taken before, or stands in the dump twice
	dumpWrong dumpState = "wrong"
)

// dumpShape is the answer to a dump.
type dumpShape struct {
	DryRun bool            `json:"dry_run"`
	New    int             `json:"new"`
	Known  int             `json:"known"`
	Wrong  int             `json:"wrong"`
	Lines  []dumpLineShape `json:"lines"`
}

type dumpLineShape struct {
	Line  int            `json:"line"`
	State dumpState      `json:"state"`
	Tap   *tapShape      `json:"tap,omitempty"`
	What  *facility.Text `json:"what,omitempty"`
	Cure  *facility.Text `json:"cure,omitempty"`
}

// importTaps takes the dump of a patrol wand, or says what it would take of it. The
// same dump again changes nothing.
func (s *Server) importTaps(c *fiber.Ctx, v *visitor) error {
	if s.options.ReadDump == nil {
		return failWith("unavailable", "dump_off", nil)
	}
	dump, err := dumpOf(c)
	if err != nil {
		return err
	}
	dry, err := yes("dry_run", c.FormValue("dry_run"))
	if err != nil {
		return err
	}
	ctx, now := c.UserContext(), s.now()
	people, err := s.options.People.People(ctx)
	if err != nil {
		return doing("list the people", err)
	}
	options := facility.DumpOptions{Columns: c.FormValue("columns"), Wand: c.FormValue("wand"), Guard: c.FormValue("guard")}
	lines, err := s.options.ReadDump(dump, options, people, now)
	var unreadable *facility.DumpError
	if errors.As(err, &unreadable) {
		return &problem{status: statuses["invalid"], code: "invalid", field: "dump", message: facility.Text{
			ZH: unreadable.What.ZH + unreadable.Cure.ZH, EN: unreadable.What.EN + " " + unreadable.Cure.EN,
		}}
	}
	if err != nil {
		return doing("read a dump", err)
	}
	for i := range lines {
		lines[i].Tap.SentAt, lines[i].Tap.ReceivedAt = now.UTC(), now.UTC()
	}
	states, err := s.dumpStates(ctx, lines)
	if err != nil {
		return err
	}
	if !dry {
		if err := s.takeDump(ctx, v, lines, states); err != nil {
			return err
		}
	}
	view, err := s.view(c)
	if err != nil {
		return err
	}
	return c.JSON(view.dump(dry, lines, states))
}

func dumpOf(c *fiber.Ctx) ([]byte, error) {
	header, err := c.FormFile("dump")
	if err != nil {
		return nil, invalid("dump", "dump_missing", nil)
	}
	if header.Size > maxDump {
		return nil, fail("too_large")
	}
	return readAll(header)
}

func readAll(header *multipart.FileHeader) ([]byte, error) {
	file, err := header.Open()
	if err != nil {
		return nil, fmt.Errorf("open the uploaded dump: %w", err)
	}
	dump, err := io.ReadAll(io.LimitReader(file, maxDump))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("read the uploaded dump: %w", err)
	}
	return dump, nil
}

// yes reads true or false from a form; nothing is false.
func yes(field, s string) (bool, error) {
	if s == "" {
		return false, nil
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, invalid(field, "one_of", lang.Args{"field": field, "words": "true, false"})
	}
	return b, nil
}

// dumpStates says what becomes of each line, by what the ledger has already.
func (s *Server) dumpStates(ctx context.Context, lines []facility.DumpLine) ([]dumpState, error) {
	var first, last time.Time
	for _, l := range lines {
		at := l.Tap.TappedAt
		if l.Tap.ID == "" {
			continue
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	had := map[string]bool{}
	if !first.IsZero() {
		taps, err := s.options.Watch.Taps(ctx, first, last.Add(time.Second))
		if err != nil {
			return nil, doing("list the taps", err)
		}
		for _, t := range taps {
			had[t.Tap.ID] = true
		}
	}
	states := make([]dumpState, len(lines))
	for i, l := range lines {
		switch {
		case l.Tap.ID == "":
			states[i] = dumpWrong
		case had[l.Tap.ID]:
			states[i] = dumpKnown
		default:
			states[i] = dumpNew
			had[l.Tap.ID] = true
		}
	}
	return states, nil
}

// takeDump hands over the taps that are new, in the order in which they were made.
func (s *Server) takeDump(ctx context.Context, v *visitor, lines []facility.DumpLine, states []dumpState) error {
	var taps []facility.Tap
	wands := map[string]bool{}
	for i, l := range lines {
		if states[i] != dumpNew {
			continue
		}
		taps = append(taps, l.Tap)
		wands[l.Tap.Reader] = true
	}
	slices.SortStableFunc(taps, func(a, b facility.Tap) int { return a.TappedAt.Compare(b.TappedAt) })
	for part := range slices.Chunk(taps, maxTaps) {
		if err := s.options.Desk.TakeTaps(ctx, part); err != nil {
			return doing("keep the taps of a dump", err)
		}
	}
	if len(taps) == 0 {
		return nil
	}
	target := "several wands"
	for w := range wands {
		if len(wands) == 1 {
			target = clip(w, 64)
		}
	}
	s.audit(ctx, v.person.Login, "taps.import", target, fmt.Sprintf("%d of %d lines", len(taps), len(lines)))
	return nil
}

func (v *views) dump(dry bool, lines []facility.DumpLine, states []dumpState) dumpShape {
	shape := dumpShape{DryRun: dry, Lines: []dumpLineShape{}}
	var wrong, others []dumpLineShape
	for i, l := range lines {
		line := dumpLineShape{Line: l.Number, State: states[i]}
		switch states[i] {
		case dumpWrong:
			shape.Wrong++
			line.What, line.Cure = &l.What, &l.Cure
			wrong = append(wrong, line)
			continue
		case dumpKnown:
			shape.Known++
		case dumpNew:
			shape.New++
		}
		if len(others) < mostListed {
			tap := v.tap(facility.JudgedTap{Tap: l.Tap, Checkpoint: l.Tap.Checkpoint, Person: l.Tap.Person})
			line.Tap = &tap
			others = append(others, line)
		}
	}
	shape.Lines = append(shape.Lines, wrong[:min(len(wrong), mostListed)]...)
	shape.Lines = append(shape.Lines, others[:min(len(others), mostListed-len(shape.Lines))]...)
	slices.SortFunc(shape.Lines, func(a, b dumpLineShape) int { return cmp.Compare(a.Line, b.Line) })
	return shape
}
