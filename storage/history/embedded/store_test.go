package embedded_test

import (
	"context"
	"path/filepath"
	"testing"

	"gengfu/storage/history"
	"gengfu/storage/history/embedded"
	"gengfu/storage/history/historytest"
)

func open(t testing.TB, o embedded.Options) *embedded.Store {
	t.Helper()
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "history.db")
	}
	s, err := embedded.Open(context.Background(), o)
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
	for name, limit := range map[string]int{"in the log": 0, "in chunks": 1, "in both": 700} {
		t.Run(name, func(t *testing.T) {
			historytest.Run(t, func(t *testing.T) history.Store {
				return open(t, embedded.Options{HeadLimit: limit})
			})
		})
	}
}
