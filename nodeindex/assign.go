package nodeindex

import (
	"cmp"
	"maps"
	"slices"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// Diff is the command that leads from the assignment in the log to a newer
// one. changed is false where the log's is as new or newer. Any goroutine may
// call it. If another Diff's command gets into the log first, this one is
// refused when it is applied (ASSIGNMENT_SUPERSEDED).
func (x *Index) Diff(to cairn.Assignment) (command []byte, changed bool) {
	s := x.state.Load()
	if s == nil || to.Revision <= s.revision {
		return nil, false
	}
	delta := diff(s.assignment, to)
	return delta.encode(), true
}

// Concerns tells whether a newer assignment than that in the log differs from it by
// anything but its revision. Any goroutine may call it.
func (x *Index) Concerns(to cairn.Assignment) bool {
	s := x.state.Load()
	return s != nil && to.Revision > s.revision && !diff(s.assignment, to).isEmpty()
}

// isEmpty tells that nothing changes but the revision.
func (c *assignCommand) isEmpty() bool {
	return !c.nodesChanged && len(c.keyspaces)+len(c.removedKeyspaces)+len(c.views)+len(c.shards)+len(c.removedShards)+len(c.records) == 0
}

func diff(from *assignment, to cairn.Assignment) *assignCommand {
	c := &assignCommand{from: from.revision, to: to.Revision}
	wanted := make(map[cairn.UID]bool)
	for i := range to.Keyspaces {
		k := &to.Keyspaces[i]
		wanted[k.UID] = true
		if present := from.keyspaces[k.UID]; present == nil || present.guest || !sameKeyspace(&present.Keyspace, k) {
			c.keyspaces = append(c.keyspaces, *k)
		}
	}
	c.views = diffViews(from, to, wanted)
	present := make(map[shardName]*shard)
	for _, uid := range sortedUIDs(from.keyspaces) {
		k := from.keyspaces[uid]
		if !wanted[uid] {
			if !k.guest {
				c.removedKeyspaces = append(c.removedKeyspaces, uid)
			}
			continue
		}
		for _, s := range slices.Concat(k.shards, k.withheld) {
			present[shardName{uid, s.ID}] = s
		}
	}
	for i := range to.Shards {
		s := &to.Shards[i]
		name := shardName{s.Keyspace, s.ID}
		if old := present[name]; old == nil || !sameShard(&old.Shard, s) {
			c.shards = append(c.shards, *s)
		}
		delete(present, name)
	}
	for name := range present {
		c.removedShards = append(c.removedShards, name)
	}
	slices.SortFunc(c.removedShards, func(a, b shardName) int {
		return cmp.Or(cmp.Compare(a.keyspace, b.keyspace), cmp.Compare(a.id, b.id))
	})
	nodes := sortedNodes(to.Nodes)
	if !slices.Equal(nodes, from.nodes) {
		c.nodesChanged, c.nodes = true, nodes
	}
	c.records = diffRecords(from.records, to.Records)
	return c
}

func sortedNodes(nodes []cairn.Node) []cairn.Node {
	return slices.SortedFunc(slices.Values(nodes), func(a, b cairn.Node) int { return cmp.Compare(a.ID, b.ID) })
}

func sortedUIDs[V any](byUID map[cairn.UID]V) []cairn.UID { return slices.Sorted(maps.Keys(byUID)) }

// applyAssign changes what is owned, and returns the map revision afterwards.
func (x *Index) applyAssign(s *state, r *reader, index uint64, command []byte) (uint64, *cairn.Error) {
	var c assignCommand
	if !c.decode(command) {
		return s.revision, errCommand
	}
	if c.from != s.revision || c.to <= c.from {
		return s.revision, cairn.Errorf(cairn.KindConflict, "ASSIGNMENT_SUPERSEDED",
			"the change leads from map revision %d to %d, and the log is at %d", c.from, c.to, s.revision)
	}
	next, err := s.assign(&c)
	if err != nil {
		return s.revision, err
	}

	departed := make(map[cairn.UID]*roaring.Bitmap)
	for _, uid := range c.touched() {
		t := transfer{x: x, index: index, departed: roaring.New()}
		if old := s.keyspaces[uid]; old != nil {
			t.view = s.view(old, r)
			t.old, t.project, t.arriving = old.shards, s.projections[uid], old.arriving
		}
		k := next.keyspaces[uid]
		if k != nil {
			t.new, t.left = k.shards, k.arriving
		}
		if k != nil && !k.guest {
			x.feeds.open(uid, index)
		} else {
			x.feeds.close(uid, index, next.revision)
		}
		t.run()
		for some := range slices.Chunk(t.changes, pieceEntries) {
			x.feeds.append(uid, index, s.revision, x.requests.clock, some)
		}
		if !t.departed.IsEmpty() {
			departed[uid] = t.departed
		}
	}
	x.effects.assigned(next)
	projections := x.project(s.projections, next)
	fenced := next.fencedKeyspaces()
	x.pending.publish(s.active) // unseen until the assignment is there: see overtaken
	x.publish(func(s *state) {
		s.assignment, s.assigned, s.projections, s.fenced = next, index, projections, fenced
		for uid, bitmap := range departed {
			s.departed = depart(s.departed, uid, bitmap)
		}
	})
	return next.revision, nil
}

// depart is what has departed with more of a keyspace.
func depart(departed map[cairn.UID]*roaring.Bitmap, uid cairn.UID, more *roaring.Bitmap) map[cairn.UID]*roaring.Bitmap {
	if more.IsEmpty() {
		return departed
	}
	out := make(map[cairn.UID]*roaring.Bitmap, len(departed)+1)
	maps.Copy(out, departed)
	if present := out[uid]; present != nil {
		more = roaring.Or(present, more)
	}
	out[uid] = more
	return out
}

// touched are the keyspaces that a change concerns, each once.
func (c *assignCommand) touched() []cairn.UID {
	var out []cairn.UID
	for i := range c.keyspaces {
		out = append(out, c.keyspaces[i].UID)
	}
	out = append(out, c.removedKeyspaces...)
	for i := range c.views {
		out = append(out, c.views[i].keyspace)
	}
	for i := range c.shards {
		out = append(out, c.shards[i].Keyspace)
	}
	for _, name := range c.removedShards {
		out = append(out, name.keyspace)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// assign is the assignment after a change; see placing for what its shards hold.
// Shards of a keyspace that is not declared, and such that overlap, are
// KindInvalid.
func (a *assignment) assign(c *assignCommand) (*assignment, *cairn.Error) {
	next := &assignment{revision: c.to, keyspaces: maps.Clone(a.keyspaces), nodes: a.nodes, records: withRecords(a.records, c.records)}
	if c.nodesChanged {
		next.nodes = sortedNodes(c.nodes)
	}
	definitions := make(map[cairn.UID]cairn.Keyspace)
	guests := make(map[cairn.UID]bool)
	for uid, k := range a.keyspaces {
		definitions[uid], guests[uid] = k.Keyspace, k.guest
	}
	for _, uid := range c.removedKeyspaces {
		guests[uid] = true
	}
	for i := range c.keyspaces {
		definitions[c.keyspaces[i].UID], guests[c.keyspaces[i].UID] = c.keyspaces[i], false
	}
	changes := make(map[cairn.UID]map[cairn.ShardID]*cairn.Shard) // nil: removed
	change := func(keyspace cairn.UID, id cairn.ShardID, s *cairn.Shard) {
		if changes[keyspace] == nil {
			changes[keyspace] = make(map[cairn.ShardID]*cairn.Shard)
		}
		changes[keyspace][id] = s
	}
	for _, name := range c.removedShards {
		change(name.keyspace, name.id, nil)
	}
	for i := range c.shards {
		change(c.shards[i].Keyspace, c.shards[i].ID, &c.shards[i])
	}
	for _, uid := range c.touched() {
		definition, known := definitions[uid]
		if guest := guests[uid] || !known; guest {
			for id, s := range changes[uid] {
				if s != nil {
					return nil, cairn.Invalid("shards", "ASSIGNMENT_INVALID", "shard %s is of keyspace %s, which is not declared", id, uid)
				}
			}
			delete(next.keyspaces, uid)
			if old := a.keyspaces[uid]; old != nil {
				if arriving := slices.Concat(old.arriving, keptOf(old.shards)); len(arriving) > 0 {
					left := newKeyspace(old.Keyspace, old.views, nil).withArrivals(arriving)
					left.guest = true
					next.keyspaces[uid] = left
				}
			}
			continue
		}
		old := a.keyspaces[uid]
		if old == nil {
			old = newKeyspace(cairn.Keyspace{}, nil, nil)
		}
		views := old.views
		if changed, found := c.viewsOf(uid); found {
			views = changed
		}
		placed, err := placeShards(old, changes[uid])
		if err != nil {
			return nil, err
		}
		k := newKeyspace(definition, views, placed.shards).withArrivals(placed.arriving)
		k.withheld = placed.withheld
		next.keyspaces[uid] = k
	}
	return next, nil
}
