package replica

import (
	"context"
	"errors"
	"slices"

	"github.com/hashicorp/raft"

	"cairn"
)

// Members are the replicas of the group as this one's log has them; none if it
// is not part of a group yet.
func (r *Replica) Members() []cairn.Member { return r.log.Load().members() }

func (l *replicatedLog) members() []cairn.Member {
	future := l.raft.GetConfiguration()
	if future.Error() != nil {
		return nil
	}
	_, leader := l.raft.LeaderWithID()
	var members []cairn.Member
	for _, server := range future.Configuration().Servers {
		members = append(members, cairn.Member{
			ID: string(server.ID), Address: string(server.Address),
			Voter: server.Suffrage == raft.Voter, Leader: server.ID == leader,
		})
	}
	return members
}

// Standing tells whether this replica leads its group. changed is closed when
// that may be different.
func (r *Replica) Standing() (leads bool, changed <-chan struct{}) {
	log := r.log.Load()
	changed = log.leadership.watch()
	_, leads = log.leads()
	return leads, changed
}

// AddLearner has a replica follow the log without a vote, or changes its
// address. It and the three below are the leader's to do: KindUnavailable
// (NOT_LEADER) elsewhere, and KindUnknown where it may or may not have been
// done.
func (r *Replica) AddLearner(ctx context.Context, id, address string) error {
	return r.changeGroup(ctx, func(group *raft.Raft) raft.Future {
		return group.AddNonvoter(raft.ServerID(id), raft.ServerAddress(address), 0, 0)
	})
}

// AddVoter gives a replica a vote, or changes a voter's address.
func (r *Replica) AddVoter(ctx context.Context, id, address string) error {
	return r.changeGroup(ctx, func(group *raft.Raft) raft.Future {
		return group.AddVoter(raft.ServerID(id), raft.ServerAddress(address), 0, 0)
	})
}

// RemoveMember takes a replica out of the group for good. The last voter stays
// (KindPrecondition, LAST_REPLICA).
func (r *Replica) RemoveMember(ctx context.Context, id string) error {
	voters := slices.DeleteFunc(r.Members(), func(m cairn.Member) bool { return !m.Voter })
	if len(voters) == 1 && voters[0].ID == id {
		return cairn.Errorf(cairn.KindPrecondition, "LAST_REPLICA", "replica %s is the only one that has a vote", id)
	}
	return r.changeGroup(ctx, func(group *raft.Raft) raft.Future { return group.RemoveServer(raft.ServerID(id), 0, 0) })
}

// HandOver has another voter lead.
func (r *Replica) HandOver(ctx context.Context) error {
	return r.changeGroup(ctx, func(group *raft.Raft) raft.Future { return group.LeadershipTransfer() })
}

// changeGroup asks raft for a change of the group and waits for it.
func (r *Replica) changeGroup(ctx context.Context, change func(*raft.Raft) raft.Future) error {
	log := r.log.Load()
	if _, err := log.awaitLead(ctx); err != nil {
		return asError(err)
	}
	answer := make(chan error, 1)
	if !r.asking.begin() {
		return errClosed()
	}
	go func() {
		defer r.asking.end()
		answer <- log.ask(func() error { return change(log.raft).Error() })
	}()
	select {
	case err := <-answer:
		switch {
		case err == nil:
			return nil
		case isSurelyNotDone(err):
			return errNotLeader("")
		}
		return cairn.Errorf(cairn.KindUnknown, "OUTCOME_UNKNOWN", "changing the group: %w", err)
	case <-ctx.Done():
		return cairn.Errorf(cairn.KindUnknown, "OUTCOME_UNKNOWN", "changing the group: %w", ctx.Err())
	}
}

// isSurelyNotDone tells whether raft refused what it was asked before it began.
func isSurelyNotDone(err error) bool {
	return errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipTransferInProgress)
}

// asError is what a wait of the log ended with, as an error to answer with.
func asError(err error) error {
	if _, is := errors.AsType[*cairn.Error](err); is {
		return err
	}
	return cairn.Errorf(cairn.KindDeadline, "DEADLINE_EXCEEDED", "waiting for the log: %w", err)
}
