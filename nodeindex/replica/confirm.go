package replica

import (
	"context"
	"sync"

	"github.com/hashicorp/raft"

	"cairn"
)

// confirmations ask the other voters whether they follow. raft could be asked
// the same (VerifyLeader), but it takes the next answer to a heartbeat for one,
// whenever that heartbeat was sent: a process that has stood still finds old
// answers in its sockets, and would go on answering reads of a leader that has
// been replaced. Here every question is asked after the read that wants to know.
type confirmations struct {
	log *replicatedLog

	mu     sync.Mutex // guards what follows
	voters map[raft.Server]*rounds
	closed bool
}

// ask asks one voter, together with all others who want to know.
func (c *confirmations) ask(ctx context.Context, voter raft.Server, term uint64) error {
	asked, err := c.roundsOf(voter)
	if err == nil {
		_, err = asked.join(ctx, term)
	}
	return err
}

func (c *confirmations) roundsOf(voter raft.Server) (*rounds, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed()
	}
	asked := c.voters[voter]
	if asked == nil {
		asked = &rounds{run: func(term uint64) (uint64, error) { return term, c.log.heartbeat(voter, term) }}
		c.voters[voter] = asked
	}
	return asked, nil
}

// close returns when nobody is being asked any more. The transport is closed
// before.
func (c *confirmations) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, asked := range c.voters {
		asked.close()
	}
}

// heartbeat tells a voter that this replica leads. It fails unless that voter
// knows of no later term.
func (l *replicatedLog) heartbeat(voter raft.Server, term uint64) error {
	self := l.transport.EncodePeer(raft.ServerID(l.id), l.transport.address)
	request := raft.AppendEntriesRequest{
		RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(l.id), Addr: self},
		Term:      term,
	}
	var response raft.AppendEntriesResponse
	if err := l.transport.AppendEntries(voter.ID, voter.Address, &request, &response); err != nil {
		return cairn.Errorf(cairn.KindUnavailable, "NOT_LEADER", "this replica could not make sure that it leads its group: %w", err)
	}
	if !response.Success {
		return errNotLeader("")
	}
	return nil
}

// confirm makes sure that this replica led in a term when confirm was called:
// a majority says so, itself included. Errors: KindUnavailable (NOT_LEADER,
// LOG_FAILED, CLOSED), and that of ctx, which is returned as it is.
func (l *replicatedLog) confirm(ctx context.Context, term uint64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var others []raft.Server
	voters, itself := 0, 0
	for _, server := range l.raft.GetConfiguration().Configuration().Servers {
		switch {
		case server.Suffrage != raft.Voter:
			continue
		case string(server.ID) == l.id:
			itself = 1
		default:
			others = append(others, server)
		}
		voters++
	}
	needed := voters/2 + 1 - itself
	if needed == 0 {
		return nil
	}
	answers := make(chan error, len(others))
	for _, other := range others {
		go func() { answers <- l.confirmations.ask(ctx, other, term) }()
	}
	for left := len(others); ; {
		changed := l.leadership.watch()
		if _, leads := l.leads(); !leads {
			return errNotLeader("")
		}
		select {
		case err := <-answers:
			left--
			if err == nil {
				needed--
			}
			if needed == 0 {
				return nil
			}
			if left < needed {
				return err
			}
		case <-changed:
		case <-l.closing:
			return errClosed()
		case <-l.store.failed:
			return errLogStopped(l.store.err())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
