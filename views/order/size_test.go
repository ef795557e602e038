package order

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// TestNodeSizes keeps what Usage counts with, and that a leaf fills its
// allocation.
func TestNodeSizes(t *testing.T) {
	// Above 512 bytes Go puts 8 before what holds pointers.
	if size := reflect.TypeFor[leaf]().Size() + 8; size != leafBytes {
		t.Errorf("a leaf takes %d bytes, should fill %d", size, leafBytes)
	}
	if size := reflect.TypeFor[group]().Size() + 8; size > fanBytes || size <= fanBytes-128 {
		t.Errorf("a group takes %d bytes, is counted as %d", size, fanBytes)
	}
	if leafCapacity > blockWords*64 {
		t.Errorf("a block has %d bits for %d entries", blockWords*64, leafCapacity)
	}
}

func check(t *testing.T, o *Order) {
	t.Helper()
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
}

// TestEdges lets entries arrive in order: the leaves behind the edge are full.
func TestEdges(t *testing.T) {
	for name, sign := range map[string]int64{"right": 1, "left": -1} {
		t.Run(name, func(t *testing.T) {
			c := &table{}
			o := New(c)
			v, _ := o.AddView()
			const n = 100_000
			for i := range uint32(n) {
				c.column = append(c.column, sign*int64(i))
				c.keys = append(c.keys, keyOf(i)...)
				o.Insert(i, ViewSet{}.With(v))
			}
			check(t, o)
			if u := o.Snapshot().Usage(); u.Leaves > n/leafCapacity+2 {
				t.Errorf("%d leaves for %d entries", u.Leaves, n)
			}
		})
	}
}

// TestLarge makes and unmakes branches of the real size around one place.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const resting, moving = 650_000, 120_000
	l := load(resting, 1000)
	views := l.addViews(selectivities...)
	held := l.order.Snapshot()
	before := slices.Concat(slices.Collect(held.Runs())...)
	check(t, l.order)

	random := rand.New(rand.NewPCG(7, 8))
	for i := range uint32(moving) {
		l.column = append(l.column, 500+random.Int64N(5))
		l.keys = append(l.keys, keyOf(resting+i)...)
		l.order.Insert(resting+i, ViewSet{}.With(views[i%5]))
	}
	check(t, l.order)
	if n := l.order.Len(); n != resting+moving {
		t.Errorf("%d entries", n)
	}
	if !slices.Equal(slices.Concat(slices.Collect(held.Runs())...), before) {
		t.Error("a snapshot has changed")
	}
	for _, ordinal := range random.Perm(resting + moving) {
		if ordinal%97 != 0 && !l.order.Delete(uint32(ordinal)) {
			t.Fatalf("%d is gone", ordinal)
		}
	}
	check(t, l.order)
	used := l.order.Snapshot().Usage()
	if perEntry := used.Order / l.order.Len(); perEntry > 20 {
		t.Errorf("after most entries are gone those left take %d bytes each", perEntry)
	}
	for _, v := range views {
		l.order.DropView(v)
	}
	check(t, l.order)
	for run := range held.Runs() {
		for _, ordinal := range run {
			l.order.Delete(ordinal)
		}
	}
	for i := range uint32(moving) {
		l.order.Delete(resting + i)
	}
	check(t, l.order)
	if u := l.order.Snapshot().Usage(); l.order.Len() != 0 || u.Leaves != 0 {
		t.Errorf("%d entries in %d leaves are left", l.order.Len(), u.Leaves)
	}
}

// TestDropViewGivesBack drops views and finds their memory gone.
func TestDropViewGivesBack(t *testing.T) {
	l := load(100_000, 1<<60)
	lone := l.addViews(0.5)
	before := l.order.Snapshot().Usage().Views
	for _, v := range l.addViews(0.5, 0.3, 0.1) {
		l.order.DropView(v)
	}
	check(t, l.order)
	// The words of their memberships stay for views to come; the blocks go.
	if after := l.order.Snapshot().Usage().Views; after > before*2 {
		t.Errorf("one view takes %d bytes, after three more were dropped %d", before, after)
	}
	if n := l.order.Count(lone[0]); n < 45_000 {
		t.Errorf("the view left has %d members", n)
	}
}

func TestRefused(t *testing.T) {
	c := &table{column: []int64{1}, keys: keyOf(0)}
	o := New(c)
	if !o.Insert(0, ViewSet{}.With(9)) {
		t.Fatal("not inserted")
	}
	if n := o.Count(9); n != 0 {
		t.Errorf("a view that is not there has %d members", n)
	}
	if err := o.Load(slices.Values([][]uint32{{0}})); cairn.ReasonOf(err) != "ORDER_NOT_EMPTY" {
		t.Errorf("loading over an entry: %v", err)
	}
	for range MaxViews {
		if _, err := o.AddView(); err != nil {
			t.Fatal(err)
		}
	}
	_, err := o.AddView()
	if cairn.ReasonOf(err) != "ORDER_VIEWS_EXHAUSTED" || cairn.KindOf(err) != cairn.KindExhausted {
		t.Errorf("one view too many: %v", err)
	}
	check(t, o)
}

// TestNothing reads orders and views that have nothing.
func TestNothing(t *testing.T) {
	c := &table{column: []int64{1}, keys: keyOf(0)}
	o := New(c)
	empty := o.Snapshot()
	o.Insert(0, nil)
	for _, r := range []Reader{{}, empty, o.Snapshot()} {
		for _, it := range []Iterator{r.First(3), r.End(3), r.At(3, 5), r.Seek(3, &sought{c, 0}), r.First(3).And(4)} {
			if ordinal, ok := it.Next(); ok {
				t.Errorf("there is %d", ordinal)
			}
			if ordinal, ok := it.Prev(); ok {
				t.Errorf("there was %d", ordinal)
			}
			if n := it.Rank(); n != 0 {
				t.Errorf("rank %d", n)
			}
			if n, _ := it.Select(make([]uint32, 1), 10, func(uint32) bool { return true }); n != 0 {
				t.Errorf("selected %d", n)
			}
		}
	}
}

func TestFillFromEmptyBitmap(t *testing.T) {
	l := load(1000, 1<<60)
	v := l.addViews(0.5)[0]
	l.order.FillViewFrom(v, roaring.New())
	if n := l.order.Count(v); n != 0 {
		t.Errorf("%d members are left", n)
	}
	check(t, l.order)
}

// TestReadersBesideWriter lets readers walk snapshots while the order changes;
// the race detector watches.
func TestReadersBesideWriter(t *testing.T) {
	l := load(20_000, 100)
	v := l.addViews(0.5)[0]
	snapshots := make(chan Reader, 16)
	done := make(chan error, 2)
	for range cap(done) {
		go func() {
			page := make([]uint32, 50)
			for r := range snapshots {
				n, it := 0, r.First(v)
				for read := it.Fill(page); read > 0; read = it.Fill(page) {
					n += read
				}
				if n != r.Count(v) {
					done <- cairn.Errorf(cairn.KindCorrupt, "", "%d members, counted as %d", n, r.Count(v))
					return
				}
			}
			done <- nil
		}()
	}
	random := rand.New(rand.NewPCG(9, 10))
	for i := range 2000 {
		ordinal := uint32(random.IntN(l.n))
		l.order.Delete(ordinal)
		l.column[ordinal] = random.Int64N(100)
		l.order.Insert(ordinal, ViewSet{}.With(v))
		if i%8 == 0 {
			select {
			case snapshots <- l.order.Snapshot():
			case err := <-done:
				t.Fatal(err)
			}
		}
	}
	close(snapshots)
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
