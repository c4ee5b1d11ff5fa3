package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const claimFile = "gengfu.lock"

// errClaimed says that the file is locked by somebody else.
var errClaimed = errors.New("it is locked")

// claim takes the data folder for this process, and returns what gives it back.
// Two gateways on one folder would each judge half of the facts.
func claim(dir string) (release func() error, err error) {
	path := filepath.Join(dir, claimFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // the path is the user's
	if errors.Is(err, syscall.EROFS) {
		if f, err = os.Open(path); errors.Is(err, fs.ErrNotExist) {
			return func() error { return nil }, nil // nobody was here while it could be written
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the data folder cannot be used: %w", err)
	}
	err = lock(f)
	if errors.Is(err, errClaimed) {
		holder, _ := os.ReadFile(path) // only for the message
		err = fmt.Errorf("another gateway (process %s) works in %s: stop it, or choose another folder with --data",
			strings.TrimSpace(string(holder)), dir)
	} else if err == nil {
		_ = sign(f) // a full disk takes the folder from nobody
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

// sign writes who has the folder, for those who come later.
func sign(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("the data folder cannot be used: %w", err)
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("the data folder cannot be used: %w", err)
	}
	return nil
}
