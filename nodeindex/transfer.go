package nodeindex

import (
	"bytes"
	"slices"

	"cairn"
	"cairn/nodeindex/projection"

	"github.com/RoaringBitmap/roaring/v2"
)

// transfer gives the entries of one keyspace's shards that are gone to those
// that have come in their place: splits and merges inside the cluster keep
// their entries and ordinals. What no shard takes has departed.
type transfer struct {
	x        *Index
	index    uint64 // of the change
	view     view   // of the old keyspace
	old, new []*shard
	departed *roaring.Bitmap
	project  *projection.Projection // the keyspace's views, nil if it has none
	// arriving is what was arriving, left what still is, or is kept.
	arriving, left []*arrival
	arrived        map[*population]bool // shards' by now
	// changes are those of entries that got other nodes.
	changes []cairn.Change
}

func (t *transfer) run() {
	kept := make(map[*population]bool, len(t.new))
	for _, s := range t.new {
		kept[s.population] = true
	}
	was := make(map[*shard]bool, len(t.old))
	epochs := make(map[*population]uint64, len(t.old))
	for _, s := range t.old {
		was[s], epochs[s.population] = true, s.Epoch
	}
	t.arrive(kept)
	t.keep(kept)
	for _, s := range t.new {
		if was[s] {
			continue
		}
		s.changed = t.x.generation
		if epochs[s.population] != s.Epoch {
			if r := s.fences.relocates(s.Move); r != nil {
				t.relocate(s, r)
			}
			s.fences.lift()
		}
	}
	for _, s := range t.old {
		if !kept[s.population] {
			t.move(s)
		}
	}
}

// arrive has what arrives no more be seen, where it is a shard's now, or depart.
func (t *transfer) arrive(kept map[*population]bool) {
	t.arrived = make(map[*population]bool, len(t.arriving))
	for _, a := range t.arriving {
		switch {
		case slices.Contains(t.left, a):
		case kept[a.population]:
			t.arrived[a.population] = true
			a.since, a.changed = t.index, t.x.generation
			if t.project != nil {
				t.project.Show(t.x.numberOf(a.population))
			}
		default:
			t.x.forget(a, t.project)
			t.departed.Or(a.ordinals)
		}
	}
}

// keep has what is kept of gone shards be seen no more.
func (t *transfer) keep(kept map[*population]bool) {
	for _, a := range t.left {
		if slices.Contains(t.arriving, a) {
			continue
		}
		kept[a.population] = true
		a.changed = t.x.generation
		if t.project != nil {
			t.project.Arrive(t.x.numberOf(a.population))
		}
	}
}

// move gives a gone shard's entries away.
func (t *transfer) move(from *shard) {
	var targets []*shard
	for _, s := range t.new {
		if !t.arrived[s.population] && overlap(&from.Shard, &s.Shard) {
			targets = append(targets, s)
		}
	}
	defer t.projectMove(from, targets)
	switch {
	case len(targets) == 0:
		t.departed.Or(from.ordinals)
		t.disown(from.blocks)
	case len(targets) == 1 && covers(&targets[0].Shard, &from.Shard):
		targets[0].absorb(from.population)
	default:
		t.partition(from, targets)
	}
}

// projectMove has the views follow a move of all that a shard had.
func (t *transfer) projectMove(from *shard, targets []*shard) {
	defer func() { delete(t.x.numbered, from.number) }()
	if t.project == nil {
		return
	}
	number, left := t.x.numberOf(from.population), from.ordinals
	for _, target := range targets {
		t.project.Move(number, t.x.numberOf(target.population), target.ordinals)
		left = roaring.AndNot(left, target.ordinals)
	}
	t.project.Depart(number, left)
}

func (t *transfer) disown(blocks []uint16) {
	for _, number := range blocks {
		t.x.ordinals.disown(number)
	}
}

func overlap(a, b *cairn.Shard) bool {
	return (len(b.End) == 0 || bytes.Compare(a.Start, b.End) < 0) && (len(a.End) == 0 || bytes.Compare(b.Start, a.End) < 0)
}

// covers reports whether all of b's range is in a's.
func covers(a, b *cairn.Shard) bool {
	return bytes.Compare(a.Start, b.Start) <= 0 && (len(a.End) == 0 || len(b.End) > 0 && bytes.Compare(b.End, a.End) <= 0)
}

// partition gives each entry to the target that its key belongs to. The blocks
// go to the one that gets most.
func (t *transfer) partition(from *shard, targets []*shard) {
	among := newKeyspace(t.view.keyspace.Keyspace, nil, targets)
	got := make(map[*shard]int, len(targets))
	t.view.visit(from, func(key []byte, ordinal uint32, nodes []cairn.NodeID) {
		target := among.locate(key, t.view.reader.placement[:0])
		if target == nil {
			t.departed.Add(ordinal)
			return
		}
		target.add(ordinal, nodes)
		got[target]++
	})
	t.shareSum(from, targets)
	var most *shard
	for _, s := range targets {
		if got[s] > 0 && (most == nil || got[s] > got[most]) {
			most = s
		}
	}
	if most == nil {
		t.disown(from.blocks)
		return
	}
	most.blocks = append(most.blocks, from.blocks...)
	for s, entries := range got {
		s.load.takePart(&from.load, float64(entries)/float64(max(1, from.entries())))
	}
}

// shareSum divides the sum of a gone shard's digest.
func (t *transfer) shareSum(from *shard, targets []*shard) {
	left := from.ordinals
	var shares []share
	for _, s := range targets {
		if got := roaring.And(from.ordinals, s.ordinals); !got.IsEmpty() {
			shares = append(shares, share{s.population, got})
			left = roaring.AndNot(left, got)
		}
	}
	if !left.IsEmpty() {
		shares = append(shares, share{nil, left})
	}
	t.view.shareSum(from.sum, shares)
}

// visit calls back for every entry of a shard once, in no order. What it hands
// out is valid during the call.
func (v *view) visit(s *shard, each func(key []byte, ordinal uint32, nodes []cairn.NodeID)) {
	rest := s.ordinals.Clone()
	v.visitOverlays(rest, each)
	if rest.IsEmpty() {
		return
	}
	// Reading the keyspace's entries in order is many times cheaper an entry
	// than finding them by their ordinals.
	const randomCost = 12
	switch {
	case v.keyspace.Placement.Scheme == cairn.SchemeRange:
		v.visitRange(rest, s.Start, s.End, each)
	case s.entries()*randomCost > v.keyspace.entries():
		v.visitRange(rest, nil, nil, each)
	default:
		v.visitOrdinals(rest, each)
	}
	if !rest.IsEmpty() {
		panic(corrupt("ENTRY_MISSING", "%d entries of shard %s are not in the file", rest.GetCardinality(), s.ID))
	}
}

func (k *keyspace) entries() (sum uint64) {
	for _, s := range k.shards {
		sum += s.entries()
	}
	return sum
}

// visitOverlays visits the entries that are in the overlays, taking their
// ordinals out of rest.
func (v *view) visitOverlays(rest *roaring.Bitmap, each func([]byte, uint32, []cairn.NodeID)) {
	visit := func(t *table) {
		if t == nil {
			return
		}
		for i := range t.all {
			// Newest first: an ordinal is out of rest at its second sight. One
			// that was freed meanwhile is in no shard.
			if !i.deleted && rest.CheckedRemove(i.ordinal) {
				each(i.entry.Key, i.ordinal, i.entry.Nodes)
			}
		}
	}
	for _, t := range v.tables {
		visit(t)
	}
	for _, t := range v.more {
		visit(t)
	}
}

// visitRange visits the file's entries with keys in [start, end).
func (v *view) visitRange(rest *roaring.Bitmap, start, end []byte, each func([]byte, uint32, []cairn.NodeID)) {
	cursor := v.reader.keyspace(v.keyspace.UID)
	if cursor == nil {
		return
	}
	var slab []cairn.NodeID
	for key, value := cursor.Seek(start); key != nil && (len(end) == 0 || bytes.Compare(key, end) < 0); key, value = cursor.Next() {
		ordinal, nodes, ok := decodeEntryValue(value, slab[:0])
		if !ok {
			panic(corrupt("ENTRY_MALFORMED", "the entry of key %s is not what was written", cairn.Key(key)))
		}
		slab = nodes
		if rest.CheckedRemove(ordinal) {
			each(key, ordinal, nodes)
		}
	}
}

// visitOrdinals visits the file's entries of the ordinals in rest.
func (v *view) visitOrdinals(rest *roaring.Bitmap, each func([]byte, uint32, []cairn.NodeID)) {
	uid := v.keyspace.UID
	var slab []cairn.NodeID
	for _, ordinal := range rest.ToArray() {
		value := v.reader.records.seek(ordinal)
		if value == nil {
			continue
		}
		record, ok := parseRecord(value)
		if !ok {
			panic(corrupt("RECORD_MALFORMED", "the record of ordinal %d is not what was written", ordinal))
		}
		held, nodes, ok := decodeEntryValue(v.reader.find(uid, record.key), slab[:0])
		if !ok || held != ordinal {
			continue
		}
		slab = nodes
		rest.Remove(ordinal)
		each(record.key, ordinal, nodes)
	}
}
