package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func embed(t *testing.T, o EmbeddedOptions) *Embedded {
	t.Helper()
	b, err := Embed(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// connect calls use on one connection and waits for both ends.
func connect(t *testing.T, o ClientOptions, use func(context.Context, *Connection) error) {
	t.Helper()
	if err := connected(t.Context(), o, use); err != nil {
		t.Fatal(err)
	}
}

// connected is connect for goroutines of a test.
func connected(ctx context.Context, o ClientOptions, use func(context.Context, *Connection) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var got error
	err := Maintain(ctx, o, func(ctx context.Context, c *Connection) error {
		defer cancel()
		got = use(ctx, c)
		return got
	})
	return errors.Join(err, got)
}

func TestPublishAndSubscribe(t *testing.T) {
	b := embed(t, EmbeddedOptions{})
	connect(t, ClientOptions{URL: b.URL(), ClientID: "one"}, func(ctx context.Context, c *Connection) error {
		got := make(chan Message, 1)
		if err := c.Subscribe(ctx, "a/+", 1, func(m Message) { got <- m }); err != nil {
			return err
		}
		if err := c.PublishConfirmed(ctx, Message{Topic: "a/b", Payload: []byte("hello"), QoS: 1}); err != nil {
			return err
		}
		select {
		case m := <-got:
			if m.Topic != "a/b" || string(m.Payload) != "hello" || m.QoS != 1 {
				return fmt.Errorf("got %+v", m)
			}
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func TestMaintainComesBackAfterARestart(t *testing.T) {
	first, err := Embed(EmbeddedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	connected, lost := make(chan struct{}), make(chan error)
	done := make(chan error)
	go func() {
		done <- Maintain(ctx, ClientOptions{URL: first.URL(), ClientID: "c", MinPause: 10 * time.Millisecond, MaxPause: 50 * time.Millisecond},
			func(ctx context.Context, _ *Connection) error {
				connected <- struct{}{}
				<-ctx.Done()
				if err := context.Cause(ctx); errors.Is(err, ErrLost) {
					lost <- err
				}
				return nil
			})
	}()
	<-connected
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-lost; !errors.Is(err, ErrLost) {
		t.Errorf("cause %v", err)
	}
	embed(t, EmbeddedOptions{Address: first.Addr()})
	<-connected
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWillIsPublishedWhenTheConnectionBreaks(t *testing.T) {
	b := embed(t, EmbeddedOptions{})
	connect(t, ClientOptions{URL: b.URL(), ClientID: "watcher"}, func(ctx context.Context, c *Connection) error {
		got := make(chan string, 4)
		if err := c.Subscribe(ctx, "status", 1, func(m Message) { got <- string(m.Payload) }); err != nil {
			return err
		}
		raw, err := net.Dial("tcp", b.Addr())
		if err != nil {
			return err
		}
		// CONNECT, 3.1.1, clean session, will "gone" to "status", client "x".
		if _, err := raw.Write([]byte("\x10\x1b\x00\x04MQTT\x04\x06\x00\x3c\x00\x01x\x00\x06status\x00\x04gone")); err != nil {
			return err
		}
		if _, err := raw.Read(make([]byte, 4)); err != nil {
			return err
		}
		if err := raw.Close(); err != nil {
			return err
		}
		select {
		case s := <-got:
			if s != "gone" {
				return fmt.Errorf("will %q", s)
			}
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func TestDoor(t *testing.T) {
	outside := "192.0.2.7:4000"
	for _, tt := range []struct {
		username, password, remote string
		want                       bool
	}{
		{"", "", "127.0.0.1:4000", false},
		{"", "", "[::1]:4000", false},
		{"", "", outside, false},
		{"edge", "secret", outside, true},
		{"edge", "wrong", outside, false},
		{"edge", "wrong", "127.0.0.1:4000", false},
		{"edge", "secret", "127.0.0.1:4000", true},
		{"other", "secret", outside, false},
	} {
		b := embed(t, EmbeddedOptions{Username: "edge", Password: "secret"})
		c := b.server.NewClient(nil, "tcp", "x", false)
		c.Net.Remote = tt.remote
		p := connectPacket(tt.username, tt.password)
		d := &door{username: "edge", password: "secret", log: b.server.Log}
		if got := d.OnConnectAuthenticate(c, p); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
		nobody := tt.username == "" && tt.remote != outside
		if open := (&door{log: b.server.Log}); open.OnConnectAuthenticate(c, p) != nobody {
			t.Errorf("%+v without a password: want %v", tt, nobody)
		}
		if none := (&door{log: b.server.Log}); tt.username != "" && none.OnConnectAuthenticate(c, p) {
			t.Errorf("%+v came in though no password is set", tt)
		}
	}
	if d := (&door{}); d.OnACLCheck(nil, "$SYS/x", true) || !d.OnACLCheck(nil, "gengfu/x", true) || !d.OnACLCheck(nil, "$SYS/x", false) {
		t.Error("topics")
	}
}

func TestWrongPasswordIsTold(t *testing.T) {
	b := embed(t, EmbeddedOptions{Username: "edge", Password: "secret"})
	connect(t, ClientOptions{URL: b.URL(), ClientID: "a", Username: "edge", Password: "secret"}, func(context.Context, *Connection) error { return nil })
	err := connectOnce(t.Context(), ClientOptions{URL: b.URL(), ClientID: "a", Username: "edge", Password: "no"}, b.Addr(), false, new(sync.WaitGroup), nil)
	if err == nil || !strings.Contains(err.Error(), "bad user name or password") && !strings.Contains(err.Error(), "not Authorized") {
		t.Errorf("error %v", err)
	}
}

func TestCloseDoesNotWaitForSilentConnections(t *testing.T) {
	b, err := Embed(EmbeddedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	silent, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	start := time.Now()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("closing took %v", took)
	}
}

func TestParseURL(t *testing.T) {
	for raw, want := range map[string]string{
		"tcp://broker":        "broker:1883",
		"mqtt://10.0.0.1:99":  "10.0.0.1:99",
		"ssl://broker":        "broker:8883",
		"mqtts://[::1]:8883/": "[::1]:8883",
		"http://broker":       "",
		"broker:1883":         "",
		"tcp://":              "",
		"tcp://a/b":           "",
	} {
		got, secure, err := parseURL(raw)
		if got != want || (err == nil) != (want != "") || err == nil && secure != (strings.HasPrefix(raw, "ssl") || strings.HasPrefix(raw, "mqtts")) {
			t.Errorf("%s: %q %v %v", raw, got, secure, err)
		}
	}
}

func TestBackoff(t *testing.T) {
	b := backoff{least: 100 * time.Millisecond, most: time.Second}
	for _, ms := range []int{100, 200, 400, 800, 1000, 1000} {
		want := time.Duration(ms) * time.Millisecond
		if got := b.next(); got < want/2 || got > want {
			t.Errorf("pause %v, want %v to %v", got, want/2, want)
		}
	}
	if b.lived(900*time.Millisecond) || b.next() < 500*time.Millisecond {
		t.Error("the pause starts anew behind a connection that was shorter than it")
	}
	if !b.lived(1100*time.Millisecond) || b.next() > 100*time.Millisecond {
		t.Error("the pause did not start anew")
	}
}

func connectPacket(username, password string) packets.Packet {
	return packets.Packet{Connect: packets.ConnectParams{Username: []byte(username), Password: []byte(password)}}
}
