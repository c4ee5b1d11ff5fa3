package main

import (
	"os"
	"testing"
)

func TestProf(t *testing.T) { measureRate(plan{windows: 3, readings: 300000}, os.Stderr) }
