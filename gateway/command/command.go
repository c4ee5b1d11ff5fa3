// Package command is the command line: it reads flags, calls the rest of the
// house, and prints what people and programs want to read.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"gengfu/gateway/config"
)

// cli is every command with its flags.
type cli struct {
	Run       runCommand       `cmd:"" help:"Run the gateway of a site."`
	Demo      demoCommand      `cmd:"" help:"Run the gateway on a simulated estate; nothing else is needed."`
	Check     checkCommand     `cmd:"" help:"Check a configuration: file, line, and what to write instead."`
	Read      readCommand      `cmd:"" help:"Read one device now and show what it says."`
	Scan      scanCommand      `cmd:"" help:"Look for devices on a line, whatever they speak, and name them."`
	Sniff     sniffCommand     `cmd:"" help:"Listen to a line without sending anything, and show what is said."`
	Trace     traceCommand     `cmd:"" help:"Show the frames of a line of the gateway that runs."`
	Replay    replayCommand    `cmd:"" help:"Decode again what trace or sniff kept, and show what differs."`
	Write     writeCommand     `cmd:"" help:"Write one value of a device, where profile and site file allow it; asks before."`
	Doctor    doctorCommand    `cmd:"" help:"Find out why a line or a device does not answer, and say what to do."`
	Simulate  simulateCommand  `cmd:"" help:"Make something happen in a running demo: break a pump, burst a pipe, tap a checkpoint."`
	Simulator simulatorCommand `cmd:"" help:"Put simulated devices on a serial line or a socket, with faults by name and rate."`
	Wand      wandCommand      `cmd:"" help:"Bring in what a patrol wand has kept."`
	History   historyCommand   `cmd:"" help:"Bring history out, in, and from the embedded engine to InfluxDB."`
	Detect    detectCommand    `cmd:"" help:"Run an anomaly detector over a CSV table, in one pass."`
	Rules     rulesCommand     `cmd:"" help:"Prove rules: what they select, what they do in scenarios, what they would have done in the past."`
	User      userCommand      `cmd:"" help:"Add, list and change the people who may sign in."`
	Health    healthCommand    `cmd:"" help:"Ask a running gateway whether it is ready; exit status 0 is yes."`
	Version   versionCommand   `cmd:"" help:"Print the version."`

	LogLevel string `help:"How much to log: debug, info, warn or error." enum:"debug,info,warn,error" default:"info" env:"GENGFU_LOG"`
}

// console is what a command needs of the world around it.
type console struct {
	ctx     context.Context
	version string
	in      io.Reader
	out     io.Writer
	err     io.Writer
	log     *slog.Logger
}

const description = `Gengfu 更夫, the gateway of a residential property.

Start with "gengfu demo" and open the address that it prints. For a site of your
own, copy configs/example.yaml, run "gengfu check --config FILE" until it has
nothing left to say, then "gengfu run --config FILE --data DIR".

Exit status: 0 done, 1 failed, 2 wrong use or a wrong configuration, 130
interrupted.`

// exit is how a parsed --help or a refused flag ends the program.
type exit struct{ code int }

// The exit statuses.
const (
	done        = 0
	failed      = 1
	wrong       = 2   // wrong use, or a wrong configuration
	interrupted = 130 // as shells say it
)

// errReported says that the configuration is wrong and that this has been told.
var errReported = errors.New("the configuration is wrong")

// errTold says that what was tested failed and that this has been told.
var errTold = errors.New("a test failed")

// Main runs one command and returns the exit status: 0 done, 1 failed, 2 wrong
// use or a wrong configuration, 130 interrupted. A gateway that is told to stop
// is done.
func Main(ctx context.Context, version string, args []string, in io.Reader, out, errOut io.Writer) (code int) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case exit:
			code = e.code
		default:
			panic(e)
		}
	}()
	var c cli
	parser, err := kong.New(&c,
		kong.Name("gengfu"),
		kong.Description(description),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Writers(out, errOut),
		kong.Exit(func(code int) { panic(exit{code}) }),
	)
	if err != nil {
		panic(err) // the struct above is constant
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(errOut, "gengfu: %v\nTry \"gengfu %s--help\".\n", err, commandOf(err))
		return wrong
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		panic(err) // the enum above allows only levels
	}
	con := &console{
		ctx: ctx, version: version, in: in, out: out, err: errOut,
		log: slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: level})),
	}
	return status(ctx, parsed.Run(con), errOut)
}

// commandOf names the command whose use was wrong, followed by a space; it is
// empty when there was none.
func commandOf(err error) string {
	var wrongUse *kong.ParseError
	if !errors.As(err, &wrongUse) || wrongUse.Context.Command() == "" {
		return ""
	}
	words := strings.Fields(wrongUse.Context.Command())
	words = slices.DeleteFunc(words, func(w string) bool { return strings.HasPrefix(w, "<") || strings.HasPrefix(w, "[") })
	return strings.Join(words, " ") + " "
}

// status tells how a command ended.
func status(ctx context.Context, err error, errOut io.Writer) int {
	var report config.Report
	switch {
	case err == nil:
		return done
	case errors.Is(err, errReported):
		return wrong
	case errors.Is(err, errTold):
		return failed
	case errors.As(err, &report):
		fmt.Fprintf(errOut, "%v\n", report)
		return wrong
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Fprintln(errOut, "gengfu: interrupted")
		return interrupted
	}
	fmt.Fprintf(errOut, "gengfu: %v\n", err)
	return failed
}

// dataFlag is where a site keeps everything that must last.
type dataFlag struct {
	Data string `help:"Folder for everything that must last." default:"data/site" env:"GENGFU_DATA" type:"path"`
}

// demoDataFlag is the same for the demo, whose people and past must not get among
// those of a site.
type demoDataFlag struct {
	Data string `help:"Folder for everything that must last." default:"data/demo" env:"GENGFU_DATA" type:"path"`
}

// listenFlag is where the dashboard is.
type listenFlag struct {
	Listen string `help:"Address of the dashboard, instead of the site file's." placeholder:"ADDR" env:"GENGFU_LISTEN"`
}

// createFolder makes the data folder where it is not there.
func createFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create the data folder: %w", err)
	}
	return nil
}

// untilStopped is the error of a gateway's end: that it was told to stop while it
// was still starting is none.
func untilStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

type versionCommand struct{}

func (versionCommand) Run(c *console) error {
	_, err := fmt.Fprintln(c.out, "gengfu", c.version)
	return err
}
