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
// shards had when the Fill began, in order of their ordinals, or Restore, Forget
// and then Put for every entry that has changed since the image; then TakeOver.
// It may see an entry as of when the Fill began or later.
//
// So much may change meanwhile that the Fill notes only of which entries. It is
// needed again then, with a later Since: Forget and Put make up for what it
// Missed, and TakeOver goes on.
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

	// added tells whether all entries have been added, placed whether they
	// have got their shards.
	added, placed bool
	// news is what has happened since the Fill began and is not made up for.
	// Guarded by the owner's lock.
	news news
	// changedMost bounds what news keeps.
	changedMost int
}

// Shards is how a Fill learns from the owner where entries are.
type Shards struct {
	// All are the entries of each shard, all of one moment but for entries
	// that were put or deleted meanwhile. It is called without the lock.
	All func() map[Shard]*roaring.Bitmap
	// Of are the entries of one shard, none if it has left. It is called with
	// the lock held.
	Of func(Shard) *roaring.Bitmap
}

// refill begins to make the projections anew. The owner's lock is held.
func (p *Projection) refill() {
	schema := p.declared.Load()
	p.fill = &Fill{
		projection: p, attributes: indexed(schema), lists: newNodeLists(),
		since: p.config.At().Index, news: newNews(), changedMost: changedMost,
	}
	if p.built == nil { // else the image is of the attributes that serve
		p.fill.image = p.image.Name
	}
}

// Fill is the Fill that is needed now, nil if none is: none is for a while after
// one has Failed. It is called with the lock held. A Fill that is not the one
// that is needed any more is not to be gone on with.
func (p *Projection) Fill() *Fill {
	if p.config.Now().Before(p.retry.after) {
		return nil
	}
	return p.fill
}

// note keeps what has become of an entry of a shard, within bounds: above, the
// owner is to read what it had kept so far.
func (f *Fill) note(shard Shard, ordinal uint32, entry *cairn.Entry) {
	if len(f.news.changed) >= f.changedMost {
		f.news.forget()
		// The command that is being applied may be the last that changed one.
		f.since = f.projection.config.At().Index + 1
	}
	f.news.entry(shard, ordinal, entry)
}

// Since is the log index after which changes are noted: what is added must be
// of a state at least as new. It is called with the lock held.
func (f *Fill) Since() uint64 { return f.since }

// Image is the image to begin with; empty for the entries.
func (f *Fill) Image() string { return f.image }

// Progress is how many entries have been added of those expected.
func (f *Fill) Progress() (done, total int) { return int(f.done.Load()), int(f.total.Load()) }

// Restore begins with an image that WriteImage wrote. After an error the Fill
// is over, and another one begins with the entries.
func (f *Fill) Restore(image io.Reader) error {
	var err error
	if f.lists, f.restored, err = f.load(image); err != nil {
		f.Abandon()
	}
	return err
}

// load reads an image of what the projection has.
func (f *Fill) load(image io.Reader) (*nodeLists, *views.Restored, error) {
	buffered := bufio.NewReaderSize(image, 1<<20)
	lists, err := readLists(buffered)
	if err != nil {
		return nil, nil, err
	}
	restored, err := views.Load(buffered, f.projection.declared.Load(), []cairn.AttributeSpec{nodesColumn}, f.definitions())
	return lists, restored, err
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
		return f.news.knows(ordinal)
	})
}

// Add is one entry, with a higher ordinal than the one before.
func (f *Fill) Add(ordinal uint32, entry *cairn.Entry) error {
	f.done.Add(1)
	return f.builder.Add(ordinal, entry.Key, entry.Attributes, f.lists.value(entry.Nodes))
}

// Added tells whether all entries have been added: what is left is what it
// Missed, and TakeOver.
func (f *Fill) Added() bool { return f.added }

// Missed takes the ordinals of entries that have changed, and of which it was not
// noted how; they are to be read of a state at least as new as Since. It is
// called with the lock held.
func (f *Fill) Missed() *roaring.Bitmap {
	missed := roaring.AndNot(f.news.missed, f.news.departed)
	f.news.missed = roaring.New()
	return missed
}

// Forget forgets entries, of which those that there still are will be Put: a key
// may have come back under another ordinal, and an ordinal with another key, so
// that first all of them go.
func (f *Fill) Forget(changed *roaring.Bitmap) { f.restored.Forget(changed) }

// Put makes an entry what it is now.
func (f *Fill) Put(ordinal uint32, entry *cairn.Entry) error {
	return f.restored.Put(ordinal, entry.Key, entry.Attributes, f.lists.value(entry.Nodes))
}

// TakeOver builds the views that are wanted, makes up for what has changed
// since the Fill began and, in one step with the lock held, serves. It holds the
// lock for some milliseconds at a time, whatever the number of entries and
// shards. It ends without a change when ended says so or when another Fill is
// needed, and where it has Missed something. Projections that turn out not to
// have what the shards have are KindCorrupt, and are begun anew with the entries.
func (f *Fill) TakeOver(shards Shards, ended func() bool) error {
	if f.restored == nil {
		var err error
		if f.restored, err = f.builder.Finish(ended); err != nil {
			if ended() {
				return nil
			}
			return err
		}
	}
	f.added = true
	for !ended() {
		over, err := f.step(shards)
		if over || err != nil {
			return err
		}
	}
	return nil
}

// step goes on with taking over, until it is over.
func (f *Fill) step(shards Shards) (over bool, err error) {
	p := f.projection
	p.config.Lock.Lock()
	switch {
	case p.fill != f || !f.news.missed.IsEmpty():
		p.config.Lock.Unlock()
		return true, nil
	case f.placed && f.news.few():
		defer p.config.Lock.Unlock()
		return true, f.takeOverLocked(shards)
	case f.placed:
		news, changed := f.catchUp(shards)
		p.config.Lock.Unlock()
		err = f.makeUp(news, changed)
	default:
		news := f.news
		f.news = newNews()
		p.config.Lock.Unlock()
		err = f.place(news, shards)
	}
	if err != nil {
		f.Abandon()
	}
	return false, err
}

// place makes up for the news so far and gives all entries their shards. An
// image has entries of shards that had left before the Fill began.
func (f *Fill) place(news news, shards Shards) error {
	if err := f.makeUp(news, shards.All()); err != nil {
		return err
	}
	// One that has come since is noted, and put again.
	f.restored.Forget(f.restored.Strays())
	f.placed = true
	return nil
}

// catchUp takes the news, with the entries of up to shardsAtOnce of the shards;
// the others stay news. The lock is held.
func (f *Fill) catchUp(shards Shards) (news, map[Shard]*roaring.Bitmap) {
	now, later := make(map[Shard]*roaring.Bitmap, min(len(f.news.shards), shardsAtOnce)), f.news.shards
	for shard := range later {
		if len(now) == shardsAtOnce {
			break
		}
		now[shard] = shards.Of(shard)
		delete(later, shard)
	}
	taken := f.news
	f.news = newNews()
	f.news.shards = later
	return taken, now
}

// makeUp makes up for news. An ordinal that has departed may have got another
// entry since, so what changed comes last.
func (f *Fill) makeUp(news news, shards map[Shard]*roaring.Bitmap) error {
	gone := news.departed.Clone()
	for ordinal := range news.changed {
		gone.Add(ordinal)
	}
	f.Forget(gone)
	for ordinal, entry := range news.changed {
		if entry == nil || news.departed.Contains(ordinal) {
			continue
		}
		if err := f.Put(ordinal, entry); err != nil {
			return err
		}
	}
	f.restored.SetShards(shards)
	return nil
}

func (f *Fill) takeOverLocked(shards Shards) error {
	p := f.projection
	err := f.makeUp(f.catchUp(shards))
	var made *views.Views
	if err == nil {
		made, err = f.restored.Views()
	}
	if err != nil {
		p.forgetImage()
		p.refill()
		return err
	}
	if f.image == "" {
		p.forgetImage()
	}
	p.serve(&built{views: made, attributes: f.attributes, lists: f.lists})
	return nil
}

// serve answers from what was built from now on. The lock is held.
func (p *Projection) serve(made *built) {
	p.built, p.fill, p.retry = made, nil, retry{}
	p.leaving, p.unswept = nil, roaring.New()
	for shard, gathers := range p.arriving {
		if made.views.HideShard(shard); gathers {
			made.views.GatherShard(shard)
		}
	}
	p.defineBuilt()
	p.Touched()
}
