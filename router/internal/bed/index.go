package bed

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
	"cairn/shardmap/placement"
)

// Index is one cluster's node index.
type Index struct {
	bed     *Bed
	cluster *catalog.Cluster

	mu        sync.Mutex // guards all below
	applied   uint64
	assigned  cairn.Assignment
	entries   map[cairn.UID]map[string]*cairn.Entry
	requests  map[requestWrite]cairn.Written // of writes with an id, what became of them
	fenced    map[shardmap.ShardRef]bool
	changes   []change
	compacted uint64        // changes up to here are no longer held
	grown     chan struct{} // closed and replaced when applied grows
}

// requestWrite names one write of a request with an id.
type requestWrite struct {
	keyspace cairn.UID
	request  cairn.RequestID
	position uint32
}

type change struct {
	keyspace cairn.UID
	cairn.Change
}

func newIndex(b *Bed, cluster *catalog.Cluster) *Index {
	x := &Index{bed: b, cluster: cluster, entries: map[cairn.UID]map[string]*cairn.Entry{}, requests: map[requestWrite]cairn.Written{}, grown: make(chan struct{})}
	x.applied = 1 // the log's configuration
	x.noteLocked(b.m)
	return x
}

// advanceLocked is the next log index.
func (x *Index) advanceLocked() uint64 {
	x.applied++
	close(x.grown)
	x.grown = make(chan struct{})
	return x.applied
}

// noteLocked notes a map in the log: what it takes away is gone, what it gives
// is served from here on.
func (x *Index) noteLocked(m *shardmap.Map) {
	if m.Revision() <= x.assigned.Revision {
		return
	}
	x.assigned = m.Assignment(x.cluster.UID)
	x.advanceLocked()
	for keyspace, entries := range x.entries {
		for key := range entries {
			if _, owned := x.shardLocked(keyspace, cairn.Key(key)); !owned {
				delete(entries, key)
			}
		}
	}
}

// takeOverLocked copies a shard's entries, and what is remembered of requests;
// nobody sees them before the log has noted the shard.
func (x *Index) takeOverLocked(source *Index, shard shardmap.Shard) {
	maps.Copy(x.requests, source.requests)
	for key, entry := range source.entries[shard.Keyspace] {
		if owned, ok := source.shardLocked(shard.Keyspace, cairn.Key(key)); ok && owned.ID == shard.ID {
			x.keyspaceLocked(shard.Keyspace)[key] = entry
		}
	}
}

func (x *Index) keyspaceLocked(uid cairn.UID) map[string]*cairn.Entry {
	if x.entries[uid] == nil {
		x.entries[uid] = map[string]*cairn.Entry{}
	}
	return x.entries[uid]
}

// shardLocked is the shard that a key is in, if it is this cluster's by the
// log.
func (x *Index) shardLocked(keyspace cairn.UID, key cairn.Key) (cairn.Shard, bool) {
	at := slices.IndexFunc(x.assigned.Keyspaces, func(k cairn.Keyspace) bool { return k.UID == keyspace })
	if at < 0 {
		return cairn.Shard{}, false
	}
	place := placement.Key(x.assigned.Keyspaces[at].Placement, key, nil)
	for _, shard := range x.assigned.Shards {
		if shard.Keyspace == keyspace && (shardmap.Shard{Shard: shard}).Contains(place) {
			return shard, true
		}
	}
	return cairn.Shard{}, false
}

// reachLocked makes the log note what a request needs.
func (x *Index) reach(epoch uint64) error {
	x.mu.Lock()
	behind := x.assigned.Revision < epoch
	x.mu.Unlock()
	if !behind {
		return nil
	}
	m := x.bed.Map()
	if m.Revision() < epoch {
		return cairn.Errorf(cairn.KindNotYet, "NOT_YET", "there is no map revision %d yet", epoch)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.noteLocked(m)
	return nil
}

func (x *Index) fault(call Call) Fault {
	if x.bed.Faults == nil {
		return None
	}
	return x.bed.Faults(x.cluster.Name, call)
}

// Listening implements router.Remote: nobody listens where the fault keeps a call from
// happening.
func (x *Index) Listening(context.Context) bool { return x.fault(CallListening).before() == nil }

// Locate implements router.Index.
func (x *Index) Locate(_ context.Context, req *cairn.LocateRequest, reply *cairn.LocateReply) error {
	fault := x.fault(CallLocate)
	if err := fault.before(); err != nil {
		return err
	}
	if err := x.reach(req.Epoch); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	reply.Answer = cairn.Answer{Revision: x.assigned.Revision, Index: x.applied}
	reply.Results = reply.Results[:0]
	for _, key := range req.Keys {
		reply.Results = append(reply.Results, x.locateLocked(req, key))
	}
	return fault.after(CallLocate)
}

func (x *Index) locateLocked(req *cairn.LocateRequest, key cairn.Key) cairn.Located {
	shard, owned := x.shardLocked(req.Keyspace, key)
	if !owned {
		return cairn.Located{State: cairn.NotOwned}
	}
	out := cairn.Located{State: cairn.Absent, Stamp: cairn.Stamp{Epoch: shard.Epoch, Index: x.applied}}
	entry := x.entries[req.Keyspace][string(key)]
	if entry == nil {
		return out
	}
	out.State, out.Nodes = cairn.Found, entry.Nodes
	if req.WithAttributes {
		out.Version, out.Attributes = entry.Version, entry.Attributes
	}
	return out
}

// Write implements router.Index.
func (x *Index) Write(_ context.Context, req *cairn.WriteRequest) (*cairn.WriteReply, error) {
	fault := x.fault(CallWrite)
	if err := fault.before(); err != nil {
		return nil, err
	}
	if err := x.reach(req.Epoch); err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	index := x.advanceLocked()
	reply := &cairn.WriteReply{Answer: cairn.Answer{Revision: x.assigned.Revision, Index: index}}
	for i := range req.Mutations {
		reply.Results = append(reply.Results, x.rememberLocked(req, i, index))
	}
	if err := fault.after(CallWrite); err != nil {
		return nil, err
	}
	return reply, nil
}

// rememberLocked applies a mutation, unless it was applied before.
func (x *Index) rememberLocked(req *cairn.WriteRequest, i int, index uint64) cairn.Written {
	m := &req.Mutations[i]
	if req.RequestID.IsZero() {
		return x.applyLocked(req.Keyspace, m, index, uint32(i))
	}
	shard, owned := x.shardLocked(req.Keyspace, m.Key)
	name := requestWrite{req.Keyspace, req.RequestID, m.Position}
	if written, known := x.requests[name]; known && owned {
		written.Stamp = cairn.Stamp{Epoch: shard.Epoch, Index: index}
		return written
	}
	if x.bed.Forgetful && owned {
		return cairn.Written{Err: cairn.Errorf(cairn.KindPrecondition, "REQUEST_TOO_OLD", "the index remembers nothing")}
	}
	written := x.applyLocked(req.Keyspace, m, index, uint32(i))
	if written.Err == nil || written.Err.Kind != cairn.KindStale && written.Err.Kind != cairn.KindUnavailable {
		x.requests[name] = written
	}
	return written
}

func (x *Index) applyLocked(keyspace cairn.UID, m *cairn.Mutation, index uint64, position uint32) cairn.Written {
	shard, owned := x.shardLocked(keyspace, m.Key)
	if !owned {
		return cairn.Written{Err: cairn.Errorf(cairn.KindStale, "NOT_OWNED", "the key is not this cluster's")}
	}
	if x.fenced[shardmap.ShardRef{Keyspace: keyspace, ID: shard.ID}] {
		return cairn.Written{Err: cairn.Errorf(cairn.KindUnavailable, "SHARD_FENCED", "the shard takes no writes now")}
	}
	entries := x.keyspaceLocked(keyspace)
	before := entries[string(m.Key)]
	var version cairn.Version
	if before != nil {
		version = before.Version
	}
	if m.Condition.Present && m.Condition.Version != version {
		return cairn.Written{Err: cairn.Errorf(cairn.KindPrecondition, "CONDITION", "the entry's version is %s", version), Existed: before != nil}
	}
	written := cairn.Written{Existed: before != nil, Stamp: cairn.Stamp{Epoch: shard.Epoch, Index: index}}
	after := x.afterLocked(m, before, cairn.Version{Epoch: shard.Epoch, Index: index, Position: position})
	if after == nil {
		delete(entries, string(m.Key))
	} else {
		entries[string(m.Key)] = after
		written.Version, written.Nodes = after.Version, after.Nodes
	}
	x.changes = append(x.changes, change{keyspace, cairn.Change{
		Key: slices.Clone(m.Key), Shard: shard.ID, Before: before, After: after, Stamp: written.Stamp, Time: time.Now(),
	}})
	return written
}

// afterLocked is the entry that a mutation leaves, nil for none.
func (x *Index) afterLocked(m *cairn.Mutation, before *cairn.Entry, version cairn.Version) *cairn.Entry {
	if m.Operation == cairn.Delete {
		return nil
	}
	after := &cairn.Entry{Key: slices.Clone(m.Key), Nodes: m.Nodes, Attributes: m.Attributes, Version: version}
	if m.Operation == cairn.Merge {
		after.Attributes = cairn.Attributes(nil).Merge(m.Attributes)
		if before != nil {
			after.Attributes = before.Attributes.Merge(m.Attributes)
		}
	}
	if len(after.Nodes) == 0 && before != nil {
		after.Nodes = before.Nodes
	}
	if len(after.Nodes) == 0 {
		for _, node := range x.assigned.Nodes {
			after.Nodes = append(after.Nodes, node.ID)
		}
	}
	return after
}

// List implements router.Index.
func (x *Index) List(_ context.Context, req *cairn.ListRequest) (*cairn.ListReply, error) {
	fault := x.fault(CallList)
	if err := fault.before(); err != nil {
		return nil, err
	}
	if err := x.reach(req.Epoch); err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	reply := &cairn.ListReply{Answer: cairn.Answer{Revision: x.assigned.Revision, Index: x.applied}}
	reply.Fingerprint = x.fingerprintLocked(req.Keyspace)
	for entry := range x.ownLocked(req.Keyspace) {
		if entry.Key.Compare(req.Start) >= 0 && (len(req.End) == 0 || entry.Key.Compare(req.End) < 0) {
			reply.Entries = append(reply.Entries, *entry)
		}
	}
	slices.SortFunc(reply.Entries, func(a, b cairn.Entry) int { return a.Key.Compare(b.Key) })
	if len(reply.Entries) > req.Limit {
		reply.Entries, reply.More = reply.Entries[:req.Limit], true
	}
	return reply, fault.after(CallList)
}

// fingerprintLocked is of the shards of a keyspace, by the log.
func (x *Index) fingerprintLocked(keyspace cairn.UID) (f cairn.Fingerprint) {
	for _, shard := range x.assigned.Shards {
		if shard.Keyspace == keyspace {
			f = f.Add(shard.ID, shard.Epoch)
		}
	}
	return f
}

// ownLocked are the entries of those shards, in no order.
func (x *Index) ownLocked(keyspace cairn.UID) iter.Seq[*cairn.Entry] {
	return func(yield func(*cairn.Entry) bool) {
		for key, entry := range x.entries[keyspace] {
			if _, owned := x.shardLocked(keyspace, cairn.Key(key)); owned && !yield(entry) {
				return
			}
		}
	}
}

// Status implements router.Index.
func (x *Index) Status(ctx context.Context, epoch uint64) (cairn.IndexStatus, error) {
	if err := x.fault(CallStatus).wait(ctx); err != nil {
		return cairn.IndexStatus{}, err
	}
	if err := x.reach(epoch); err != nil {
		return cairn.IndexStatus{}, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	status := cairn.IndexStatus{
		Replica: "in-process", AppliedIndex: x.applied, MapRevision: x.assigned.Revision,
		NodeEntries: map[cairn.NodeID]uint64{},
	}
	for _, entries := range x.entries {
		status.Entries += uint64(len(entries))
		for _, entry := range entries {
			for _, node := range entry.Nodes {
				status.NodeEntries[node]++
			}
		}
	}
	for _, shard := range x.assigned.Shards {
		status.Shards = append(status.Shards, cairn.ShardStatus{Keyspace: shard.Keyspace, Shard: shard.ID, Epoch: shard.Epoch})
	}
	status.Views = x.viewStatesLocked()
	return status, nil
}
