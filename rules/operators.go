package rules

import "math"

// turned is the comparison with its sides changed.
func turned(op string) string {
	switch op {
	case "<":
		return ">"
	case "<=":
		return ">="
	case ">":
		return "<"
	case ">=":
		return "<="
	}
	return op
}

// comparison compares two numbers; with a number that is not known it is not known
// either. A limit on the right is the common shape and has closures of its own.
func comparison(op string, left, right operand) func(*frame) Truth {
	l := left.num
	if right.constant {
		return against(op, l, right.value)
	}
	r := right.num
	holds := map[string]func(x, y float64) bool{
		"<":  func(x, y float64) bool { return x < y },
		"<=": func(x, y float64) bool { return x <= y },
		">":  func(x, y float64) bool { return x > y },
		">=": func(x, y float64) bool { return x >= y },
		"==": func(x, y float64) bool { return x == y },
		"!=": func(x, y float64) bool { return x != y },
	}[op]
	return func(f *frame) Truth {
		x, y := l(f), r(f)
		if x != x || y != y {
			return Unknown
		}
		return truthOf(holds(x, y))
	}
}

// against compares a number with a limit. NaN compares as false with everything, so
// that one comparison more finds it.
func against(op string, l func(*frame) float64, limit float64) func(*frame) Truth {
	switch op {
	case "<":
		return func(f *frame) Truth { return orUnknown(l(f), limit, true, false) }
	case ">=":
		return func(f *frame) Truth { return orUnknown(l(f), limit, false, true) }
	case ">":
		return func(f *frame) Truth { return orUnknown(-l(f), -limit, true, false) }
	case "<=":
		return func(f *frame) Truth { return orUnknown(-l(f), -limit, false, true) }
	}
	same := op == "=="
	return func(f *frame) Truth {
		v := l(f)
		if v != v {
			return Unknown
		}
		return truthOf((v == limit) == same)
	}
}

// orUnknown is below where v is below the limit, and above where it is not.
func orUnknown(v, limit float64, below, above bool) Truth {
	switch {
	case v < limit:
		return truthOf(below)
	case v >= limit:
		return truthOf(above)
	}
	return Unknown
}

// arithmetic counts with two numbers. What cannot be counted, such as a division by
// zero, is not known.
func arithmetic(op string, left, right operand) func(*frame) float64 {
	l, r := left.num, right.num
	switch op {
	case "+":
		if right.constant {
			c := right.value
			return func(f *frame) float64 { return l(f) + c }
		}
		return func(f *frame) float64 { return l(f) + r(f) }
	case "-":
		if right.constant {
			c := right.value
			return func(f *frame) float64 { return l(f) - c }
		}
		return func(f *frame) float64 { return l(f) - r(f) }
	case "*":
		return func(f *frame) float64 { return l(f) * r(f) }
	case "/":
		return func(f *frame) float64 {
			x, y := l(f), r(f)
			return divided(f, y, x/y)
		}
	case "%":
		return func(f *frame) float64 {
			x, y := math.Trunc(l(f)), math.Trunc(r(f))
			return divided(f, y, math.Mod(x, y))
		}
	}
	return func(f *frame) float64 {
		x, y := l(f), r(f)
		if x != x || y != y { // whatever to the power of 0 is 1 would hide it
			return math.NaN()
		}
		return math.Pow(x, y)
	}
}

// divided is the result of a division by y.
func divided(f *frame, y, result float64) float64 {
	if y == 0 {
		f.failed = true
		return math.NaN()
	}
	return result
}

// choice is one number or another.
func choice(cond func(*frame) Truth, x, y func(*frame) float64) func(*frame) float64 {
	return func(f *frame) float64 {
		switch cond(f) {
		case True:
			return x(f)
		case False:
			return y(f)
		}
		if v := x(f); v == y(f) {
			return v
		}
		return math.NaN()
	}
}

// bits are the functions over the bits of whole numbers.
var bits = map[string]func(x, y int64) int64{
	"bitand": func(x, y int64) int64 { return x & y },
	"bitor":  func(x, y int64) int64 { return x | y },
	"bitxor": func(x, y int64) int64 { return x ^ y },
	"bitshl": func(x, y int64) int64 { return x << (uint64(y) & 63) },
	"bitshr": func(x, y int64) int64 { return x >> (uint64(y) & 63) },
}

// overBits counts with two numbers as whole ones. Beyond 2^53, or with a shift below
// zero, the result is not known.
func overBits(do func(x, y int64) int64, shift bool, l, r func(*frame) float64) func(*frame) float64 {
	const exact = 1 << 53
	return func(f *frame) float64 {
		x, y := l(f), r(f)
		switch {
		case x != x || y != y:
			return math.NaN()
		case math.Abs(x) > exact, math.Abs(y) > exact, shift && (y < 0 || y > 63):
			f.failed = true
			return math.NaN()
		}
		return float64(do(int64(x), int64(y)))
	}
}
