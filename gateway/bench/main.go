// Command bench measures the finished program as a whole process, the way its
// users meet it: how soon "gengfu demo" is ready, what it weighs, and how long a
// bit takes from the register of a simulated slave to a page's event stream.
//
// It prints one table and then a line for each figure:
//
//	figure NAME VALUE UNIT <= REACH ok|short
//
// A figure that falls short is no failure of the bench; the exit status is 1 only
// when something could not be measured. It needs Linux, for /proc.
package main

import (
	"context"
	"debug/elf"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"gengfu/gateway/bench/figure"
)

// plan is how much is measured.
type plan struct {
	starts  int           // on an empty folder, and as many on a used one
	settle  time.Duration // before weight is read
	samples int           // of the way from a register to the page
}

var (
	whole = plan{starts: 5, settle: time.Minute, samples: 210}
	smoke = plan{starts: 1, settle: 3 * time.Second, samples: 6}
)

func main() {
	binary := flag.String("gengfu", "bin/gengfu", "the `program` to measure")
	short := flag.Bool("short", false, "a smoke run of seconds: its figures mean little")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := whole
	if *short {
		p = smoke
	}
	if err := bench(ctx, *binary, p, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench measures everything and prints it.
func bench(ctx context.Context, binary string, p plan, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "gengfu-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo's data: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	before := figure.Load()
	size, err := binarySize(binary)
	if err != nil {
		return err
	}
	starts, err := measureStarts(ctx, binary, dir, p)
	if err != nil {
		return err
	}
	rest, err := measureRunning(ctx, binary, dir, p)
	if err != nil {
		return err
	}
	figures := append(append(starts, rest...), size)
	fmt.Fprintf(out, "%s, %d processors, load average %s before and %s after\n\n", figure.Processor(), runtime.NumCPU(), before, figure.Load())
	if err := figure.Table(out, figures); err != nil {
		return err
	}
	fmt.Fprintln(out)
	return figure.Lines(out, figures)
}

const megabyte = 1e6 // bytes

// binarySize weighs the program's file, and says when it carries symbols that a
// release does not.
func binarySize(path string) (figure.Figure, error) {
	info, err := os.Stat(path)
	if err != nil {
		return figure.Figure{}, fmt.Errorf("weigh the program: %w", err)
	}
	f := figure.AtMost("binary_size", float64(info.Size())/megabyte, "MB", 45, 1, "stripped")
	if program, err := elf.Open(path); err == nil {
		defer program.Close() //nolint:errcheck // it was only read
		if program.Section(".symtab") != nil {
			f.Note = "not stripped: build it with -ldflags \"-s -w\""
		}
	}
	return f, nil
}
