package facility

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Checkpoint is a spot that a guard must reach.
type Checkpoint struct {
	ID    string
	Name  Text
	Place string
	Tags  []string // normalised UIDs of tags fixed there
	Token string   // unguessable word in the URL of its phone tag or QR code
}

// Route is the checkpoints of a walk, in order.
type Route struct {
	ID          string
	Name        Text
	Checkpoints []string
	InOrder     bool // taps out of order are flagged
}

// Plan says when a route is walked. One of Times, Every and Cron is given.
type Plan struct {
	ID        string
	Name      Text
	Route     string
	Times     []string       // starts in local time, "22:00"
	Every     time.Duration  // or a start every so often from From to Until
	From      string         // local time, "20:00"; with Every
	Until     string         // local time, may be past midnight; with Every
	Cron      string         // or starts by a crontab expression of five fields, in local time: "30 22 * * 1-5"
	Days      []time.Weekday // on which a walk may start; empty is every day
	Window    time.Duration  // from the start; the checkpoints are due within it; may cross midnight
	Tolerance time.Duration  // after the window a tap is still late rather than missed; before the start, early
	Grace     time.Duration  // how long a phone may bring a tap later and still correct the verdict
	Assignee  string         // login of the guard, may be empty
}

// RoundState is the state of one round.
type RoundState string

// The states of a round.
const (
	RoundScheduled  RoundState = "scheduled"
	RoundDue        RoundState = "due"         // the window is open, nobody has tapped
	RoundInProgress RoundState = "in_progress" //
	RoundCompleted  RoundState = "completed"   // all on time
	RoundExceptions RoundState = "exceptions"  // all reached, some early, late, out of order or by nobody known
	RoundIncomplete RoundState = "incomplete"  // some missed
	RoundMissed     RoundState = "missed"      // all missed
	RoundCancelled  RoundState = "cancelled"
)

// Verdict is how a checkpoint of a round was reached.
type Verdict string

// The verdicts.
const (
	Pending Verdict = "pending"
	OnTime  Verdict = "on_time"
	Early   Verdict = "early"
	Late    Verdict = "late"
	Missed  Verdict = "missed"
	Exempt  Verdict = "exempt"
)

// Visit is one checkpoint that is expected in a round.
type Visit struct {
	Checkpoint string
	Verdict    Verdict
	OutOfOrder bool
	Tap        string     // id of the tap that counted
	TappedAt   *time.Time //
	By         string     // login, may be empty for an unknown badge
	Corrected  bool       // was judged missed until a delayed tap arrived
}

// Round is one walk of a route, a frozen copy of what its plan said.
type Round struct {
	ID        string // "plan@2026-11-22T22:00+08:00": the same plan and start is the same round
	Plan      string
	Route     string
	Name      Text
	Start     time.Time
	End       time.Time // start + window
	Tolerance time.Duration
	Grace     time.Duration
	InOrder   bool
	Assignee  string
	State     RoundState
	Visits    []Visit
}

// TapSource says how a tap was made.
type TapSource string

// The sources of taps, the least forgeable first.
const (
	TapReader TapSource = "reader"    // a guard's badge on a fixed reader
	TapWand   TapSource = "wand"      // a fixed tag read by a patrol wand, whose dump was brought in later
	TapNFC    TapSource = "phone_nfc" // a fixed tag read by a signed-in phone
	TapURL    TapSource = "phone_url" // the URL of a tag opened by a signed-in phone
	TapQR     TapSource = "phone_qr"
)

// TapFlag is a doubt beside a tap. A tap is flagged, never dropped.
type TapFlag string

// The flags.
const (
	FlagDuplicate         TapFlag = "duplicate"          // the checkpoint was reached already in this round
	FlagUnknownBadge      TapFlag = "unknown_badge"      // the badge belongs to nobody
	FlagUnknownCheckpoint TapFlag = "unknown_checkpoint" // the tag or reader is at no checkpoint
	FlagNoRound           TapFlag = "no_round"           // no round expects the checkpoint at this time
	FlagOutOfOrder        TapFlag = "out_of_order"       //
	FlagClockSkew         TapFlag = "clock_skew"         // the phone's clock is off by more than two minutes
	FlagDelayed           TapFlag = "delayed"            // arrived more than two minutes after it was made
	FlagClockUnknown      TapFlag = "clock_unknown"      // the gateway of the reader did not know the time
)

// Tap is the fact that somebody was at a checkpoint. It is made once and never
// dropped or altered.
type Tap struct {
	ID         string    // UUIDv7, made where the tap was made; for TapWand a UUIDv5 of what it says
	Source     TapSource //
	Reader     string    // id of the reader, for TapReader; number of the wand, for TapWand
	Credential string    // normalised UID that the reader saw: a badge at a fixed reader
	Checkpoint string    // id, for taps from a phone or wand
	Person     string    // login, for taps from a phone or wand; empty for a wand that nobody signed for
	TappedAt   time.Time // on the device's clock
	SentAt     time.Time // on the device's clock, when it was handed over
	ReceivedAt time.Time // on the hub's clock; zero until then

	// ClockUnknown says that the gateway of the reader did not know the time, so that
	// TappedAt is the latest that it can have been, and Within how much earlier it may
	// have been; 0 when nothing bounds it.
	ClockUnknown bool
	Within       time.Duration
}

// NormaliseUID brings a tag or badge UID to its one form, upper-case hex without
// separators: "04:a0:35:b2" becomes "04A035B2". It must have 4 to 10 bytes
// (ISO/IEC 14443-3 single, double and triple size; 5 for EM4100).
//
// A number printed on a card is given as "dec:" and its 5 to 10 digits, because ten
// digits alone are five bytes of hex: "dec:0006547886" becomes "0063E9AE".
func NormaliseUID(s string) (string, error) {
	if len(s) >= len(decimalMark) && strings.EqualFold(s[:len(decimalMark)], decimalMark) {
		return printedNumber(s[len(decimalMark):])
	}
	var b strings.Builder
	for _, c := range s {
		switch {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'F':
			b.WriteRune(c)
		case c >= 'a' && c <= 'f':
			b.WriteRune(c - 'a' + 'A')
		case c == ':' || c == '-' || c == ' ' || c == '.':
		default:
			return "", fmt.Errorf("UID %q: %q is not a hex digit", s, c)
		}
	}
	switch n := b.Len(); {
	case n%2 != 0:
		return "", fmt.Errorf("UID %q: odd number of hex digits", s)
	case n < 8 || n > 20:
		return "", fmt.Errorf("UID %q: want 4 to 10 bytes", s)
	}
	return b.String(), nil
}

const decimalMark = "dec:"

// printedNumber returns the four bytes of a number that is printed on a card.
func printedNumber(digits string) (string, error) {
	if len(digits) < 5 || len(digits) > 10 || strings.Trim(digits, "0123456789") != "" {
		return "", fmt.Errorf("card number %q: want the 5 to 10 digits that are printed on the card", digits)
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return "", fmt.Errorf("card number %q: it is greater than any card's, 4294967295", digits)
	}
	return fmt.Sprintf("%08X", n), nil
}

// PrintedUID returns the UID under which NormaliseUID knows the number that is
// printed on a card. An EM4100 card of five bytes prints its last four; the first,
// of the maker or the batch, stands nowhere on it. It is false for other cards.
func PrintedUID(uid string) (printed string, ok bool) {
	const maker, em4100 = 2, 10 // in hex digits
	if len(uid) != em4100 {
		return "", false
	}
	return uid[maker:], true
}
