package clock

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// memory is the form of the file.
type memory struct {
	Boots boots `json:"boots"`
}

// recall reads what is remembered of the boots.
func (c *Clock) recall() boots {
	if c.o.File == "" {
		return nil
	}
	text, err := os.ReadFile(c.o.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var m memory
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		c.log.Warn("what was known of the clock cannot be read; it is learned anew", "error", err)
		return nil
	}
	return slices.DeleteFunc(m.Boots, func(b boot) bool { return b.ID == "" || b.Last < b.First })
}

// keep writes it.
func (c *Clock) keep() {
	if c.o.File == "" {
		return
	}
	c.mu.Lock()
	text, err := json.Marshal(memory{c.core.boots})
	c.mu.Unlock()
	if err == nil {
		err = replace(c.o.File, text)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.trouble = ""
	case err.Error() != c.trouble:
		c.trouble = err.Error()
		c.log.Warn("what is known of the clock cannot be kept", "error", err)
	}
}

// replace writes a file whole or not at all.
func replace(path string, text []byte) (err error) {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("keep the clock's memory: %w", err)
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("keep the clock's memory: %w", err)
	}
	return nil
}
