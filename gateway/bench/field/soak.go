package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"text/tabwriter"
	"time"

	"gengfu/gateway/bench/figure"
)

// soakLine is what the soak test of package modbus says of one framing.
var soakLine = regexp.MustCompile(`(?m)^(\w+): polls (\d+) wrong (\d+) resync_max (\d+); faults (\d+)`)

// complaints are what it says of single polls.
var complaints = regexp.MustCompile(`(?m)^ *soak_test\.go:\d+: .*$`)

// measureSoak runs the soak test of package modbus for as many polls as the figure
// wants: the real master, in virtual time.
func measureSoak(ctx context.Context, _ *far, p plan, out io.Writer) (figures []figure.Figure, err error) {
	dir, err := os.MkdirTemp("", "gengfu-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the test: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	test := filepath.Join(dir, "modbus.test")
	if said, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", test, "gengfu/devices/modbus").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the soak test: %w\n%s", err, said)
	}
	run := exec.CommandContext(ctx, test, "-test.run", "^TestSoak$", "-test.timeout", "20m", "-polls", strconv.Itoa(p.soak))
	var said bytes.Buffer
	run.Stdout, run.Stderr = &said, &said
	began := time.Now()
	failed := run.Run()
	took := time.Since(began)
	framings := soakLine.FindAllStringSubmatch(said.String(), -1)
	if len(framings) == 0 {
		return nil, fmt.Errorf("the soak test told nothing: %w\n%s", failed, said.Bytes())
	}
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(table, "Soak over 8 slaves in virtual time, %s\tpolls\tspoilt\twrong values\tpolls until right again\n", took.Round(time.Second))
	var polls, wrong, resync float64
	for _, f := range framings {
		fmt.Fprintf(table, "modbus %s\t%s\t%s\t%s\t%s\n", f[1], f[2], f[5], f[3], f[4])
		polls += number(f[2])
		wrong += number(f[3])
		resync = max(resync, number(f[4]))
	}
	note := fmt.Sprintf("in %.0f polls, one in twenty spoilt", polls)
	for _, complaint := range complaints.FindAllString(said.String(), 10) {
		fmt.Fprintln(table, complaint)
	}
	if failed != nil {
		note += "; the test failed: " + failed.Error()
	}
	return []figure.Figure{
		figure.AtMost("soak_wrong_values", wrong, "values", 0, 0, note),
		figure.AtMost("soak_polls_until_right", resync, "polls", 1, 0, "after a fault"),
	}, table.Flush()
}

// number reads digits that were found by an expression for digits.
func number(digits string) float64 {
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		panic(err)
	}
	return n
}
