package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"time"
)

// world is one disk and the hubs that come and go on it.
type world struct {
	dir  string
	seed uint64

	kills, early int
	acknowledged []string // alarms, as the hubs said
	facts        uint64
	life         time.Duration // from a hub's start until it is ready, as last seen
}

// patience is how long the last hub may take to come to its end.
const patience = 2 * time.Minute

// atWork is how long at most a hub is at work before it is killed, and some more.
const atWork = 200 * time.Millisecond

// live kills so many hubs and lets a last one come to its end.
func (w *world) live(kills int) error {
	if err := os.Mkdir(w.dir, 0o700); err != nil {
		return err
	}
	draw := rand.New(rand.NewPCG(w.seed, 1))
	w.life = 200 * time.Millisecond
	for range kills {
		// Some die while they start, most of them at work.
		if err := w.one(time.Duration(draw.Int64N(int64(3*w.life+atWork)))+time.Millisecond, false); err != nil {
			return err
		}
	}
	if err := w.one(0, true); err != nil {
		return err
	}
	if w.facts == 0 {
		return errors.New("the last hub said nothing")
	}
	return nil
}

// one starts a hub and kills it after so long, unless it is the last.
func (w *world) one(after time.Duration, last bool) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), worldVariable+"="+w.dir)
	if last {
		child.Env = append(child.Env, lastVariable+"=yes")
	}
	child.Stderr = os.Stderr
	if _, err := child.StdinPipe(); err != nil { // which ends with this program
		return err
	}
	says, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := child.Start(); err != nil {
		return err
	}
	if last {
		after = patience
	}
	killed := time.AfterFunc(after, func() { _ = child.Process.Kill() }) // it may have ended: Wait says
	defer killed.Stop()
	ready := w.hear(says, begun)
	err = child.Wait()
	if last {
		return err
	}
	if killed.Stop() {
		return fmt.Errorf("a hub ended before it was killed: %w", err)
	}
	if !ready {
		w.early++
	}
	w.kills++
	return nil
}

// hear takes in what a hub says until it is no more.
func (w *world) hear(says io.Reader, begun time.Time) (ready bool) {
	lines := bufio.NewScanner(says)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case saysReady:
			ready = true
			w.life = time.Since(begun)
		case saysAcknowledged:
			w.acknowledged = append(w.acknowledged, rest)
		case saysFacts:
			_, _ = fmt.Sscan(rest, &w.facts) // live asks whether there is a number
		}
	}
	return ready
}
