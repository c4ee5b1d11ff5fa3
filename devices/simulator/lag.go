package simulator

import (
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// terminalLag is what a pair of pseudo terminals and waking up add to the time of a
// request and of its reply, a hundred microseconds or so, which a wire does not
// have. It is measured once, on a pair of its own, and takes some 50 ms.
var terminalLag = sync.OnceValue(func() time.Duration {
	p, err := OpenPTY("")
	if err != nil {
		return 0 // whoever opens the next one is told
	}
	defer p.Close() //nolint:errcheck // nothing was kept in it
	return p.measure()
})

func (p *PTY) measure() time.Duration {
	const rounds = 15
	var there, back []time.Duration
	for range rounds {
		in, ok := p.request()
		if !ok {
			return 0
		}
		out, ok := p.reply()
		if !ok {
			return 0
		}
		there, back = append(there, in), append(back, out)
	}
	const most = 120 * time.Microsecond // above it the machine was busy with something else
	return min(usual(there)+usual(back), most)
}

// usual is below the median: the machine may be busy with something else, and a
// reply that comes too soon would flatter a master.
func usual(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/3]
}

// settle is until the machine is as idle as between two frames.
func settle() {
	pause := unix.NsecToTimespec(int64(1500 * time.Microsecond))
	_ = unix.Nanosleep(&pause, nil) // cut short, a machine that is awake is measured
}

// request measures how late a byte of the gateway is read.
func (p *PTY) request() (time.Duration, bool) {
	read := make(chan time.Time, 1)
	go func() {
		defer close(read)
		if n, err := p.master.Read(make([]byte, 1)); n == 1 && err == nil {
			read <- time.Now()
		}
	}()
	settle()
	start := time.Now()
	if _, err := p.slave.Write([]byte{0}); err != nil {
		_ = p.master.SetReadDeadline(start) // lets the reader go
	}
	at, ok := <-read
	return at.Sub(start), ok
}

// reply measures how late a byte can be read by a gateway that does nothing else.
func (p *PTY) reply() (time.Duration, bool) {
	const patience = 5 * time.Millisecond
	fd := int(p.slave.Fd())
	settle()
	start := time.Now()
	if _, err := p.master.Write([]byte{0}); err != nil {
		return 0, false
	}
	took := time.Since(start)
	for ; took < patience; took = time.Since(start) {
		if n, err := unix.IoctlGetInt(fd, unix.TIOCINQ); err != nil || n > 0 {
			break
		}
	}
	_, err := p.slave.Read(make([]byte, 1))
	return took, err == nil
}
