package server

import (
	"sync"
)

// sender is what a bidirectional stream has of interest here.
type sender[Resp any] interface{ Send(*Resp) error }

// replies sends the responses of one stream, from many goroutines, and sends
// none once the stream's handler has returned.
type replies[Resp any] struct {
	stream sender[Resp]

	mu     sync.Mutex // serialises Send, and guards closed
	closed bool
}

// send sends a response. It blocks while the client does not read, which is
// what stops the stream from being read in turn. A stream that is broken ends
// its handler by itself, so its error is of no interest here.
func (r *replies[Resp]) send(response *Resp) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = r.stream.Send(response) != nil
	}
}

func (r *replies[Resp]) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
}
