package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
	"time"

	"gengfu/rules/detect"
)

type sample struct {
	at     time.Time
	values []float64
}

// paceOnce observes all files with a new detector each.
func paceOnce(kind detect.Kind, paths []string) (micros float64, err error) {
	var spent time.Duration
	var samples int
	for _, path := range paths {
		all, err := read(path)
		if err != nil {
			return 0, err
		}
		d, err := detect.New(kind, detect.Settings{Channels: len(all[0].values)})
		if err != nil {
			return 0, err
		}
		begin := time.Now()
		for _, s := range all {
			d.Observe(s.at, s.values...)
		}
		spent += time.Since(begin)
		samples += len(all)
	}
	return spent.Seconds() * 1e6 / float64(samples), nil
}

func read(path string) ([]sample, error) {
	file, err := os.Open(path) // of the folder that the user names
	if err != nil {
		return nil, err
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(rows) < 2 {
		return nil, fmt.Errorf("%s has no rows", path)
	}
	var out []sample
	for _, r := range rows[1:] {
		at, err := time.Parse(time.DateTime, r[0])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		s := sample{at: at}
		for _, cell := range r[1:] {
			value, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			s.values = append(s.values, value)
		}
		out = append(out, s)
	}
	return out, nil
}
