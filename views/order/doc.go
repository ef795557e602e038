// Package order keeps the order of one sort spec for all views that sort by
// it: a counted tree of ordinals, with each view a bitset aligned with the
// tree's leaves.
//
// An Order belongs to one goroutine, which inserts, deletes and changes
// memberships. Order.Snapshot hands out a Reader, which never changes and may
// be read by any number of goroutines at once:
//
//	o := order.New(comparer)
//	view, err := o.AddView()
//	o.Insert(ordinal, order.ViewSet{}.With(view))
//	it := o.Snapshot().First(view)
//	n := it.Fill(page)
//
// The package knows neither values nor keys. The owner compares: two ordinals
// by what the writer sees at present (Comparer), and an ordinal with a sought
// place by what a snapshot saw (Position).
//
// # Shape
//
// Leaves hold up to 370 ordinals. Up to 64 leaves make a group, up to 64
// groups a branch, and a flat array of branches is the root. For each child a
// group and a branch cache the first entry below it and an 8-byte prefix of
// its first sort value, so that most of a descent touches no column. For each
// view they hold which children have members, in one word, and how many
// members every sixteen children have.
//
// A leaf holds of each view how many of its entries are members. An empty or
// a full leaf of a view holds no more than that; one to three members are held
// as slots in the same word; else the view has a block of 384 bits. All that
// belongs to one leaf lies in one allocation.
//
// # Snapshots
//
// Each node carries the generation that made it. The writer changes the nodes
// of the present generation in place and copies older ones first; a snapshot
// takes the present root and begins the next generation. A burst of changes
// between two snapshots so pays for each copied node once, and a writer whose
// snapshots nobody takes copies nothing.
//
// # Caveats
//
// An entry is deleted before its sort values change and inserted after, since
// it is found by them. Views that were never filled have no members: fill a
// view that is added to an order that has entries. A lone or sparse view is
// cheapest as an order of its own with one view that every entry is in.
package order
