package rules

// Truth is what is known of a statement. Bad, stale and missing data are Unknown,
// and so is what follows from them and only from them:
//
//	and      false    unknown  true        or       false    unknown  true        not
//	false    false    false    false       false    false    unknown  true        true
//	unknown  false    unknown  unknown     unknown  unknown  unknown  true        unknown
//	true     false    unknown  true        true     true     true     true        false
//
// A comparison or a count with an unknown number is unknown. "a ? b : c" with an
// unknown a is what b and c agree on, else unknown. These are the tables of Kleene's
// strong logic: nothing is called true or false that a value that is missing could
// still make otherwise.
type Truth uint8

// The truths, in the order in which "and" is the lesser and "or" the greater.
const (
	False Truth = iota
	Unknown
	True
)

func (t Truth) String() string {
	switch t {
	case False:
		return "false"
	case True:
		return "true"
	}
	return "unknown"
}

func truthOf(b bool) Truth {
	if b {
		return True
	}
	return False
}

func (t Truth) not() Truth { return True - t }

// truthOfBit is the truth of a bit: NaN is what is not known.
func truthOfBit(v float64) Truth {
	if v != v {
		return Unknown
	}
	return truthOf(v != 0)
}
