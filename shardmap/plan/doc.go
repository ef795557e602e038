// Package plan decides how shards should be split, merged and moved so that
// every cluster has its fair share: its part of all load by its capacity, which
// is its weight, less what nodes that are not active would have carried. It is
// pure: no I/O, no clock, no goroutine, and the same Input gives the same Plan
// on every machine.
//
//	p, err := plan.Make(plan.Input{Map: m, Loads: loads, Now: now})
//	err = plan.Write(file, p) // to be read, diffed, and carried out later
//	...
//	p, err = plan.Read(file)
//	err = p.Check(current)    // refuses if what the plan touches has changed
//
// The way is the weighted move of Slicer (Adya et al., "Slicer: Auto-Sharding
// for Datacenter Applications", OSDI 2016, section 4.4.1): clusters that are to
// be emptied give first, cold neighbours are merged, then the fullest cluster
// gives what evens out most for what it costs to copy, until the budget of the
// round is spent, and last what was too large to move is split, for the next
// round to move. What Slicer calls the load of a task is here the load of a
// cluster by its capacity; its key churn is the part of a keyspace's entries
// that change their owner.
//
// A Plan is one round. It touches a shard in one step at most, so that its
// steps don't depend on each other; what a split makes possible is for the next
// round. Costs are summed as whole numbers, so no order of summing changes a
// plan.
package plan
