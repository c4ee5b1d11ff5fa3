package facility

import "fmt"

// Problem is a mistake in what somebody wrote: a configuration, a profile, a
// rule. Whoever read the text adds the file and line from Path.
type Problem struct {
	Path string // where in the document, as "lines[0].devices[2].address"; "" is the whole
	What string // what is wrong, as a sentence
	Cure string // what to write instead, as a sentence
	At   int    // in characters from the beginning of the text at Path
}

// Error makes a problem usable as an error.
func (p Problem) Error() string {
	s := p.What
	if p.Path != "" {
		s = fmt.Sprintf("%s: %s", p.Path, p.What)
	}
	if p.Cure != "" {
		s += " " + p.Cure
	}
	return s
}

// Under returns the problems with their paths below prefix.
func Under(prefix string, problems []Problem) []Problem {
	out := make([]Problem, len(problems))
	for i, p := range problems {
		switch {
		case prefix == "":
		case p.Path == "":
			p.Path = prefix
		case p.Path[0] == '[':
			p.Path = prefix + p.Path
		default:
			p.Path = prefix + "." + p.Path
		}
		out[i] = p
	}
	return out
}
