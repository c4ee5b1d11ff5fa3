// Package broker is the post office between edges and hubs: an embedded MQTT
// broker, and the connection to any broker. Nothing may rely on it for delivery:
// facts are acknowledged from end to end, the broker may lose what it likes.
package broker

import (
	"cmp"
	"crypto/subtle"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// Broker is one that runs inside this program.
type Broker interface {
	// URL is where clients on this machine reach it.
	URL() string
	// Close ends all connections and waits for them.
	Close() error
}

// Limits of the embedded broker: memory stays bounded whatever clients do. What
// is dropped at a limit is sent again by its sender.
const (
	maxPacket  = 2 << 20 // bytes; twice the largest payload
	maxClients = 1024
	maxQueued  = 1024 // messages for one client, in flight or to be written
	maxSession = 3600 // seconds that a session outlives its connection
)

// EmbeddedOptions are what Embed needs.
type EmbeddedOptions struct {
	Address  string      // "" is 127.0.0.1:0
	Username string      // with a password, every client must show both, wherever it is
	Password string      // without, clients of this machine may connect and no others
	TLS      *tls.Config // nil is plain TCP
	Logger   *slog.Logger
}

// Embedded is a broker on mochi-mqtt.
type Embedded struct {
	server *mqtt.Server
	tcp    *listener
	close  sync.Once
}

var _ Broker = (*Embedded)(nil)

// Embed starts a broker.
func Embed(o EmbeddedOptions) (*Embedded, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	address := cmp.Or(o.Address, "127.0.0.1:0")
	limits := mqtt.NewDefaultServerCapabilities()
	limits.MaximumClients = maxClients
	limits.MaximumPacketSize = maxPacket
	limits.MaximumClientWritesPending = maxQueued
	limits.MaximumInflight = maxQueued
	limits.ReceiveMaximum = maxQueued
	limits.MaximumSessionExpiryInterval = maxSession
	server := mqtt.New(&mqtt.Options{
		Capabilities:           limits,
		Logger:                 quiet(o.Logger),
		SysTopicResendInterval: 60,
	})
	b := &Embedded{server: server, tcp: &listener{address: address, tls: o.TLS, conns: map[net.Conn]bool{}}}
	if err := server.AddHook(&door{username: o.Username, password: o.Password, log: o.Logger}, nil); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if err := server.AddHook(&retained{}, nil); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if err := server.AddListener(b.tcp); err != nil {
		return nil, fmt.Errorf("broker on %s: %w", address, err)
	}
	if err := server.Serve(); err != nil {
		return nil, fmt.Errorf("broker on %s: %w", address, err)
	}
	return b, nil
}

// Addr is the address that it listens on, as "127.0.0.1:1883".
func (b *Embedded) Addr() string { return b.tcp.Address() }

// URL implements Broker.
func (b *Embedded) URL() string {
	scheme, addr := "tcp://", b.Addr()
	if b.tcp.tls != nil {
		scheme = "ssl://"
	}
	if host, port, err := net.SplitHostPort(addr); err == nil && net.ParseIP(host).IsUnspecified() {
		addr = net.JoinHostPort("127.0.0.1", port)
	}
	return scheme + addr
}

// Clients is how many are connected.
func (b *Embedded) Clients() int {
	n := 0
	for _, c := range b.server.Clients.GetAll() {
		if !c.Closed() {
			n++
		}
	}
	return n
}

// Close implements Broker.
func (b *Embedded) Close() error {
	var err error
	b.close.Do(func() {
		if err = b.server.Close(); err != nil {
			err = fmt.Errorf("close broker: %w", err)
		}
		b.tcp.serving.Wait()
	})
	return err
}

// door decides who may come in: whoever knows the password, and this machine.
type door struct {
	mqtt.HookBase
	username, password string
	log                *slog.Logger
}

// ID implements mqtt.Hook.
func (d *door) ID() string { return "door" }

// Provides implements mqtt.Hook.
func (d *door) Provides(b byte) bool {
	return b == mqtt.OnConnectAuthenticate || b == mqtt.OnACLCheck
}

// OnConnectAuthenticate implements mqtt.Hook.
func (d *door) OnConnectAuthenticate(c *mqtt.Client, p packets.Packet) bool {
	locked := d.username != "" && d.password != ""
	known := subtle.ConstantTimeCompare([]byte(d.username), p.Connect.Username)&
		subtle.ConstantTimeCompare([]byte(d.password), p.Connect.Password) == 1
	if locked && known || !locked && len(p.Connect.Username) == 0 && loopback(c.Net.Remote) {
		return true
	}
	d.log.Warn("the broker refused a client", "client", c.ID, "username", string(p.Connect.Username), "remote", c.Net.Remote)
	return false
}

// OnACLCheck implements mqtt.Hook: the broker's own topics are not for writing.
func (d *door) OnACLCheck(_ *mqtt.Client, topic string, write bool) bool {
	return !write || !strings.HasPrefix(topic, "$")
}

func loopback(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	return err == nil && net.ParseIP(host).IsLoopback()
}

// quiet keeps mochi's notes on its own coming and going out of the log.
func quiet(l *slog.Logger) *slog.Logger {
	return slog.New(&above{l.With("part", "broker").Handler()})
}
