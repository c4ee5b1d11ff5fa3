package journal

import "sort"

// recentBytes is how much of what was written last stays in memory for its readers.
const recentBytes = 2 << 20

// recent is the newest records that are durable and that a cursor has yet to pass.
// Readers that keep up, as they mostly do, take them from here: each of them would
// else wait for the file, which is busy with the next commit, and read and check the
// same bytes again.
type recent struct {
	recs  []Record // in order, with nothing between them
	bytes int
}

// add takes in what was written, behind what is there.
func (r *recent) add(requests []*request) {
	for _, q := range requests {
		for _, rec := range q.recs {
			r.recs = append(r.recs, rec)
			r.bytes += len(rec.Body)
		}
	}
	n := 0
	for over := r.bytes - recentBytes; over > 0; n++ {
		over -= len(r.recs[n].Body)
	}
	r.drop(n)
}

// forget lets go of records up to the sequence.
func (r *recent) forget(upTo uint64) {
	r.drop(sort.Search(len(r.recs), func(i int) bool { return r.recs[i].Seq > upTo }))
}

func (r *recent) drop(n int) {
	for i := range r.recs[:n] {
		r.bytes -= len(r.recs[i].Body)
		r.recs[i] = Record{}
	}
	r.recs = r.recs[n:]
}

func (r *recent) clear() { *r = recent{} }

// after returns records behind the sequence while their bodies fit, at least one; none
// where the file is to be asked.
func (r *recent) after(seq uint64, maxBytes int) []Record {
	if len(r.recs) == 0 || r.recs[0].Seq > seq+1 {
		return nil
	}
	begin := sort.Search(len(r.recs), func(i int) bool { return r.recs[i].Seq > seq })
	end, size := begin, 0
	for ; end < len(r.recs); end++ {
		if size += len(r.recs[end].Body); size > maxBytes && end > begin {
			break
		}
	}
	return append([]Record(nil), r.recs[begin:end]...)
}
