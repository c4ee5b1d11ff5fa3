package mbus

import (
	"bytes"
	"fmt"
	"time"
)

// maxTelegrams bounds a readout: meters need one to four.
const maxTelegrams = 16

// Readout is the reading of all records of one meter, which may come in several
// telegrams.
type Readout struct {
	address byte
	from    *Secondary
	count   bool
	zone    *time.Location

	last      []byte // records of the last telegram
	telegrams int
	response  Response
	records   []Record
	done      bool
}

// NewReadout begins to read a meter by its primary address. The count is the frame
// count bit to begin with: true after Initialise, otherwise what Count said after
// the last readout.
func NewReadout(address byte, count bool, zone *time.Location) *Readout {
	return &Readout{address: address, count: count, zone: zone}
}

// NewSelectedReadout begins to read the meter that was selected just now.
func NewSelectedReadout(s Secondary, zone *time.Location) *Readout {
	return &Readout{address: Selected, from: &s, count: true, zone: zone}
}

// Request returns what is to be asked next. It stays the same until a telegram has
// come, so that it can be asked again.
func (o *Readout) Request() Request {
	r := Ask(o.address, o.count)
	r.From = o.from
	return r
}

// Take takes in a frame that came after the request. It reports true when the meter
// has no more telegrams; false without an error when the next one is to be asked
// for. Errors are those of Match and ParseRecords; a frame that is ErrForeign changes
// nothing.
func (o *Readout) Take(f Frame) (done bool, err error) {
	if o.done {
		return true, fmt.Errorf("%s after the end: %w", f, ErrForeign)
	}
	resp, err := o.Request().Match(f)
	if err != nil {
		return false, err
	}
	o.count = !o.count
	o.telegrams++
	if o.telegrams > 1 && bytes.Equal(resp.Records, o.last) {
		o.done = true // a meter that does not heed the count has only this one
		return true, nil
	}
	records, more, err := ParseRecords(resp.Records, o.zone)
	if err != nil {
		return false, err
	}
	if more && o.telegrams == maxTelegrams {
		return false, fmt.Errorf("%d telegrams and no end: %w", maxTelegrams, ErrMalformed)
	}
	o.response, o.last = resp, resp.Records
	o.records = append(o.records, records...)
	o.done = !more
	return o.done, nil
}

// Records returns the records that have come.
func (o *Readout) Records() []Record { return o.records }

// Response returns the last telegram, for the identity and the status of the meter.
func (o *Readout) Response() Response { return o.response }

// Count returns the frame count bit of the next request.
func (o *Readout) Count() bool { return o.count }
