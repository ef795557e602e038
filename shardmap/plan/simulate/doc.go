// Package simulate runs plans in worlds that are made up: clusters that come,
// leave and lose nodes, keys whose load is skewed, drifts and grows. Beside the
// planner it runs consistent hashing with virtual nodes, with and without a
// bound on loads, in the same worlds, and tells how even each keeps the
// clusters and how much it moves.
//
// A world is its seed: the same one happens the same way every time. There is
// no network in it and a round's moves are done by its end.
package simulate
