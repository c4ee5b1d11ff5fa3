package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const diskSize = "160m"

// mountDisk puts a small file system of its own into the folder, so that it can be
// filled. Only root may.
func mountDisk(folder string) error {
	return syscall.Mount("tmpfs", folder, "tmpfs", 0, "size="+diskSize+",mode=0700")
}

func unmountDisk(folder string) error { return syscall.Unmount(folder, syscall.MNT_DETACH) }

// lockDisk makes the file system one that can only be read, or gives it back. Nobody
// may have a file of it open for writing.
func lockDisk(folder string, locked bool) error {
	flags := uintptr(syscall.MS_REMOUNT)
	if locked {
		flags |= syscall.MS_RDONLY
	}
	for tries := 0; ; tries++ {
		err := syscall.Mount("tmpfs", folder, "tmpfs", flags, "size="+diskSize+",mode=0700")
		// A process that another world starts has our files for a moment.
		if !errors.Is(err, syscall.EBUSY) || tries == 100 {
			return err
		}
		<-time.After(10 * time.Millisecond)
	}
}

const ballast = "ballast"

// fillDisk takes all room that is left.
func fillDisk(folder string) (err error) {
	f, err := os.OpenFile(filepath.Join(folder, ballast), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	switch {
	case errors.Is(err, syscall.EROFS):
		return nil // nothing can be written in any case
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for size := 1 << 20; size >= 512; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return nil
}

func freeDisk(folder string) error {
	err := os.Remove(filepath.Join(folder, ballast))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.EROFS) { // one that is read-only is freed when it is not
		return nil
	}
	return err
}

// freeze stops a process as a machine that hangs does; thaw lets it go on.
func freeze(p *process) error { return p.cmd.Process.Signal(syscall.SIGSTOP) }
func thaw(p *process) error   { return p.cmd.Process.Signal(syscall.SIGCONT) }
