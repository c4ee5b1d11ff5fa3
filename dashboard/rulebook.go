package dashboard

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gengfu/dashboard/lang"
	"gengfu/facility"
)

// RuleBook is all rules that the gateway judges by, those of files and those that are
// made or overridden here. Who may do what is checked there too.
type RuleBook interface {
	// Rules returns those that count, and those of its own that fit the estate no longer.
	Rules(ctx context.Context) ([]RuleShape, error)
	// Rule returns one, also one of its own that was taken back.
	Rule(ctx context.Context, id string) (RuleDetailShape, error)
	// CheckRule says what is wrong with a rule, and what it would be judged on.
	CheckRule(ctx context.Context, source string) (RuleCheckShape, error)
	// SaveRule makes, changes or takes back a rule. It fails with *RuleMistakesError for one
	// that is wrong, with facility.ErrConflict when somebody else saved it since it was
	// read, and with facility.ErrUnlawful when there is nothing to take back.
	SaveRule(ctx context.Context, by facility.Person, ask RuleSaving) (RuleDetailShape, error)
	// Backtest says what a rule would have made of the history, ready for JSON. It calls
	// progress now and then with what is done, from 0 to 1, on the caller's goroutine.
	Backtest(ctx context.Context, ask BacktestAsk, progress func(done float64)) (any, error)
}

// Where a rule comes from.
const (
	RuleOfFile     = "file"
	RuleOwn        = "own"      // made in the dashboard
	RuleOverridden = "override" // made in the dashboard, in place of one of a file
)

// RuleShape is a rule as lists show it. The register of people fills in AuthorName.
type RuleShape struct {
	ID         string            `json:"id"`
	Name       facility.Text     `json:"name"`
	Advice     facility.Text     `json:"advice"`
	Priority   facility.Priority `json:"priority"`
	Origin     string            `json:"origin"`
	File       string            `json:"file"`
	Devices    []string          `json:"devices"` // that it is judged on
	Condition  string            `json:"condition"`
	Version    int               `json:"version"` // of the last saving here, 0 for none
	Author     string            `json:"author"`
	AuthorName string            `json:"author_name"`
	At         *time.Time        `json:"at"`
	Standing   int               `json:"standing"`           // alarms
	LeftOut    []RuleProblem     `json:"left_out,omitempty"` // why the last saving does not count
}

// RuleDetailShape is all of a rule.
type RuleDetailShape struct {
	Rule     RuleShape          `json:"rule"`
	Source   string             `json:"source"`            // YAML that counts now, empty when nothing does
	OfFile   string             `json:"of_file,omitempty"` // what the files say, where that does not count
	Versions []RuleVersionShape `json:"versions"`          // newest first
	Points   []string           `json:"points"`            // that it hangs on, those that it names first before the others
	Learns   bool               `json:"learns,omitempty"`  // it asks what is usual: its alarms can be taken as usual
}

// RuleVersionShape is one saving of a rule.
type RuleVersionShape struct {
	Version    int       `json:"version"`
	At         time.Time `json:"at"`
	Author     string    `json:"author"`
	AuthorName string    `json:"author_name"`
	Reason     string    `json:"reason"`
	Source     string    `json:"source"` // empty: taken back
}

// RuleProblem is a mistake in the text of a rule.
type RuleProblem struct {
	Path   string        `json:"path"`
	Line   int           `json:"line"` // from 1; 0 when it concerns the whole
	Column int           `json:"column"`
	What   facility.Text `json:"what"`
	Cure   facility.Text `json:"cure"`
}

// RuleMistake is the problem with what is wrong and what to write instead, as whoever
// found it says that in English. A sentence that begins with its column and all of the
// condition is told without: the place is known.
func RuleMistake(path string, line, column int, what, cure string) RuleProblem {
	if _, short, ok := strings.Cut(what, "`: "); ok && line > 0 && strings.HasPrefix(what, "At column ") {
		what = short
	}
	return RuleProblem{Path: path, Line: line, Column: column, What: lang.Mistake(what), Cure: lang.Mistake(cure)}
}

// RuleCheckShape is what is wrong with a rule, and what it would be judged on.
type RuleCheckShape struct {
	Problems []RuleProblem `json:"problems"`
	Devices  []string      `json:"devices"`
	Points   []string      `json:"points"` // that it hangs on, those that it names first before the others
}

// RuleSaving is what a person wants of a rule.
type RuleSaving struct {
	ID      string
	Source  string // YAML; empty takes back what was made here
	Reason  string
	Version int // that was read
}

// BacktestAsk is what is to be tried: a rule that counts, or one that is written only.
type BacktestAsk struct {
	Rule     string
	Source   string
	From, To time.Time
}

// Errors of a backtest that has nothing to judge.
var (
	ErrNoDevice  = fmt.Errorf("the rule selects no device of the site: %w", facility.ErrInvalid)
	ErrNoHistory = fmt.Errorf("the history has nothing of its devices in that time: %w", facility.ErrInvalid)
)

// RuleMistakesError says that the text of a rule is wrong. It is an ErrInvalid.
type RuleMistakesError struct{ Problems []RuleProblem }

func (e *RuleMistakesError) Error() string {
	if len(e.Problems) == 0 {
		return "the rule is wrong"
	}
	p := e.Problems[0]
	return fmt.Sprintf("line %d: %s (%d problems in all)", p.Line, p.What.EN, len(e.Problems))
}

// Unwrap makes it an ErrInvalid.
func (e *RuleMistakesError) Unwrap() error { return facility.ErrInvalid }
