package simulator_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"gengfu/devices/dlt645"
	"gengfu/devices/framing"
	"gengfu/devices/profile"
	"gengfu/devices/simulator"
)

// profiles reads those that come with the program.
func profiles(t testing.TB) map[string]profile.Profile {
	t.Helper()
	files, err := filepath.Glob("../../configs/profiles/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no profiles found: %v", err)
	}
	out := make(map[string]profile.Profile, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var p profile.Profile
		if err := yaml.Unmarshal(text, &p); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		p.Defaults()
		out[p.ID] = p
	}
	return out
}

func meter(t testing.TB, p profile.Profile, address string) *simulator.Slave {
	t.Helper()
	s, err := simulator.New(p, address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func set(t testing.TB, s *simulator.Slave, values map[string]float64) {
	t.Helper()
	for quantity, value := range values {
		if err := s.Set(quantity, value); err != nil {
			t.Fatal(err)
		}
	}
}

// hear sends a request and reads frames of its protocol until one has come.
func hear[F any](t *testing.T, client *os.File, r *framing.Reader[F], request []byte) F {
	t.Helper()
	if _, err := client.Write(request); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 512)
	for {
		n, err := client.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if frames := r.Feed(buf[:n]); len(frames) > 0 {
			return frames[0]
		}
	}
}

// What a published meter answered is what a simulated one with the same values
// does, byte for byte.
func TestPublishedFramesOf645(t *testing.T) {
	for id, p := range profiles(t) {
		if p.Protocol != profile.DLT645 {
			continue
		}
		for _, g := range p.Golden {
			request, reply := frame(t, g.Request), frame(t, g.Reply)
			if len(request) < 13 || strings.Contains(g.Source, "minute of the demand") {
				continue
			}
			a := dlt645.Address(request[1:7])
			s := meter(t, p, a.String())
			set(t, s, g.Values)
			client := line(t, simulator.Wire{}, s)
			if _, err := client.Write(request); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 0, 256)
			buf := make([]byte, 256)
			for !bytes.HasSuffix(got, reply) {
				if err := client.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
					t.Fatal(err)
				}
				n, err := client.Read(buf)
				if err != nil {
					t.Errorf("%s, %s: reply % X, want % X", id, g.Source, got, reply)
					break
				}
				got = append(got, buf[:n]...)
			}
		}
	}
}
