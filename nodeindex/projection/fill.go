package projection

import (
	"sync/atomic"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// Fill makes projections out of entries, beside those that serve. One
// goroutine of the owner's calls Add for every entry that its shards had when
// the Fill began, and then TakeOver; it may see an entry as of then or later.
type Fill struct {
	projection *Projection
	made       *built
	since      uint64
	done       atomic.Int64
	total      atomic.Int64

	// changed is what has happened to entries since the Fill began; nil is
	// that it was deleted. Guarded by the owner's lock.
	changed map[uint32]*cairn.Entry
}

// unplaced is the shard of all entries of a Fill until it takes over.
const unplaced Shard = 0

// refill begins to make the projections anew.
func (p *Projection) refill() {
	p.fill = &Fill{projection: p, made: newBuilt(p.declared.Load()), since: p.config.At().Index, changed: map[uint32]*cairn.Entry{}}
}

// Fill is the Fill that is needed, nil if none is. It is called with the lock
// held. A Fill that is not the one that is needed any more is not to be gone
// on with.
func (p *Projection) Fill() *Fill { return p.fill }

// Since is the log index after which changes are noted: what is added must be
// of a state at least as new.
func (f *Fill) Since() uint64 { return f.since }

// note keeps what has become of an entry. Entries do not change.
func (f *Fill) note(ordinal uint32, entry *cairn.Entry) { f.changed[ordinal] = entry }

// Expect tells how many entries there will be.
func (f *Fill) Expect(total int) { f.total.Store(int64(total)) }

// Progress is how many entries have been added of those expected.
func (f *Fill) Progress() (done, total int) { return int(f.done.Load()), int(f.total.Load()) }

// Add is one entry.
func (f *Fill) Add(ordinal uint32, entry *cairn.Entry) {
	f.made.replace(ordinal, entry)
	f.done.Add(1)
}

// replace makes an entry of no shard what it is now; nil deletes it.
func (b *built) replace(ordinal uint32, entry *cairn.Entry) {
	if key := b.views.Key(ordinal); entry == nil || key != nil && key.Compare(entry.Key) != 0 {
		b.views.Delete(ordinal, unplaced)
	}
	if entry != nil {
		b.put(unplaced, ordinal, entry)
	}
}

const (
	// stepEntries is how many entries are gone through before somebody else
	// gets a turn.
	stepEntries = 4096
	// catchUpLeast is how few changes are made up for in the last step, with
	// the owner's lock held.
	catchUpLeast = 512
)

// TakeOver builds the views that are wanted, makes up for what has changed
// since the Fill began and, in one step with the lock held, serves. Shards are
// then asked for the ordinals of each by its number; entries of none of them
// have left meanwhile. It ends without a change when ended says so or when
// another Fill is needed.
func (f *Fill) TakeOver(shards func() map[Shard]*roaring.Bitmap, ended func() bool) {
	p := f.projection
	p.config.Lock.Lock()
	wanted := p.wanted
	p.config.Lock.Unlock()
	for i := range wanted {
		if d := &wanted[i]; d.refusal == nil && f.made.has(d) {
			_ = f.made.define(d) // asked again when it takes over, for all to see
		}
	}
	for f.made.views.Build(stepEntries) {
		if ended() {
			return
		}
	}
	for !ended() {
		p.config.Lock.Lock()
		if p.fill != f {
			p.config.Lock.Unlock()
			return
		}
		if len(f.changed) <= catchUpLeast {
			f.takeOverLocked(shards())
			p.config.Lock.Unlock()
			return
		}
		changed := f.changed
		f.changed = map[uint32]*cairn.Entry{}
		p.config.Lock.Unlock()
		for ordinal, entry := range changed {
			f.made.replace(ordinal, entry)
		}
	}
}

func (f *Fill) takeOverLocked(shards map[Shard]*roaring.Bitmap) {
	p := f.projection
	for ordinal, entry := range f.changed {
		f.made.replace(ordinal, entry)
	}
	for shard, ordinals := range shards {
		f.made.views.MoveEntries(unplaced, shard, ordinals)
	}
	p.built, p.fill = f.made, nil
	// What is left has departed since it was added. Its ordinals may be used
	// again as soon as they are swept here.
	p.leaving, p.unswept = nil, roaring.New()
	p.Depart(unplaced, f.made.views.ShardOrdinals(unplaced))
	p.defineBuilt()
	p.image.forget()
	p.Touched()
}
