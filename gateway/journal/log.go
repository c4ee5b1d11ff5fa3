package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
)

// SQLite reads its write-ahead log up to the first page with a wrong checksum, and
// takes the rest for what was never written: a single bit would hide all that was
// committed behind it. So the log is looked at before SQLite is, and where committed
// pages stand behind one that is damaged the journal counts as damaged, and the log is
// mended so that they can be saved.
//
// Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log

const (
	logHead   = 32
	frameHead = 24
	// logMagic is that of a log whose checksums are of little-endian words; one more
	// is that of big-endian ones.
	logMagic   = 0x377f0682
	logVersion = 3007000
)

// logSum is the running checksum of a log.
type logSum [2]uint32

func (s logSum) add(order binary.ByteOrder, b []byte) logSum {
	for ; len(b) >= 8; b = b[8:] {
		s[0] += order.Uint32(b) + s[1]
		s[1] += order.Uint32(b[4:]) + s[0]
	}
	return s
}

func storedSum(b []byte) logSum {
	return logSum{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
}

func (s logSum) store(b []byte) {
	binary.BigEndian.PutUint32(b, s[0])
	binary.BigEndian.PutUint32(b[4:], s[1])
}

// frame is one page of a log.
type frame struct {
	page   uint32
	commit uint32 // length of the file in pages after it, if it ends a transaction
	sound  bool   // its checksum follows from the frame before
}

// writeAhead is a log that was looked at.
type writeAhead struct {
	order    binary.ByteOrder
	pageSize int
	salts    [8]byte
	sound    bool    // its head is
	frames   []frame // up to the last that ends a transaction
	reach    int     // how many of them SQLite reads
}

// damage says what SQLite would pass over; nil when that is nothing.
func (w *writeAhead) damage() error {
	if w == nil || w.reach == len(w.frames) {
		return nil
	}
	return fmt.Errorf("%w: %d pages of its write-ahead log stand behind a damaged one", errDamaged, len(w.frames)-w.reach)
}

// inspectLog looks at the log of the file path. It returns nil where there is none,
// or nothing to be known of it.
func inspectLog(path string) (*writeAhead, error) {
	f, err := os.Open(path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	in := bufio.NewReaderSize(f, 1<<18)
	var head [logHead + frameHead]byte
	if n, err := io.ReadFull(in, head[:logHead]); err != nil || n < logHead {
		return nil, ignoreEnd(err)
	}
	w := &writeAhead{order: binary.LittleEndian}
	sum := w.readHead(head[:])
	if !w.sound {
		// The salts of its first frame, and the size of pages that the file has.
		next, err := in.Peek(frameHead)
		if err != nil {
			return nil, ignoreEnd(err)
		}
		copy(w.salts[:], next[8:16])
		if w.pageSize, err = pageSize(path); err != nil || w.pageSize == 0 {
			return nil, err
		}
	}
	return w, w.readFrames(in, sum, storedSum(head[24:]))
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// readHead takes the log's head and returns its checksum.
func (w *writeAhead) readHead(b []byte) logSum {
	magic := binary.BigEndian.Uint32(b)
	if magic&^1 != logMagic || binary.BigEndian.Uint32(b[4:]) != logVersion {
		return logSum{}
	}
	if magic&1 == 1 {
		w.order = binary.BigEndian
	}
	w.pageSize = int(binary.BigEndian.Uint32(b[8:]))
	copy(w.salts[:], b[16:24])
	sum := logSum{}.add(w.order, b[:24])
	w.sound = sum == storedSum(b[24:]) && w.pageSize >= 512 && w.pageSize <= 1<<16
	return sum
}

// pageSize asks the file itself; 0 when it does not say.
func pageSize(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, ignoreMissing(err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	var b [18]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return 0, ignoreEnd(err)
	}
	n := int(binary.BigEndian.Uint16(b[16:]))
	if n < 512 || n&(n-1) != 0 {
		return 0, nil
	}
	return n, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// readFrames reads all frames and keeps those up to the last that certainly ends a
// transaction of this log: what a crash has left half-written ends none, and what was
// there before has other salts.
func (w *writeAhead) readFrames(in io.Reader, sum, stored logSum) error {
	chained, end := w.sound, 0
	b := make([]byte, frameHead+w.pageSize)
	for {
		if _, err := io.ReadFull(in, b); err != nil {
			w.frames = w.frames[:end]
			return ignoreEnd(err)
		}
		fits := func(s logSum) bool { return s.add(w.order, b[:8]).add(w.order, b[frameHead:]) == storedSum(b[16:]) }
		ours := [8]byte(b[8:16]) == w.salts
		f := frame{page: binary.BigEndian.Uint32(b), commit: binary.BigEndian.Uint32(b[4:])}
		// The one before may be damaged in its checksum alone, or in the rest alone.
		f.sound = ours && (fits(stored) || fits(sum))
		w.frames = append(w.frames, f)
		chained = chained && ours && fits(sum)
		if f.sound && f.commit > 0 {
			if end = len(w.frames); chained {
				w.reach = end
			}
		}
		sum = stored.add(w.order, b[:8]).add(w.order, b[frameHead:])
		stored = storedSum(b[16:])
	}
}

// mend makes the log of a file one that SQLite reads to its end. Pages that are
// damaged stay as they are, where it is known which they are: their records have
// checksums of their own.
func (w *writeAhead) mend(path string) error {
	f, err := os.OpenFile(path+"-wal", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = w.rewrite(f)
	return errors.Join(err, f.Sync(), f.Close())
}

func (w *writeAhead) rewrite(f *os.File) error {
	var head [logHead]byte
	magic := uint32(logMagic)
	if w.order == binary.ByteOrder(binary.BigEndian) {
		magic++
	}
	binary.BigEndian.PutUint32(head[:], magic)
	binary.BigEndian.PutUint32(head[4:], logVersion)
	binary.BigEndian.PutUint32(head[8:], uint32(w.pageSize))
	copy(head[16:], w.salts[:])
	sum := logSum{}.add(w.order, head[:24])
	sum.store(head[24:])
	if _, err := f.WriteAt(head[:], 0); err != nil {
		return err
	}
	b := make([]byte, frameHead+w.pageSize)
	size, to := int64(len(b)), int64(logHead)
	pages := w.pages()
	for i, fr := range w.frames {
		if !fr.sound && (fr.page == 0 || fr.page > pages) {
			continue // nobody knows which page it is
		}
		if _, err := f.ReadAt(b, logHead+int64(i)*size); err != nil {
			return err
		}
		if fr.commit > 0 && !fr.sound {
			binary.BigEndian.PutUint32(b[4:], pages)
		}
		copy(b[8:], w.salts[:])
		sum = sum.add(w.order, b[:8]).add(w.order, b[frameHead:])
		sum.store(b[16:])
		if _, err := f.WriteAt(b, to); err != nil {
			return err
		}
		to += size
	}
	return f.Truncate(to)
}

// pages is how long the file is said to be at most, by what is sound.
func (w *writeAhead) pages() uint32 {
	most := uint32(0)
	for _, f := range w.frames {
		if f.sound {
			most = max(most, f.page, f.commit)
		}
	}
	if most == 0 {
		return math.MaxUint32
	}
	return most
}

// cutLog removes what a transaction that failed has left in the log, so that it is
// never taken for what was committed. That it cannot is no harm until a page before it
// is damaged.
func (f *file) cutLog() {
	var busy, frames, moved, size int64
	if f.row("PRAGMA wal_checkpoint(NOOP)").Scan(&busy, &frames, &moved) != nil || frames < 0 ||
		f.row("PRAGMA page_size").Scan(&size) != nil {
		return
	}
	_ = os.Truncate(f.path+"-wal", logHead+frames*(frameHead+size))
}
