// Package transfer is how history leaves a site and comes into one: as InfluxDB's
// line protocol, or as CSV for tables. What is written can be read back as it was.
package transfer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"gengfu/storage/history"
)

// Format is what rows are written as.
type Format string

// The formats.
const (
	Lines Format = "lines" // InfluxDB's line protocol, times in milliseconds
	CSV   Format = "csv"   // with a heading; UTC
)

// Writer writes rows.
type Writer interface {
	Write(rows []history.Row) error
	Flush() error // after the last row
}

// NewWriter returns a writer of the format. The site is a tag of lines.
func NewWriter(w io.Writer, f Format, site string) (Writer, error) {
	switch f {
	case Lines:
		return &lineWriter{out: w, site: site}, nil
	case CSV:
		return NewTable(w)
	}
	return nil, fmt.Errorf("%q is no format: write %s or %s", f, Lines, CSV)
}

// Reader reads rows.
type Reader interface {
	// Read returns the next rows, at least one, or io.EOF. A *LineError is about one
	// line, after which reading goes on.
	Read() ([]history.Row, error)
}

// LineError says what is wrong with a line.
type LineError struct {
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *LineError) Unwrap() error { return e.Err }

// maxLine is how many bytes a line may have.
const maxLine = 1 << 20

// Precision is the unit of times in line protocol.
type Precision time.Duration

// NewReader returns a reader of what r holds: it tells gzip, CSV and line protocol
// apart itself. Rows of another site than the given one are wrong; an empty site
// takes all.
func NewReader(r io.Reader, site string, p Precision) (Reader, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	magic, err := in.Peek(2)
	if err == nil && bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("read gzip: %w", err)
		}
		in = bufio.NewReaderSize(z, 64<<10)
	}
	front, err := in.Peek(len(bom) + len(heading))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	text := string(front)
	if strings.HasPrefix(text, bom) {
		if _, err := in.Discard(len(bom)); err != nil {
			return nil, err
		}
		text = text[len(bom):]
	}
	if strings.HasPrefix(text, "time,") {
		return newTableReader(in)
	}
	return newLineReader(in, site, p), nil
}

const bom = "\ufeff" // spreadsheets write it
