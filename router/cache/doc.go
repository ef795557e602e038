// Package cache keeps the places of keys that node indexes have told, and knows how
// fresh each of them is: it answers a read only where an index at hand would have been
// allowed to say the same.
//
//	located := cache.New(cache.Options{Bytes: 64 << 20, Bound: time.Second})
//	source, _ := located.Open(cache.SourceID{Cluster: cluster, Keyspace: keyspace})
//	source.Begin(first.Answer)      // a stream of changes begins
//	source.Take(batch)              // and goes on
//	located.Fill(source, key, fill) // what an index has answered
//	entry, outcome := located.Get(&ask)
//
// A source is one keyspace in the log of one cluster. Whoever follows its changes hands
// them in, in the order of the log. Keys that have changed leave before the source's
// proof says that it is true up to there. So what is still here after a proof was read
// is true up to that proof.
//
// # What is true
//
// An entry is what an index answered as of a log index, under an epoch of its key's
// shard. It is served under these conditions, all of which are compared when it is asked
// for (see Get):
//
//   - The map that the reader decides by gives the key to the entry's cluster, in the
//     entry's epoch. So a shard that has moved, split or merged has none.
//   - The entry came in the source's present session. A session begins where a stream
//     can't go on from what was there.
//   - The log has noted no later map than the reader's.
//   - AtLeast: the entry or the proof covers the index asked for. For one key stamps are
//     totally ordered, and the reader's map is no older than his token; so whatever
//     the token has seen of the key stands in this log, at or below that index.
//   - Eventual: the proof came no longer ago than the bound. It says what some replica had
//     applied then, which is as much as an eventual read of that replica promises.
//   - Linearizable: never.
//
// # Answers that come late
//
// An answer may have been overtaken by a change while it was on its way. A source
// remembers for each of some slots the last index at which a key of that slot changed;
// an answer of an earlier index is not taken, nor is one from before the session. The
// comparison and the entry's removal are under one lock of the entry's, so one of the two
// sees the other.
//
// # Caveats
//
// Keys are found by a 64-bit hash and compared as a whole: two of one hash take turns.
// What can never be served again, of a past epoch or session, is given up as what
// nobody asks for is, by W-TinyLFU.
package cache
