package nodeindex

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cairn"
	"cairn/nodeindex/projection"
	"cairn/shardmap/placement"

	"github.com/RoaringBitmap/roaring/v2"
	"go.etcd.io/bbolt"
)

// Index is one cluster's node index.
//
// Lock order: writing, mu, publishing, then the locks of tables, feeds and
// pools, which are held for one step each. Nothing is held across I/O but
// writing, which only what replaces the file or its pool takes, and mu across
// the reads of the file that applying needs.
type Index struct {
	db       *bbolt.DB
	dir      string
	options  Options
	state    atomic.Pointer[state] // nil once closed
	position position
	feeds    feeds

	// publishing guards changes of state: Apply and a checkpoint's end both
	// make one out of the present.
	publishing sync.Mutex

	// interrupted makes what writes for long give up; see Interrupt.
	interrupted atomic.Bool

	diverged divergence

	// writing is held while a checkpoint is written or a snapshot installed.
	// It guards what follows, and db.
	writing sync.Mutex
	mapped  int // bytes of the file's map
	copies  copies

	// mu guards what Apply changes in place.
	mu           sync.Mutex
	term         uint64
	ordinals     *ordinals
	generation   uint64 // of overlays, counted by Freeze
	saved        uint64 // the last generation that is in the file
	running      *Checkpoint
	checkpointed CheckpointMeta
	checkpointAt time.Time
	// measuredAt is when loads were measured last; zero before the first time.
	measuredAt  time.Time
	effects     effects                          // of what was applied
	command     writeCommand                     // reused from Apply to Apply
	hasher      entryHasher                      // likewise
	pending     pendingPuts                      // likewise
	requests    *requests                        // those that are remembered
	populations projection.Shard                 // how many have got a number
	numbered    map[projection.Shard]*population // those that are shards'
	savedImages map[cairn.UID]projection.Image   // of views, that the file names
	work        chan struct{}                    // holds a value when there may be Work
}

// state is what readers see: immutable, replaced as a whole.
type state struct {
	*assignment
	// assigned is the log index that brought the assignment: readers may see
	// it before the applied index gets there.
	assigned uint64
	// projections are the views of the keyspaces that have any. The map does
	// not change.
	projections map[cairn.UID]*projection.Projection
	// departed are, by keyspace, the ordinals of entries whose shard has left,
	// until they are swept from the file. The bitmaps do not change.
	departed map[cairn.UID]*roaring.Bitmap
	// fenced are the keyspaces that have a fenced shard. The map does not change.
	fenced  map[cairn.UID]bool
	active  *overlay
	frozen  []*overlay // newest first; what no checkpoint has written yet
	readers *readers
	// gaps are what the log has jumped over, ascending.
	gaps []Gap
	// session is of the file as it was opened or installed: ordinals are the same
	// entries' within it only.
	session uint64
}

// acquire is the present state and a reader of its file. The reader must be
// released; until then no ordinal that the state knows is used again.
func (x *Index) acquire() (*state, *reader, error) {
	for {
		s := x.state.Load()
		if s == nil {
			return nil, nil, errClosed
		}
		r, err := s.readers.acquire()
		if err != nil {
			return nil, nil, storageError("begin reading", err)
		}
		if r != nil {
			return s, r, nil
		}
		// The pool was retired, so another state has been published.
	}
}

// acquireApplied is acquire, with the log index that all of it is of, at least.
// That is applied, to which the log was applied before, or what has come since then:
// the state or the file of a later one.
func (x *Index) acquireApplied(applied uint64) (s *state, r *reader, least uint64, err error) {
	if s, r, err = x.acquire(); err != nil {
		return nil, nil, 0, err
	}
	return s, r, max(applied, s.assigned, r.pool.index), nil
}

// publish replaces the state by what change makes of a copy of it, and returns
// the one before; nil if the index is closed.
func (x *Index) publish(change func(*state)) *state {
	x.publishing.Lock()
	defer x.publishing.Unlock()
	before := x.state.Load()
	if before == nil {
		return nil
	}
	after := *before
	change(&after)
	x.state.Store(&after)
	return before
}

// Interrupt makes checkpoints and images that are being written give up where
// they still can, with errClosed, and later ones not begin: for who is about to
// close the index and has no time. What they would have written is in the log.
func (x *Index) Interrupt() { x.interrupted.Store(true) }

// Close waits for a checkpoint being written and for reads under way, and
// closes the file. What is not checkpointed is in the log. Afterwards every
// call answers KindUnavailable (CLOSED).
func (x *Index) Close() error {
	x.writing.Lock()
	defer x.writing.Unlock()
	x.shut()
	x.copies.giveWay()
	if err := errors.Join(x.db.Close(), x.feeds.log.Close()); err != nil {
		return storageError("close index", err)
	}
	return nil
}

// shut makes every call answer errClosed, and waits for reads under way.
func (x *Index) shut() {
	x.publishing.Lock()
	last := x.state.Swap(nil)
	x.publishing.Unlock()
	if last != nil {
		x.position.close()
		last.readers.retire()
	}
}

// Prepare joins write requests into one command, as the leader: with the time,
// and for each Put and Merge without nodes the nodes to use if the key is new.
// Any goroutine may call it. The requests need not be valid: what is wrong
// with a mutation is found when it is applied.
func (x *Index) Prepare(now time.Time, requests []*cairn.WriteRequest) []byte {
	var a *assignment
	var nodes []cairn.Node
	if s := x.state.Load(); s != nil {
		a = s.assignment
		nodes = answering(a.nodes, x.options.Down)
	}
	return prepare(a, nodes, now, x.options.requestBounds(), requests)
}

// answering are the nodes for new keys: without those that are down, unless none
// of the active ones is left.
func answering(nodes []cairn.Node, down func(cairn.NodeID) bool) []cairn.Node {
	isDown := func(n cairn.Node) bool { return down(n.ID) }
	if down == nil || !slices.ContainsFunc(nodes, isDown) {
		return nodes
	}
	up := slices.DeleteFunc(slices.Clone(nodes), isDown)
	if !slices.ContainsFunc(up, func(n cairn.Node) bool { return n.State == cairn.NodeActive && n.Weight > 0 }) {
		return nodes
	}
	return up
}

// prepare is Prepare by an assignment, with the nodes to choose from.
func prepare(a *assignment, choosable []cairn.Node, now time.Time, bounds requestBounds, requests []*cairn.WriteRequest) []byte {
	size := 16
	named := false
	for _, request := range requests {
		named = named || !request.RequestID.IsZero()
		size += 48
		for i := range request.Mutations {
			size += 32 + len(request.Mutations[i].Key) + len(request.Mutations[i].Attributes)
		}
	}
	var header *requestBounds
	if named {
		header = &bounds
	}
	out := appendWriteHeader(make([]byte, 0, size), now, header, len(requests))
	var buffer [placement.HashLength]byte
	for _, request := range requests {
		name := nameOf(request.RequestID)
		if named {
			out = appendNamedRequestHeader(out, request.Keyspace, name, len(request.Mutations))
		} else {
			out = appendRequestHeader(out, request.Keyspace, len(request.Mutations))
		}
		position := uint32(0)
		var k *keyspace
		if a != nil {
			k = a.keyspaces[request.Keyspace]
		}
		for i := range request.Mutations {
			m := &request.Mutations[i]
			nodes, chosen := m.Nodes, false
			if k != nil && len(nodes) == 0 && m.Operation != cairn.Delete {
				nodes, chosen = ChooseNodes(choosable, nodeHash(k, m.Key, buffer[:0]), min(max(k.Replicas, 1), cairn.MaxReplicas)), true
			}
			if !name.isZero() {
				out = binary.AppendUvarint(out, uint64(m.Position-position))
				position = m.Position + 1
			}
			out = appendMutation(out, m, nodes, chosen)
		}
	}
	return out
}

// Pending is what is applied and in no checkpoint yet: how many changed keys
// and about how many bytes of memory they take.
func (x *Index) Pending() (entries int, bytes int64) {
	s := x.state.Load()
	if s == nil {
		return 0, 0
	}
	entries, bytes = s.active.size()
	for _, o := range s.frozen {
		n, size := o.size()
		entries, bytes = entries+n, bytes+size
	}
	return entries, bytes
}

// Checkpointed is what the last durable checkpoint covers: the log goes on
// after its Index.
func (x *Index) Checkpointed() CheckpointMeta {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.checkpointed
}

// Status says what the index holds. Replica and WriteRefusal are left empty;
// all is, once the index is closed.
func (x *Index) Status() cairn.IndexStatus {
	status, views := x.status()
	for _, snapshot := range views {
		// Without the lock: it goes over all that the views have.
		status.ViewBytes += snapshot.Usage().Total()
	}
	return status
}

// status is the status but for the memory of the views, of which it returns
// snapshots.
func (x *Index) status() (status cairn.IndexStatus, views []*projection.Snapshot) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load()
	if s == nil {
		return status, nil
	}
	applied, _ := x.Position()
	status = cairn.IndexStatus{
		AppliedIndex:    applied,
		CheckpointIndex: x.checkpointed.Index,
		CheckpointAge:   int64(x.options.Now().Sub(x.checkpointAt)),
		MapRevision:     s.revision,
		NodeEntries:     make(map[cairn.NodeID]uint64),
		FileBytes:       int64(s.readers.fileBytes),
	}
	_, status.OverlayBytes = x.Pending()
	status.RequestBytes, status.RequestWindow = x.requests.bytes, x.requests.reach()
	status.KeyBytes = s.readers.keys.bytes()
	kept := x.feeds.log.Usage()
	status.ChangeBytes, status.ChangeFloor = kept.Bytes, kept.Floor
	if kept.Since > 0 {
		status.ChangeReach = int64(x.options.Now().Sub(time.UnixMicro(kept.Since)))
	}
	for _, n := range s.nodes {
		status.NodeEntries[n.ID] = 0
	}
	for _, uid := range sortedUIDs(s.keyspaces) {
		for _, each := range s.keyspaces[uid].shards {
			status.Entries += each.entries()
			on := make(map[cairn.NodeID]uint64, len(each.nodes))
			for _, n := range each.nodes {
				if n.entries > 0 {
					on[n.node] = n.entries
					status.NodeEntries[n.node] += n.entries
				}
			}
			status.Shards = append(status.Shards, cairn.ShardStatus{
				Keyspace: uid, Shard: each.ID, Epoch: each.Epoch, Entries: each.entries(), Reads: each.load.readRate, Writes: each.load.writeRate, NodeEntries: on,
			})
		}
		for _, each := range s.keyspaces[uid].arriving {
			list := &status.Arriving
			if each.kept() {
				list = &status.Kept
			}
			*list = append(*list, cairn.ShardStatus{Keyspace: uid, Shard: each.ID, Epoch: each.Epoch, Entries: each.entries()})
			for _, n := range each.nodes {
				status.NodeEntries[n.node] += n.entries
			}
		}
	}
	for _, uid := range sortedUIDs(s.projections) {
		status.Views = append(status.Views, s.projections[uid].States()...)
		if snapshot := s.projections[uid].Present(); snapshot != nil {
			views = append(views, snapshot)
		}
		effort := s.projections[uid].Effort()
		status.ViewEvaluations += effort.Evaluated
		status.ViewPlacements += effort.Placed
	}
	status.WideAttributes, status.Withheld = s.wide(), s.withheldShards()
	return status, views
}
