// Package brokertest gives tests a real broker and a network that breaks. It is
// for tests only.
package brokertest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gengfu/facility/porttest"
)

// Server is a Mosquitto that a test may stop and start again.
type Server struct {
	t    testing.TB
	bin  string
	conf string
	addr string
	cmd  *exec.Cmd
	out  *os.File
}

// Mosquitto starts a Mosquitto on a free loopback port and returns its URL. It is
// stopped when the test ends. Without Mosquitto the test is skipped, or fails
// when CI=true.
func Mosquitto(t testing.TB) (url string) {
	t.Helper()
	return StartMosquitto(t).URL()
}

// StartMosquitto is Mosquitto for tests that restart it.
func StartMosquitto(t testing.TB) *Server {
	t.Helper()
	return startMosquitto(t, "allow_anonymous true\n")
}

// startMosquitto adds lines to the configuration.
func startMosquitto(t testing.TB, more string) *Server {
	t.Helper()
	bin, err := find()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, bin: bin, conf: filepath.Join(dir, "conf"), addr: porttest.Address(t), out: out}
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf("listener %s 127.0.0.1\npersistence false\n%s", port, more)
	if os.Getuid() == 0 {
		conf += "user root\n" // its own user cannot read the test's folder
	}
	if err := os.WriteFile(s.conf, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop()
		if log, err := os.ReadFile(out.Name()); err == nil && t.Failed() {
			t.Logf("mosquitto:\n%s", log[max(0, len(log)-4000):])
		}
		_ = out.Close()
	})
	s.Start()
	return s
}

// URL is the broker's, as "tcp://127.0.0.1:PORT".
func (s *Server) URL() string { return "tcp://" + s.addr }

// Addr is where it listens.
func (s *Server) Addr() string { return s.addr }

// Start starts the broker, at the address that it always has, and waits until it
// answers.
func (s *Server) Start() {
	s.t.Helper()
	s.cmd = exec.Command(s.bin, "-c", s.conf)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for start := time.Now(); ; {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Since(start) > 2*time.Minute {
			s.t.Fatalf("mosquitto does not answer: %v", err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// Stop kills the broker with all that it holds.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

func find() (string, error) {
	if bin, err := exec.LookPath("mosquitto"); err == nil {
		return bin, nil
	}
	const debian = "/usr/sbin/mosquitto"
	if _, err := os.Stat(debian); err != nil {
		return "", fmt.Errorf("no mosquitto (apt-get install mosquitto): %w", err)
	}
	return debian, nil
}

// Proxy is a TCP relay whose connections a test can cut.
type Proxy struct {
	l       net.Listener
	target  string
	mu      sync.Mutex
	conns   map[net.Conn]bool
	refuse  bool
	tamper  func([]byte)
	deaf    map[net.Conn]bool
	taken   int
	running sync.WaitGroup
}

// NewProxy relays to target until the test ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{l: l, target: target, conns: map[net.Conn]bool{}, deaf: map[net.Conn]bool{}}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.Cut()
		p.running.Wait()
	})
	return p
}

// URL is where clients reach the target through the proxy.
func (p *Proxy) URL() string { return "tcp://" + p.l.Addr().String() }

// Cut breaks all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// Refuse breaks all connections and takes no new ones until it is called with
// false.
func (p *Proxy) Refuse(refuse bool) {
	p.mu.Lock()
	p.refuse = refuse
	p.mu.Unlock()
	if refuse {
		p.Cut()
	}
}

// Deafen leaves all connections half open for good: both sides stay, and neither hears
// the other any more.
func (p *Proxy) Deafen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		p.deaf[c] = true
	}
}

// Tamper changes what clients say, piece by piece.
func (p *Proxy) Tamper(change func([]byte)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tamper = change
}

// Taken is how many connections were relayed.
func (p *Proxy) Taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

// treat does to a piece what is to be done, and reports whether it is passed on.
func (p *Proxy) treat(from net.Conn, piece []byte, ofClient bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ofClient && p.tamper != nil {
		p.tamper(piece)
	}
	return !p.deaf[from]
}

func (p *Proxy) accept() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.relay(c) })
	}
}

func (p *Proxy) relay(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.keep(client, server) {
		return
	}
	defer p.forget(client, server)
	var ways sync.WaitGroup
	ways.Go(func() { p.pump(server, client, true) })
	ways.Go(func() { p.pump(client, server, false) })
	ways.Wait()
}

// pump copies until one side ends, then ends both.
func (p *Proxy) pump(to, from net.Conn, ofClient bool) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if n > 0 && p.treat(from, buf[:n], ofClient) {
			if _, werr := to.Write(buf[:n]); werr != nil {
				err = werr
			}
		}
		if err != nil {
			_ = to.Close()
			_ = from.Close()
			return
		}
	}
}

func (p *Proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse {
		return false
	}
	for _, c := range conns {
		p.conns[c] = true
	}
	p.taken++
	return true
}

func (p *Proxy) forget(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
		delete(p.deaf, c)
	}
}
