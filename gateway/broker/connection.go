package broker

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

const (
	connectTimeout = 10 * time.Second
	writeTimeout   = 5 * time.Second // for a batch of 40 KB on 64 kbit/s
	pingTimeout    = 10 * time.Second
	// goodbye is how long a clean end may take, for the last packets.
	goodbye = 250 * time.Millisecond
	// answerTimeout is how long a broker may take to confirm what is to be confirmed.
	// One that lives and has lost the request answers every ping and never this.
	answerTimeout = 10 * time.Second
)

// errSilent is why a connection is given up on which the broker confirms nothing.
var errSilent = errors.New("the broker does not confirm it")

// ErrLost is why the context of a connection ended that nobody closed.
var ErrLost = errors.New("connection lost")

// Message is one publication.
type Message struct {
	Topic    string
	Payload  []byte
	QoS      byte
	Retained bool
}

// ClientOptions are what Maintain needs.
type ClientOptions struct {
	URL       string // tcp://host:1883 or ssl://host:8883
	ClientID  string // unique at the broker
	Username  string
	Password  string
	TLS       *tls.Config   // for ssl; nil is the system's authorities
	KeepAlive time.Duration // 0 is 30 s
	Patience  time.Duration // with a broker that does not confirm; 0 is 10 s
	Will      *Message      // what the broker publishes when the connection breaks
	// Keep has the broker keep what comes while there is no connection, as far as it
	// does. Expected says who takes it, by filter: it comes before the client has
	// subscribed again.
	Keep     bool
	Expected map[string]func(Message)
	MinPause time.Duration // before the first reconnection; 0 is 500 ms
	MaxPause time.Duration // 0 is 30 s
	Logger   *slog.Logger
}

// CheckURL says why a broker's URL cannot be used, or nil.
func CheckURL(raw string) error {
	_, _, err := parseURL(raw)
	return err
}

func parseURL(raw string) (address string, secure bool, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", false, fmt.Errorf("broker URL: %w", err)
	}
	port := "1883"
	switch u.Scheme {
	case "tcp", "mqtt":
	case "ssl", "tls", "mqtts":
		secure, port = true, "8883"
	default:
		return "", false, fmt.Errorf("broker URL %q: want tcp://host:port or ssl://host:port", raw)
	}
	if u.Hostname() == "" || u.Path != "" && u.Path != "/" {
		return "", false, fmt.Errorf("broker URL %q: want tcp://host:port or ssl://host:port", raw)
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)), secure, nil
}

// Connection is one connection to a broker, from its beginning to its loss.
type Connection struct {
	client   paho.Client
	calls    *sync.WaitGroup
	patience time.Duration
	heard    atomic.Pointer[time.Time]
}

// Heard is when the broker said anything last, be it the confirmation of a message. A
// broker that lives confirms at once what is published with QoS 1.
func (c *Connection) Heard() time.Time {
	if at := c.heard.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

func (c *Connection) hear() {
	now := time.Now()
	c.heard.Store(&now)
}

// token makes a call that paho may hold up for as long as its write timeout when
// the connection is lost at the same moment. Then the call is left behind, and
// Maintain waits for it at its end.
func (c *Connection) token(ctx context.Context, call func() paho.Token) (paho.Token, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	made := make(chan paho.Token, 1)
	c.calls.Go(func() { made <- call() })
	select {
	case t := <-made:
		return t, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Maintain keeps a connection to the broker until ctx ends. For each connection
// it calls use, with a context that ends when the connection is lost; when use
// returns, the connection is closed. Between connections it waits, longer each
// time, with jitter. It returns nil when ctx ends, else why the options cannot
// work.
func Maintain(ctx context.Context, o ClientOptions, use func(context.Context, *Connection) error) error {
	address, secure, err := parseURL(o.URL)
	if err != nil {
		return err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	log := o.Logger.With("broker", address, "client", o.ClientID)
	var calls sync.WaitGroup
	defer calls.Wait()
	pauses := backoff{least: cmp.Or(o.MinPause, 500*time.Millisecond), most: cmp.Or(o.MaxPause, 30*time.Second)}
	said := ""
	for ctx.Err() == nil {
		var start time.Time
		err := connectOnce(ctx, o, address, secure, &calls, func(ctx context.Context, c *Connection) error {
			start = time.Now()
			return use(ctx, c)
		})
		if ctx.Err() != nil {
			return nil
		}
		if now := fmt.Sprint(err); now != said { // the same trouble is told once
			log.Warn("no connection to the broker", "error", err)
			said = now
		}
		if !start.IsZero() && pauses.lived(time.Since(start)) {
			said = ""
		}
		select {
		case <-ctx.Done():
		case <-time.After(pauses.next()):
		}
	}
	return nil
}

func connectOnce(ctx context.Context, o ClientOptions, address string, secure bool, calls *sync.WaitGroup, use func(context.Context, *Connection) error) error {
	ctx, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	var wire wire
	defer wire.close()
	c := &Connection{calls: calls, patience: cmp.Or(o.Patience, answerTimeout)}

	p := paho.NewClientOptions().
		AddBroker("tcp://" + address). // the custom function below dials
		SetProtocolVersion(4).         // 3.1.1, without trying 3.1 after a failure
		SetClientID(o.ClientID).
		SetUsername(o.Username).
		SetPassword(o.Password).
		SetCleanSession(!o.Keep). // what a broker would keep for us is sent again anyway
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetConnectTimeout(connectTimeout).
		SetWriteTimeout(writeTimeout).
		SetPingTimeout(pingTimeout).
		SetKeepAlive(cmp.Or(o.KeepAlive, 30*time.Second)).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) {
			conn, err := wire.dial(ctx, address, secure, o.TLS)
			if err != nil {
				return nil, err
			}
			return &checked{Conn: conn, heard: c.hear}, nil
		}).
		SetConnectionLostHandler(func(_ paho.Client, err error) {
			lose(fmt.Errorf("%w: %w", ErrLost, err))
		})
	if o.Will != nil {
		p.SetBinaryWill(o.Will.Topic, o.Will.Payload, o.Will.QoS, o.Will.Retained)
	}
	c.client = paho.NewClient(p)
	for filter, handle := range o.Expected {
		c.client.AddRoute(filter, handler(handle))
	}
	defer c.client.Disconnect(uint(goodbye.Milliseconds()))
	if err := c.wait(ctx, c.client.Connect()); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if err := use(ctx, c); err != nil && ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}

// Publish hands the message to the network. It does not wait until the broker
// has confirmed it.
func (c *Connection) Publish(ctx context.Context, m Message) error {
	_, err := c.publish(ctx, m)
	return err
}

// PublishConfirmed waits until the broker has confirmed the message; with QoS 0
// until it is written.
func (c *Connection) PublishConfirmed(ctx context.Context, m Message) error {
	token, err := c.publish(ctx, m)
	if err != nil {
		return err
	}
	return wrap(c.wait(ctx, token), "publish to", m.Topic)
}

func (c *Connection) publish(ctx context.Context, m Message) (paho.Token, error) {
	token, err := c.token(ctx, func() paho.Token { return c.client.Publish(m.Topic, m.QoS, m.Retained, m.Payload) })
	if err != nil {
		return nil, wrap(err, "publish to", m.Topic)
	}
	select {
	case <-token.Done():
		return token, wrap(token.Error(), "publish to", m.Topic)
	default:
		return token, nil
	}
}

// Subscribe waits until the broker has confirmed the subscription. Messages
// reach handle one after the other; while it blocks, no other message is read,
// and after some seconds the broker is thought dead.
//
// It may be said again at any time: what is confirmed may be another filter, where
// this one was damaged on its way.
func (c *Connection) Subscribe(ctx context.Context, filter string, qos byte, handle func(Message)) error {
	token, err := c.subscribe(ctx, filter, qos, handle)
	if err == nil {
		err = c.wait(ctx, token)
	}
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", filter, err)
	}
	if granted := token.(*paho.SubscribeToken).Result()[filter]; granted > 2 {
		return fmt.Errorf("subscribe to %s: the broker refuses", filter)
	}
	return nil
}

// Resubscribe says a subscription again and does not wait for an answer.
func (c *Connection) Resubscribe(ctx context.Context, filter string, qos byte, handle func(Message)) error {
	if _, err := c.subscribe(ctx, filter, qos, handle); err != nil {
		return fmt.Errorf("subscribe again to %s: %w", filter, err)
	}
	return nil
}

func (c *Connection) subscribe(ctx context.Context, filter string, qos byte, handle func(Message)) (paho.Token, error) {
	return c.token(ctx, func() paho.Token { return c.client.Subscribe(filter, qos, handler(handle)) })
}

func handler(handle func(Message)) paho.MessageHandler {
	return func(_ paho.Client, m paho.Message) {
		handle(Message{Topic: m.Topic(), Payload: m.Payload(), QoS: m.Qos(), Retained: m.Retained()})
	}
}

func (c *Connection) wait(ctx context.Context, token paho.Token) error {
	patience := time.NewTimer(c.patience)
	defer patience.Stop()
	select {
	case <-patience.C:
		return errSilent
	case <-token.Done():
		return token.Error()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func wrap(err error, doing, what string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", doing, what, err)
}

// wire is the socket of a connection. It is closed when the connection's context
// ends, because paho would wait for its timeouts.
type wire struct {
	mu     sync.Mutex
	conn   net.Conn
	closed bool
}

func (w *wire) dial(ctx context.Context, address string, secure bool, conf *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	d := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
	var conn net.Conn
	var err error
	if secure {
		conn, err = (&tls.Dialer{NetDialer: d, Config: conf}).DialContext(ctx, "tcp", address)
	} else {
		conn, err = d.DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, errors.Join(context.Canceled, conn.Close())
	}
	w.conn = conn
	return conn, nil
}

func (w *wire) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.conn != nil {
		_ = w.conn.Close()
	}
}

// backoff doubles from least to most.
type backoff struct {
	least, most time.Duration
	now         time.Duration
}

// next returns between half and all of the pause that is due, so that a thousand
// edges do not come back in the same moment.
func (b *backoff) next() time.Duration {
	b.now = min(max(2*b.now, b.least), b.most)
	return b.now/2 + rand.N(b.now/2+1)
}

// lived begins anew after a connection that was there for longer than the pause before
// it, and reports whether it was: a line that is often lost, for a short time, is
// soon there again.
func (b *backoff) lived(d time.Duration) bool {
	if d <= b.now {
		return false
	}
	b.now = 0
	return true
}
