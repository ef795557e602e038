package move

import (
	"context"

	"cairn"
)

// Source is the node index that a shard moves away from, as its leader answers.
// Each method fails with KindUnavailable or KindDeadline if that can't be asked or
// does not answer in time, when what was asked may still be carried out, even
// later; and with KindStale if the cluster does not own the shard in that epoch.
type Source interface {
	// CopyShard delivers the parts of the copy, from where Last of one says, from the
	// first for none. It fails with the error of deliver.
	CopyShard(ctx context.Context, s cairn.MovingShard, after []byte, deliver func(cairn.CopiedPart) error) error
	// TailShard is what has become of the shard after a log index; where nothing has
	// it waits a moment. KindCompacted: the log no longer reaches back that far. After
	// 0 it is that of what the target may have kept of the shard, as s says, and has
	// it adopted; KindCompacted if that is not of what the shard came from.
	TailShard(ctx context.Context, s cairn.MovingShard, after uint64) (cairn.TailPart, error)
	// FenceShard sets the move's fence of a number, or lifts it, and returns how it
	// is then: a number below the last, or one that was lifted, changes nothing. With a
	// fence goes the relocation, if there is one, which the commit has carried out.
	FenceShard(ctx context.Context, s cairn.MovingShard, number uint64, on bool) (cairn.FenceState, error)
	// FenceTail is FenceShard for a fence that is to be set, and returns what TailShard
	// would after a log index, which is not 0, for one question less while writes wait.
	// The zero TailPart: it is to be asked for.
	FenceTail(ctx context.Context, s cairn.MovingShard, number, after uint64) (cairn.FenceState, cairn.TailPart, error)
}

// Target is the node index that a shard moves to, as its leader answers. Its
// methods fail as those of Source, but for KindStale.
type Target interface {
	// StageShard takes a part in, unseen by readers. One that it has had changes
	// nothing; one that does not follow on what it has is refused as KindConflict.
	StageShard(ctx context.Context, s cairn.MovingShard, part []byte) (cairn.Staged, error)
	// StagedShard tells what it has, the zero Staged for nothing.
	StagedShard(ctx context.Context, s cairn.MovingShard) (cairn.Staged, error)
	// MovedKeys is where the keys of a part are, which was taken in, or was passed over
	// as what had been there. KindConflict if the part is of an index beyond what the
	// target has. Of a relocation they are those that get other nodes, and all of a tail.
	MovedKeys(ctx context.Context, s cairn.MovingShard, part []byte) ([]cairn.MovedKey, error)
	// DropShard forgets what is staged or, of a source, kept under the move's name.
	DropShard(ctx context.Context, s cairn.MovingShard) error
	// NoteRevision returns once its log has noted the map of a revision, and serves
	// by that.
	NoteRevision(ctx context.Context, revision uint64) error
}
