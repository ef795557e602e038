// Package load makes the work of a benchmark and counts what became of it:
// seeded keys, callers in a closed loop, and streams with a window of batches
// in flight.
//
// A closed loop waits for each answer before it asks again, so its latencies
// are those of callers that do the same; they say nothing of a service that is
// asked at a given rate whatever it does.
package load
