package facility

// DumpOptions says how the dump of a patrol wand is to be read.
type DumpOptions struct {
	Columns string // which column says what, as "time=巡检时间,checkpoint=3"; "" is by the usual headings
	Wand    string // number of the wand, where no column has it
	Guard   string // login, badge or name of who carried it, where no column has it
}

// DumpLine is one line of the dump of a patrol wand: a tap, or what is wrong.
type DumpLine struct {
	Number int  // in the file, from 1
	Tap    Tap  // where nothing is wrong; the line is always the same tap
	What   Text // what is wrong, as a sentence; empty for nothing
	Cure   Text // what to do about it, as a sentence
}

// DumpError says that a dump as a whole cannot be read.
type DumpError struct{ What, Cure Text }

func (e *DumpError) Error() string { return e.What.EN + " " + e.Cure.EN }

// Unwrap makes it an ErrInvalid.
func (e *DumpError) Unwrap() error { return ErrInvalid }
