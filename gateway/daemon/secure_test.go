package daemon

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gengfu/facility/porttest"
	"gengfu/gateway/brokertest"
)

// TestTwoBoxesOverTLS: both show the broker a certificate, and it shows them its own.
func TestTwoBoxesOverTLS(t *testing.T) {
	authority := brokertest.NewAuthority(t)
	url := brokertest.StartSecureMosquitto(t, authority).SecureURL()
	mqtt := func(name string) string {
		cert, key := authority.Sign(name)
		return fmt.Sprintf(`{url: "%s", ca_file: "%s", cert_file: "%s", key_file: "%s"}`, url, authority.CAFile, cert, key)
	}
	away(t, mqtt("hub"), mqtt("edge"))
}

// TestTwoBoxesWithAPassword: the password comes from the environment.
func TestTwoBoxesWithAPassword(t *testing.T) {
	t.Setenv("GENGFU_TEST_SECRET", "watch-the-night")
	port := porttest.Port(t)
	const who = `username: gw1, password_env: GENGFU_TEST_SECRET}`
	away(t, fmt.Sprintf(`{url: embedded, listen: "127.0.0.1:%s", `, port)+who, fmt.Sprintf(`{url: "tcp://127.0.0.1:%s", `, port)+who)
}

// TestNoWayAroundTLS: without a certificate, with that of another authority, or with
// a broker of another authority, nothing is sent.
func TestNoWayAroundTLS(t *testing.T) {
	authority, other := brokertest.NewAuthority(t), brokertest.NewAuthority(t)
	url := brokertest.StartSecureMosquitto(t, authority).SecureURL()
	cert, key := authority.Sign("edge")
	strange, strangeKey := other.Sign("edge")
	for name, mqtt := range map[string]string{
		"no certificate":     fmt.Sprintf(`{url: "%s", ca_file: "%s"}`, url, authority.CAFile),
		"a strange one":      fmt.Sprintf(`{url: "%s", ca_file: "%s", cert_file: "%s", key_file: "%s"}`, url, authority.CAFile, strange, strangeKey),
		"a strange broker":   fmt.Sprintf(`{url: "%s", ca_file: "%s", cert_file: "%s", key_file: "%s"}`, url, other.CAFile, cert, key),
		"no TLS":             fmt.Sprintf(`{url: "%s"}`, strings.Replace(url, "ssl:", "tcp:", 1)),
		"the system's trust": fmt.Sprintf(`{url: "%s"}`, url),
	} {
		t.Run(name, func(t *testing.T) {
			_, address := simulatedPump(t)
			edge := newBox(t, load(t, fmt.Sprintf(twoBoxes, "edge", address, mqtt), nil))
			edge.start()
			c := client(t, nil)
			eventually(t, 2*time.Minute, "readings that wait", func() bool {
				_, body := get(t, c, edge.url+"/metrics")
				return !strings.Contains(body, "gengfu_collector_readings_total 0\n")
			})
			if code, body := get(t, c, edge.url+"/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, `"uplink urgent"`) {
				t.Errorf("readyz: %d %s", code, body)
			}
		})
	}
}
