package durable

// Step is what is made durable, by one act or several.
type Step string

const (
	// Directory is a directory of a replica's, made.
	Directory Step = "directory"
	// Opened is what a former process wrote, and may not have synced, before any of
	// it is served.
	Opened Step = "opened"
	// Create is an index file, made.
	Create Step = "create"
	// Checkpoint is the index's file, brought up to date; Settle makes some of the
	// changes of keys that it has deferred.
	Checkpoint Step = "checkpoint"
	Settle     Step = "settle"
	// Image is an image of views.
	Image Step = "image"
	// Changes is the change log, as far as a checkpoint goes; ChangesSegment a
	// segment of it that is full.
	Changes        Step = "changes"
	ChangesSegment Step = "changes segment"
	// Snapshot is a copy of the index's file for another replica; Backup the
	// label behind one that is a backup.
	Snapshot Step = "snapshot"
	Backup   Step = "backup"
	// Receive is a snapshot from another replica; Install puts it in the place
	// of the index's file.
	Receive Step = "receive"
	Install Step = "install"
	// Compact is a file without free pages, in the place of one with them.
	Compact Step = "compact"
	// Extract is an index file out of a backup; Rebase has it begin a log.
	Extract Step = "extract"
	Rebase  Step = "rebase"
	// Append is what is appended to the raft log, LogMeta which segments it has,
	// Vote its term and vote, Repair what a crash has left of its end.
	Append  Step = "append"
	LogMeta Step = "log meta"
	Vote    Step = "vote"
	Repair  Step = "log repair"
	// Apply is a command of the log, applied; Stage and Assign are those that take
	// in a part of a shard that moves here, and that say which shards are whose.
	Apply  Step = "apply"
	Stage  Step = "stage"
	Assign Step = "assign"
	// Recovered is the log of a replica, gone when its index has all of it.
	Recovered Step = "recovered"
	// Restore is a directory made of a backup, or of a replica; Identity says
	// whose it is.
	Identity Step = "identity"
	Restore  Step = "restore"
)

// Act is what a step does.
type Act string

const (
	// Write writes to a file; what it wrote may be lost.
	Write Act = "write"
	// Sync makes a file's content durable.
	Sync Act = "sync"
	// Commit writes and syncs pages of a bbolt file that are free, and then one of
	// its meta pages.
	Commit Act = "commit"
	// Rename and Link give a file another name.
	Rename Act = "rename"
	Link   Act = "link"
	// Remove takes a file's name, durably.
	Remove Act = "remove"
	// SyncDir makes the names in a directory durable.
	SyncDir Act = "sync directory"
	// Memory changes no file.
	Memory Act = "memory"
)

// Point is where a process can be stopped: before or after a step.
type Point struct {
	Step Step
	Act  Act
	// Done: after it.
	Done bool
}

func (p Point) String() string {
	when := "before"
	if p.Done {
		when = "after"
	}
	return when + " " + string(p.Step) + " " + string(p.Act)
}

// Points are all that there are.
func Points() (out []Point) {
	for _, each := range []struct {
		step Step
		acts []Act
	}{
		{Directory, []Act{SyncDir}},
		{Opened, []Act{Sync, SyncDir}},
		{Create, []Act{Commit, Link, SyncDir}},
		{Checkpoint, []Act{Commit}},
		{Settle, []Act{Commit}},
		{Image, []Act{Sync, Rename, SyncDir}},
		{Changes, []Act{Sync, SyncDir}},
		{ChangesSegment, []Act{Sync, SyncDir}},
		{Snapshot, []Act{Sync, Rename, SyncDir}},
		{Backup, []Act{Sync}},
		{Receive, []Act{Sync}},
		{Install, []Act{Commit, Rename, SyncDir}},
		{Compact, []Act{Sync, Rename, SyncDir}},
		{Extract, []Act{Sync, Rename, SyncDir}},
		{Rebase, []Act{Commit}},
		{Append, []Act{Write, Sync, SyncDir}},
		{LogMeta, []Act{Commit, Remove}},
		{Vote, []Act{Commit}},
		{Repair, []Act{Sync}},
		{Apply, []Act{Memory}},
		{Stage, []Act{Memory}},
		{Assign, []Act{Memory}},
		{Recovered, []Act{Remove, SyncDir}},
		{Identity, []Act{Sync, Rename, SyncDir}},
		{Restore, []Act{Rename, SyncDir}},
	} {
		for _, act := range each.acts {
			out = append(out, Point{each.step, act, false}, Point{each.step, act, true})
		}
	}
	return out
}
