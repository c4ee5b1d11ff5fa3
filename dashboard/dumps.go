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

// dumpShape is the answer to a dump.
type dumpShape struct {
	DryRun bool            `json:"dry_run"`
	New    int             `json:"new"`
	Known  int             `json:"known"`
	Wrong  int             `json:"wrong"`
	Lines  []dumpLineShape `json:"lines"`
}

type dumpLineShape struct {
	Line  int                `json:"line"`
	State facility.DumpState `json:"state"`
	Tap   *tapShape          `json:"tap,omitempty"`
	What  *facility.Text     `json:"what,omitempty"`
	Cure  *facility.Text     `json:"cure,omitempty"`
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
	states, taps, err := s.dumpStates(ctx, lines, now.UTC())
	if err != nil {
		return err
	}
	if !dry {
		if err := s.takeDump(ctx, v, taps, len(lines)); err != nil {
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

// dumpStates says what becomes of each line, by what the ledger has already, and
// which taps are new.
func (s *Server) dumpStates(ctx context.Context, lines []facility.DumpLine, now time.Time) ([]facility.DumpState, []facility.Tap, error) {
	var there []facility.JudgedTap
	if first, last := facility.DumpSpan(lines); !first.IsZero() {
		var err error
		if there, err = s.options.Watch.Taps(ctx, first, last.Add(time.Second)); err != nil {
			return nil, nil, doing("list the taps", err)
		}
	}
	states, taps := facility.DumpStates(lines, there, now)
	return states, taps, nil
}

// takeDump hands over the taps that are new in a dump of so many lines.
func (s *Server) takeDump(ctx context.Context, v *visitor, taps []facility.Tap, lines int) error {
	if len(taps) == 0 {
		return nil
	}
	target := clip(taps[0].Reader, 64)
	for part := range slices.Chunk(taps, maxTaps) {
		if err := s.options.Desk.TakeTaps(ctx, part); err != nil {
			return doing("keep the taps of a dump", err)
		}
		for _, t := range part {
			if t.Reader != taps[0].Reader {
				target = "several wands"
			}
		}
	}
	s.audit(ctx, v.person.Login, "taps.import", target, fmt.Sprintf("%d of %d lines", len(taps), lines))
	return nil
}

func (v *views) dump(dry bool, lines []facility.DumpLine, states []facility.DumpState) dumpShape {
	shape := dumpShape{DryRun: dry, Lines: []dumpLineShape{}}
	var wrong, others []dumpLineShape
	for i, l := range lines {
		line := dumpLineShape{Line: l.Number, State: states[i]}
		switch states[i] {
		case facility.DumpWrong:
			shape.Wrong++
			line.What, line.Cure = &l.What, &l.Cure
			wrong = append(wrong, line)
			continue
		case facility.DumpKnown:
			shape.Known++
		case facility.DumpNew:
			shape.New++
		}
		if len(others) < mostListed {
			l.Tap.ReceivedAt = v.now
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
