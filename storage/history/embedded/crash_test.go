package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gengfu/storage/history"
	"gengfu/storage/history/embedded"
)

const crashFile = "GENGFU_TEST_CRASH_FILE"

func crashOptions(path string) embedded.Options {
	return embedded.Options{Path: path, HeadLimit: 500} // packs each few Writes
}

// crashRows are the rows of the batch with the given number.
func crashRows(batch int) []history.Row {
	rows := meterRows(5, 20, time.Second)
	for i := range rows {
		rows[i].Time = rows[i].Time.Truncate(time.Second).Add(time.Duration(batch) * 20 * time.Second)
		rows[i].Value = float64(batch)
	}
	return rows
}

// TestMain is the process that is killed, when it is told so: it writes batch by
// batch, on from the number in its environment, and says which ones were taken.
func TestMain(m *testing.M) {
	path := os.Getenv(crashFile)
	if path == "" {
		goleak.VerifyTestMain(m)
	}
	first, err := strconv.Atoi(os.Getenv("GENGFU_TEST_CRASH_FROM"))
	if err == nil {
		err = writeForEver(path, first)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func writeForEver(path string, batch int) error {
	s, err := embedded.Open(context.Background(), crashOptions(path))
	if err != nil {
		return err
	}
	for ; ; batch++ {
		if err := s.Write(context.Background(), crashRows(batch)); err != nil {
			return err
		}
		if _, err := fmt.Println(batch); err != nil {
			return err
		}
	}
}

// What Write took is there after the process was killed in the middle of the
// next one, wherever that was.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	taken := -1
	for range 8 {
		taken = runUntilKilled(t, path, taken+1, 5+rand.IntN(40))
		s, err := embedded.Open(context.Background(), crashOptions(path))
		if err != nil {
			t.Fatalf("open after the kill: %v", err)
		}
		checkTaken(t, s, taken)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
	}
}

// runUntilKilled returns the last batch that the process said was taken.
func runUntilKilled(t *testing.T, path string, first, batches int) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashFile+"="+path, fmt.Sprint("GENGFU_TEST_CRASH_FROM=", first))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	taken := first - 1
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if taken, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
		if taken == first+batches {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || taken < first+batches {
		t.Fatalf("the process ended by itself at batch %d: %v", taken, err)
	}
	return taken
}

func checkTaken(t *testing.T, s *embedded.Store, taken int) {
	t.Helper()
	for p := range 5 {
		// The batch after the last one may be there, but then whole.
		got, err := s.Query(context.Background(), meterPoint(p), kind, begin, begin.Add(time.Duration(taken+2)*20*time.Second), 20*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) < taken+1 {
			t.Fatalf("meter %d has %d batches, %d were taken", p, len(got), taken+1)
		}
		for i, b := range got {
			if b.Count != 20 || b.Min != float64(i) || b.Max != float64(i) {
				t.Errorf("batch %d of meter %d: %+v", i, p, b)
			}
		}
	}
}
