package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// process is one child, from its start to its end.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{} // closed when it is gone and all that it said is heard
}

// start runs a program. What it says goes line by line to hear, what it logs to
// the file log.
func start(name, program string, args, env []string, log string, hear func(line string)) (*process, error) {
	p := &process{name: name, cmd: exec.Command(program, args...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	errOut, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer errOut.Close()
	p.cmd.Stderr = errOut
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	var hearing sync.WaitGroup
	hearing.Go(func() {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			hear(lines.Text())
		}
	})
	go func() {
		defer close(p.ended)
		hearing.Wait()
		_ = p.cmd.Wait() // it was killed, or its log says why it ended
	}()
	return p, nil
}

func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// kill is the end that a power cut makes, as far as a process can tell.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

func (p *process) tell(line string) error {
	_, err := fmt.Fprintln(p.stdin, line)
	return err
}

// stop asks for a clean end.
func (p *process) stop(patience time.Duration) error {
	_ = p.stdin.Close()
	err := p.cmd.Process.Signal(os.Interrupt)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	select {
	case <-p.ended:
		return err
	case <-time.After(patience):
		p.kill()
		return fmt.Errorf("%s does not stop within %s", p.name, patience)
	}
}
