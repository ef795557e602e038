// Package collapse makes one of identical requests that are in flight at the same
// time, without making an answer older than anybody asks for it:
//
//	var flights collapse.Group[question, *answer]
//	...
//	answer, joined, err := flights.Do(ctx, question, collapse.Need{Index: 7}, ask)
//
// Whoever comes first has his request carried out, in a flight that lives as long
// as anybody waits for it: that he leaves, or that his request panics, harms none of
// those who have joined him. Who joins gets what the flight brings, and may not
// change it.
//
// Who has several questions boards a flight with each and is rung for as they land: Board
// and Land are the two halves of Do.
//
// The fence: a flight is joined only by who needs no more than it asked for; one that
// needs all that was acknowledged before it joins only a flight that has not been
// sent.
//
// Caveats: a flight's error is that of all who joined, but for the end of its own
// time, after which they ask again. Beyond the Group's limits a request goes alone.
package collapse
