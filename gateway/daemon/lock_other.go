//go:build !unix

package daemon

import "os"

// lock does nothing here; the journals' own locks keep a second gateway out.
func lock(*os.File) error { return nil }
