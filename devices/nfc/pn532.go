package nfc

import (
	"encoding/hex"
	"time"

	"gengfu/devices/framing"
	"gengfu/facility"
)

// Times of a PN532.
const (
	pollPeriod   = 250 * time.Millisecond // from one look for a card to the next
	pn532Timeout = 500 * time.Millisecond // a look for a card that is not there takes about 50 ms
)

// PN532 asks an NXP PN532 on its high-speed UART (115200 8N1) for cards of ISO/IEC
// 14443 type A, four times a second: NXP UM0701-02, "PN532 User Manual". The chip
// begins asleep and says nothing unless it is asked. Whatever goes wrong, also that
// it was without power, shows as an answer that does not come, and it is woken and
// set up anew. It belongs to one goroutine.
type PN532 struct {
	frames     *framing.Reader[[]byte]
	stage      stage
	awaiting   byte // code of the answer that is due, 0 for none
	sent       time.Time
	unanswered int
	garbage    int
	refused    bool // the last command was
}

// stage is what the chip is asked next.
type stage int

const (
	waking   stage = iota // out of its sleep, as a plain reader
	limiting              // how long it looks for a card
	polling
)

// NewPN532 returns what asks a chip of which nothing is known.
func NewPN532() *PN532 { return &PN532{frames: framing.NewReader(probePN532)} }

// Codes of commands; that of the answer is one more.
const (
	samConfiguration    = 0x14
	rfConfiguration     = 0x32
	inListPassiveTarget = 0x4A
)

// Directions of a frame, and what an error frame has in their place.
const (
	toChip   = 0xD4
	fromChip = 0xD5
	refusal  = 0x7F
)

// wakeUp are the bytes that end the chip's sleep, and zeros for the time that it
// takes.
var wakeUp = append([]byte{0x55, 0x55}, make([]byte, 12)...)

var commands = map[stage][]byte{
	waking: {samConfiguration, 0x01}, // normal mode, no virtual card
	// Look for a card twice and then say that there is none: without a limit it
	// answers when a card comes, and nobody can tell that it lost its power.
	limiting: {rfConfiguration, 0x05, 0xFF, 0x01, 0x01},
	polling:  {inListPassiveTarget, 0x01, 0x00}, // one card, 106 kbit/s type A
}

// Next returns what is to be sent now, nil for nothing, and when to ask again
// unless an answer comes before.
func (p *PN532) Next(now time.Time) (send []byte, again time.Time) {
	switch {
	case p.awaiting != 0 && now.Before(p.sent.Add(pn532Timeout)):
		return nil, p.sent.Add(pn532Timeout)
	case p.awaiting != 0:
		p.unanswered++
		p.stage = waking
	case (p.stage == polling || p.refused) && now.Before(p.sent.Add(pollPeriod)):
		return nil, p.sent.Add(pollPeriod)
	}
	p.frames.Reset()
	command := commands[p.stage]
	send = framePN532(command)
	if p.stage == waking {
		send = append(append([]byte{}, wakeUp...), send...)
	}
	p.awaiting, p.sent, p.refused = command[0]+1, now, false
	return send, now.Add(pn532Timeout)
}

// Restart says that the line was opened anew, and nothing is known of the chip.
func (p *PN532) Restart() {
	p.frames.Reset()
	p.stage, p.awaiting, p.unanswered, p.refused = waking, 0, 0, false
}

// Unanswered returns how many questions in a row were not answered.
func (p *PN532) Unanswered() int { return p.unanswered }

// Feed takes received bytes and returns the UIDs of the cards that they tell of, in
// facility's one form.
func (p *PN532) Feed(b []byte) (uids []string) {
	for _, body := range p.frames.Feed(b) {
		uids = append(uids, p.hear(body)...)
	}
	return uids
}

// hear takes one frame: nothing of an acknowledgement.
func (p *PN532) hear(body []byte) (uids []string) {
	switch {
	case len(body) == 0:
	case body[0] == refusal:
		p.garbage++
		p.unanswered++
		p.stage, p.awaiting, p.refused = waking, 0, true
	case body[0] == fromChip && len(body) > 1:
		if body[1] == p.awaiting {
			p.awaiting, p.unanswered = 0, 0
			p.stage = min(p.stage+1, polling)
		}
		if body[1] == inListPassiveTarget+1 {
			return p.targets(body[2:])
		}
	}
	return nil
}

// targets returns the UIDs of the cards in the answer to a poll.
func (p *PN532) targets(b []byte) (uids []string) {
	if len(b) == 0 {
		p.garbage++
		return nil
	}
	rest := b[1:]
	for range b[0] {
		uid, after, ok := target(rest)
		if !ok {
			p.garbage++
			return uids
		}
		rest = after
		if uid == "" {
			p.garbage++
			continue
		}
		uids = append(uids, uid)
	}
	return uids
}

// target reads one card: its number, SENS_RES, SEL_RES, the UID with its length,
// and the answer to select of one that speaks ISO/IEC 14443-4. The UID is empty
// where it names no card.
func target(b []byte) (uid string, rest []byte, ok bool) {
	const head = 5
	if len(b) < head || len(b) < head+int(b[4]) {
		return "", nil, false
	}
	selected, id, rest := b[3], b[head:head+int(b[4])], b[head+int(b[4]):]
	const speaksISO14443_4 = 0x20
	if selected&speaksISO14443_4 != 0 && len(rest) > 0 {
		if int(rest[0]) > len(rest) {
			return "", nil, false
		}
		rest = rest[max(1, int(rest[0])):]
	}
	return cardOf(id), rest, true
}

// cardOf returns a UID that stays with its card. ISO/IEC 14443-3 has 4, 7 and 10
// bytes. One of four bytes that begins with 08 is drawn anew each time, as phones
// do; with 88 it is the beginning of a longer one.
func cardOf(id []byte) string {
	const random, cascade = 0x08, 0x88
	switch len(id) {
	case 4:
		if id[0] == random || id[0] == cascade {
			return ""
		}
	case 7, 10:
	default:
		return ""
	}
	uid, err := facility.NormaliseUID(hex.EncodeToString(id))
	if err != nil {
		return ""
	}
	return uid
}

// Pending is false: silence means nothing here.
func (p *PN532) Pending() bool { return false }

// Idle has nothing to end.
func (p *PN532) Idle() []string { return nil }

// Garbage returns how many frames and cards were none: wrong checks, refusals,
// UIDs that name no card.
func (p *PN532) Garbage() uint64 { return uint64(p.garbage + p.frames.Spoilt()) }

// framePN532 returns the frame of a command.
func framePN532(command []byte) []byte {
	n := byte(len(command) + 1)
	body := append([]byte{toChip}, command...)
	f := append([]byte{0x00, 0x00, 0xFF, n, -n}, body...)
	return append(f, -framing.Sum(body), 0x00)
}

// longestPN532 is the most that an extended frame holds.
const longestPN532 = 265

// probePN532 finds the body of a frame: its direction, its code and what follows.
// An acknowledgement, either way, has none.
func probePN532(b []byte) ([]byte, framing.Sight) {
	const head, extended = 4, 7
	switch {
	case b[0] != 0x00, len(b) > 1 && b[1] != 0xFF:
		return nil, framing.Sight{}
	case len(b) < head:
		return nil, framing.Sight{Kind: framing.Begun, Length: head}
	case b[2] == 0x00 && b[3] == 0xFF, b[2] == 0xFF && b[3] == 0x00:
		return nil, framing.Sight{Kind: framing.Whole, Length: head}
	case b[2] == 0xFF && b[3] == 0xFF:
		if len(b) < extended {
			return nil, framing.Sight{Kind: framing.Begun, Length: extended}
		}
		if framing.Sum(b[4:extended]) != 0 {
			return nil, framing.Sight{Kind: framing.Spoilt}
		}
		return bodyPN532(b, extended, int(b[4])<<8|int(b[5]))
	case b[2]+b[3] != 0:
		return nil, framing.Sight{Kind: framing.Spoilt}
	}
	return bodyPN532(b, head, int(b[2]))
}

// bodyPN532 returns the n bytes behind the head, when their check is right.
func bodyPN532(b []byte, head, n int) ([]byte, framing.Sight) {
	whole := head + n + 1
	switch {
	case n == 0 || n > longestPN532:
		return nil, framing.Sight{Kind: framing.Spoilt}
	case len(b) < whole:
		return nil, framing.Sight{Kind: framing.Begun, Length: whole}
	case framing.Sum(b[head:whole]) != 0:
		return nil, framing.Sight{Kind: framing.Spoilt}
	}
	return append([]byte{}, b[head:head+n]...), framing.Sight{Kind: framing.Whole, Length: whole}
}
