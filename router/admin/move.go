package admin

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// maxWhy bounds the reason that is given for a move, in bytes.
const maxWhy = 255

// MoveInfo is a move as it stands, with the names of what it is about.
type MoveInfo struct {
	shardmap.Move
	// KeyspaceName, FromName and ToName are uids where what they name is gone.
	KeyspaceName, FromName, ToName string
	// Waits is why the move does not go on although nothing is wrong; empty if it
	// does.
	Waits string
	// Entries is how many of Total the target has; only if each is Known. Within a cluster
	// Total are those that are to change nodes, and Entries those whose values the data
	// mover has copied.
	Entries, Total           uint64
	EntriesKnown, TotalKnown bool
	// NodesStay tells that no key gets another node.
	NodesStay bool
	// Data is what the keyspace's data mover says, if DataKnown.
	Data      DataProgress
	DataKnown bool
}

// DataProgress is how far the data behind a moving shard is.
type DataProgress struct {
	// Values and Bytes were copied, again or for the first time; so many values are
	// known to be Left.
	Values, Bytes, Left uint64
	// Complete tells that the keys of the copy have all been handed over.
	Complete bool
}

// MoveOptions are what goes with a move beside its shard and target.
type MoveOptions struct {
	// Who asked for it, and Why, are kept with it.
	Who, Why string
	// Keep is how long the former owner keeps what it had; not at all for 0.
	Keep time.Duration
	// Nodes are as in shardmap.MoveRequest.
	Nodes map[string]string
}

// MoveShard begins to move a shard to another cluster, and returns at once. The move goes on in whichever router carries
// moves out.
//
// KindNotFound if there is no such shard or cluster; else it is refused as
// shardmap.StartMove says. KindInvalid (field "reason") for a reason that is too
// long or no text; KindConflict if the shard was changed meanwhile.
func (a *Admin) MoveShard(ctx context.Context, keyspace string, id cairn.ShardID, to string, options MoveOptions) (MoveInfo, error) {
	if err := checkWhy(options.Why); err != nil {
		return MoveInfo{}, err
	}
	m, k, err := a.keyspace(ctx, keyspace)
	if err != nil {
		return MoveInfo{}, cairn.InField("shard", err)
	}
	target, found := m.Catalog().ClusterByName(to)
	if !found {
		err := cairn.Errorf(cairn.KindNotFound, "CLUSTER_NOT_FOUND", "there is no cluster %q", to)
		err.Field = "to"
		return MoveInfo{}, err
	}
	return a.startMove(ctx, m, k, id, target.UID, options)
}

func (a *Admin) startMove(ctx context.Context, m *shardmap.Map, k *catalog.Keyspace, id cairn.ShardID, to cairn.UID, options MoveOptions) (MoveInfo, error) {
	request := shardmap.MoveRequest{
		Keyspace: k.UID, Shard: id, To: to, Who: options.Who, Why: options.Why, Keep: options.Keep, Nodes: options.Nodes,
	}
	if k.Mover == "" {
		request.Entries, request.MayHaveEntries = a.mayHaveEntries(ctx, m, k, id)
	}
	change, move, err := shardmap.StartMove(m, request, time.Now())
	if err != nil {
		return MoveInfo{}, err
	}
	return a.commitMove(ctx, change, move.UID)
}

func checkWhy(why string) error {
	if len(why) > maxWhy || !utf8.ValidString(why) {
		return cairn.Invalid("reason", "REASON_TOO_LONG", "a reason of %d bytes; it is text of at most %d", len(why), maxWhy)
	}
	return nil
}

// mayHaveEntries asks a shard's owner how many entries it has, and whether there may be
// some.
func (a *Admin) mayHaveEntries(ctx context.Context, m *shardmap.Map, k *catalog.Keyspace, id cairn.ShardID) (uint64, bool) {
	shard, found := m.Shard(k.UID, id)
	if !found {
		return 0, true
	}
	info := []ShardInfo{{Shard: shard}}
	a.describe(ctx, m, info)
	return info[0].Entries, !info[0].EntriesKnown || info[0].Entries > 0
}

func (a *Admin) commitMove(ctx context.Context, change shardmap.Change, uid cairn.UID) (MoveInfo, error) {
	revision, err := a.store.Commit(ctx, change)
	if err != nil {
		return MoveInfo{}, err
	}
	m, err := a.await(ctx, revision)
	if err != nil {
		return MoveInfo{}, err
	}
	move, found := m.Move(uid)
	if !found {
		return MoveInfo{}, noMove(uid)
	}
	return a.describeMove(m, move), nil
}

// PauseMove has a move wait, or go on. CancelMove ends it; the shard stays where
// it is. Both fail as shardmap.WantMove says, and with KindConflict if the move
// went on meanwhile more often than this could be tried.
func (a *Admin) PauseMove(ctx context.Context, uid cairn.UID, paused bool) (MoveInfo, error) {
	return a.want(ctx, uid, func(m *shardmap.Map) (shardmap.Change, error) { return shardmap.WantMove(m, uid, paused, false) })
}

// CancelMove is described at PauseMove.
func (a *Admin) CancelMove(ctx context.Context, uid cairn.UID) (MoveInfo, error) {
	return a.want(ctx, uid, func(m *shardmap.Map) (shardmap.Change, error) {
		move, _ := m.Move(uid)
		return shardmap.WantMove(m, uid, move.Paused, true)
	})
}

// want makes a change to a move that is going on, whose record may change at any
// time.
func (a *Admin) want(ctx context.Context, uid cairn.UID, decide func(*shardmap.Map) (shardmap.Change, error)) (MoveInfo, error) {
	const tries = 10
	for try := 1; ; try++ {
		m, err := a.store.Refresh(ctx)
		if err != nil {
			return MoveInfo{}, err
		}
		change, err := decide(m)
		if err != nil {
			return MoveInfo{}, err
		}
		if change.Empty() {
			return a.GetMove(ctx, uid)
		}
		info, err := a.commitMove(ctx, change, uid)
		if cairn.KindOf(err) != cairn.KindConflict || err == nil || try == tries {
			return info, err
		}
	}
}

// GetMove shows a move, with how much of it is done as far as the indexes can be
// asked. KindNotFound if there is none of that uid, or none any more.
func (a *Admin) GetMove(ctx context.Context, uid cairn.UID) (MoveInfo, error) {
	m, err := a.store.Refresh(ctx)
	if err != nil {
		return MoveInfo{}, err
	}
	move, found := m.Move(uid)
	if !found {
		return MoveInfo{}, noMove(uid)
	}
	info := a.describeMove(m, move)
	if !move.Phase.Active() {
		return info, nil
	}
	if a.config.Staged != nil && !move.Within() {
		if to, found := m.Catalog().ClusterByUID(move.To); found {
			ctx, cancel := context.WithTimeout(ctx, describeTimeout)
			info.Entries, info.EntriesKnown = a.config.Staged(ctx, to, move)
			cancel()
		}
	}
	if a.config.DataProgress != nil {
		ctx, cancel := context.WithTimeout(ctx, describeTimeout)
		info.Data, info.DataKnown = a.config.DataProgress(ctx, m, move)
		cancel()
	}
	if move.Within() {
		if cluster, found := m.Catalog().ClusterByUID(move.To); found {
			info.Total, info.TotalKnown = a.leavingOf(ctx, cluster, move)
			info.Entries, info.EntriesKnown = min(info.Data.Values, info.Total), info.DataKnown
		}
		return info, nil
	}
	if shard, found := m.Shard(move.Keyspace, move.Shard); found {
		held := []ShardInfo{{Shard: shard}}
		a.describe(ctx, m, held)
		info.Total, info.TotalKnown = held[0].Entries, held[0].EntriesKnown
	}
	return info, nil
}

// ListMoves shows a page of the moves in the order in which they began: at most
// size of those that began after one of a time and uid, as in MovesAfter. more
// tells whether others follow.
func (a *Admin) ListMoves(ctx context.Context, after MovesAfter, size int) (page []MoveInfo, more bool, err error) {
	m, err := a.store.Refresh(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, move := range m.Moves() {
		if at := after.Created.Compare(move.Created); at > 0 || at == 0 && after.UID >= move.UID {
			continue
		}
		if len(page) == size {
			return page, true, nil
		}
		page = append(page, a.describeMove(m, move))
	}
	return page, false, nil
}

// MovesAfter is where a page of moves begins. The zero MovesAfter is the
// beginning.
type MovesAfter struct {
	Created time.Time
	UID     cairn.UID
}

func (a *Admin) describeMove(m *shardmap.Map, move shardmap.Move) MoveInfo {
	info := Describe(m, move)
	switch {
	case !move.Phase.Active():
	case move.Paused:
		info.Waits = "it is paused"
	case a.config.MoveTurn != nil && !a.config.MoveTurn(m, move.UID):
		info.Waits = "other moves of its clusters come first"
	case move.Problem == "":
		info.Waits = slowedBy(move, time.Now())
	}
	return info
}

// behindAfter is for how long a target catches up before that is worth telling.
const behindAfter = 10 * time.Second

// slowedBy is what a move that goes on has trouble with, empty for nothing.
func slowedBy(m shardmap.Move, now time.Time) string {
	switch {
	case m.Phase == shardmap.MoveCatchingUp && now.Sub(m.Stepped) > behindAfter:
		return "the shard is written about as fast as its changes reach the target"
	case m.Phase <= shardmap.MoveCopying && m.Attempt > 1 && m.Within():
		return fmt.Sprintf("its values are copied again, attempt %d: what had changed since was not kept, or the data mover lost what it had", m.Attempt)
	case m.Phase <= shardmap.MoveCopying && m.Attempt > 1:
		return fmt.Sprintf("it is copied again, attempt %d: what had changed since the copy before was not kept, or the target lost that", m.Attempt)
	}
	return ""
}

// Describe is a move with the names that a Map has for what it is about.
func Describe(m *shardmap.Map, move shardmap.Move) MoveInfo {
	info := MoveInfo{Move: move, NodesStay: m.NodesStay(move), KeyspaceName: move.Keyspace.String(), FromName: move.From.String(), ToName: move.To.String()}
	if k, found := m.Catalog().KeyspaceByUID(move.Keyspace); found {
		info.KeyspaceName = k.Name
	}
	if c, found := m.Catalog().ClusterByUID(move.From); found {
		info.FromName = c.Name
	}
	if c, found := m.Catalog().ClusterByUID(move.To); found {
		info.ToName = c.Name
	}
	return info
}

func noMove(uid cairn.UID) error {
	return cairn.Errorf(cairn.KindNotFound, "MOVE_NOT_FOUND", "there is no move %s; finished ones are kept for a while only", uid)
}

// usedByMove refuses to delete what an active move is about.
func usedByMove(m *shardmap.Map, what string, uses func(shardmap.Move) bool) error {
	for _, move := range m.Moves() {
		if move.Phase.Active() && uses(move) {
			err := cairn.Errorf(cairn.KindPrecondition, "IN_USE", "move %s is %s; wait for it or cancel it first", move.UID, move.Phase)
			err.Field = what
			return err
		}
	}
	return nil
}

// PinShard has plans leave a shard where it is, or not any more. KindNotFound if
// there is no such shard; KindConflict if it was changed meanwhile.
func (a *Admin) PinShard(ctx context.Context, keyspace string, id cairn.ShardID, pinned bool) (ShardInfo, error) {
	m, k, err := a.keyspace(ctx, keyspace)
	if err != nil {
		return ShardInfo{}, err
	}
	change, err := shardmap.Pin(m, k.UID, id, pinned)
	if err != nil {
		return ShardInfo{}, err
	}
	return a.commitShard(ctx, k, change, id)
}
