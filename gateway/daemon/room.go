package daemon

import "fmt"

// lastRoom is how much of the disk samples leave to urgent facts, orders and alarms,
// in bytes; of a small disk it is a twentieth.
const lastRoom = 64 << 20

// room returns what says that the disk of a folder keeps its last room. Where that
// cannot be asked it never does.
func room(dir string) func() error {
	return func() error {
		free, all, err := diskSpace(dir)
		if err == nil && free < min(lastRoom, all/20) {
			return fmt.Errorf("the disk has %d MB left and keeps them for urgent facts", free>>20)
		}
		return nil
	}
}
