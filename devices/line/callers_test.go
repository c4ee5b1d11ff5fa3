package line_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"gengfu/devices/line"
	"gengfu/facility/porttest"
)

// house is callers that run, with their log.
type house struct {
	*line.Callers
	address string
	log     *journal
}

// journal is what was logged.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) count(words string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), words)
}

// newHouse listens for the boxes, whose addresses it fills in.
func newHouse(t *testing.T, boxes ...*line.TCP) *house {
	t.Helper()
	h := &house{address: porttest.Address(t), log: &journal{}}
	var lines []line.TCP
	for _, b := range boxes {
		b.Listen = h.address
		lines = append(lines, *b)
	}
	var err error
	if h.Callers, err = line.NewCallers(lines, slog.New(slog.NewTextHandler(h.log, nil))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); h.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return h
}

// dial connects as a box does, and says its words.
func (h *house) dial(t *testing.T, words string) net.Conn {
	t.Helper()
	var conn net.Conn
	eventually(t, "somebody listens", func() (ok bool) {
		var err error
		conn, err = net.Dial("tcp", h.address)
		return err == nil
	})
	t.Cleanup(func() { _ = conn.Close() }) // a test may have closed it
	say(t, conn, words)
	return conn
}

func say(t *testing.T, conn io.Writer, words string) {
	t.Helper()
	if _, err := io.WriteString(conn, words); err != nil {
		t.Fatal(err)
	}
}

func (h *house) open(t *testing.T, b *line.TCP) *line.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	c, err := h.Open(ctx, *b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// eventually waits until f is true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(soon); !f(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		_ = line.Wait(t.Context(), time.Now().Add(5*time.Millisecond))
	}
}

// isClosed says that the gateway ends the connection, without a word.
func isClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	n, err := conn.Read(make([]byte, 8))
	if n > 0 || err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("the connection stands: %d bytes, %v", n, err)
	}
}

func isBroken(t *testing.T, c *line.Conn, why string) {
	t.Helper()
	_, err := c.Read(t.Context(), make([]byte, 8), time.Now().Add(soon))
	if !errors.Is(err, line.ErrBroken) || !strings.Contains(err.Error(), why) {
		t.Errorf("got %v, want %q", err, why)
	}
}

// carries says that bytes go both ways.
func carries(t *testing.T, c *line.Conn, box net.Conn, request, reply string) {
	t.Helper()
	carriesPart(t, c, box, request, reply, reply)
}

// carriesPart says that of what the box answers only a part comes through.
func carriesPart(t *testing.T, c *line.Conn, box net.Conn, request, reply, part string) {
	t.Helper()
	if err := c.Write(t.Context(), []byte(request)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(request))
	if _, err := io.ReadFull(box, got); err != nil || string(got) != request {
		t.Fatalf("the box got %q, %v", got, err)
	}
	say(t, box, reply)
	if got := readFull(t, c, len(part)); string(got) != part {
		t.Fatalf("the line got %q, want %q", got, part)
	}
}

func TestBoxesAreToldApartByTheirRegistration(t *testing.T) {
	pumps := &line.TCP{Registration: "BOX-PUMPS", Heartbeat: "beat"}
	meters := &line.TCP{Registration: "hex:D8 B0 4C 12 34 56"}
	h := newHouse(t, pumps, meters)
	second := h.dial(t, "\xD8\xB0\x4C")
	first := h.dial(t, "beatBOX-PUMPSbeat")
	say(t, second, "\x12\x34\x56")
	carries(t, h.open(t, pumps), first, "to the pumps", "pumps here")
	carries(t, h.open(t, meters), second, "to the meters", "meters here")
}

func TestHeartbeatsArePassedOver(t *testing.T) {
	b := &line.TCP{Registration: "BOX7", Heartbeat: "heartbeat"}
	h := newHouse(t, b)
	box := h.dial(t, "BOX7")
	c := h.open(t, b)
	say(t, box, "heartbeat")
	carriesPart(t, c, box, "one", "heartbeat\x01\x03\x02", "\x01\x03\x02")
	say(t, box, "heartbeat")
	if err := c.Discard(); err != nil {
		t.Fatal(err)
	}
	carries(t, c, box, "two", "\x01\x03\x02heartbeat") // behind a frame nobody can tell
	if err := c.Discard(); err != nil {
		t.Fatal(err)
	}
	say(t, box, "heartbeat")
	if n, err := c.Read(t.Context(), make([]byte, 64), time.Now().Add(150*time.Millisecond)); n > 0 {
		t.Errorf("%d bytes of a heartbeat came through, %v", n, err)
	}
}

// A serial server that is dialled sends them too.
func TestHeartbeatsOfADialledServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // one connection was enough
	c, err := line.DialTCP(t.Context(), line.TCP{Address: l.Addr().String(), Registration: "USR-TCP232", Heartbeat: "www.usr.cn"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // nothing was lost
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close() //nolint:errcheck // nothing was lost
	say(t, server, "USR-TCP232")
	carriesPart(t, c, server, "\x01\x03", "www.usr.cn\x01\x03\x02", "\x01\x03\x02")
}

func TestANewerConnectionReplacesTheOld(t *testing.T) {
	b := &line.TCP{Registration: "BOX7"}
	h := newHouse(t, b)
	old := h.dial(t, "BOX7")
	c := h.open(t, b)
	carries(t, c, old, "one", "1")
	unused := h.dial(t, "BOX7") // and it dies before anybody has used it
	isBroken(t, c, "a newer connection of the same box took its place")
	newest := h.dial(t, "BOX7")
	isClosed(t, old)
	isClosed(t, unused)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	c = h.open(t, b)
	carries(t, c, newest, "two", "2")
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	box := h.dial(t, "BOX7")
	carries(t, h.open(t, b), box, "three", "3")
}

func TestStrangersAreRefusedAndToldOfOnce(t *testing.T) {
	b := &line.TCP{Registration: "BOX7"}
	h := newHouse(t, b)
	for _, words := range []string{"GET / HTTP/1.1\r\n", "BOX8", "\x00\x00\x00", "BOXX"} {
		isClosed(t, h.dial(t, words))
	}
	if n := h.log.count("refused"); n != 1 {
		t.Errorf("told of %d times", n)
	}
	box := h.dial(t, "BOX7")
	carries(t, h.open(t, b), box, "one", "1")
}

func TestABoxFromAnotherAddress(t *testing.T) {
	h := newHouse(t, &line.TCP{Peer: "192.0.2.7"})
	isClosed(t, h.dial(t, "whatever"))
	b := &line.TCP{Peer: "127.0.0.1"}
	h = newHouse(t, b)
	box := h.dial(t, "")
	carries(t, h.open(t, b), box, "one", "1")
}

// Connections that say nothing do not keep a box out.
func TestThoseWhoSayNothing(t *testing.T) {
	b := &line.TCP{Registration: "BOX7"}
	h := newHouse(t, b)
	first := h.dial(t, "B")
	for range 100 {
		h.dial(t, "")
	}
	isClosed(t, first) // long before its time is over
	box := h.dial(t, "BOX7")
	carries(t, h.open(t, b), box, "one", "1")
}

func TestWhileNobodyDialsIn(t *testing.T) {
	t.Parallel() // it waits
	b := &line.TCP{Registration: "BOX7"}
	h := newHouse(t, b)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := h.Open(ctx, *b); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if _, err := h.Open(t.Context(), *b); !errors.Is(err, line.ErrNoBox) {
		t.Errorf("got %v", err)
	}
}

func TestAnAddressThatIsTaken(t *testing.T) {
	t.Parallel() // it waits
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing was accepted
	_, err = line.Listen(t.Context(), line.TCP{Listen: l.Addr().String()}, nil)
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v", err)
	}
}

func TestListenForOneLine(t *testing.T) {
	address := porttest.Address(t)
	type opened struct {
		c   *line.Conn
		err error
	}
	got := make(chan opened)
	go func() {
		c, err := line.Listen(t.Context(), line.TCP{Listen: address}, nil)
		got <- opened{c, err}
	}()
	h := &house{address: address}
	box := h.dial(t, "")
	o := <-got
	if o.err != nil {
		t.Fatal(o.err)
	}
	carries(t, o.c, box, "one", "1")
	if err := o.c.Close(); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		t.Error("it listens still")
		_ = conn.Close()
	}
}

func TestPackets(t *testing.T) {
	for p, want := range map[line.Packet]string{
		"": "", "www.usr.cn": "www.usr.cn", "hex:D8B04C": "\xD8\xB0\x4C", "hex:d8:b0-4c 01": "\xD8\xB0\x4C\x01", "心跳": "心跳",
	} {
		if got, err := p.Bytes(); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v", p, got, err)
		}
	}
	for _, p := range []line.Packet{"hex:", "hex:D8B", "hex:box", line.Packet(strings.Repeat("x", 300))} {
		if got, err := p.Bytes(); err == nil {
			t.Errorf("%q became %q", p, got)
		}
	}
}
