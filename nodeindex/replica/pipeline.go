package replica

import (
	"sync"

	"github.com/hashicorp/raft"
)

// pipeline is raft's, with three things added: it falls silent with its
// transport, it tells what the follower has, and it ends with the first answer
// that is a refusal. raft reads no answers after that one; but it may be sending
// at that moment, and would wait for ever for room among the requests without an
// answer: nothing would be replicated to that follower any more.
type pipeline struct {
	raft.AppendPipeline
	of      *transport
	to      raft.ServerID
	answers chan raft.AppendFuture
	closed  chan struct{}
	close   func() error
}

func newPipeline(inner raft.AppendPipeline, of *transport, to raft.ServerID) *pipeline {
	p := &pipeline{AppendPipeline: inner, of: of, to: to, answers: make(chan raft.AppendFuture), closed: make(chan struct{})}
	p.close = sync.OnceValue(func() error {
		close(p.closed)
		return p.AppendPipeline.Close()
	})
	of.running.Go(p.forward)
	return p
}

// forward hands on what the follower answers.
func (p *pipeline) forward() {
	defer func() { _ = p.Close() }() // raft, which closes it too, hears of it
	for {
		select {
		case answer := <-p.AppendPipeline.Consumer():
			request, response := answer.Request(), answer.Response()
			accepted := response.Success && response.Term <= request.Term
			if accepted {
				p.of.followers.acknowledged(p.to, max(request.PrevLogEntry, lastOf(request.Entries)))
			}
			select {
			case p.answers <- answer:
			case <-p.closed:
			}
			if !accepted {
				return
			}
		case <-p.closed:
			return
		case <-p.of.closing:
			return
		}
	}
}

func (p *pipeline) AppendEntries(request *raft.AppendEntriesRequest, response *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	if p.of.silent.Load() {
		return nil, errSilent
	}
	p.of.followers.asks(p.to)
	return p.AppendPipeline.AppendEntries(request, response)
}

func (p *pipeline) Consumer() <-chan raft.AppendFuture { return p.answers }
func (p *pipeline) Close() error                       { return p.close() }
