package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"
)

// The roles of children, which are this program once more.
const (
	roleGateway = "gateway" // the finished program: edge or hub, as its configuration says
	roleFeed    = "feed"    // the edge with a source in place of a field
	roleMeters  = "meters"  // simulated meters
	roleBare    = "bare"    // the bare client of InfluxDB
)

// What a child finds in its environment: its role, and a folder for a profile of
// what it does.
const (
	roleEnv    = "GENGFU_BENCH_ROLE"
	profileEnv = "GENGFU_BENCH_PROFILE"
)

const (
	readyWithin = 30 * time.Second
	stopWithin  = 30 * time.Second
)

// beChild is a child until it is told to end, and returns its exit status.
func beChild(role string, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := be(ctx, role, args); err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		return 1
	}
	return 0
}

// be is a child, until its input or ctx ends.
func be(ctx context.Context, role string, args []string) (err error) {
	if folder := os.Getenv(profileEnv); folder != "" {
		f, err := os.CreateTemp(folder, role+"-*.pprof")
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // it is for people, who will see it
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	orders := make(chan string)
	go func() { // it ends with the process
		defer cancel()
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			select {
			case orders <- lines.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	switch role {
	case roleGateway:
		return beGateway(ctx, args, os.Stdout)
	case roleFeed:
		return beFeed(ctx, args, orders, os.Stdout)
	case roleMeters:
		return beMeters(ctx, args, os.Stdout)
	case roleBare:
		return beBare(ctx, args, os.Stdout)
	}
	return fmt.Errorf("there is no role %q", role)
}

// process is a running child or server.
type process struct {
	name  string
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string // what it says; closed when it ends
	log   string      // the file of what it logs
}

// startSelf starts this program in a role. What it logs goes to a file in dir.
func startSelf(ctx context.Context, dir, name, role, profiles string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	env := []string{roleEnv + "=" + role}
	if profiles != "" {
		env = append(env, profileEnv+"="+profiles)
	}
	return start(ctx, dir, name, self, env, args...)
}

func start(ctx context.Context, dir, name, program string, env []string, args ...string) (*process, error) {
	p := &process{name: name, lines: make(chan string, 64), log: filepath.Join(dir, name+".log")}
	p.cmd = exec.CommandContext(ctx, program, args...) //nolint:gosec // they are ours
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = stopWithin
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // likewise
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the child has its own
	p.cmd.Stderr = log
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(p.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.lines <- lines.Text()
		}
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// hear returns the rest of the next line that begins with a word.
func (p *process) hear(ctx context.Context, word string) (string, error) {
	for {
		select {
		case line, open := <-p.lines:
			if rest, ok := strings.CutPrefix(line, word+" "); ok {
				return rest, nil
			}
			if !open {
				return "", fmt.Errorf("%s has ended without a word of %q: %s", p.name, word, p.said())
			}
		case <-ctx.Done():
			return "", fmt.Errorf("wait for %s to say %q: %w", p.name, word, ctx.Err())
		}
	}
}

// said is the end of its log.
func (p *process) said() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-500):])
}

// tell gives an order.
func (p *process) tell(format string, args ...any) error {
	if _, err := fmt.Fprintf(p.in, format+"\n", args...); err != nil {
		return fmt.Errorf("tell %s: %w", p.name, err)
	}
	return nil
}

// stop ends it and waits for it.
func (p *process) stop() error {
	err := p.in.Close()
	if signalled := p.cmd.Process.Signal(syscall.SIGTERM); !errors.Is(signalled, os.ErrProcessDone) {
		err = errors.Join(err, signalled)
	}
	late := time.AfterFunc(stopWithin, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	for range p.lines { // until it has ended
	}
	if waited := p.cmd.Wait(); waited != nil && p.cmd.ProcessState.ExitCode() > 0 {
		err = errors.Join(err, fmt.Errorf("%s: %w: %s", p.name, waited, p.said()))
	}
	return err
}
