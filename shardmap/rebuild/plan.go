package rebuild

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// Options say what to make of what is not certain.
type Options struct {
	// Missing is the cluster that gets the gaps, without what they held; empty: none.
	Missing string
	// Staged has a gap be its who has all of it staged. That is right if the gap's
	// owner gave it away and the new one had not heard so yet.
	Staged bool
	// Without are keyspaces, by name or uid, to leave out.
	Without []string
	// Now is the time.
	Now time.Time
}

// Plan is a map to be written.
type Plan struct {
	// Revision is the latest that any index has noted: nothing up to it may be an
	// epoch again.
	Revision  uint64
	Clusters  []*Cluster
	Keyspaces []*Keyspace
	// Moves are cancelled ones, of what is staged: they have it dropped.
	Moves []shardmap.Move
}

// Keyspace is a keyspace to be written.
type Keyspace struct {
	*catalog.Keyspace
	Views  []*catalog.View
	Shards []Shard // ascending by Start
	// Gaps are what nobody has; a plan with any can't be carried out.
	Gaps []Gap
	// Overruled are what indexes have noted and others have in a higher epoch.
	Overruled []Overruled

	source *Cluster // whose records count
}

// Shard is a shard to be written. Its Epoch is the one that it had.
type Shard struct {
	shardmap.Shard
	Owner string
	// Lost tells that what it held is lost, Staged that it is taken from a move.
	Lost, Staged bool
}

// Gap is a range that no index has.
type Gap struct {
	Start, End []byte
	// Staged are the clusters that have all of it staged for a move.
	Staged []string
}

// Overruled is a shard of which a part is another's in a higher epoch.
type Overruled struct {
	cairn.Shard
	Cluster string
	// By has it, in epoch Higher: the first such part.
	By     string
	Higher uint64
}

// New plans the map that indexes know. KindPrecondition: KEYSPACE_TWICE,
// KEYSPACE_UNRECORDED, or as Options name what there is not (CLUSTER_NOT_FOUND,
// KEYSPACE_NOT_FOUND); else as clustersOf. Gaps are no error of it: see Plan.Check.
func New(known []Known, o Options) (*Plan, error) {
	clusters, err := clustersOf(known)
	if err != nil {
		return nil, err
	}
	p := &Plan{Clusters: clusters}
	for _, k := range known {
		p.Revision = max(p.Revision, k.Map.Revision)
	}
	var missing *Cluster
	if o.Missing != "" {
		at := slices.IndexFunc(clusters, func(c *Cluster) bool { return c.Name == o.Missing })
		if at < 0 {
			return nil, cairn.Errorf(cairn.KindPrecondition, "CLUSTER_NOT_FOUND", "there is no index of a cluster %q among those given", o.Missing)
		}
		missing = clusters[at]
	}
	if err := p.declare(o.Without); err != nil {
		return nil, err
	}
	for _, k := range p.Keyspaces {
		p.place(k, o, missing)
	}
	p.cancelMoves(o.Now)
	return p, nil
}

// declare finds the keyspaces and views, each as the index has it that has noted the
// latest map.
func (p *Plan) declare(without []string) error {
	byUID := map[cairn.UID]*Keyspace{}
	unused := slices.Clone(without)
	for _, c := range p.Clusters {
		for i := range c.Map.Keyspaces {
			uid := c.Map.Keyspaces[i].UID
			record := c.recorded.Keyspaces[uid]
			if record == nil {
				return cairn.Errorf(cairn.KindPrecondition, "KEYSPACE_UNRECORDED", "%s has shards of keyspace %s and no record of it; leave it out", c.Source, c.Map.Keyspaces[i].Name)
			}
			k := byUID[uid]
			next := record.NextShard
			if k == nil {
				k = &Keyspace{Keyspace: record, source: c}
				byUID[uid] = k
			} else {
				next = max(next, k.NextShard)
			}
			if c.Map.Revision > k.source.Map.Revision {
				k.Keyspace, k.source = record, c
			}
			k.NextShard = next
		}
	}
	for uid, k := range byUID {
		named := func(name string) bool { return name == k.Name || name == uid.String() }
		if slices.ContainsFunc(without, named) {
			unused = slices.DeleteFunc(unused, named)
			continue
		}
		for _, v := range k.source.recorded.Views {
			if v.Keyspace == uid {
				k.Views = append(k.Views, v)
			}
		}
		p.Keyspaces = append(p.Keyspaces, k)
	}
	if len(unused) > 0 {
		return cairn.Errorf(cairn.KindPrecondition, "KEYSPACE_NOT_FOUND", "no index given has a keyspace %q", unused[0])
	}
	slices.SortFunc(p.Keyspaces, func(a, b *Keyspace) int { return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID)) })
	views := map[string]*Keyspace{}
	for i, k := range p.Keyspaces {
		if i > 0 && p.Keyspaces[i-1].Name == k.Name {
			return twice("keyspace", k.Name, p.Keyspaces[i-1], k)
		}
		for _, v := range k.Views {
			if other := views[v.Name]; other != nil {
				return twice("view", v.Name, other, k)
			}
			views[v.Name] = k
		}
	}
	return nil
}

// twice refuses two things of one name, of which one was deleted.
func twice(what, name string, a, b *Keyspace) error {
	return cairn.Errorf(cairn.KindPrecondition, strings.ToUpper(what)+"_TWICE",
		"the indexes have two of %s %s: of keyspace %s, as of map revision %d by %s, and of keyspace %s, as of %d by %s; leave the one that was deleted out by its uid",
		what, name, a.UID, a.source.Map.Revision, a.source.Source, b.UID, b.source.Map.Revision, b.source.Source)
}

// place gives every placement key of a keyspace an owner.
func (p *Plan) place(k *Keyspace, o Options, missing *Cluster) {
	var claims []*claim
	for _, c := range p.Clusters {
		for _, s := range c.Map.Shards {
			if s.Keyspace == k.UID {
				claims = append(claims, &claim{Shard: s, owner: c, pinned: c.recorded.Pinned[shardmap.ShardRef{Keyspace: k.UID, ID: s.ID}]})
				k.NextShard = max(k.NextShard, s.ID+1)
			}
		}
	}
	for _, s := range cover(claims) {
		if s.claim == nil {
			p.fill(k, s, o, missing)
			continue
		}
		k.add(Shard{Owner: s.claim.owner.Name, Shard: shardmap.Shard{
			Shard:   cairn.Shard{Keyspace: k.UID, ID: s.claim.ID, Start: s.start, End: s.end, Epoch: s.claim.Epoch, Move: s.claim.Move},
			Cluster: s.claim.owner.UID, Pinned: s.claim.pinned,
		}})
	}
	k.identify()
	for _, c := range claims {
		k.overrule(c)
	}
}

func (k *Keyspace) add(s Shard) { k.Shards = append(k.Shards, s) }

// fill finds an owner for a gap, or notes it.
func (p *Plan) fill(k *Keyspace, s stretch, o Options, missing *Cluster) {
	gap := Gap{Start: s.start, End: s.end}
	var staged *cairn.StagedShard
	var by *Cluster
	for _, c := range p.Clusters {
		for i := range c.Map.Staged {
			if each := &c.Map.Staged[i]; each.Keyspace == k.UID && each.Whole && bytes.Equal(each.Start, s.start) && bytes.Equal(each.End, s.end) {
				gap.Staged = append(gap.Staged, c.Name)
				if staged == nil || each.Epoch > staged.Epoch {
					staged, by = each, c
				}
			}
		}
	}
	shard := shardmap.Shard{Shard: cairn.Shard{Keyspace: k.UID, Start: s.start, End: s.end}}
	switch {
	case o.Staged && staged != nil:
		shard.ID, shard.Epoch, shard.Move, shard.Cluster = staged.ID, staged.Epoch, staged.Move, by.UID
		k.add(Shard{Shard: shard, Owner: by.Name, Staged: true})
	case missing != nil:
		shard.Cluster = missing.UID
		k.add(Shard{Shard: shard, Owner: missing.Name, Lost: true})
	default:
		k.Gaps = append(k.Gaps, gap)
	}
}

// identify gives the shards ids, each its own: where several have one, it is that of
// the highest epoch.
func (k *Keyspace) identify() {
	owner := map[cairn.ShardID]int{}
	for i, s := range k.Shards {
		if other, taken := owner[s.ID]; !taken || s.Epoch > k.Shards[other].Epoch {
			owner[s.ID] = i
		}
	}
	for i := range k.Shards {
		s := &k.Shards[i]
		if s.ID == 0 || owner[s.ID] != i {
			s.ID = k.NextShard
			k.NextShard++
		}
	}
}

// overrule notes a claim of which another has a part.
func (k *Keyspace) overrule(c *claim) {
	at, found := slices.BinarySearchFunc(k.Shards, c.Start, func(s Shard, start []byte) int { return bytes.Compare(s.Start, start) })
	if !found {
		at-- // it begins in one that wins over it
	}
	for _, s := range k.Shards[at:] {
		if len(c.End) > 0 && bytes.Compare(s.Start, c.End) >= 0 {
			return
		}
		if s.Cluster != c.owner.UID || s.Epoch != c.Epoch {
			k.Overruled = append(k.Overruled, Overruled{Shard: c.Shard, Cluster: c.owner.Name, By: s.Owner, Higher: s.Epoch})
			return
		}
	}
}

// cancelMoves notes a cancelled move for all that is staged and not taken, so that a
// mover has it dropped.
func (p *Plan) cancelMoves(now time.Time) {
	now = now.UTC().Round(time.Microsecond)
	for _, c := range p.Clusters {
		for _, s := range c.Map.Staged {
			at := slices.IndexFunc(p.Keyspaces, func(k *Keyspace) bool { return k.UID == s.Keyspace })
			if at < 0 {
				continue
			}
			owner := p.Keyspaces[at].owner(s.Start)
			if owner == nil || owner.Staged && owner.Move == s.Move {
				continue
			}
			p.Moves = append(p.Moves, shardmap.Move{
				UID: cairn.NewUID(), Keyspace: s.Keyspace, Shard: s.ID, Epoch: s.Epoch, Start: string(s.Start), End: string(s.End),
				From: owner.Cluster, To: c.UID, Phase: shardmap.MoveCancelled, Attempt: uint32(s.Attempt), Staging: s.Move,
				Problem: "the map was recovered from the indexes", Created: now, Stepped: now,
			})
		}
	}
}

// owner is the shard that a placement key is in, nil in a gap.
func (k *Keyspace) owner(placementKey []byte) *Shard {
	for i := range k.Shards {
		if k.Shards[i].Contains(placementKey) {
			return &k.Shards[i]
		}
	}
	return nil
}

// Check refuses a plan with gaps: KindPrecondition (MAP_GAPS).
func (p *Plan) Check() error {
	gaps, first := 0, ""
	for _, k := range p.Keyspaces {
		for _, g := range k.Gaps {
			if gaps++; gaps == 1 {
				first = fmt.Sprintf("%s of keyspace %s", shardmap.Interval(k.Placement.Scheme, g.Start, g.End), k.Name)
			}
		}
	}
	if gaps == 0 {
		return nil
	}
	return cairn.Errorf(cairn.KindPrecondition, "MAP_GAPS",
		"no index given has %s, and %d such ranges in all: an index that is not given may. Give it too; or leave the keyspace out; or give up what is there, and say so", first, gaps)
}

// Changes are what is to be written, in this order: each keyspace with its shards and
// views, and at last all clusters with the moves. An index that sees no cluster of its
// own notes nothing.
func (p *Plan) Changes() []shardmap.Change {
	out := make([]shardmap.Change, 0, len(p.Keyspaces)+1)
	for _, k := range p.Keyspaces {
		record := *k.Keyspace
		record.Revision = 0
		change := shardmap.Change{Keyspaces: []shardmap.KeyspaceChange{{Name: k.Name, Put: &record}}}
		for _, v := range k.Views {
			change.Views = append(change.Views, shardmap.ViewChange{Name: v.Name, Put: v})
		}
		for i := range k.Shards {
			shard := k.Shards[i].Shard
			shard.Epoch = 0
			change.Shards = append(change.Shards, shardmap.ShardChange{Keyspace: k.UID, Generation: k.Generation, ID: shard.ID, Put: &shard})
		}
		out = append(out, change)
	}
	var last shardmap.Change
	for _, c := range p.Clusters {
		last.Clusters = append(last.Clusters, shardmap.ClusterChange{Name: c.Name, Put: c.Cluster})
	}
	for i := range p.Moves {
		last.Moves = append(last.Moves, shardmap.MoveChange{UID: p.Moves[i].UID, Put: &p.Moves[i]})
	}
	return append(out, last)
}
