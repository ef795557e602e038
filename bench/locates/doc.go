// Package locates is what is asked of those who know where keys live, and of
// whom: batches of keys, and Cairn as one that answers, with a router in this
// process or in one of its own. A peer, which answers the same questions from
// the same entries, is measured beside it by bench/peers.
//
// Keys are drawn anew for every run, of all that there are. Nothing is asked to
// be kept: what answers from memory what it has answered before is measured
// apart.
package locates
