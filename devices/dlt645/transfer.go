package dlt645

import "fmt"

// maxTransfer bounds the data of one item, in bytes: the longest records of the
// standard are a few hundred.
const maxTransfer = 8 << 10

// Transfer is the reading of one item, whose data may come in several frames.
type Transfer struct {
	request Request
	data    []byte
	from    Address
	done    bool
}

// NewTransfer begins to read an item.
func NewTransfer(a Address, di DI) *Transfer { return &Transfer{request: Read(a, di)} }

// Request returns what is to be asked next. It stays the same until a part has
// come, so that it can be asked again.
func (t *Transfer) Request() Request { return t.request }

// Take takes in a frame that came after the request. It reports true when the item
// is complete; false without an error when the next part is to be asked for. Errors
// are those of Match; a frame that is ErrForeign changes nothing.
func (t *Transfer) Take(f Frame) (done bool, err error) {
	if t.done {
		return true, fmt.Errorf("%s after the end of %s: %w", f, t.request, ErrForeign)
	}
	reply, err := t.request.Match(f)
	if err != nil {
		return false, err
	}
	if len(t.data)+len(reply.Data) > maxTransfer || reply.More && t.request.Sequence == 0xFF {
		return false, fmt.Errorf("%s does not end: %w", t.request, ErrMalformed)
	}
	t.data = append(t.data, reply.Data...)
	t.from = reply.Address
	t.done = !reply.More
	if reply.More {
		t.request = t.request.following()
		t.request.Address = reply.Address // so that no other meter of a shortened address goes on
	}
	return t.done, nil
}

// Data returns the data of the item, as far as they have come.
func (t *Transfer) Data() []byte { return t.data }

// From returns the true address of the meter that answered.
func (t *Transfer) From() Address { return t.from }
