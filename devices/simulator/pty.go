package simulator

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// PTY is a pair of pseudo terminals in raw mode: a serial line without hardware.
// Reading and writing is the device's end; whoever opens Path has the gateway's.
type PTY struct {
	master *os.File
	slave  *os.File // kept open, else a gateway that closes its end breaks ours with EIO
	path   string
	link   bool
}

var _ io.ReadWriteCloser = (*PTY)(nil)

// OpenPTY makes a pair and a symbolic link to the gateway's end at linkPath,
// replacing a link that is there; with an empty linkPath the path is the
// terminal's own.
func OpenPTY(linkPath string) (*PTY, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("open a pseudo terminal: %w", err)
	}
	p := &PTY{slave: slave, path: slave.Name()}
	if err := raw(slave); err != nil {
		return nil, errors.Join(fmt.Errorf("set %s raw: %w", p.path, err), master.Close(), slave.Close())
	}
	if p.master, err = pollable(master); err != nil {
		return nil, errors.Join(fmt.Errorf("open a pseudo terminal: %w", err), slave.Close())
	}
	if linkPath != "" {
		if err := p.linkAt(linkPath); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	return p, nil
}

// pollable gives the descriptor back to Go's poller, so that Close ends a Read:
// making the pair has set it to blocking.
func pollable(f *os.File) (*os.File, error) {
	defer f.Close() //nolint:errcheck // the duplicate lives on
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// raw turns off echo, signals and every translation, as cfmakeraw(3) does.
func raw(f *os.File) error {
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t)
}

func (p *PTY) linkAt(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("link a pseudo terminal: %w", err)
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode()&os.ModeSymlink == 0 {
			return fmt.Errorf("link a pseudo terminal: %s exists and is no link", path)
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("link a pseudo terminal: %w", err)
		}
	}
	if err := os.Symlink(p.path, path); err != nil {
		return fmt.Errorf("link a pseudo terminal: %w", err)
	}
	p.path, p.link = path, true
	return nil
}

// Path is what a gateway opens as its serial port.
func (p *PTY) Path() string { return p.path }

// Read reads what the gateway wrote.
func (p *PTY) Read(b []byte) (int, error) { return p.master.Read(b) }

// Write sends to the gateway. When nobody has read for a few thousand bytes it
// fails after a second.
func (p *PTY) Write(b []byte) (int, error) {
	if err := p.master.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return 0, err
	}
	return p.master.Write(b)
}

// Close takes the line away: the gateway's end reads end of file, and its path is
// gone.
func (p *PTY) Close() error {
	var errs []error
	if p.link {
		p.link = false
		errs = append(errs, os.Remove(p.path))
	}
	return errors.Join(append(errs, p.slave.Close(), p.master.Close())...)
}
