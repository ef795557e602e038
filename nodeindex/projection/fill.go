package projection

import (
	"bufio"
	"io"
	"slices"
	"sync/atomic"

	"cairn"
	"cairn/views"

	"github.com/RoaringBitmap/roaring/v2"
)

// Fill makes projections anew, beside those that serve. One goroutine of the
// owner's goes on with it: it calls Begin and then Add for every entry that its
// shards had when the Fill began, in order of their ordinals, or Restore and
// then Replace for every entry that has changed since the image; then TakeOver.
// It may see an entry as of when the Fill began or later.
type Fill struct {
	projection *Projection
	attributes []cairn.AttributeSpec
	lists      *nodeLists
	builder    *views.Builder  // of what is added
	restored   *views.Restored // nil before
	since      uint64
	image      string
	done       atomic.Int64
	total      atomic.Int64

	// changed is what has happened to entries since the Fill began; nil is
	// that it was deleted. Guarded by the owner's lock.
	changed map[uint32]*cairn.Entry
}

// refill begins to make the projections anew. The owner's lock is held.
func (p *Projection) refill() {
	schema := p.declared.Load()
	p.fill = &Fill{
		projection: p, attributes: indexed(schema), lists: newNodeLists(),
		since: p.config.At().Index, changed: map[uint32]*cairn.Entry{},
	}
	if p.built == nil { // else the image is of the attributes that serve
		p.fill.image = p.image.Name
	}
}

// Fill is the Fill that is needed, nil if none is. It is called with the lock
// held. A Fill that is not the one that is needed any more is not to be gone
// on with.
func (p *Projection) Fill() *Fill { return p.fill }

// Since is the log index after which changes are noted: what is added must be
// of a state at least as new.
func (f *Fill) Since() uint64 { return f.since }

// Image is the image to begin with; empty for the entries.
func (f *Fill) Image() string { return f.image }

// Progress is how many entries have been added of those expected.
func (f *Fill) Progress() (done, total int) { return int(f.done.Load()), int(f.total.Load()) }

// note keeps what has become of an entry. Entries do not change.
func (f *Fill) note(ordinal uint32, entry *cairn.Entry) { f.changed[ordinal] = entry }

// Restore begins with an image that WriteImage wrote. After an error the Fill
// is over, and another one begins with the entries.
func (f *Fill) Restore(image io.Reader) error {
	buffered := bufio.NewReaderSize(image, 1<<20)
	lists, err := readLists(buffered)
	if err == nil {
		f.restored, err = views.Load(buffered, f.projection.declared.Load(), []cairn.AttributeSpec{nodesColumn}, f.definitions())
	}
	if err != nil {
		f.Abandon()
		return err
	}
	f.lists = lists
	return nil
}

// Abandon begins anew with the entries, as after an image that turns out not
// to be what it should.
func (f *Fill) Abandon() {
	p := f.projection
	p.config.Lock.Lock()
	defer p.config.Lock.Unlock()
	if p.fill == f {
		p.forgetImage()
		p.refill()
	}
}

// definitions are the versions that are wanted and can be built.
func (f *Fill) definitions() (out []views.Definition) {
	f.projection.config.Lock.Lock()
	defer f.projection.config.Lock.Unlock()
	for i := range f.projection.wanted {
		if d := &f.projection.wanted[i]; d.refusal == nil && has(f.attributes, d) {
			out = append(out, d.definition())
		}
	}
	return out
}

// Begin begins with entries, total of them.
func (f *Fill) Begin(total int) (err error) {
	f.total.Store(int64(total))
	f.builder, err = views.NewBuilder(f.projection.declared.Load(), []cairn.AttributeSpec{nodesColumn}, f.definitions())
	return err
}

// Unchanged leaves of ordinals, in place, those that nothing is noted of. The
// others are made up for in the end; added as well, they might meet another
// entry of the same key. It is asked after the state is fixed that entries are
// read from.
func (f *Fill) Unchanged(ordinals []uint32) []uint32 {
	f.projection.config.Lock.Lock()
	defer f.projection.config.Lock.Unlock()
	return slices.DeleteFunc(ordinals, func(ordinal uint32) bool {
		_, noted := f.changed[ordinal]
		return noted
	})
}

// Add is one entry, with a higher ordinal than the one before.
func (f *Fill) Add(ordinal uint32, entry *cairn.Entry) error {
	f.done.Add(1)
	return f.builder.Add(ordinal, entry.Key, entry.Attributes, f.lists.value(entry.Nodes))
}

// Replace makes entries what they are now; nil deletes one.
func (f *Fill) Replace(changed map[uint32]*cairn.Entry) error {
	// A key may have come back under another ordinal, and an ordinal with
	// another key: first all of them go.
	gone := roaring.New()
	for ordinal := range changed {
		gone.Add(ordinal)
	}
	f.restored.Forget(gone)
	for ordinal, entry := range changed {
		if entry == nil {
			continue
		}
		if err := f.restored.Put(ordinal, entry.Key, entry.Attributes, f.lists.value(entry.Nodes)); err != nil {
			return err
		}
	}
	return nil
}

// catchUpLeast is how few changes are made up for in the last step, with the
// owner's lock held.
const catchUpLeast = 512

// TakeOver builds the views that are wanted, makes up for what has changed
// since the Fill began and, in one step with the lock held, serves. Shards, called
// with the lock held, are the ordinals of each by its number; entries of none
// of them have left meanwhile. It ends without a change when ended says so or
// when another Fill is needed. Projections that turn out not to have what the
// shards have are KindCorrupt, and are begun anew with the entries.
func (f *Fill) TakeOver(shards func() map[Shard]*roaring.Bitmap, ended func() bool) error {
	if f.restored == nil {
		var err error
		if f.restored, err = f.builder.Finish(ended); err != nil {
			if ended() {
				return nil
			}
			return err
		}
	}
	p := f.projection
	for !ended() {
		p.config.Lock.Lock()
		if p.fill != f {
			p.config.Lock.Unlock()
			return nil
		}
		now := shards()
		changed, left := f.changed, f.departed(now)
		if len(changed)+int(left.GetCardinality()) <= catchUpLeast {
			err := f.takeOverLocked(now, changed, left)
			p.config.Lock.Unlock()
			return err
		}
		f.changed = map[uint32]*cairn.Entry{}
		p.config.Lock.Unlock()
		if err := f.makeUp(changed, left); err != nil {
			f.Abandon()
			return err
		}
	}
	return nil
}

// departed are the entries that no shard has any more, of those that have not
// changed.
func (f *Fill) departed(shards map[Shard]*roaring.Bitmap) *roaring.Bitmap {
	all := make([]*roaring.Bitmap, 0, len(shards))
	for _, ordinals := range shards {
		all = append(all, ordinals)
	}
	return roaring.AndNot(f.restored.Entries(), roaring.FastOr(all...))
}

// makeUp makes up for changes. An ordinal that has departed may have got
// another entry since, so what changed comes last.
func (f *Fill) makeUp(changed map[uint32]*cairn.Entry, departed *roaring.Bitmap) error {
	f.restored.Forget(departed)
	return f.Replace(changed)
}

func (f *Fill) takeOverLocked(shards map[Shard]*roaring.Bitmap, changed map[uint32]*cairn.Entry, departed *roaring.Bitmap) error {
	p := f.projection
	err := f.makeUp(changed, departed)
	var made *views.Views
	if err == nil {
		// What was noted of an entry may have departed with its shard.
		f.restored.Forget(f.departed(shards))
		made, err = f.restored.SetShards(shards)
	}
	if err != nil {
		p.forgetImage()
		p.refill()
		return err
	}
	p.built, p.fill = &built{views: made, attributes: f.attributes, lists: f.lists}, nil
	p.leaving, p.unswept = nil, roaring.New()
	if f.image == "" {
		p.forgetImage()
	}
	p.defineBuilt()
	p.Touched()
	return nil
}
