package devices

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gengfu/devices/line"
	"gengfu/devices/profile"
	"gengfu/facility"
)

// Sink takes what the field says. When it returns an error nothing of the batch
// was taken. It is called from the goroutines of all lines.
type Sink interface {
	Readings(ctx context.Context, readings []facility.Reading) error
	Tap(ctx context.Context, tap facility.Tap) error
}

// Options of a field.
type Options struct {
	Sink   Sink
	Logger *slog.Logger     // nil says nothing
	Now    func() time.Time // nil is time.Now
	Memory Memory           // nil forgets with the end of the program
	Force  bool             // run also lines that are planned above 90 % of their time
}

// Field is all lines of one gateway.
type Field struct {
	lines   []owner
	callers *line.Callers // the boxes that dial in
	now     func() time.Time
}

// owner is the one goroutine that holds a line.
type owner interface {
	run(ctx context.Context)
	status(now time.Time) LineStatus
}

// New returns the field that the configuration describes, or all its problems
// joined. Nothing is opened before Run.
func New(lines []LineConfig, devs []DeviceConfig, readers []ReaderConfig, profiles map[string]profile.Profile, opts Options) (*Field, error) {
	check := Validate
	if opts.Force {
		check = Mistakes
	}
	if problems := check(lines, devs, readers, profiles); len(problems) > 0 {
		errs := make([]error, len(problems))
		for i, p := range problems {
			errs[i] = p
		}
		return nil, fmt.Errorf("field: %w", errors.Join(errs...))
	}
	if opts.Sink == nil {
		return nil, errors.New("field: no sink")
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	f := &Field{now: opts.Now}
	var err error
	if f.callers, err = newCallers(lines, opts.Logger); err != nil {
		return nil, fmt.Errorf("field: %w", err)
	}
	for _, l := range lines {
		f.lines = append(f.lines, f.newOwner(l, devs, readers, profiles, opts))
	}
	return f, nil
}

func newCallers(lines []LineConfig, log *slog.Logger) (*line.Callers, error) {
	var boxes []line.TCP
	for _, l := range lines {
		if l.TCP != nil {
			boxes = append(boxes, *l.TCP)
		}
	}
	return line.NewCallers(boxes, log)
}

func (f *Field) newOwner(l LineConfig, devs []DeviceConfig, readers []ReaderConfig, profiles map[string]profile.Profile, opts Options) owner {
	opener := func(ctx context.Context) (connection, error) { return f.open(ctx, l) }
	if !l.Protocol.ofReader() {
		return newBusLine(l, devs, profiles, opts, opener)
	}
	reader := ""
	for _, r := range readers {
		if r.Line == l.ID {
			reader = r.ID
		}
	}
	return newReaderLine(l, reader, opts, opener)
}

// Run reads all lines until the context ends, and returns when all of them have
// stopped. A line that fails is opened again for ever; the error is that of the
// context.
func (f *Field) Run(ctx context.Context) error {
	var all sync.WaitGroup
	all.Go(func() { f.callers.Run(ctx) })
	for _, l := range f.lines {
		all.Go(func() { l.run(ctx) })
	}
	<-ctx.Done()
	all.Wait()
	return ctx.Err()
}

// Status returns the present state of every line, in the order of the
// configuration.
func (f *Field) Status() []LineStatus {
	now := f.now()
	out := make([]LineStatus, len(f.lines))
	for i, l := range f.lines {
		out[i] = l.status(now)
	}
	return out
}

func (f *Field) open(ctx context.Context, l LineConfig) (connection, error) {
	if l.TCP != nil && l.TCP.Listen != "" {
		return f.callers.Open(ctx, *l.TCP)
	}
	return open(ctx, l)
}

// open opens a line alone.
func open(ctx context.Context, l LineConfig) (*line.Conn, error) {
	switch {
	case l.Serial != nil:
		return line.OpenSerial(ctx, l.serial())
	case l.Evdev != nil:
		return line.OpenEvdev(ctx, *l.Evdev)
	case l.TCP.Listen != "":
		return line.Listen(ctx, *l.TCP, nil)
	}
	return line.DialTCP(ctx, *l.TCP)
}
