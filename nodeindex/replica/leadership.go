package replica

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"cairn"
)

// leadership is what a replica knows about who leads.
type leadership struct {
	mu sync.Mutex // guards what follows
	// ready is the term that this replica leads in, once it has applied
	// everything that was committed before it; 0 if there is none.
	ready uint64
	// changed is closed, and replaced, when who leads may have changed.
	changed chan struct{}
}

func (l *leadership) watch() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

func (l *leadership) signal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *leadership) setReady(term uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready = term
}

func (l *leadership) readyTerm() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ready
}

// followLeadership keeps the leadership until the log is closed or fails.
func (l *replicatedLog) followLeadership() {
	observed := make(chan raft.Observation, 16)
	observer := raft.NewObserver(observed, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState:
			return true
		}
		return false
	})
	l.raft.RegisterObserver(observer)
	defer l.raft.DeregisterObserver(observer)
	for {
		select {
		case leads := <-l.raft.LeaderCh():
			if leads {
				l.beginTerm()
			}
		case <-observed:
		case <-l.closing:
			return
		case <-l.store.failed:
			l.leadership.signal()
			return
		}
		l.leadership.signal()
	}
}

// beginTerm waits until everything is applied that was committed before this
// replica came to lead.
func (l *replicatedLog) beginTerm() {
	term := l.raft.CurrentTerm()
	if l.ask(func() error { return l.raft.Barrier(0).Error() }) == nil && l.raft.CurrentTerm() == term {
		l.leadership.setReady(term)
	}
}

// leads tells whether this replica leads, as far as it knows, and takes
// commands. The term is to be compared after what was done on the strength of
// it.
func (l *replicatedLog) leads() (term uint64, leads bool) {
	term = l.leadership.readyTerm()
	return term, term != 0 && l.raft.State() == raft.Leader && l.raft.CurrentTerm() == term
}

// refusal is why this replica takes no commands and will not soon: its log has
// failed, or another leads.
func (l *replicatedLog) refusal() *cairn.Error {
	if cause := l.store.err(); cause != nil {
		return errLogStopped(cause)
	}
	if address, id := l.raft.LeaderWithID(); id != "" && string(id) != l.id {
		return errNotLeader(string(address))
	}
	return nil
}

// awaitLead waits until this replica leads. Errors: KindUnavailable
// (NOT_LEADER, naming the leader where there is one; NO_LEADER; LOG_FAILED;
// CLOSED), and that of ctx, which is returned as it is.
func (l *replicatedLog) awaitLead(ctx context.Context) (term uint64, err error) {
	var tooLong <-chan time.Time
	for {
		changed := l.leadership.watch()
		if refusal := l.refusal(); refusal != nil {
			return 0, refusal
		}
		if term, leads := l.leads(); leads {
			return term, nil
		}
		if tooLong == nil && !l.alone() {
			timer := time.NewTimer(l.patience)
			defer timer.Stop()
			tooLong = timer.C
		}
		select {
		case <-changed:
		case <-tooLong:
			return 0, cairn.Errorf(cairn.KindUnavailable, "NO_LEADER", "the replicas of this index have no leader at present; ask again")
		case <-l.closing:
			return 0, errClosed()
		case <-l.store.failed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// alone tells whether this replica is the only member of its group.
func (l *replicatedLog) alone() bool {
	members := l.members()
	return len(members) == 1 && members[0].ID == l.id
}

func errNotLeader(leader string) *cairn.Error {
	if leader == "" {
		return cairn.Errorf(cairn.KindUnavailable, "NOT_LEADER", "this replica does not lead its group; ask again")
	}
	e := cairn.Errorf(cairn.KindUnavailable, "NOT_LEADER", "this replica does not lead its group, the one at %s does", leader)
	e.Instead = leader
	return e
}
