package daemon

import "syscall"

// diskSpace returns how many bytes may be written to the disk of a folder, and how
// many it has.
func diskSpace(dir string) (free, all uint64, err error) {
	var s syscall.Statfs_t
	err = syscall.Statfs(dir, &s)
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), err
}
