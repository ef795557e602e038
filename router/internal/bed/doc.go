// Package bed is what tests run a router on: a real shard map that changes
// underneath, and small node indexes in memory that keep the contract of
// cairn's index.go. Each enforces ownership by its own log: it lags behind
// the map until a request makes it catch up, disowns keys that have moved
// away, and fails when told to.
package bed
