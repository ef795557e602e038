package router_test

import (
	"sync"

	"cairn/router/internal/bed"
)

// rotate gives calls one fault after the other.
func rotate(faults []bed.Fault) func(string, bed.Call) bed.Fault {
	var mu sync.Mutex
	next := 0
	return func(string, bed.Call) bed.Fault {
		mu.Lock()
		defer mu.Unlock()
		next++
		return faults[next%len(faults)]
	}
}
