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
}

// Field is all lines of one gateway.
type Field struct {
	lines []owner
	now   func() time.Time
}

// owner is the one goroutine that holds a line.
type owner interface {
	run(ctx context.Context)
	status(now time.Time) LineStatus
}

// New returns the field that the configuration describes, or all its problems
// joined. Nothing is opened before Run.
func New(lines []LineConfig, devs []DeviceConfig, readers []ReaderConfig, profiles map[string]profile.Profile, opts Options) (*Field, error) {
	if problems := Validate(lines, devs, readers, profiles); len(problems) > 0 {
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
	for _, l := range lines {
		f.lines = append(f.lines, newOwner(l, devs, readers, profiles, opts))
	}
	return f, nil
}

func newOwner(l LineConfig, devs []DeviceConfig, readers []ReaderConfig, profiles map[string]profile.Profile, opts Options) owner {
	if !l.Protocol.ofReader() {
		return newBusLine(l, devs, profiles, opts)
	}
	reader := ""
	for _, r := range readers {
		if r.Line == l.ID {
			reader = r.ID
		}
	}
	return newReaderLine(l, reader, opts)
}

// Run reads all lines until the context ends, and returns when all of them have
// stopped. A line that fails is opened again for ever; the error is that of the
// context.
func (f *Field) Run(ctx context.Context) error {
	var all sync.WaitGroup
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

func open(ctx context.Context, l LineConfig) (*line.Conn, error) {
	if l.Serial != nil {
		return line.OpenSerial(ctx, *l.Serial)
	}
	return line.DialTCP(ctx, *l.TCP)
}
