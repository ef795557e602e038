// Package views is the projections of one keyspace in one node index: which
// entries are in which view, in which order, and the answers to questions
// about them. It holds everything in memory; whoever owns it keeps it beside the
// entries, and an image of it where it can be read faster than it is built.
//
// One goroutine writes:
//
//	v := views.New(schema)
//	err := v.Define(views.Definition{View: uid, Version: 1, Filter: f, Sort: sort})
//	v.Put(ordinal, shard, key, attributes)
//	for v.Build(1000) {
//		// other work between the steps; the view is seen when it is complete
//	}
//
// Any number of goroutines read snapshots, which never change:
//
//	s := v.Snapshot()
//	page, err := s.Page(views.Query{Selection: views.Selection{View: uid, Version: 1}, Limit: 50})
//
// Three ways lead to the projections of entries that are there already, each a
// fraction of the one after it: Load reads an image that Snapshot.Save wrote,
// Builder takes all entries in order of their ordinals, and Put takes one after
// the other. The first two hand out a Restored, which is brought up to what
// changed since and gets its shards before anyone can ask it.
//
// # What is kept
//
// Of each indexed attribute a column: numbers in one, two, four or eight bytes,
// whichever the values of 1,024 neighbouring ordinals need, strings as codes of
// a dictionary that knows their order. Strings and bools of up to 1,024 distinct values have a
// bitmap a value, and of up to 16 a bitset a value in every order as well, so
// that a page of a view narrowed to such a value is read off the order however
// the two are correlated. Of each view the bitmap of its members, and how many
// there are in each shard. Of each sort spec one order, shared by its views.
//
// Wide numeric attributes have no index beside the column, which is read where
// there are members, and where a block's bounds do not tell already: bit slices
// would take five bytes an entry and forty bitmaps an update.
//
// # Copy-on-write
//
// Everything carries the generation that made it. Snapshot ends a generation;
// the writer changes what is of the present one in place and copies older
// parts first: 128 items of an array, a block of a column, a leaf of an order. Bitmaps go another
// way, since a container has 8 KB: the first 128 changes after a snapshot are
// noted beside the bitmap, and the first reader of a snapshot joins the two.
//
// # Shards
//
// A hidden shard's entries are kept up like all others and masked in every
// answer, so that a shard arrives unseen and is shown, or leaves, in one step.
// One that gathers besides has entries that are new wait outside the orders, which
// Build folds in together; where they are shown before, they are found without. Marks,
// which a Marker makes where the shard comes from, save trying filters and sorting.
//
// # Caveats
//
// Ordinals are expected to be dense in blocks. A float's negative zero is
// returned as zero, to which it is equal. An attribute that once had more
// distinct values than its index allows stays without it until the
// projections are built anew.
package views
