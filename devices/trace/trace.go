// Package trace is the file that holds what went over a line: one JSON object on
// each line, the settings of the line first, frames in hex, times to the nanosecond.
// A trace of a gateway has requests with what came back, a sniffed one has the bytes
// that were heard. It only reads and writes; what the frames mean is package sniff's.
package trace

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"gengfu/devices/sniff"
)

// Version is that of the format that is written. Readers take this one and older ones.
const Version = 1

// Head is the first line of a file: which line it was, and how it was set.
type Head struct {
	Version  int            `json:"gengfu_trace"`
	Line     string         `json:"line,omitempty"`     // id of the configuration
	Protocol sniff.Protocol `json:"protocol,omitempty"` // that the line is mainly for
	Port     string         `json:"port,omitempty"`     // device path, or address of a socket
	Baud     int            `json:"baud,omitempty"`
	Parity   string         `json:"parity,omitempty"`
	DataBits int            `json:"data_bits,omitempty"`
	StopBits int            `json:"stop_bits,omitempty"`
	Began    time.Time      `json:"began"`
	By       string         `json:"by,omitempty"` // program and version
}

// Character returns how long one character takes on the line; 0 when that is not known.
func (h Head) Character() time.Duration {
	if h.Baud <= 0 {
		return 0
	}
	bits := 1 + or(h.DataBits, 8) + or(h.StopBits, 1)
	if h.Parity != "" && h.Parity != "none" {
		bits++
	}
	return time.Duration(bits) * time.Second / time.Duration(h.Baud)
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// Hex is bytes that are written as hex.
type Hex []byte

// MarshalText writes upper-case digits without blanks.
func (h Hex) MarshalText() ([]byte, error) {
	return []byte(strings.ToUpper(hex.EncodeToString(h))), nil
}

// UnmarshalText reads digits of either case; blanks between bytes are let pass.
func (h *Hex) UnmarshalText(b []byte) error {
	out, err := hex.DecodeString(strings.ReplaceAll(string(b), " ", ""))
	if err != nil {
		return fmt.Errorf("%q is no hex: %w", b, err)
	}
	*h = out
	return nil
}

// Booked is a value as it was decoded when the trace was made.
type Booked struct {
	Quantity string   `json:"quantity"`
	Value    *float64 `json:"value"` // null when there was none
	Unit     string   `json:"unit,omitempty"`
	Quality  string   `json:"quality"`
	Reason   string   `json:"reason,omitempty"`
}

// Entry is one line of a file after the first. It has a request, or bytes that were
// heard, or says how many entries were lost before it.
type Entry struct {
	At      time.Time     `json:"at"`
	Request Hex           `json:"request,omitempty"`
	Reply   Hex           `json:"reply,omitempty"` // everything that was received after the request
	Took    time.Duration `json:"took_ns,omitempty"`
	Error   string        `json:"error,omitempty"`
	Device  string        `json:"device,omitempty"`  // id of the configuration
	Profile string        `json:"profile,omitempty"` // its model
	Booked  []Booked      `json:"booked,omitempty"`
	Heard   Hex           `json:"heard,omitempty"` // of a sniffed line: what was read at once
	Lost    int           `json:"lost,omitempty"`  // entries that the reader was too slow for
}

// Writer writes a file.
type Writer struct{ enc *json.Encoder }

// NewWriter writes the head.
func NewWriter(w io.Writer, h Head) (*Writer, error) {
	h.Version = Version
	enc := json.NewEncoder(w)
	if err := enc.Encode(h); err != nil {
		return nil, fmt.Errorf("write the head of a trace: %w", err)
	}
	return &Writer{enc}, nil
}

// Write writes one entry.
func (w *Writer) Write(e Entry) error {
	if err := w.enc.Encode(e); err != nil {
		return fmt.Errorf("write a trace: %w", err)
	}
	return nil
}

// longestLine bounds a line of a file, in bytes.
const longestLine = 1 << 20

// ErrFormat says that a file is no trace, or one of a newer program.
var ErrFormat = errors.New("no trace that this program can read")

// Reader reads a file.
type Reader struct {
	Head Head
	scan *bufio.Scanner
	line int
}

// NewReader reads the head.
func NewReader(r io.Reader) (*Reader, error) {
	out := &Reader{scan: bufio.NewScanner(r)}
	out.scan.Buffer(nil, longestLine)
	b, err := out.next()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("it is empty: %w", ErrFormat)
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &out.Head); err != nil || out.Head.Version == 0 {
		return nil, fmt.Errorf("line %d does not begin with gengfu_trace: %w", out.line, ErrFormat)
	}
	if out.Head.Version > Version || out.Head.Version < 0 {
		return nil, fmt.Errorf("its version is %d, this program reads up to %d; use a newer gengfu: %w", out.Head.Version, Version, ErrFormat)
	}
	return out, nil
}

// Read returns the next entry, io.EOF after the last one. A file that ends within a
// line, as after a power cut, ends with io.ErrUnexpectedEOF.
func (r *Reader) Read() (Entry, error) {
	b, err := r.next()
	if err != nil {
		return Entry{}, err
	}
	var e Entry
	if err := json.Unmarshal(b, &e); err != nil {
		var cut *json.SyntaxError
		if errors.As(err, &cut) && int(cut.Offset) >= len(b) && !r.scan.Scan() {
			return Entry{}, fmt.Errorf("line %d is cut off: %w", r.line, io.ErrUnexpectedEOF)
		}
		return Entry{}, fmt.Errorf("line %d: %w: %w", r.line, ErrFormat, err)
	}
	return e, nil
}

// next returns the next line that is not empty.
func (r *Reader) next() ([]byte, error) {
	for r.scan.Scan() {
		r.line++
		if b := r.scan.Bytes(); len(strings.TrimSpace(string(b))) > 0 {
			return b, nil
		}
	}
	if err := r.scan.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w: %w", r.line+1, ErrFormat, err)
	}
	return nil, io.EOF
}
