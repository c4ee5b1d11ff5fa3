package embedded

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Where the head of a file says its page size, its length in pages, and where its
// free pages are: https://www.sqlite.org/fileformat.html#the_database_header
const (
	atPageSize  = 16
	atFormat    = 18 // 2 is the last there is
	atPages     = 28
	atFreePages = 32
	atChanges   = 92
	headLen     = 100
)

// headless is true of errors of opening that come of a damaged head of the file: of
// our statements nothing else makes them, and a format that cannot be written is none
// of ours.
func headless(path string, err error) bool {
	var s *sqlite.Error
	if !errors.As(err, &s) {
		return false
	}
	switch s.Code() & 0xff {
	case sqlite3.SQLITE_ERROR:
		return true
	case sqlite3.SQLITE_READONLY:
		f, err := os.Open(path) // the path is the store's
		if err != nil {
			return false
		}
		defer f.Close() //nolint:errcheck // it was only read
		var format [1]byte
		_, err = f.ReadAt(format[:], atFormat)
		return err == nil && format[0] > 2
	}
	return false
}

// lengthen fills a file that was cut with zeros, for SQLite reads nothing of one
// that is shorter than it says.
func lengthen(path string) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var head [headLen]byte
	info, err := f.Stat()
	if err != nil || info.Size() < headLen {
		return err
	}
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return err
	}
	size := int64(binary.BigEndian.Uint16(head[atPageSize:])) * int64(binary.BigEndian.Uint32(head[atPages:]))
	if size > info.Size() && size < 2*info.Size()+1<<20 {
		return f.Truncate(size)
	}
	return nil
}

// newHead gives a file whose first page is damaged that of a new one: as all files
// are made by the same statements, their tables begin on the same pages.
func newHead(ctx context.Context, path string) (err error) {
	page, err := firstPage(ctx, path+".head")
	if err != nil {
		return fmt.Errorf("make the first page of a new file: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := int64(len(page))
	pages := (info.Size() + size - 1) / size
	binary.BigEndian.PutUint32(page[atPages:], uint32(pages))
	clear(page[atFreePages : atFreePages+8])
	copy(page[atChanges:atChanges+4], page[24:28]) // or the length would not count
	if _, err := f.WriteAt(page, 0); err != nil {
		return err
	}
	return f.Truncate(max(pages*size, info.Size()))
}

// firstPage returns the first page of a new file, which it makes at the path and
// removes.
func firstPage(ctx context.Context, path string) (page []byte, err error) {
	defer func() { err = errors.Join(err, removeBoth(path)) }()
	db, err := sql.Open("sqlite", source(path, "_txlock=immediate"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err = migrate(ctx, tx); err == nil {
		err = tx.Commit()
	}
	if err = errors.Join(err, db.Close()); err != nil { // which moves all out of its log
		return nil, err
	}
	all, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	if len(all) < headLen {
		return nil, fmt.Errorf("it has %d bytes", len(all))
	}
	size := int(binary.BigEndian.Uint16(all[atPageSize:]))
	if size < 512 || size > len(all) {
		return nil, fmt.Errorf("it has pages of %d bytes", size)
	}
	return all[:size], nil
}
