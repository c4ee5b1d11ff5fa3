package influxtest

import (
	"fmt"
	"os"
	"path/filepath"
)

// Without its cache of series the server finds all of them: with it, 1.8.10 may not
// find one that was asked for while it was written first, until it is restarted (17 of
// 400 new series in a test of just that).
const configuration = `
reporting-disabled = true
bind-address = %q
[meta]
dir = %q
[data]
dir = %q
wal-dir = %q
index-version = "tsi1"
series-id-set-cache-size = 0
query-log-enabled = false
[monitor]
store-enabled = false
[http]
bind-address = %q
auth-enabled = %t
flux-enabled = true
log-enabled = false
[continuous_queries]
enabled = false
`

// Configure writes a file by which influxd keeps all that it has in dir, reports to
// nobody, and listens at two addresses: one of its own and that of its API.
func Configure(file, dir, own, api string, auth bool) error {
	in := func(name string) string { return filepath.Join(dir, name) }
	text := fmt.Sprintf(configuration, own, in("meta"), in("data"), in("wal"), api, auth)
	return os.WriteFile(file, []byte(text), 0o600)
}
