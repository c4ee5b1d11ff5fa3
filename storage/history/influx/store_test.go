package influx_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"gengfu/storage/history"
	"gengfu/storage/history/historytest"
	"gengfu/storage/history/influx"
	"gengfu/storage/history/influxtest"
)

// TestMain asks for fewer tries of the properties than usual: each is a few dozen
// requests. The flag -rapid.checks overrules it.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "30"); err != nil {
		panic(err)
	}
	flag.Parse()
	os.Exit(m.Run())
}

func open(t testing.TB, o influx.Options) *influx.Store {
	t.Helper()
	s, err := influx.New(o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	url, token, bucket := influxtest.Start(t)
	sites := 0
	for name, prepare := range map[string]func(*influx.Store) *influx.Store{
		"adding up at the server": func(s *influx.Store) *influx.Store { return s },
		"adding up here":          influx.WithFlux,
	} {
		t.Run(name, func(t *testing.T) {
			historytest.Run(t, func(t *testing.T) history.Store {
				sites++ // a site of its own is an empty store
				s := prepare(open(t, influx.Options{URL: url, Org: "estate", Bucket: bucket, Token: token, Site: fmt.Sprint("site-", sites)}))
				flux := influx.InFlux(s)
				t.Cleanup(func() {
					if influx.InFlux(s) != flux {
						t.Error("the server refuses our InfluxQL")
					}
				})
				return s
			})
		})
	}
}
