package modbus

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/line/linetest"
	"gengfu/devices/profile"
)

// truth is what a register or bit holds at a step of time. No two are alike, save
// by chance.
func truth(unit byte, table profile.Table, address int, step int64) uint16 {
	h := fnv.New64a()
	_, _ = h.Write([]byte{unit, table.Function(), byte(address >> 8), byte(address)})
	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, uint64(step)))
	if table.Bits() {
		return uint16(h.Sum64() >> 17 & 1)
	}
	return uint16(h.Sum64() >> 17)
}

// stepLength is how long registers hold still.
const stepLength = 5 * time.Millisecond

// adversary is a serial line with slaves in virtual time, byte by byte, on which
// anything may happen to a reply. It is a bus.Conn, so that all is one goroutine.
type adversary struct {
	random  *rand.Rand
	framing Framing
	wire    bus.Wire
	rate    float64 // of faults, by request
	began   time.Time
	sparse  map[byte]bool      // slaves that hold nothing but what is polled; they answer in order
	orderly bool               // all slaves answer in order
	free    map[byte]time.Time // when a slave that answers in order has answered all that it was asked
	polled  map[Request]bool
	echo    float64 // how often the adapter returns the request
	coming  []arrival
	busy    time.Time // until when something is on the wire towards the master
	faults  int       // how many requests were spoilt
	astray  []span    // when something came that nobody had just asked for
	journal []string  // the last that happened, for people
}

func (a *adversary) note(format string, args ...any) {
	const enough = 16
	entry := fmt.Sprintf("%9s "+format, append([]any{time.Since(a.began).Round(10 * time.Microsecond)}, args...)...)
	entry = entry[:min(len(entry), 200)]
	a.journal = append(a.journal[max(0, len(a.journal)-enough):], entry)
}

// arrival is one byte on its way to the master.
type arrival struct {
	at time.Time
	b  byte
}

func (a *adversary) step(at time.Time) int64 { return int64(at.Sub(a.began) / stepLength) }

func (a *adversary) Discard() error {
	a.take(make([]byte, 1024), time.Now())
	return nil
}

func (a *adversary) take(p []byte, now time.Time) (n int) {
	for n < len(p) && n < len(a.coming) && !a.coming[n].at.After(now) {
		p[n] = a.coming[n].b
		n++
	}
	a.coming = slices.Delete(a.coming, 0, n)
	return n
}

func (a *adversary) Read(ctx context.Context, p []byte, deadline time.Time) (int, error) {
	for {
		now := time.Now()
		if n := a.take(p, now); n > 0 {
			return n, nil
		}
		if !now.Before(deadline) {
			return 0, os.ErrDeadlineExceeded
		}
		until := deadline
		if len(a.coming) > 0 && a.coming[0].at.Before(until) {
			until = a.coming[0].at
		}
		if err := linetest.Wait(ctx, until); err != nil {
			return 0, err
		}
	}
}

// send puts a frame on the wire at a time, or when it is free.
func (a *adversary) send(at time.Time, frame []byte) (end time.Time) {
	if at.Before(a.busy) {
		at = a.busy
	}
	for _, c := range frame {
		at = at.Add(a.wire.Character)
		a.coming = append(a.coming, arrival{at, c})
	}
	slices.SortStableFunc(a.coming, func(x, y arrival) int { return x.at.Compare(y.at) })
	a.busy = at
	return at
}

// span is a stretch of time.
type span struct{ from, to time.Time }

// later puts a frame on the wire at a time far off, whatever is there then: what
// comes at the same time is mixed up with it.
func (a *adversary) later(at time.Time, frame []byte) {
	busy := a.busy
	a.busy = time.Time{}
	a.astray = append(a.astray, span{at, a.send(at, frame)})
	a.busy = busy
}

// calm reports whether nothing came astray in that time.
func (a *adversary) calm(from, to time.Time) bool {
	a.astray = slices.DeleteFunc(a.astray, func(s span) bool { return s.to.Before(from) })
	return !slices.ContainsFunc(a.astray, func(s span) bool { return s.from.Before(to) })
}

func (a *adversary) wrap(body []byte) []byte {
	if a.framing == RTU {
		return binary.LittleEndian.AppendUint16(slices.Clone(body), crc16(body))
	}
	body = append(slices.Clone(body), -lrc(body))
	return []byte(":" + strings.ToUpper(hex.EncodeToString(body)) + "\r\n")
}

func (a *adversary) answer(body []byte, at time.Time) []byte {
	table := readTables[body[1]]
	r := Request{body[0], table, binary.BigEndian.Uint16(body[2:]), binary.BigEndian.Uint16(body[4:])}
	if a.sparse[r.Unit] && !a.polled[r] {
		return a.wrap([]byte{r.Unit, table.Function() | 0x80, IllegalAddress})
	}
	reply := []byte{r.Unit, table.Function(), r.count()}
	data := make([]byte, r.count())
	for i := range int(r.Quantity) {
		v := truth(r.Unit, table, int(r.Address)+i, a.step(at))
		if table.Bits() {
			data[i/8] |= byte(v) << (i % 8)
		} else {
			binary.BigEndian.PutUint16(data[2*i:], v)
		}
	}
	return a.wrap(append(reply, data...))
}

// Write takes a request as the slaves see it, and does its worst to the reply.
func (a *adversary) Write(_ context.Context, frame []byte) error {
	sent := time.Now().Add(a.wire.Of(len(frame)))
	body := frame[:max(0, len(frame)-checkLength)]
	if a.framing == ASCII {
		body, _, _ = cutASCII(frame)
	}
	if a.random.Float64() < a.echo {
		a.echoes(frame, time.Now())
	}
	begins := sent.Add(a.wire.Silence() + a.between(0, 20*time.Millisecond))
	if free := a.free[body[0]]; begins.Before(free) {
		a.faults++
		reply := a.answer(body, free)
		a.free[body[0]] = free.Add(a.wire.Of(len(reply)))
		a.later(free, reply)
		return nil
	}
	reply := a.answer(body, begins)
	if a.random.Float64() >= a.rate {
		a.send(begins, reply)
		return nil
	}
	a.faults++
	kinds := []struct {
		name  string
		spoil func(body, reply []byte, begins time.Time)
	}{
		{"late", a.late},
		{"very late", a.veryLate},
		{"silent", a.silent},
		{"cut", a.cut},
		{"corrupt", a.corrupt},
		{"duplicate", a.duplicate},
		{"duplicate later", a.duplicateLater},
		{"foreign", a.foreign},
		{"other master", a.otherMaster},
		{"noise", a.noise},
		{"babble", a.babble},
	}
	k := kinds[a.random.IntN(len(kinds))]
	a.note("fault: %s; the reply would begin at %s", k.name, begins.Sub(a.began))
	k.spoil(body, reply, begins)
	return nil
}

func (a *adversary) between(least, most time.Duration) time.Duration {
	return least + time.Duration(a.random.Int64N(int64(most-least)))
}

func (a *adversary) echoes(frame []byte, at time.Time) {
	frame = slices.Clone(frame)
	if a.random.IntN(50) == 0 {
		frame[a.random.IntN(len(frame))] ^= byte(1 + a.random.IntN(255))
	}
	if a.random.IntN(50) == 0 {
		at = at.Add(a.between(0, 3*time.Millisecond))
	}
	a.send(at, frame)
}

// late comes after the timeout and not much later.
func (a *adversary) late(body, reply []byte, begins time.Time) {
	a.delay(body[0], begins.Add(a.between(soakTimeout, 3*soakTimeout)), reply)
}

func (a *adversary) delay(unit byte, at time.Time, reply []byte) {
	if a.orderly || a.sparse[unit] {
		a.free[unit] = at.Add(a.wire.Of(len(reply)))
	}
	a.later(at, reply)
}

// veryLate comes after several later requests.
func (a *adversary) veryLate(body, reply []byte, begins time.Time) {
	a.delay(body[0], begins.Add(a.between(soakTimeout, 10*time.Second)), reply)
}

func (a *adversary) silent(_, _ []byte, _ time.Time) {}

func (a *adversary) cut(_, reply []byte, begins time.Time) {
	a.send(begins, reply[:1+a.random.IntN(len(reply)-1)])
}

func (a *adversary) corrupt(_, reply []byte, begins time.Time) {
	reply[a.random.IntN(len(reply))] ^= byte(1 + a.random.IntN(255))
	a.send(begins, reply)
}

func (a *adversary) duplicate(_, reply []byte, begins time.Time) {
	at := a.send(begins, reply).Add(a.between(0, 5*time.Millisecond))
	a.astray = append(a.astray, span{at, a.send(at, reply)})
}

// longestAgain is until when a reply comes a second time.
const longestAgain = 300 * time.Millisecond

func (a *adversary) duplicateLater(_, reply []byte, begins time.Time) {
	a.later(a.send(begins, reply).Add(a.between(0, longestAgain)), reply)
}

// foreign is a whole frame of another slave, before the reply or instead of it.
func (a *adversary) foreign(body, reply []byte, begins time.Time) {
	other := slices.Clone(body)
	other[0] = body[0]%8 + 1
	if a.sparse[other[0]] {
		other[0] = 1
	}
	end := a.send(begins.Add(-a.between(0, 10*time.Millisecond)), a.answer(other, begins))
	if a.random.IntN(2) == 0 {
		a.send(end.Add(a.wire.Silence()), reply)
	}
}

// otherMaster asks the same slave for as many other registers, and is answered.
func (a *adversary) otherMaster(body, reply []byte, begins time.Time) {
	other := slices.Clone(body)
	binary.BigEndian.PutUint16(other[2:], 200)
	end := a.send(begins.Add(-a.between(0, 10*time.Millisecond)), a.wrap(other))
	foreign := []byte{other[0], other[1], byte(len(reply))}
	if !a.sparse[other[0]] {
		foreign = a.answer(other, end)
	}
	end = a.send(end.Add(a.wire.Silence()), foreign)
	if a.random.IntN(2) == 0 {
		a.send(end.Add(a.wire.Silence()), reply)
	}
}

// noise stands before the reply.
func (a *adversary) noise(_, reply []byte, begins time.Time) {
	a.send(begins.Add(-a.between(0, 10*time.Millisecond)), a.garbage(1+a.random.IntN(12)))
	a.send(begins, reply)
}

// babble is a long noise in place of the reply.
func (a *adversary) babble(_, _ []byte, begins time.Time) {
	a.send(begins, a.garbage(100+a.random.IntN(200)))
}

func (a *adversary) garbage(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(a.random.Uint32())
	}
	return b
}
