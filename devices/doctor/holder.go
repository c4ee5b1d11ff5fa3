package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Holder is a program that has a port open.
type Holder struct {
	Process int
	Name    string
}

// Holders returns who has a port open, as far as this user may see it. proc is where
// the system shows its processes, "/proc".
func Holders(proc, port string) (out []Holder) {
	real, err := filepath.EvalSymlinks(port)
	if err != nil {
		return nil
	}
	processes, err := os.ReadDir(proc)
	if err != nil {
		return nil
	}
	for _, p := range processes {
		id, err := strconv.Atoi(p.Name())
		if err != nil || id == os.Getpid() {
			continue
		}
		folder := filepath.Join(proc, p.Name(), "fd")
		open, err := os.ReadDir(folder)
		if err != nil {
			continue // of another user
		}
		for _, fd := range open {
			if target, err := os.Readlink(filepath.Join(folder, fd.Name())); err == nil && target == real {
				name, _ := os.ReadFile(filepath.Join(proc, p.Name(), "comm")) // without it the number must do
				out = append(out, Holder{id, strings.TrimSpace(string(name))})
				break
			}
		}
	}
	return out
}

func by(all []Holder) string {
	if len(all) == 0 {
		return " by a program of another user"
	}
	said := make([]string, len(all))
	for i, h := range all {
		said[i] = fmt.Sprintf("%s (process %d)", h.Name, h.Process)
	}
	return " by " + strings.Join(said, " and ")
}
