package uplink_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"gengfu/gateway/uplink"
)

// TestADiskThatComesBack: an edge starts while its disk is away, and sends from memory.
// When the disk is there again what waits on it is sent too, without a restart, once
// and in order; with what memory still holds, and without.
func TestADiskThatComesBack(t *testing.T) {
	const old, live, each = 200, 40, 5
	for _, delivered := range []bool{true, false} {
		t.Run("delivered "+strconv.FormatBool(delivered), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			path := filepath.Join(dir, "edge")
			j := edgeJournal(t, path)
			add := func(from, to int) {
				t.Helper()
				for n := from; n < to; n++ {
					if _, err := j.Append(t.Context(), body(t, n, each)); err != nil {
						t.Fatal(err)
					}
				}
			}
			add(0, old)
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.Rename(dir, dir+".away"), os.WriteFile(dir, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
			j = edgeJournal(t, path)
			add(old, old+live)
			s := connect(t, j, uplink.Options{})
			if delivered {
				s.arrived.until("what is in memory", func() bool { return len(s.arrived.at) == live*each })
			} else {
				s.arrived.until("some of memory", func() bool { return len(s.arrived.at) > 0 })
			}
			if err := errors.Join(os.Remove(dir), os.Rename(dir+".away", dir)); err != nil {
				t.Fatal(err)
			}
			s.arrived.until("what the disk had", func() bool { return len(s.arrived.at) == (old+live)*each })
			add(old+live, old+2*live)
			s.arrived.until("what came then", func() bool { return len(s.arrived.at) == (old+2*live)*each })
			if st := j.Stats(); st.Trouble != "" || st.Damaged+st.Forgotten > 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}
