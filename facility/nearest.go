package facility

// Nearest returns the name that is closest to word by edits of one character,
// or "" when none is close enough to be what was meant. Of equally close names
// the first in the alphabet wins.
func Nearest(word string, names []string) string {
	best, distance := "", len(word)/3+2
	for _, n := range names {
		if d := edits(word, n); d < distance || d == distance && n < best {
			best, distance = n, d
		}
	}
	return best
}

// edits is the Levenshtein distance in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
