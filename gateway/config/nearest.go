package config

import (
	"slices"
	"strings"
)

// nearest returns the name that the word was probably meant to be, or "".
func nearest(word string, names []string) string {
	best, at := "", 1+len(word)/3
	for _, n := range slices.Sorted(slices.Values(names)) {
		if d := distance(word, n); d <= at {
			best, at = n, d-1
		}
	}
	return best
}

// distance is the Levenshtein distance of two words in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// list writes names as one sorted enumeration.
func list(names []string) string {
	return strings.Join(slices.Sorted(slices.Values(names)), ", ")
}
