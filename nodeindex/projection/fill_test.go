package projection

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

const testAttribute cairn.AttributeID = 1

// owner is an index as far as a projection knows one: entries in shards, in one
// goroutine. Its lock tells what is done while it is held.
type owner struct {
	t          testing.TB
	projection *Projection
	schema     *cairn.Schema
	now        time.Time
	index      uint64
	shards     map[Shard]*roaring.Bitmap
	entries    map[uint32]*cairn.Entry
	next       Shard

	// before is called when the lock is about to be taken; nil for nothing.
	before func()
	held   bool
	since  time.Time
	// The longest time that the lock was held, and the most shards that were
	// looked at in that.
	longest     time.Duration
	asked, most int
}

func newOwner(t testing.TB, views ...cairn.View) *owner {
	t.Helper()
	o := &owner{t: t, now: time.Unix(1000, 0), shards: map[Shard]*roaring.Bitmap{}, entries: map[uint32]*cairn.Entry{}}
	var err error
	if o.schema, err = cairn.NewSchema([]cairn.AttributeSpec{{ID: testAttribute, Name: "size", Type: cairn.TypeInt}}); err != nil {
		t.Fatal(err)
	}
	o.projection = New(Config{Lock: o, At: func() At { return At{Answer: cairn.Answer{Index: o.index}} }, Now: func() time.Time { return o.now }, ImageEntries: 1})
	o.projection.Define(o.schema, views)
	return o
}

// view is a view of the entries that a filter has.
func view(uid cairn.UID, filter string) cairn.View {
	return cairn.View{UID: uid, Version: 1, Filter: filter, Sort: []cairn.SortField{{Attribute: testAttribute}}}
}

func (o *owner) Lock() {
	if o.held {
		o.t.Fatal("the lock is taken twice")
	}
	if before := o.before; before != nil {
		o.before = nil
		before()
		o.before = before
	}
	o.held, o.asked, o.since = true, 0, time.Now()
}

func (o *owner) Unlock() {
	o.longest, o.most = max(o.longest, time.Since(o.since)), max(o.most, o.asked)
	o.held = false
}

func entry(ordinal uint32, size int) *cairn.Entry {
	attributes, err := cairn.NewAttributes([]cairn.Attribute{{ID: testAttribute, Value: cairn.Int(int64(size))}})
	if err != nil {
		panic(err)
	}
	return &cairn.Entry{Key: cairn.Key(fmt.Sprintf("key-%d", ordinal)), Nodes: []cairn.NodeID{1}, Attributes: attributes}
}

func (o *owner) put(shard Shard, ordinal uint32, size int) {
	o.index++
	if o.shards[shard] == nil {
		o.shards[shard] = roaring.New()
	}
	o.shards[shard].Add(ordinal)
	o.entries[ordinal] = entry(ordinal, size)
	o.projection.Put(shard, ordinal, o.entries[ordinal])
	o.projection.Touched()
}

func (o *owner) delete(shard Shard, ordinal uint32) {
	o.index++
	o.shards[shard].Remove(ordinal)
	delete(o.entries, ordinal)
	o.projection.Delete(shard, ordinal)
	o.projection.Touched()
}

// newShard is a number that no shard had.
func (o *owner) newShard() Shard {
	o.next++
	o.shards[o.next] = roaring.New()
	return o.next
}

// leave has a shard leave: a part of its entries to another, the rest away.
func (o *owner) leave(shard, to Shard, part *roaring.Bitmap) {
	o.index++
	moved := roaring.And(o.shards[shard], part)
	o.shards[to].Or(moved)
	o.projection.Move(shard, to, o.shards[to])
	left := roaring.AndNot(o.shards[shard], moved)
	delete(o.shards, shard)
	for it := left.Iterator(); it.HasNext(); {
		delete(o.entries, it.Next())
	}
	o.projection.Depart(shard, left)
	o.projection.Touched()
}

func (o *owner) shardsNow() Shards {
	clone := func() map[Shard]*roaring.Bitmap {
		out := map[Shard]*roaring.Bitmap{}
		for shard, ordinals := range o.shards {
			out[shard] = ordinals.Clone()
		}
		return out
	}
	return Shards{
		All: func() map[Shard]*roaring.Bitmap {
			if o.held {
				o.t.Error("all shards are looked at with the lock held")
			}
			return clone()
		},
		Of: func(shard Shard) *roaring.Bitmap {
			if o.asked++; !o.held {
				o.t.Error("a shard is looked at without the lock")
			}
			if ordinals := o.shards[shard]; ordinals != nil {
				return ordinals.Clone()
			}
			return roaring.New()
		},
	}
}

// add begins the Fill that is needed with the entries that there are.
func (o *owner) add() *Fill {
	o.t.Helper()
	o.held = true
	f := o.projection.Fill()
	o.held = false
	if f == nil {
		o.t.Fatal("no Fill is needed")
	}
	if err := f.Begin(len(o.entries)); err != nil {
		o.t.Fatal(err)
	}
	all := roaring.New()
	for ordinal := range o.entries {
		all.Add(ordinal)
	}
	for _, ordinal := range f.Unchanged(all.ToArray()) {
		if err := f.Add(ordinal, o.entries[ordinal]); err != nil {
			o.t.Fatal(err)
		}
	}
	return f
}

// takeOver ends a Fill, and returns how often it had missed something.
func (o *owner) takeOver(f *Fill) (missed int) {
	o.t.Helper()
	for ; ; missed++ {
		if err := f.TakeOver(o.shardsNow(), func() bool { return false }); err != nil {
			o.t.Fatal(err)
		}
		if o.projection.fill != f {
			return missed
		}
		if f.Since() > o.index {
			o.t.Fatalf("read of index %d, which is still to come after %d", f.Since(), o.index)
		}
		again := f.Missed()
		f.Forget(again)
		for _, ordinal := range f.Unchanged(again.ToArray()) {
			if e := o.entries[ordinal]; e != nil {
				if err := f.Put(ordinal, e); err != nil {
					o.t.Fatal(err)
				}
			}
		}
	}
}

// check fails unless the projection has exactly the entries, in their shards.
func (o *owner) check() {
	o.t.Helper()
	for o.projection.Step(1000) {
	}
	if err := o.projection.built.views.Check(); err != nil {
		o.t.Fatal(err)
	}
	entries := roaring.New()
	for shard, ordinals := range o.shards {
		if got := o.projection.built.views.ShardOrdinals(shard); !got.Equals(ordinals) {
			o.t.Fatalf("shard %d has %d entries, want %d", shard, got.GetCardinality(), ordinals.GetCardinality())
		}
		entries.Or(ordinals)
	}
	snapshot := o.projection.Present()
	if got, want := snapshot.Entries(), len(o.entries); got != want || int(entries.GetCardinality()) != want {
		o.t.Fatalf("%d entries, want %d", got, want)
	}
	for i := range o.projection.wanted {
		d := &o.projection.wanted[i]
		members, _, err := snapshot.Export(d.UID, d.Version)
		if err != nil {
			o.t.Fatal(err)
		}
		for ordinal, e := range o.entries {
			if want := d.filter == nil || d.filter.Match(e.Attributes); members.Contains(ordinal) != want {
				o.t.Fatalf("ordinal %d is in view %d: %v, want %v", ordinal, d.UID, !want, want)
			}
		}
	}
}

// TestTakeOverWhileEverythingChanges has entries and shards change each time that
// a Fill is about to take the lock.
func TestTakeOverWhileEverythingChanges(t *testing.T) {
	missed := 0
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		o := newOwner(t, view(1, ""), view(2, "size > 500"))
		for range 30 {
			o.newShard()
		}
		home := func() Shard {
			all := slices.Sorted(maps.Keys(o.shards))
			return all[random.IntN(len(all))]
		}
		for ordinal := range uint32(3000) {
			o.put(home(), ordinal, random.IntN(1000))
		}
		rounds := 6
		o.before = func() {
			if rounds == 0 {
				return
			}
			rounds--
			for range random.IntN(1500) {
				shard := home()
				switch what := random.IntN(200); {
				case what == 0:
					o.leave(shard, o.newShard(), roaring.New())
				case what < 5:
					half := roaring.New()
					half.AddRange(0, uint64(random.IntN(3000)))
					to := home()
					if to == shard {
						to = o.newShard()
					}
					o.leave(shard, to, half)
				case what < 60 && !o.shards[shard].IsEmpty():
					o.delete(shard, o.shards[shard].Minimum())
				case !o.shards[shard].IsEmpty() && what < 130:
					o.put(shard, o.shards[shard].Maximum(), random.IntN(1000))
				default:
					ordinal := random.Uint32N(4000)
					if o.entries[ordinal] == nil {
						o.put(shard, ordinal, random.IntN(1000))
					}
				}
			}
		}
		if seed%3 == 0 {
			o.projection.fill.changedMost = 200
		}
		missed += o.takeOver(o.add())
		o.before = nil
		o.check()
	}
	if missed == 0 {
		t.Error("no Fill had more changes than it keeps")
	}
}

// TestChangesAreKeptWithinBounds has more entries change than a Fill keeps.
func TestChangesAreKeptWithinBounds(t *testing.T) {
	o := newOwner(t, view(1, "size > 500"))
	shard, f := o.newShard(), o.projection.fill
	for ordinal := range uint32(3 * changedMost) {
		o.put(shard, ordinal, int(ordinal%1000))
		if n := len(f.news.changed); n > changedMost {
			t.Fatalf("%d changes are kept", n)
		}
	}
	if missed := o.takeOver(o.add()); missed == 0 {
		t.Error("nothing was missed")
	}
	o.check()
}

// TestTakeOverHoldsTheLockBriefly looks at few shards at a time, however many
// there are and however many of them change.
func TestTakeOverHoldsTheLockBriefly(t *testing.T) {
	const shards = 20_000
	o := newOwner(t, view(1, ""))
	for ordinal := range uint32(shards) {
		o.put(o.newShard(), ordinal, int(ordinal))
	}
	f := o.add()
	changes := 2
	o.before = func() {
		if changes--; changes < 0 {
			return
		}
		for ordinal := range uint32(shards) {
			o.put(Shard(ordinal+1), ordinal+shards, 1)
		}
	}
	o.takeOver(f)
	if o.before = nil; o.most == 0 || o.most > shardsAtOnce {
		t.Errorf("%d shards were looked at with the lock held once, want up to %d", o.most, shardsAtOnce)
	}
	o.check()
}

// BenchmarkTakeOver reports the longest time that the lock is held when views
// of entries in very many shards take over.
func BenchmarkTakeOver(b *testing.B) {
	for _, shards := range []int{1000, 10_000, 40_000} {
		b.Run(fmt.Sprintf("shards=%d", shards), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				var views []cairn.View
				for i := range 20 {
					views = append(views, view(cairn.UID(i+1), fmt.Sprintf("size > %d", i*40_000)))
				}
				o := newOwner(b, views...)
				for range shards {
					o.newShard()
				}
				for ordinal := range uint32(1_000_000) {
					shard := Shard(ordinal)%Shard(shards) + 1
					o.shards[shard].Add(ordinal)
					o.entries[ordinal] = entry(ordinal, int(ordinal)*7919%1_000_000)
				}
				f := o.add()
				for ordinal := range uint32(400) {
					o.put(Shard(ordinal)%Shard(shards)+1, ordinal, 7)
				}
				b.StartTimer()
				o.takeOver(f)
				o.held = true
				began := time.Now()
				o.projection.Present()
				b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms/first-snapshot")
				o.held = false
				b.ReportMetric(float64(o.longest.Microseconds())/1000, "ms/longest-hold")
			}
		})
	}
}
