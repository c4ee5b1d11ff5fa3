package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test program be the far end, as the bench itself is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-far" {
		if err := beFar(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// The figures of this run mean nothing: it is about whether each can be measured.
func TestSmokeRunMeasuresTheFigures(t *testing.T) {
	if testing.Short() {
		t.Skip("polls lines for seconds")
	}
	smoke := plan{windows: 1, least: 2, window: 30 * time.Millisecond, watch: 3 * time.Second, faulty: 40}
	var out strings.Builder
	if err := bench(t.Context(), smoke, "share,tcp,alarm,faults,planner", &out); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + out.String())
	for _, name := range []string{
		"wire_share_9600_2", "wire_share_9600_10", "wire_share_9600_60", "wire_share_19200_2", "wire_share_19200_10",
		"wire_share_19200_60", "wire_share_115200_10", "wire_share_115200_60", "wire_share_to_simonvetter", "wire_cpu_9600_10",
		"tcp_values_per_cpu_second", "tcp_allocations_per_poll", "alarm_to_journal_p99",
		"faulty_line_wrong_values", "planner_saving",
	} {
		_, line, found := strings.Cut(out.String(), "\nfigure "+name+" ")
		line, _, _ = strings.Cut(line, "\n")
		var value, reach float64
		var unit, relation, verdict string
		if n, err := fmt.Sscanf(line, "%g %s %s %g %s", &value, &unit, &relation, &reach, &verdict); !found || err != nil || n != 5 {
			t.Errorf("%s: line %q: %v", name, line, err)
			continue
		}
		well := value <= reach
		if relation == ">=" {
			well = value >= reach
		}
		if value < 0 || (verdict == "ok") != well {
			t.Errorf("%s: line %q cannot be", name, line)
		}
	}
}

func TestTheLimitIsThatOfTheWire(t *testing.T) {
	// 8 and 5+2×10 characters of ten bits, and twice 3.5 characters.
	if got, want := settings["9600"].limit(10), 41_666*time.Microsecond; got.Truncate(time.Microsecond) != want {
		t.Errorf("9600 8N1: %s, want %s", got, want)
	}
	// Above 19200 baud the silence is 1.75 ms.
	if got, want := settings["115200"].limit(10), 6_364*time.Microsecond; got.Truncate(time.Microsecond) != want {
		t.Errorf("115200 8N1: %s, want %s", got, want)
	}
}

func TestNoTwoStretchesLookAlike(t *testing.T) {
	seen := map[string]string{}
	for unit := 1; unit <= faultySlaves; unit++ {
		words := pattern(unit, 4*faultySpots)
		for spot := range faultySpots {
			text := fmt.Sprint(words[4*spot:][:4])
			at := fmt.Sprintf("slave %d, stretch %d", unit, spot)
			if other, taken := seen[text]; taken {
				t.Errorf("%s and %s hold the same", at, other)
			}
			seen[text] = at
		}
	}
}
