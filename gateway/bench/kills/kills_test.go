package main

import (
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	if code, was := asHub(); was {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// TestNothingIsLostOrDoubled is a short run of the bench.
func TestNothingIsLostOrDoubled(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	t.Setenv("TMPDIR", t.TempDir())
	var out strings.Builder
	err := run(20, 2, 1, &out)
	t.Log(out.String())
	if err != nil || !strings.Contains(out.String(), "figure kills_lost 0 times") || !strings.Contains(out.String(), "figure kills 20 ") {
		t.Error(err)
	}
}
