package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"gengfu/devices/wand"
	"gengfu/facility"
	"gengfu/gateway/config"
	"gengfu/gateway/daemon"
	"gengfu/storage/ledger"
)

type wandCommand struct {
	Import wandImport `cmd:"" help:"Bring in the dump of a patrol wand; the same dump again adds nothing."`
}

// wandImport sends the dump to a gateway that runs, or puts its taps into the data
// folder of one that does not.
type wandImport struct {
	File   string `arg:"" help:"The dump as CSV, in UTF-8 or GBK." type:"existingfile"`
	Map    string `help:"Which column says what, by heading or number, as 'time=巡检时间,checkpoint=3'; also date, guard, wand and layout (as YYYY-MM-DD hh:mm:ss). Without it the usual headings." placeholder:"COLUMNS"`
	Wand   string `help:"Number of the wand, where no column has it."`
	Guard  string `help:"Login, badge or name of who carried it, where no column has it."`
	DryRun bool   `help:"Take nothing; say of every line what would become of it."`
	JSON   bool   `help:"Print what became of it as JSON, for programs."`

	Login    string `help:"Who brings it in, at the gateway that runs; the password is asked for, or read from standard input." group:"A gateway that runs:"`
	Address  string `help:"Address of its dashboard." default:"http://127.0.0.1:8080" env:"GENGFU_ADDRESS" group:"A gateway that runs:"`
	Insecure bool   `help:"Take any certificate: over HTTPS on this machine its name is not 127.0.0.1." env:"GENGFU_INSECURE" group:"A gateway that runs:"`

	Config string `help:"Its site file." placeholder:"FILE" env:"GENGFU_CONFIG" type:"path" group:"A gateway that does not run:"`
	Data   string `help:"Its data folder." default:"data/site" env:"GENGFU_DATA" type:"path" group:"A gateway that does not run:"`
}

// dumpReport is what became of a dump, as docs/api.md has it.
type dumpReport struct {
	DryRun bool             `json:"dry_run"`
	New    int              `json:"new"`
	Known  int              `json:"known"`
	Wrong  int              `json:"wrong"`
	Lines  []dumpReportLine `json:"lines"`

	zone *time.Location // of the site
}

type dumpReportLine struct {
	Line  int                `json:"line"`
	State facility.DumpState `json:"state"`
	Tap   *dumpReportTap     `json:"tap,omitempty"`
	What  *facility.Text     `json:"what,omitempty"`
	Cure  *facility.Text     `json:"cure,omitempty"`
}

type dumpReportTap struct {
	ID         string    `json:"id"`
	Reader     string    `json:"reader"`
	Checkpoint string    `json:"checkpoint"`
	Person     string    `json:"person,omitempty"`
	TappedAt   time.Time `json:"tapped_at"`
}

func (cmd wandImport) Run(c *console) error {
	dump, err := readDump(cmd.File)
	if err != nil {
		return err
	}
	var report dumpReport
	switch {
	case cmd.Login != "":
		report, err = cmd.send(c, dump)
	case cmd.Config != "":
		report, err = cmd.put(c, dump)
	default:
		return errors.New("where to? Name --login for a gateway that runs, or --config and --data for one that does not")
	}
	if err != nil {
		return fmt.Errorf("bring in %s: %w", cmd.File, err)
	}
	if cmd.JSON {
		enc := json.NewEncoder(c.out)
		enc.SetIndent("", "  ")
		return enc.Encode(report)
	}
	return report.print(c.out)
}

func readDump(path string) (dump []byte, err error) {
	f, err := os.Open(path) // the path is the user's
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, wand.MaxBytes+1))
}

func (cmd wandImport) options() facility.DumpOptions {
	return facility.DumpOptions{Columns: cmd.Map, Wand: cmd.Wand, Guard: cmd.Guard}
}

// put reads the dump against the register of the data folder and puts its taps
// there.
func (cmd wandImport) put(c *console, dump []byte) (report dumpReport, err error) {
	cfg, err := config.Load(cmd.Config)
	if err != nil {
		return report, err
	}
	var taps []facility.Tap
	flags := ledgerFlags{dataFlag: dataFlag{Data: cmd.Data}, Site: cfg.Site.ID}
	err = flags.with(c, func(l *ledger.Ledger) error {
		people, err := l.People(c.ctx)
		if err != nil {
			return err
		}
		now := time.Now().UTC()
		lines, err := wand.Read(dump, cmd.options(), wand.House{
			Zone: cfg.Estate.Site.Zone, Now: now, Checkpoints: cfg.Estate.Checkpoints, People: people,
		})
		if err != nil {
			return err
		}
		first, last := facility.DumpSpan(lines)
		there, err := l.Taps(c.ctx, first, last.Add(time.Second))
		if err != nil {
			return err
		}
		var states []facility.DumpState
		states, taps = facility.DumpStates(lines, there, now)
		report = dumpReportOf(cmd.DryRun, lines, states)
		report.zone = cfg.Estate.Site.Zone
		return nil
	})
	if err != nil || cmd.DryRun || len(taps) == 0 {
		return report, err
	}
	if err := daemon.Deposit(c.ctx, cmd.Data, cfg.Site.ID, taps, c.log); err != nil {
		return report, fmt.Errorf("%w; to a gateway that runs, send it with --login", err)
	}
	return report, nil
}

func dumpReportOf(dry bool, lines []facility.DumpLine, states []facility.DumpState) dumpReport {
	r := dumpReport{DryRun: dry, Lines: []dumpReportLine{}}
	for i, l := range lines {
		line := dumpReportLine{Line: l.Number, State: states[i]}
		switch states[i] {
		case facility.DumpWrong:
			r.Wrong++
			line.What, line.Cure = &l.What, &l.Cure
		case facility.DumpKnown:
			r.Known++
		case facility.DumpNew:
			r.New++
		}
		if states[i] != facility.DumpWrong {
			line.Tap = &dumpReportTap{l.Tap.ID, l.Tap.Reader, l.Tap.Checkpoint, l.Tap.Person, l.Tap.TappedAt}
		}
		r.Lines = append(r.Lines, line)
	}
	return r
}

// print tells of every line in a dry run, and else of those that are wrong.
func (r dumpReport) print(w io.Writer) error {
	for _, l := range r.Lines {
		var err error
		switch {
		case l.State == facility.DumpWrong:
			_, err = fmt.Fprintf(w, "line %d: %s %s\n", l.Line, l.What.EN, l.Cure.EN)
		case r.DryRun:
			_, err = fmt.Fprintf(w, "line %d: %s, %s at %s with wand %s, %s\n",
				l.Line, l.State, carrier(l.Tap.Person), l.Tap.Checkpoint, l.Tap.Reader, l.Tap.TappedAt.In(r.zone).Format(time.DateTime))
		}
		if err != nil {
			return err
		}
	}
	taken := "taken"
	if r.DryRun {
		taken = "would be taken"
	}
	_, err := fmt.Fprintf(w, "%d %s, %d known already, %d wrong\n", r.New, taken, r.Known, r.Wrong)
	return err
}

func carrier(login string) string {
	if login == "" {
		return "nobody known"
	}
	return login
}
