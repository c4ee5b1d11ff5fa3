package journal

import (
	"encoding/binary"
	"hash/crc32"
	"os"
)

// note is a file of one line beside the journal that says how many records are in
// memory only. It takes its room when the journal is opened, so that a full disk has
// it to be written over; a disk that is read-only has not, and then nobody knows what
// a kill took.
type note struct {
	f    *os.File // nil: there is none
	said int64
}

const noteBytes = 12

func notePath(path string) string { return path + ".memory" }

// openNote returns the note and what the process before left in it.
func openNote(path string) (n note, left int64) {
	f, err := os.OpenFile(notePath(path), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return note{}, 0
	}
	var b [noteBytes]byte
	if _, err := f.ReadAt(b[:], 0); err == nil && crc32.Checksum(b[:8], castagnoli) == binary.BigEndian.Uint32(b[8:]) {
		left = int64(binary.BigEndian.Uint64(b[:]))
	}
	n = note{f: f, said: -1}
	n.say(0)
	return n, left
}

// say writes how many there are now, if that is new. It outlives the process, not the
// machine: it is not synced.
func (n *note) say(records int64) {
	if n.f == nil || n.said == records {
		return
	}
	var b [noteBytes]byte
	binary.BigEndian.PutUint64(b[:], uint64(records))
	binary.BigEndian.PutUint32(b[8:], crc32.Checksum(b[:8], castagnoli))
	if _, err := n.f.WriteAt(b[:], 0); err == nil {
		n.said = records
	}
}

func (n *note) close() error {
	if n.f == nil {
		return nil
	}
	return n.f.Close()
}

// beginNote takes the note over from the process before.
func (j *Journal) beginNote() {
	if j.opts.Memory == 0 {
		return
	}
	if j.note, j.st.Vanished = openNote(j.path); j.st.Vanished > 0 {
		j.log.Error("RECORDS ARE LOST that were in memory only, as the disk refused them, when the program was ended", "records", j.st.Vanished)
	}
}

// noteDown says what is in memory now. The caller holds j.mu.
func (j *Journal) noteDown() {
	n := int64(0)
	for _, r := range j.shown {
		n += int64(len(r.recs))
	}
	j.note.say(n)
}
