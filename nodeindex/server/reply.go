package server

import (
	"runtime"
	"sync"
)

// replies sends the responses of one stream, from many goroutines, and sends
// none once the stream's handler has returned. Responses that wait for others
// to be sent travel in one message.
type replies[Resp any] struct {
	one func(*Resp) error
	all func(responses []*Resp, one func(*Resp) error) (sent int, err error)

	mu      sync.Mutex // guards what follows, and is not held while sending
	changed sync.Cond  // sending or sent
	waiting []*Resp
	spare   []*Resp // an array to be used again
	// round is the number of the sending that takes along what waits, sent
	// that of the last one that is done.
	round, sent uint64
	sending     bool
	closed      bool
}

func newReplies[Resp any](one func(*Resp) error, all func([]*Resp, func(*Resp) error) (int, error)) *replies[Resp] {
	r := &replies[Resp]{one: one, all: all, round: 1}
	r.changed.L = &r.mu
	return r
}

// send sends responses, and whatever waits. It blocks while the client does not
// read, which is what stops the stream from being read in turn. A stream that
// is broken ends its handler by itself, so its error is of no interest here.
func (r *replies[Resp]) send(responses ...*Resp) { r.add(responses, false) }

// join is send for a response of which there may be more at about the same
// time: goroutines that can run do so before it is sent, and what they send is
// sent along.
func (r *replies[Resp]) join(response *Resp) { r.add([]*Resp{response}, true) }

func (r *replies[Resp]) add(responses []*Resp, yield bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, responses...)
	mine := r.round
	for r.sending {
		if r.changed.Wait(); r.sent >= mine {
			return // somebody else has sent them
		}
	}
	r.sending = true
	if yield {
		r.mu.Unlock()
		runtime.Gosched()
		r.mu.Lock()
	}
	all := r.waiting
	r.waiting, r.spare = r.spare, nil
	r.round++
	if !r.closed {
		r.mu.Unlock()
		_, err := r.all(all, r.one)
		r.mu.Lock()
		r.closed = r.closed || err != nil
	}
	clear(all)
	r.spare = all[:0]
	r.sent, r.sending = mine, false
	r.changed.Broadcast()
}

// close waits for what is being sent.
func (r *replies[Resp]) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for r.sending {
		r.changed.Wait()
	}
}
