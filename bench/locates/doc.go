// Package locates is what is asked of those who know where keys live: batches of
// keys. Cairn answers as bench/subject has it, with a router in this process or in
// one of its own; peers, which answer the same questions from the same entries, are
// measured beside it by bench/peers.
//
// Keys are drawn anew for every run, of all that there are. Nothing is asked to
// be kept: what answers from memory what it has answered before is measured
// apart.
package locates
