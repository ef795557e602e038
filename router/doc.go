// Package router turns a request into decisions and carries them out: which
// clusters own the keys concerned, what to ask each node index, and what to
// do about a refusal. It is the joint between the map (package shardmap) and
// the node indexes, which know nothing of each other.
//
// A Router is stateless but for its connections. It works inside a service as
// well as behind package router/server:
//
//	r, err := router.New(router.Config{Topology: store, Dial: dial})
//	location, token, err := r.Locate(ctx, "runways", cairn.Key("EDDF-07L"), cairn.Reading{})
//
// Decisions are pure functions that return data: route.go says which cluster
// gets which keys and with which epoch, learn.go what a refusal means,
// merge.go how pages become one, owners.go whom a watch follows. The rest
// acts on them.
//
// # Views
//
// A question about a view is put to every cluster that owns a part of its
// keyspace, and answered as if there were one:
//
//	page, err := r.QueryView(ctx, cairn.PageQuery{Selection: cairn.Selection{View: "long-lighted"}})
//
// All parts of an answer are by one map (sweep.go, question.go), so that a
// shard which moves meanwhile is counted once. A cluster that can't answer
// fails the question, or is named in an answer that may be partial. The same
// question to the same cluster is asked once while it is under way (viewask.go).
//
// # Deadlines and retries
//
// Every verb but Watch and ExportView ends by its context's deadline, or
// Config.Timeout after it began if there is none. Until then a refusal is not
// an answer: keys that a cluster disowns are routed again by a map at least as
// new as the one it disowned them by; a read that found no replica, or none
// fresh enough, is asked again after a growing, jittered pause. A write has a
// request id, the caller's or one of the router's own, and is repeated under it
// where an answer is lost. If none comes by the deadline its outcome is
// KindUnknown with the reason OUTCOME_UNKNOWN.
//
// # Freshness
//
// Each request carries the highest epoch among the shards that it was routed
// by, the revision of its keyspace's declaration, and what its token asks. A
// node index that has not noted that much in its log does not answer, so no
// answer is older than the token and no key is looked up where it was before
// a move.
//
// With a cache (Config.Cache) Locate and batches are answered from memory where an index
// would have been allowed to say the same; see package cache. What keeps it true are the
// indexes' changes, which it follows from the first locate on until Close.
//
// # Caveats
//
// A write can't name a node that the router's map has not seen yet. List and
// QueryView read every owner of the keyspace for each page; an offset over
// several takes some rounds more, whatever its size. Keys and attributes handed
// in must not be modified until the call returns.
package router
