package server

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// TestRepliesThatWaitTravelTogether has answers come while one is being sent:
// they are one message after it, and all that gave them wait until it is sent.
func TestRepliesThatWaitTravelTogether(t *testing.T) {
	type message = []int
	messages, letGo := make(chan message), make(chan error)
	out := newReplies(nil, func(responses []*int, _ func(*int) error) (int, error) {
		var sent message
		for _, response := range responses {
			sent = append(sent, *response)
		}
		messages <- sent
		return len(responses), <-letGo
	})
	var senders sync.WaitGroup
	send := func(n int) { senders.Go(func() { out.join(&n) }) }
	send(0)
	if first := <-messages; !slices.Equal(first, message{0}) {
		t.Fatalf("sent first: %v", first)
	}
	for n := range 9 {
		send(n + 1)
	}
	for waiting := 0; waiting < 9; runtime.Gosched() {
		out.mu.Lock()
		waiting = len(out.waiting)
		out.mu.Unlock()
	}
	letGo <- nil
	second := <-messages
	if slices.Sort(second); !slices.Equal(second, message{1, 2, 3, 4, 5, 6, 7, 8, 9}) {
		t.Errorf("sent together: %v", second)
	}
	letGo <- errors.New("broken")
	senders.Wait()
	send(10) // nothing is sent on a broken stream, and nobody waits for it
	senders.Wait()
	out.close()
}
