package influx_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
	"gengfu/storage/history/influx"
)

func TestOptions(t *testing.T) {
	lawful := influx.Options{URL: "http://127.0.0.1:8086", Bucket: "gengfu", Site: "here"}
	if _, err := influx.New(lawful); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*influx.Options){
		"no URL":         func(o *influx.Options) { o.URL = "" },
		"no scheme":      func(o *influx.Options) { o.URL = "127.0.0.1:8086" },
		"another scheme": func(o *influx.Options) { o.URL = "tcp://127.0.0.1:8086" },
		"no bucket":      func(o *influx.Options) { o.Bucket = "" },
		"no site":        func(o *influx.Options) { o.Site = "" },
		"an odd site":    func(o *influx.Options) { o.Site = "a\nb" },
	} {
		o := lawful
		change(&o)
		var configuration *history.ConfigurationError
		if _, err := influx.New(o); !errors.As(err, &configuration) {
			t.Errorf("%s: %v, want a ConfigurationError", name, err)
		}
	}
}

// answering returns a store whose server gives every request the same answer.
func answering(t *testing.T, status int, header http.Header, body string) *influx.Store {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return open(t, influx.Options{URL: server.URL, Bucket: "gengfu", Site: "here"})
}

func TestWhatTheCallerDoesNext(t *testing.T) {
	const (
		temporary     = "temporary"
		configuration = "configuration"
		rejected      = "rejected"
	)
	plain := http.Header{}
	asJSON := http.Header{"Content-Type": {"application/json"}}
	tests := []struct {
		name   string
		status int
		header http.Header
		body   string
		want   string
	}{
		{"too many requests", 429, http.Header{"Retry-After": {"7"}}, "", temporary},
		{"unavailable", 503, plain, "", temporary},
		{"a timeout of 1.8", 500, asJSON, `{"code":"internal error","message":"timeout"}`, temporary},
		{"a proxy without a server", 502, plain, "<html>", temporary},
		{"wrong token", 401, asJSON, `{"code":"unauthorized","message":"unauthorized access"}`, configuration},
		{"no right", 403, asJSON, `{"code":"forbidden","message":"insufficient permissions"}`, configuration},
		{"no bucket", 404, asJSON, `{"code":"not found","message":"bucket \"x\" not found"}`, configuration},
		{"a bad request that is not about rows", 400, asJSON, `{"code":"invalid","message":"bucket is required"}`, configuration},
		{"a page of something else", 405, plain, "nginx", configuration},
		{"partial write of 1.8", 400, asJSON, `{"code":"invalid","message":"partial write: field type conflict: input field \"flow\" dropped=1"}`, rejected},
		{"partial write of 2.x", 422, asJSON, `{"code":"unprocessable entity","message":"failure writing points to database: partial write: dropped=1"}`, rejected},
		{"too old for the bucket", 400, asJSON, `{"code":"invalid","message":"partial write: points beyond retention policy dropped=1"}`, rejected},
		{"cannot be parsed", 400, asJSON, `{"code":"invalid","message":"unable to parse 'x'"}`, rejected},
		{"too long", 413, plain, "", rejected},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := answering(t, test.status, test.header, test.body)
			err := s.Write(context.Background(), []history.Row{row("flow", 0, 1), row("flow", 1, 2), row("flow", 2, 3)})
			var temporaryError *history.TemporaryError
			var configurationError *history.ConfigurationError
			var rejectedError *history.RejectedError
			got := ""
			switch {
			case errors.As(err, &temporaryError):
				got = temporary
			case errors.As(err, &configurationError):
				got = configuration
			case errors.As(err, &rejectedError):
				got = rejected
				if len(rejectedError.Rows) != 3 {
					t.Errorf("%d rows refused, want 3", len(rejectedError.Rows))
				}
			}
			if got != test.want {
				t.Errorf("%v is %q, want %q", err, got, test.want)
			}
			if test.status == 429 && temporaryError.RetryAfter != 7*time.Second {
				t.Errorf("retry after %s, want 7s", temporaryError.RetryAfter)
			}
		})
	}
}

func TestServerThatIsNotThere(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL
	server.Close()
	s := open(t, influx.Options{URL: url, Bucket: "gengfu", Site: "here"})
	var temporary *history.TemporaryError
	if err := s.Write(context.Background(), []history.Row{row("flow", 0, 1)}); !errors.As(err, &temporary) {
		t.Errorf("write: %v, want a TemporaryError", err)
	}
	if _, err := s.Query(context.Background(), point("flow"), "pump", begin, begin.Add(time.Hour), time.Minute); !errors.As(err, &temporary) {
		t.Errorf("query: %v, want a TemporaryError", err)
	}
}

func TestServerThatHangs(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	s := open(t, influx.Options{URL: server.URL, Bucket: "gengfu", Site: "here", Timeout: 50 * time.Millisecond})
	var temporary *history.TemporaryError
	if err := s.Write(context.Background(), []history.Row{row("flow", 0, 1)}); !errors.As(err, &temporary) {
		t.Errorf("write: %v, want a TemporaryError", err)
	}
}

func TestErrorWithinAnAnswer(t *testing.T) {
	s := answering(t, 200, http.Header{"Content-Type": {"text/csv"}},
		"#datatype,string,long,dateTime:RFC3339,double\n,result,table,_time,_value\n,,0,2026-11-22T03:00:00Z,1\n\n"+
			"#datatype,string,string\n,error,reference\n,the disk is gone,897\n")
	if got, err := s.Query(context.Background(), point("flow"), "pump", begin, begin.Add(time.Hour), time.Minute); err == nil {
		t.Errorf("half an answer is taken for a whole one: %v", got)
	}
}

// An answer whose aggregates were taken at different moments has no torn bucket.
func TestTornBuckets(t *testing.T) {
	s := answering(t, http.StatusOK, http.Header{"Content-Type": {"application/json"}}, `{"results":[{"series":[{"values":[
		[0,2,5,4,6,4,6],
		[3600000000000,null,5,5,5,5,5],
		[7200000000000,1,null,null,5,null,null],
		[10800000000000,2,5,4,6,3,7]]}]}]}`)
	from := time.Unix(0, 0)
	got, err := s.Query(t.Context(), point("flow"), "pump", from, from.Add(4*time.Hour), time.Hour)
	want := []facility.Bucket{
		{Start: from.UTC(), Count: 2, Mean: 5, Min: 4, Max: 6, First: 4, Last: 6},
		{Start: from.Add(3 * time.Hour).UTC(), Count: 2, Mean: 5, Min: 3, Max: 7, First: 3, Last: 7},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}
