package replica

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
)

// TestWritersThatCanRunShareACommand has many writers become ready at once on one
// processor: few commands have all of their requests.
func TestWritersThatCanRunShareACommand(t *testing.T) {
	const writers = 64
	r := open(t, configure(t.TempDir()))
	if err := r.Assign(t.Context(), assignment(t, 10)); err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	before := mustWrite(t, r, put(1, "first")).Index
	ready := make(chan struct{})
	indexes := make([]uint64, writers)
	var writing, waiting sync.WaitGroup
	waiting.Add(writers)
	for i := range writers {
		writing.Go(func() {
			waiting.Done()
			<-ready
			reply, err := r.Write(t.Context(), put(1, fmt.Sprint("key-", i)))
			if err != nil {
				t.Error(err)
				return
			}
			indexes[i] = reply.Index
		})
	}
	waiting.Wait()
	runtime.Gosched() // the last of them too waits for ready
	close(ready)
	writing.Wait()
	commands := make(map[uint64]bool)
	for _, index := range indexes {
		if index <= before {
			t.Errorf("a write at index %d, after %d", index, before)
		}
		commands[index] = true
	}
	if len(commands) > 4 {
		t.Errorf("%d writes took %d commands", writers, len(commands))
	}
}
