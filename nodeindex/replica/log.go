package replica

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"cairn"
	"cairn/nodeindex"
)

// replicatedLog is the seam to the raft library: propose, verify, checkpoint,
// close, who leads (leadership.go) and who is there (members.go). Nothing else
// of this package knows how the log is replicated.
type replicatedLog struct {
	id         string
	raft       *raft.Raft
	store      *store
	machine    *machine
	transport  *transport
	leadership leadership
	// confirmations are for verify.
	confirmations confirmations
	// patience is how long a request waits for a leader.
	patience time.Duration

	closing chan struct{}
	closed  sync.Once
	running sync.WaitGroup
	asking  inFlight
}

// trailingEntries stay in the log behind a checkpoint, so that the log is
// never empty and its loss would be noticed.
const trailingEntries = 64

// openLog opens the log below dir and lets it drive the machine.
func openLog(config Config, m *machine, outcome func(error)) (*replicatedLog, error) {
	dir := filepath.Join(config.Dir, "log")
	s, err := openStore(config, dir)
	if err != nil {
		return nil, err
	}
	s.beforeSync = config.BeforeSync
	if err := continueFrom(s, m.index.Checkpointed(), config.Logger); err != nil {
		return nil, errors.Join(err, s.close())
	}
	snapshots, err := newSnapshotStore(config, m.index, s, outcome)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	m.drivenBy(s)
	settings := raftConfig(config)
	transport, err := openTransport(config, settings.Logger, s)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	l := &replicatedLog{
		id: config.ID, store: s, machine: m, transport: transport, closing: make(chan struct{}),
		leadership: leadership{changed: make(chan struct{})}, patience: 3 * config.ElectionTimeout,
	}
	l.confirmations.log, l.confirmations.voters = l, make(map[raft.Server]*rounds)
	if config.Found || config.Network == nil {
		err = found(settings, s, snapshots, transport)
	}
	if err != nil {
		return nil, errors.Join(err, transport.Close(), s.close())
	}
	if l.raft, err = raft.NewRaft(settings, m, s, s, snapshots, transport); err != nil {
		return nil, errors.Join(cairn.Errorf(cairn.KindCorrupt, "LOG_BROKEN", "starting the log in %s: %w", dir, err), transport.Close(), s.close())
	}
	if l.alone() {
		transport.standForElection()
	}
	l.running.Go(l.followLeadership)
	return l, nil
}

func raftConfig(config Config) *raft.Config {
	settings := raft.DefaultConfig()
	settings.LocalID = raft.ServerID(config.ID)
	settings.HeartbeatTimeout = config.ElectionTimeout
	settings.ElectionTimeout = config.ElectionTimeout
	settings.LeaderLeaseTimeout = config.ElectionTimeout
	settings.NoSnapshotRestoreOnStart = true
	settings.TrailingLogs = trailingEntries
	// Checkpoints are taken by what is in the index, not by raft's count.
	settings.SnapshotInterval = 24 * time.Hour
	settings.SnapshotThreshold = 1 << 62
	settings.NoLegacyTelemetry = true
	settings.Logger = &libraryLogger{slog: config.Logger, name: "raft"}
	return settings
}

// found makes a group of this replica alone. A log that has any state is left
// alone, but for one that was being founded when a crash came.
func found(settings *raft.Config, s *store, snapshots raft.SnapshotStore, transport raft.Transport) error {
	group := raft.Configuration{Servers: []raft.Server{{Suffrage: raft.Voter, ID: settings.LocalID, Address: transport.LocalAddr()}}}
	has, err := raft.HasExistingState(s, s, snapshots)
	if err == nil && !has {
		err = raft.BootstrapCluster(settings, s, s, snapshots, transport, group)
	}
	if err == nil && has {
		err = foundFurther(s, snapshots, group)
	}
	if err != nil {
		if isFull(err) {
			return cairn.Errorf(cairn.KindExhausted, "DISK_FULL", "starting the log: %w", err)
		}
		return cairn.Errorf(cairn.KindCorrupt, "LOG_BROKEN", "starting the log: %w", err)
	}
	return nil
}

// foundFurther does the second of the two steps that found a group, if a crash came
// between them: the term is 1, and the entry that says who the group is is missing.
// raft would take that for a replica that waits to become part of a group.
func foundFurther(s *store, snapshots raft.SnapshotStore, group raft.Configuration) error {
	_, last, err := s.bounds()
	if err != nil || last > 0 {
		return err
	}
	term, err := s.GetUint64(keyCurrentTerm)
	if err != nil || term != 1 {
		return err
	}
	if kept, err := snapshots.List(); err != nil || len(kept) > 0 {
		return err
	}
	return s.StoreLog(&raft.Log{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(group)})
}

// ask runs one question to raft. raft leaves some of those unanswered that it
// has accepted when it is shut down, so close waits for them first.
func (l *replicatedLog) ask(question func() error) error {
	if l.store.err() != nil || !l.asking.begin() {
		return raft.ErrNotLeader // surely not done
	}
	defer l.asking.end()
	return question()
}

// propose has a command appended and applied. KindUnavailable: it surely was
// not, and never will be. KindUnknown: it may have been, or may yet be.
func (l *replicatedLog) propose(command []byte) (nodeindex.Result, error) {
	outcome := l.proposeAll([][]byte{command})[0]
	return outcome.result, outcome.err
}

// proposed is what became of a command.
type proposed struct {
	result nodeindex.Result
	err    error
}

// proposeAll is propose for commands that are to follow each other. One does not
// wait for the one before, and others' may come in between.
func (l *replicatedLog) proposeAll(commands [][]byte) []proposed {
	out := make([]proposed, len(commands))
	futures := make([]raft.ApplyFuture, len(commands))
	err := l.ask(func() error {
		for i, command := range commands {
			futures[i] = l.raft.Apply(command, 0)
		}
		for i, future := range futures {
			out[i] = l.outcome(future)
		}
		return nil
	})
	for i := range out {
		if err != nil {
			out[i].err = l.undone()
		}
	}
	return out
}

// outcome waits for what becomes of a command.
func (l *replicatedLog) outcome(future raft.ApplyFuture) (out proposed) {
	err := future.Error()
	switch {
	case err == nil:
		result, ok := future.Response().(nodeindex.Result)
		if !ok {
			out.err = cairn.Errorf(cairn.KindInternal, "LOG_RESPONSE", "the log answered with a %T", future.Response())
		}
		out.result = result
	case isSurelyNotDone(err):
		out.err = l.undone()
	default:
		out.err = cairn.Errorf(cairn.KindUnknown, "OUTCOME_UNKNOWN", "the log failed while the write was under way: %w", err)
	}
	return out
}

// undone is why a command was not taken.
func (l *replicatedLog) undone() error {
	if refusal := l.refusal(); refusal != nil && refusal.Reason == "NOT_LEADER" {
		return refusal
	}
	return errNotLeader("")
}

// verify makes sure that this replica leads, and returns the index of the last
// command that may have been acknowledged.
func (l *replicatedLog) verify(ctx context.Context) (uint64, error) {
	term, err := l.awaitLead(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = cairn.Errorf(cairn.KindNotYet, "NO_LEADER", "no leader yet: %w", ctx.Err())
		}
		return 0, err
	}
	commit := l.raft.CommitIndex()
	if err := l.confirm(ctx, term); err != nil {
		return 0, asError(err)
	}
	if cause := l.store.err(); cause != nil {
		return 0, errLogStopped(cause)
	}
	if l.raft.CurrentTerm() != term {
		// Another may have led in between, and acknowledged more than that.
		return 0, errNotLeader("")
	}
	// A command that is not in the store's list any more has been applied.
	return l.store.lastCommand(commit), nil
}

// checkpoint has everything applied written durably, and the log cut behind
// it. taken is false if there was nothing to write. How the write itself ended
// is said to the outcome function that the log was opened with.
func (l *replicatedLog) checkpoint() (taken bool, err error) {
	defer l.machine.endCheckpoint()
	err = l.raft.Snapshot().Error()
	if errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return false, nil
	}
	return err == nil, err
}

// drainTimeout is how long close waits for what raft was asked after the
// store has failed. Only where raft's main goroutine has ended, its term not
// kept, does it take that long; those that wait for that goroutine are freed
// by the shutdown then.
const drainTimeout = time.Second

// close stops the log. What waits for it is answered or fails.
func (l *replicatedLog) close(logger *slog.Logger) {
	l.closed.Do(func() {
		close(l.closing)
		idle := l.asking.drain()
		select {
		case <-idle:
		case <-l.store.failed:
			select {
			case <-idle:
			case <-time.After(drainTimeout):
			}
		}
		// First the transport: raft would wait for a snapshot that is sent or
		// received for as long as a slow peer takes.
		if err := l.transport.Close(); err != nil {
			logger.Debug("closing the transport", "err", err)
		}
		if err := l.raft.Shutdown().Error(); err != nil {
			logger.Warn("stopping the log", "err", err)
		}
		l.running.Wait()
		l.confirmations.close()
		if err := l.store.close(); err != nil {
			logger.Warn("closing the log", "err", err)
		}
	})
}

func errLogStopped(cause error) *cairn.Error {
	return cairn.Errorf(cairn.KindUnavailable, "LOG_FAILED", "the log has stopped: %w", cause)
}

func errClosed() error {
	return cairn.Errorf(cairn.KindUnavailable, "CLOSED", "the replica is closed")
}
