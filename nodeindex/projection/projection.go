package projection

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cairn"
	"cairn/views"

	"github.com/RoaringBitmap/roaring/v2"
)

// Shard is the owner's number of a shard. 0 is no shard's.
type Shard = cairn.ShardID

// At is the state of the index that a snapshot is of.
type At struct {
	cairn.Answer
	// Fingerprint is of the keyspace's shards.
	Fingerprint cairn.Fingerprint
}

// Config is what a Projection needs of its owner.
type Config struct {
	// Lock is held by the owner while it changes anything, and taken here to
	// make a snapshot.
	Lock sync.Locker
	// At is called with the lock held.
	At func() At
	// Now is the clock, for the age of snapshots.
	Now func() time.Time
	// ImageEntries is how many entries must have changed for another image.
	ImageEntries int
}

// Projection is the views of one keyspace.
type Projection struct {
	config Config

	// published is the last snapshot; current tells whether nothing has
	// changed since.
	published atomic.Pointer[Snapshot]
	current   atomic.Bool
	// declared is the keyspace's schema by the log.
	declared   atomic.Pointer[cairn.Schema]
	conditions conditions

	// The rest is guarded by the owner's lock.
	wanted []definition // ascending by view and version
	// built answers; nil until the first Fill is over.
	built *built
	fill  *Fill // nil if none is needed
	retry retry // of fill
	// leaving are shards that have left and are still to be swept, unswept
	// their ordinals.
	leaving []Shard
	unswept *roaring.Bitmap
	// arriving are shards that are not to be seen yet, and whether they gather.
	arriving map[Shard]bool
	// image says what a restart can begin with.
	image imageState
}

// built is projections with what is needed to read them.
type built struct {
	views *views.Views
	// attributes are the indexed ones that they were made for, ascending.
	attributes []cairn.AttributeSpec
	lists      *nodeLists
}

// nodesColumn is a column of ours: which nodes an entry is on, as a code of
// nodeLists.
var nodesColumn = cairn.AttributeSpec{ID: 1<<32 - 1, Type: cairn.TypeInt}

// indexed are a schema's indexed attributes, ascending by id.
func indexed(schema *cairn.Schema) []cairn.AttributeSpec {
	var out []cairn.AttributeSpec
	for _, spec := range schema.Attributes() {
		if !spec.Unindexed {
			out = append(out, spec)
		}
	}
	slices.SortFunc(out, func(a, b cairn.AttributeSpec) int { return int(int64(a.ID) - int64(b.ID)) })
	return out
}

// New makes the projection of a keyspace that Define has yet to be called for.
func New(config Config) *Projection {
	return &Projection{config: config, unswept: roaring.New(), arriving: make(map[Shard]bool)}
}

// Put makes an entry of a shard what it is now.
func (p *Projection) Put(shard Shard, ordinal uint32, entry *cairn.Entry) {
	if p.built != nil {
		p.built.put(shard, ordinal, entry)
	}
	if p.fill != nil {
		p.fill.note(shard, ordinal, entry)
	}
	p.image.changed(ordinal)
}

// Delete forgets an entry of a shard.
func (p *Projection) Delete(shard Shard, ordinal uint32) {
	if p.built != nil {
		p.built.views.Delete(ordinal, shard)
	}
	if p.fill != nil {
		p.fill.note(shard, ordinal, nil)
	}
	p.image.changed(ordinal)
}

func (b *built) put(shard Shard, ordinal uint32, entry *cairn.Entry) {
	b.views.Put(ordinal, shard, entry.Key, entry.Attributes, b.lists.value(entry.Nodes))
}

// Move notes that entries of one shard are another's from now on. Ordinals
// that the first does not have are passed over.
func (p *Projection) Move(from, to Shard, ordinals *roaring.Bitmap) {
	if p.fill != nil {
		p.fill.news.move(from, to)
	}
	if p.built != nil {
		p.built.views.MoveEntries(from, to, ordinals)
	}
}

// Arrive keeps the entries of a shard, those that are there and those that come, out
// of sight until Show.
func (p *Projection) Arrive(shard Shard) {
	p.arriving[shard] = false
	if p.built != nil {
		p.built.views.HideShard(shard)
	}
}

// Gather is Arrive for a shard of which many entries are to come, until Settle or
// Show: Step puts them into the orders together.
func (p *Projection) Gather(shard Shard) {
	p.arriving[shard] = true
	if p.built != nil {
		p.built.views.GatherShard(shard)
	}
}

// Settle ends that: nearly all of the shard's entries have come.
func (p *Projection) Settle(shard Shard) {
	if p.arriving[shard] {
		p.arriving[shard] = false
		if p.built != nil {
			p.built.views.SettleShard(shard)
		}
	}
}

// Show has the entries of a shard that has arrived be seen, all at once.
func (p *Projection) Show(shard Shard) {
	delete(p.arriving, shard)
	if p.built != nil {
		p.built.views.ShowShard(shard)
	}
}

// Depart takes the entries that a shard still has, the ordinals, out of sight
// at once. Step sweeps them; until it has, the owner must not use these
// ordinals again.
func (p *Projection) Depart(shard Shard, ordinals *roaring.Bitmap) {
	if p.fill != nil {
		p.fill.news.depart(shard, ordinals)
	}
	_, arriving := p.arriving[shard]
	delete(p.arriving, shard)
	if p.built == nil {
		return
	}
	if ordinals.IsEmpty() {
		if arriving { // else there may be nothing of it
			p.built.views.SweepShard(shard, 0)
		}
		return
	}
	p.built.views.HideShard(shard)
	p.leaving = append(p.leaving, shard)
	p.unswept = roaring.Or(p.unswept, ordinals)
}

// Serves tells whether there are views to answer from. The lock is held.
func (p *Projection) Serves() bool { return p.built != nil }

// Unswept are the ordinals that the owner must not use again yet. The bitmap
// does not change.
func (p *Projection) Unswept() *roaring.Bitmap { return p.unswept }

// Touched ends a command that may have changed anything: the snapshot that is
// there is out of date.
func (p *Projection) Touched() { p.current.Store(false) }

// Step goes on with what is done in the background, building views, folding in
// what has been gathered and sweeping, for up to limit entries, and reports whether
// any of that is left.
func (p *Projection) Step(limit int) (more bool) {
	if p.built == nil {
		return false
	}
	if len(p.leaving) > 0 {
		p.sweep(limit)
	} else {
		more = p.built.views.Build(sweepCost * limit)
	}
	p.Touched()
	return more || len(p.leaving) > 0 || p.building()
}

// sweepCost is how many times as long sweeping an entry takes as building with it
// does.
const sweepCost = 4

// building tells whether a view is not complete.
func (p *Projection) building() bool {
	return slices.ContainsFunc(p.built.views.Progress(), func(each views.Progress) bool { return !each.Complete })
}

func (p *Projection) sweep(limit int) {
	if !p.built.views.SweepShard(p.leaving[0], limit) {
		return
	}
	if p.leaving = p.leaving[1:]; len(p.leaving) == 0 {
		p.unswept = roaring.New()
	}
}

// Wide are the names of attributes that have no bitmap a value, being of too
// many different strings.
func (p *Projection) Wide() (names []string) {
	if p.built != nil {
		for _, spec := range p.built.views.Wide() {
			names = append(names, spec.Name)
		}
	}
	return names
}

// Present is a snapshot of the present state, nil while nothing serves.
func (p *Projection) Present() *Snapshot { return p.snapshotLocked() }
