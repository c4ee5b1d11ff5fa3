// Package figure is how the benches say what they measured: a table for people and
// then, for programs, one line for each figure:
//
//	figure NAME VALUE UNIT <=|>= REACH ok|short
package figure

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// Figure is one result and what it is to reach.
type Figure struct {
	Name     string
	Value    float64
	Unit     string
	Reach    float64
	Least    bool // the value is to be at least Reach, else at most
	Decimals int
	Note     string
}

// AtMost returns a figure that is to be small.
func AtMost(name string, value float64, unit string, reach float64, decimals int, note string) Figure {
	return Figure{Name: name, Value: value, Unit: unit, Reach: reach, Decimals: decimals, Note: note}
}

// AtLeast returns a figure that is to be large.
func AtLeast(name string, value float64, unit string, reach float64, decimals int, note string) Figure {
	return Figure{Name: name, Value: value, Unit: unit, Reach: reach, Least: true, Decimals: decimals, Note: note}
}

// Well reports whether the figure reaches what it is to reach.
func (f Figure) Well() bool {
	if f.Least {
		return f.Value >= f.Reach
	}
	return f.Value <= f.Reach
}

func (f Figure) verdict() string {
	if f.Well() {
		return "ok"
	}
	return "short"
}

func (f Figure) relation() string {
	if f.Least {
		return ">="
	}
	return "<="
}

// Table prints the figures for people.
func Table(out io.Writer, figures []Figure) error {
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, f := range figures {
		fmt.Fprintf(table, "%s\t%.*f %s\t%s %.12g\t%s\t%s\n", f.Name, f.Decimals, f.Value, f.Unit, f.relation(), f.Reach, f.verdict(), f.Note)
	}
	return table.Flush()
}

// Lines prints the figures for programs.
func Lines(out io.Writer, figures []Figure) error {
	for _, f := range figures {
		if _, err := fmt.Fprintf(out, "figure %s %.*f %s %s %.12g %s\n", f.Name, f.Decimals, f.Value, f.Unit, f.relation(), f.Reach, f.verdict()); err != nil {
			return err
		}
	}
	return nil
}

// Quantile is the smallest value that at least q of all values do not exceed.
func Quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}

// Load is the machine's load average of the last minute: what else it had to do.
func Load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// Processor is the name of the machine's processor.
func Processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(text)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOOS + "/" + runtime.GOARCH
}
