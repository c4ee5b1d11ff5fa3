package dashboard

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"gengfu/facility"
)

// maxFigures is the longest period of which alarms are measured.
const maxFigures = 366 * 24 * time.Hour

// AlarmFigures say how good the alarms of a period were for those who answer them, and
// how they are now.
type AlarmFigures struct {
	From, To       time.Time
	Duty           int // persons who answer alarms
	Told           int // alarms that people were told of
	Representative bool

	Rate, Peak, Flood, Chattering, Standing, High, Urgent, Top AlarmFigure

	Priorities        map[facility.Priority]int
	Sources           []AlarmSource // the ten of which people were told most
	Acknowledged      int
	AckMedian, AckP90 time.Duration

	ChatteringNow []AlarmChatter
	Stale         []facility.Alarm
	FloodSince    time.Time // zero for none
}

// AlarmFigure is a figure beside its limit.
type AlarmFigure struct {
	Value  float64 `json:"value"`
	Limit  float64 `json:"limit"`
	Within bool    `json:"within"`
	Source string  `json:"source"` // of the limit
}

// AlarmSource is how much of what people were told came of one key.
type AlarmSource struct {
	Key    string        `json:"key"`
	Title  facility.Text `json:"title"`
	Device string        `json:"device,omitempty"`
	Count  int           `json:"count"`
	Share  float64       `json:"share"` // of all, 0 to 1
}

// AlarmChatter is an alarm that comes and goes too often.
type AlarmChatter struct {
	Key   string        `json:"key"`
	Title facility.Text `json:"title"`
	Since time.Time     `json:"since"`
	Count int           `json:"count"` // raises since then
}

type figuresShape struct {
	From           time.Time                 `json:"from"`
	To             time.Time                 `json:"to"`
	Duty           int                       `json:"duty"`
	Told           int                       `json:"told"`
	Representative bool                      `json:"representative"`
	Rate           AlarmFigure               `json:"rate"`
	Peak           AlarmFigure               `json:"peak"`
	Flood          AlarmFigure               `json:"flood"`
	Chattering     AlarmFigure               `json:"chattering"`
	Standing       AlarmFigure               `json:"standing"`
	High           AlarmFigure               `json:"high"`
	Urgent         AlarmFigure               `json:"urgent"`
	Top            AlarmFigure               `json:"top"`
	Priorities     map[facility.Priority]int `json:"priorities"`
	Sources        []AlarmSource             `json:"sources"`
	Acknowledged   int                       `json:"acknowledged"`
	AckMedian      float64                   `json:"ack_median"`
	AckP90         float64                   `json:"ack_p90"`
	Now            presentShape              `json:"now"`
}

type presentShape struct {
	Chattering []AlarmChatter `json:"chattering"`
	Stale      []alarmShape   `json:"stale"`
	FloodSince *time.Time     `json:"flood_since,omitempty"`
}

func (s *Server) alarmFigures(c *fiber.Ctx, _ *visitor) error {
	if s.options.Figures == nil {
		return fail("not_found")
	}
	to, err := instant(c, "to", s.now().UTC().Truncate(time.Second))
	if err != nil {
		return err
	}
	from, err := instant(c, "from", to.Add(-30*24*time.Hour))
	if err != nil {
		return err
	}
	if span := to.Sub(from); span <= 0 || span > maxFigures || !from.Before(s.now()) {
		return invalid("from", "figures_range", nil)
	}
	f, err := s.options.Figures.AlarmFigures(c.UserContext(), from, to)
	if err != nil {
		return doing("measure the alarms", err)
	}
	view, err := s.view(c)
	if err != nil {
		return err
	}
	return c.JSON(view.figures(f))
}

func (v *views) figures(f AlarmFigures) figuresShape {
	shape := figuresShape{
		From: f.From.UTC(), To: f.To.UTC(), Duty: f.Duty, Told: f.Told, Representative: f.Representative,
		Rate: f.Rate, Peak: f.Peak, Flood: f.Flood, Chattering: f.Chattering, Standing: f.Standing,
		High: f.High, Urgent: f.Urgent, Top: f.Top, Priorities: map[facility.Priority]int{},
		Sources: f.Sources, Acknowledged: f.Acknowledged, AckMedian: f.AckMedian.Seconds(), AckP90: f.AckP90.Seconds(),
		Now: presentShape{Chattering: []AlarmChatter{}, Stale: v.alarms(f.Stale), FloodSince: utc(f.FloodSince)},
	}
	for _, p := range []facility.Priority{facility.P1, facility.P2, facility.P3, facility.P4} {
		shape.Priorities[p] = f.Priorities[p]
	}
	if shape.Sources == nil {
		shape.Sources = []AlarmSource{}
	}
	for _, c := range f.ChatteringNow {
		c.Since = c.Since.UTC()
		shape.Now.Chattering = append(shape.Now.Chattering, c)
	}
	return shape
}
