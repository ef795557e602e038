package replica

import (
	"context"
	"log/slog"
	"time"

	"cairn"
	"cairn/nodeindex"
)

// Config is what a Replica needs. Only Dir must be set.
type Config struct {
	// Dir holds the index and its log, and is made if it is not there.
	Dir string
	// Name is what Status calls this replica: an address, or by default
	// "in-process".
	Name string
	// Cluster is whose index this is, which Identify tells.
	Cluster cairn.UID
	// ID names this replica in its group, for ever: another directory is
	// another replica. Default "1".
	ID string
	// Address is where the other replicas, and routers, find this one.
	Address string
	// Network connects the replicas of the group. Without it this is a group
	// of one.
	Network Network
	// Found has a directory without a log begin a group of its own. Else it
	// waits to be made part of one. Without Network it always does.
	Found bool
	// Refresh returns the cluster's assignment at a map revision of at least
	// that. Without it, requests wait for Assign to be called.
	Refresh func(ctx context.Context, revision uint64) (cairn.Assignment, error)
	// Latest returns the cluster's assignment by a map that is at least as new as
	// the call. Without it, linearizable reads of a shard that is about to be
	// another cluster's may miss what has been written there.
	Latest func(ctx context.Context) (cairn.Assignment, error)
	// Logger gets what an operator should know. Default slog.Default.
	Logger *slog.Logger
	// Index tunes the index.
	Index nodeindex.Options

	// CommandRequests and CommandBytes bound one command of the log. Defaults
	// 4,096 requests and 4 MiB; one larger request has a command of its own.
	CommandRequests, CommandBytes int
	// QueueBytes bounds the writes that wait; beyond it they are refused.
	// Default 64 MiB.
	QueueBytes int

	// CheckpointBytes is how much memory of changes makes a checkpoint due,
	// CheckpointAge how old the oldest of them may get. Defaults 128 MiB and
	// 30 s.
	CheckpointBytes int64
	CheckpointAge   time.Duration
	// OverlayBytes is the bound above which writes wait for a checkpoint.
	// Default twice CheckpointBytes. From half way to it on writes
	// are slowed down.
	OverlayBytes int64

	// SegmentBytes is the size of a file of the log, allocated ahead. Default
	// 64 MiB.
	SegmentBytes int
	// LogBytes bounds what the files of the log may take behind the last
	// checkpoint, for followers that lag. Default 1 GiB.
	LogBytes int64
	// DiskReserve is how much space must be free on Dir's file system for
	// writes to be taken. Default 128 MiB.
	DiskReserve uint64
	// FreeSpace says how much is free there. Default: the file system's word.
	FreeSpace func(dir string) (uint64, error)
	// BeforeSync, if set, is called before each write to the log that is synced:
	// for tests of disks that are slow or hang.
	BeforeSync func()

	// Heartbeat is how often an idle watch is told where the log stands.
	// Default 500 ms.
	Heartbeat time.Duration
	// MarkInterval is how often the leader has the replicas compare what they
	// have, if anything was written. Default 10 s.
	MarkInterval time.Duration
	// ElectionTimeout is how long a replica that hears nothing of its leader
	// waits before it stands for election, and a leader that hears of no
	// majority before it steps down. Default 500 ms, and without Network 20 ms.
	ElectionTimeout time.Duration
	// Now is the clock that writes are recorded with. Default time.Now.
	Now func() time.Time
}

// completed is c with its defaults filled in. It refuses with KindInvalid
// what can't be.
func (c Config) completed() (Config, error) {
	if c.Dir == "" {
		return c, cairn.Invalid("dir", "DIR_EMPTY", "an index needs a data directory")
	}
	if c.CommandRequests < 0 || c.CommandBytes < 0 || c.QueueBytes < 0 || c.CheckpointBytes < 0 || c.OverlayBytes < 0 || c.SegmentBytes < 0 || c.LogBytes < 0 {
		return c, cairn.Invalid("config", "BOUND_NEGATIVE", "a bound below zero")
	}
	if c.CheckpointAge < 0 || c.Heartbeat < 0 || c.MarkInterval < 0 || c.ElectionTimeout < 0 {
		return c, cairn.Invalid("config", "BOUND_NEGATIVE", "a time below zero")
	}
	setDefault(&c.Name, "in-process")
	setDefault(&c.CommandRequests, 4096)
	setDefault(&c.CommandBytes, 4<<20)
	setDefault(&c.QueueBytes, 64<<20)
	setDefault(&c.CheckpointBytes, 128<<20)
	setDefault(&c.CheckpointAge, 30*time.Second)
	setDefault(&c.OverlayBytes, 2*c.CheckpointBytes)
	// Else writes would wait for a checkpoint that is not due.
	c.CheckpointBytes = min(c.CheckpointBytes, c.OverlayBytes)
	setDefault(&c.SegmentBytes, 64<<20)
	setDefault(&c.LogBytes, 1<<30)
	setDefault(&c.DiskReserve, 128<<20)
	setDefault(&c.Heartbeat, 500*time.Millisecond)
	setDefault(&c.MarkInterval, 10*time.Second)
	if c.Network == nil {
		setDefault(&c.ElectionTimeout, 20*time.Millisecond)
	}
	setDefault(&c.ElectionTimeout, 500*time.Millisecond)
	setDefault(&c.ID, "1")
	setDefault(&c.Address, c.ID)
	setDefault(&c.Logger, slog.Default())
	if c.Index.Changes.Lost == nil {
		c.Index.Changes.Lost = func(err error) {
			c.Logger.Warn("changes kept for watches were given up; who watches from before is told STAMP_COMPACTED", "err", err)
		}
	}
	if c.FreeSpace == nil {
		c.FreeSpace = freeSpace
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
