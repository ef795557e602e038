package shardmap

import (
	"fmt"
	"time"

	"cairn"
)

// Move is the record of a shard that moves from one cluster to another. While it
// is active it holds the shard: nobody splits, merges or moves that otherwise.
// Moves are compared with ==.
type Move struct {
	UID cairn.UID
	// The shard as it was when the move was planned.
	Keyspace   cairn.UID
	Shard      cairn.ShardID
	Epoch      uint64
	Start, End string
	// From owns the shard, To shall. They are the same where entries only change nodes
	// inside the cluster, by the Relocation.
	From, To   cairn.UID
	Relocation Relocation

	Phase MovePhase
	// Attempt counts how often a copy was begun, from 1. Staging names the
	// present one at both indexes; Stale is one before it that To may still have
	// something of, 0 if none.
	Attempt        uint32
	Staging, Stale cairn.UID
	// Fence is the number of the last fence, 0 before the first. Each is above
	// all that any move of the shard had before.
	Fence uint64
	// Final is the log index of From at that fence, once the move is committed: the
	// last write of the shard there is not after it. 0 if From is To.
	Final uint64
	// Nodes are To's nodes that take the place of From's; with some, Kept is 0.
	Nodes NodeMap
	// Kept names the move that took the shard from To, if To still kept what it had
	// when this move began; 0 if not.
	Kept cairn.UID
	// Keep is how long From keeps what it had after the move is done; 0 once that is
	// over.
	Keep time.Duration
	// Cancel and Paused are what an operator wants.
	Cancel, Paused bool
	// Clean is set, of a finished move, when To has nothing of it staged and From
	// keeps nothing any more.
	Clean bool

	// Who asked for the move, and Why.
	Who, Why string
	// Problem is why it does not get on or was cancelled; empty if all is well.
	Problem string
	// Created is when it began, Stepped when it entered its phase, both by the
	// clocks of those who said so.
	Created, Stepped time.Time
	// Revision is that of the last change to the record.
	Revision uint64
}

// MovePhase is how far a move is.
type MovePhase uint8

// The phases of a move. All up to MoveCommitted are active.
const (
	// MovePreparing: the target is asked whether it can take the shard.
	MovePreparing MovePhase = iota + 1
	// MoveCopying: the target gets the entries as of one log index.
	MoveCopying
	// MoveCatchingUp: it gets what has changed since. If the move has had a fence
	// before, that is lifted first.
	MoveCatchingUp
	// MoveFenced: the source takes no writes for the shard under fence number
	// Fence, or soon won't. The target gets the rest, and both are compared.
	MoveFenced
	// MoveCommitted: the target owns the shard; it may not have noticed yet.
	MoveCommitted
	// MoveDone: the target serves.
	MoveDone
	// MoveCancelled: the shard stays where it was.
	MoveCancelled
)

var movePhases = [...]string{"", "preparing", "copying", "catching-up", "fenced", "committed", "done", "cancelled"}

func (p MovePhase) String() string {
	if p == 0 || int(p) >= len(movePhases) {
		return fmt.Sprintf("phase %d", uint8(p))
	}
	return movePhases[p]
}

// ParseMovePhase reads what String writes; false for anything else.
func ParseMovePhase(name string) (MovePhase, bool) {
	for p := MovePreparing; p <= MoveCancelled; p++ {
		if movePhases[p] == name {
			return p, true
		}
	}
	return 0, false
}

// Active tells whether a move in this phase holds its shard.
func (p MovePhase) Active() bool { return p < MoveDone }

// String describes the move by its shard and phase.
func (m Move) String() string {
	fence := ""
	if m.Phase == MoveFenced {
		fence = fmt.Sprintf(" %d", m.Fence)
	}
	if m.Within() {
		return fmt.Sprintf("move %s within %s of nodes of shard %s: %s%s", m.UID, m.To, m.Shard, m.Phase, fence)
	}
	return fmt.Sprintf("move %s of shard %s from %s to %s: %s%s", m.UID, m.Shard, m.From, m.To, m.Phase, fence)
}

// MovesKept is how many finished moves are kept for those who ask later.
const MovesKept = 1_000

// DefaultKeep is how long a shard is kept where it left if nobody says otherwise,
// MaxKeep how long it may be: it takes as much memory and disk there as before.
const (
	DefaultKeep = 15 * time.Minute
	MaxKeep     = 24 * time.Hour
)

// MoveRequest is a move that is asked for.
type MoveRequest struct {
	Keyspace cairn.UID
	Shard    cairn.ShardID
	To       cairn.UID
	Who, Why string
	// Keep is how long the former owner keeps what it had; not at all for 0.
	Keep time.Duration
	// Nodes are names of the target's nodes by those of the owner's that they take
	// the place of. Entries of other nodes get nodes by the placement policy.
	Nodes map[string]string
	// MayHaveEntries is false only where the shard's owner has said that it holds
	// none: without entries no data has to move. Entries is how many, 0 if that is not
	// known.
	MayHaveEntries bool
	Entries        uint64
}

// StartMove decides a new move: its record, and the hold on its shard, whose
// record is put as it stands so that whatever else was decided about the shard
// before loses. The oldest finished moves beyond MovesKept are deleted.
//
// Refused: a keyspace or shard that the Map does not have (KindNotFound,
// KEYSPACE_NOT_FOUND, SHARD_NOT_FOUND); a target that it does not have or that
// is the owner (field "to", KindNotFound CLUSTER_NOT_FOUND, KindInvalid
// MOVE_TO_OWNER); names of nodes that the clusters don't have, or of such as are
// not active at the target (field "node_map", KindInvalid NODE_UNKNOWN,
// NODE_NOT_ACTIVE); a Keep out of its range (field "keep", KindInvalid); as KindPrecondition a shard that is held (SHARD_MOVING) or
// pinned (SHARD_PINNED), a keyspace that is being deleted (KEYSPACE_DELETING),
// and one that does not say who moves the data (MOVER_MISSING), unless the shard has no
// entries, or each node has one take its place that is the same server.
func StartMove(m *Map, request MoveRequest, now time.Time) (Change, Move, error) {
	k, shard, err := m.resolve(request.Keyspace, request.Shard)
	if err != nil {
		return Change{}, Move{}, err
	}
	to, found := m.catalog.ClusterByUID(request.To)
	refuse := func(kind cairn.Kind, field, reason, format string, args ...any) (Change, Move, error) {
		e := cairn.Errorf(kind, reason, format, args...)
		e.Field = field
		return Change{}, Move{}, e
	}
	switch held := m.moves.holder(request.Keyspace, request.Shard); {
	case held != nil:
		return Change{}, Move{}, m.held(held)
	case !found:
		return refuse(cairn.KindNotFound, "to", "CLUSTER_NOT_FOUND", "there is no cluster %s", request.To)
	case request.Keep < 0 || request.Keep > MaxKeep:
		return refuse(cairn.KindInvalid, "keep", "KEEP_OUT_OF_RANGE", "what has moved can be kept for 0s to %s", MaxKeep)
	case to.UID == shard.Cluster:
		return refuse(cairn.KindInvalid, "to", "MOVE_TO_OWNER", "cluster %s owns shard %s already", to.Name, shard.ID)
	case shard.Pinned:
		return refuse(cairn.KindPrecondition, "", "SHARD_PINNED", "shard %s is pinned to cluster %s; unpin it first", shard.ID, m.clusterName(shard.Cluster))
	case k.Deleting:
		return refuse(cairn.KindPrecondition, "", "KEYSPACE_DELETING", "keyspace %s is being deleted", k.Name)
	}
	nodes, err := m.nodeMap(shard.Cluster, to, request.Nodes)
	if err != nil {
		return Change{}, Move{}, err
	}
	if k.Mover == "" && request.MayHaveEntries && !m.nodesStay(shard.Cluster, to.UID, nodes) {
		count := "keys of shard " + shard.ID.String() + " may"
		if request.Entries > 0 {
			count = fmt.Sprintf("%d keys of shard %s would", request.Entries, shard.ID)
		}
		return Change{}, Move{}, moverMissing(k, count)
	}
	now = now.UTC().Round(time.Microsecond)
	move := Move{
		UID: cairn.NewUID(), Keyspace: k.UID, Shard: shard.ID, Epoch: shard.Epoch, Start: string(shard.Start), End: string(shard.End),
		From: shard.Cluster, To: to.UID, Phase: MovePreparing, Attempt: 1, Staging: cairn.NewUID(),
		Nodes: nodes, Kept: m.keptAt(shard, to.UID), Keep: request.Keep, Who: request.Who, Why: request.Why, Created: now, Stepped: now,
	}
	if nodes != "" {
		move.Kept = 0 // what is kept has the nodes of before
	}
	change := Change{
		Keyspaces: []KeyspaceChange{{Name: k.Name, Expected: k.ModRevision}},
		Clusters:  []ClusterChange{{Name: to.Name, Expected: to.Revision}},
		Shards:    []ShardChange{{Keyspace: k.UID, Generation: k.Generation, ID: shard.ID, Expected: shard.Revision, Put: &shard}},
		Moves:     append(m.moves.surplus(), MoveChange{UID: move.UID, Put: &move}),
	}
	return change, move, nil
}

// StepMove decides that a move's record becomes another. What becomes
// MoveCommitted gives the shard to its new owner in the same transaction.
//
// KindConflict: the Map has another shard than the one that was planned, or none
// any more (SHARD_CHANGED), or no target (CLUSTER_GONE), or not all nodes of it that
// entries are to get (NODE_NOT_ACTIVE).
func StepMove(m *Map, before, after Move) (Change, error) {
	change := Change{Moves: []MoveChange{{UID: before.UID, Expected: before.Revision, Put: &after}}}
	if after.Phase != MoveCommitted || before.Phase == MoveCommitted {
		return change, nil
	}
	k, shard, err := m.Planned(before)
	if err != nil {
		return Change{}, err
	}
	// The keyspace's record is not compared: splits elsewhere change it, and with
	// the keyspace the shard's would go.
	to, found := m.catalog.ClusterByUID(before.To)
	if !found {
		return Change{}, cairn.Errorf(cairn.KindConflict, "CLUSTER_GONE", "there is no cluster %s any more", before.To)
	}
	if why := m.Targetless(before); why != "" {
		return Change{}, cairn.Errorf(cairn.KindConflict, "NODE_NOT_ACTIVE", "%s", why)
	}
	shard.Cluster, shard.Epoch, shard.Move = before.To, 0, before.Staging
	change.Clusters = []ClusterChange{{Name: to.Name, Expected: to.Revision}}
	change.Shards = []ShardChange{{Keyspace: k.UID, Generation: k.Generation, ID: shard.ID, Expected: shard.Revision, Put: &shard}}
	return change, nil
}

// WantMove decides that an operator wants a move paused or not, or cancelled,
// which nothing takes back.
//
// KindNotFound (MOVE_NOT_FOUND) if the Map has no such move; KindPrecondition
// (MOVE_FINISHED, MOVE_COMMITTED) if there is nothing left to pause or cancel.
// The change is empty where the move is so already.
func WantMove(m *Map, uid cairn.UID, paused, cancel bool) (Change, error) {
	move, found := m.Move(uid)
	switch {
	case !found:
		return Change{}, cairn.Errorf(cairn.KindNotFound, "MOVE_NOT_FOUND", "there is no move %s", uid)
	case !move.Phase.Active():
		return Change{}, cairn.Errorf(cairn.KindPrecondition, "MOVE_FINISHED", "move %s is %s", uid, move.Phase)
	case move.Phase == MoveCommitted:
		return Change{}, cairn.Errorf(cairn.KindPrecondition, "MOVE_COMMITTED", "cluster %s owns the shard already; move it back if that is not wanted", m.clusterName(move.To))
	}
	next := move
	next.Paused, next.Cancel = paused, move.Cancel || cancel
	if next == move {
		return Change{}, nil
	}
	return Change{Moves: []MoveChange{{UID: uid, Expected: move.Revision, Put: &next}}}, nil
}
