package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestDetectorsReachTheirMarks needs the labelled series, which are not part of this
// project: GENGFU_SERIES names their folder.
func TestDetectorsReachTheirMarks(t *testing.T) {
	data := os.Getenv("GENGFU_SERIES")
	if data == "" {
		data = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(filepath.Join(data, "score", "score_all.py")); err != nil {
		t.Skip("no labelled series: GENGFU_SERIES names no folder of them")
	}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3 for the scorer of the labelled series")
	}
	results := t.TempDir()
	if _, err := detectAll(t.Context(), data, results); err != nil {
		t.Fatal(err)
	}
	m, err := score(t.Context(), data, results)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figuresOf(m, nil) { // how fast it is, the bench tells
		if !f.Well() {
			t.Errorf("%s is %.*f %s, to reach %g", f.Name, f.Decimals, f.Value, f.Unit, f.Reach)
		}
	}
}
