package influx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gengfu/facility"
	"gengfu/storage/history"
	"gengfu/storage/history/influx"
	"gengfu/storage/history/influxtest"
)

// wire stands between the store and its server, and does to their connections what
// it is told.
type wire struct {
	to string
	ln net.Listener

	mu    sync.Mutex
	mode  mode
	open  map[net.Conn]bool
	owned sync.WaitGroup
}

type mode string

const (
	well   mode = "well"
	hung   mode = "hung"   // takes connections and bytes, and gives nothing back
	cut    mode = "cut"    // breaks off after some bytes, so that a request is half there
	deaf   mode = "deaf"   // the server does it all, and its answers are lost
	narrow mode = "narrow" // 200 kB a second
)

func newWire(t *testing.T, server string) *wire {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{to: u.Host, ln: ln, mode: well, open: map[net.Conn]bool{}}
	w.owned.Go(w.accept)
	t.Cleanup(func() {
		ln.Close()
		w.turn(well)
		w.owned.Wait()
	})
	return w
}

func (w *wire) url() string { return "http://" + w.ln.Addr().String() }

// turn changes what becomes of connections, and ends those that are open.
func (w *wire) turn(m mode) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mode = m
	for c := range w.open {
		c.Close()
	}
}

func (w *wire) now() mode {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mode
}

// track keeps a connection until it is closed.
func (w *wire) track(c net.Conn) (release func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[c] = true
	return func() {
		c.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, c)
	}
}

func (w *wire) accept() {
	for {
		c, err := w.ln.Accept()
		if err != nil {
			return
		}
		w.owned.Go(func() { w.serve(c) })
	}
}

func (w *wire) serve(c net.Conn) {
	defer w.track(c)()
	m := w.now()
	if m == hung {
		_, _ = io.Copy(io.Discard, c)
		return
	}
	up, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer w.track(up)()
	var back sync.WaitGroup
	defer back.Wait()
	back.Go(func() {
		defer c.Close()
		if m == deaf {
			_, _ = io.Copy(io.Discard, up)
			return
		}
		_, _ = io.Copy(c, up)
	})
	defer up.Close()
	switch m {
	case cut:
		_, _ = io.CopyN(up, c, 20_000)
	case narrow:
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := io.CopyN(up, c, 2000); err != nil {
				return
			}
		}
	default:
		_, _ = io.Copy(up, c)
	}
}

// TestServerInTrouble writes on while line and server fail in every way, and then
// finds every reading exactly once.
func TestServerInTrouble(t *testing.T) {
	server := influxtest.Run(t)
	w := newWire(t, server.URL)
	s := open(t, influx.Options{URL: w.url(), Bucket: server.Bucket, Token: server.Token, Site: "here", Timeout: time.Second})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()

	failures, batches := make(chan error, 1000), make(chan int)
	writing := history.Delivery{
		Store:    s,
		SetAside: func(_ context.Context, r []history.Rejected) error { return &history.RejectedError{Rows: r} },
		Failed: func(err error) {
			if err != nil {
				failures <- err
			}
		},
	}
	// batch waits until the next batch of rows is written.
	written := 0
	batch := func() {
		t.Helper()
		if err := writing.Write(ctx, rateRows(written, 5000)); err != nil {
			t.Fatal(err)
		}
		written += 5000 / 500
	}
	// during writes a batch, and mends what was done as soon as a try has failed.
	during := func(what string, mend func()) {
		t.Helper()
		go func() {
			batch()
			batches <- written
		}()
		select {
		case err := <-failures:
			t.Logf("%s: %.150v", what, err)
		case <-batches:
			t.Fatalf("%s: nothing failed", what)
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, ctx.Err())
		}
		mend()
		select {
		case <-batches:
		case <-ctx.Done():
			t.Fatalf("%s: it does not go on", what)
		}
		for len(failures) > 0 { // those of the same trouble
			t.Logf("%s, again: %.80v", what, <-failures)
		}
	}
	batch()
	for _, m := range []mode{hung, cut, deaf} {
		w.turn(m)
		during(string(m), func() { w.turn(well) })
	}
	batch()
	signal := func(to unix.Signal) {
		t.Helper()
		if err := server.Process().Signal(to); err != nil {
			t.Error(err)
		}
	}
	signal(unix.SIGSTOP)
	during("frozen", func() { signal(unix.SIGCONT) })
	server.Kill()
	during("killed", func() {
		if err := server.Start(ctx); err != nil {
			t.Error(err)
		}
	})
	fill(t, server, 1)
	during("full", func() { // 1.8 does not find out by itself that there is room again
		server.Kill()
		if err := server.Start(ctx); err != nil {
			t.Error(err)
		}
	})

	// A line that carries no request of 5,000 in time carries smaller ones.
	batch()
	w.turn(narrow)
	batch()
	w.turn(well)
	batch()

	got := 0
	patient := open(t, influx.Options{URL: server.URL, Bucket: server.Bucket, Token: server.Token, Site: "here"})
	err := history.Scan(ctx, patient, nil, begin, begin.Add(time.Duration(written)*time.Second), func(rows []history.Row, _ time.Time) error {
		for _, r := range rows {
			second := int(r.Time.Sub(begin) / time.Second)
			var meter int
			if _, err := fmt.Sscanf(r.Point.Device, "meter-%d", &meter); err != nil || r.Value != float64(second*500+meter)/100 || r.Quality != facility.Good {
				return fmt.Errorf("a row that was not written: %+v", r)
			}
		}
		got += len(rows)
		return nil
	})
	if err != nil || got != written*500 {
		t.Errorf("%d readings, want %d: %v", got, written*500, err)
	}
	if st := s.Stats(); st.Stored != uint64(got) || st.Rejected != 0 || st.Failures < 5 {
		t.Errorf("%+v", st)
	}
}

// fill lets no file of the server grow beyond so many bytes, as a full disk does.
func fill(t *testing.T, s *influxtest.Server, bytes uint64) {
	t.Helper()
	if err := unix.Prlimit(s.Process().Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil); err != nil {
		t.Fatal(err)
	}
}

// TestRefusalsTakeFewRequests: in a batch of 5,000 the server is asked a few dozen
// times, wherever the wrong rows are.
func TestRefusalsTakeFewRequests(t *testing.T) {
	server := influxtest.Run(t)
	if err := server.Statement(t.Context(), `CREATE RETENTION POLICY "short" ON "estate" DURATION 2h REPLICATION 1 SHARD DURATION 1h`); err != nil {
		t.Fatal(err)
	}
	options := influx.Options{URL: server.URL, Bucket: server.Bucket, Token: server.Token, Site: "here"}
	foreignWrite(t, options, fmt.Sprintf(`electricity_meter,device=x,site=x conflicting="text" %d`, begin.UnixMilli()))
	short := options
	short.Bucket = "estate/short"

	now := time.Now().Truncate(time.Second)
	conflicts, old := rateRows(0, 5000), rateRows(0, 5000)
	wantConflicts, wantOld := 0, 0
	for i := range conflicts {
		if i%10 == 3 {
			conflicts[i].Point.Quantity = "conflicting"
			wantConflicts++
		}
		old[i].Time = now.Add(time.Duration(i%4000) * -time.Second / 10)
		if i%7 == 0 {
			old[i].Time = now.AddDate(0, 0, -2).Add(time.Duration(i) * time.Second)
			wantOld++
		}
	}
	for name, c := range map[string]struct {
		o    influx.Options
		rows []history.Row
		want int
	}{
		"a field that is text": {options, conflicts, wantConflicts},
		"out of retention":     {short, old, wantOld},
	} {
		t.Run(name, func(t *testing.T) {
			front, requests := counting(t, c.o.URL)
			c.o.URL = front
			s := open(t, c.o)
			err := s.Write(t.Context(), c.rows)
			var rejected *history.RejectedError
			if !errors.As(err, &rejected) || len(rejected.Rows) != c.want {
				t.Fatalf("%v, want %d rows refused", err, c.want)
			}
			for _, r := range rejected.Rows {
				if r.Row.Point.Quantity != "conflicting" && now.Sub(r.Row.Time) < 24*time.Hour {
					t.Errorf("refused: %+v", r)
				}
			}
			t.Logf("%d requests, %q", requests.Load(), rejected.Rows[0].Why)
			if requests.Load() > 60 {
				t.Errorf("%d requests", requests.Load())
			}
		})
	}
}

// counting is a server that forwards requests and counts them.
func counting(t *testing.T, server string) (address string, requests *atomic.Int64) {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	requests = new(atomic.Int64)
	forward := httputil.NewSingleHostReverseProxy(u)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front.URL, requests
}
