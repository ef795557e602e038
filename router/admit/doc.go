// Package admit keeps the queue before a server so short that who is let in is
// answered in time.
//
// A server that is asked more than it can do answers nobody in the end: all wait for
// as long as the queue is, give up, and what is done for them then is done in vain. A
// Gate refuses those whose turn would come too late, and only those. It has no limit
// to be set: what the server can do is how much it is seen to do.
//
// Two things must both say that there is a queue. One is how long even the quickest
// answer of late has taken, as in CoDel (Nichols and Jacobson, "Controlling Queue
// Delay", 2012): a stall makes answers slow once, a queue keeps all of them slow. It
// comes late, with the answers. The other is Little's law, how many are in flight by
// how many are answered a second: it is known at once, but after a quiet time, when
// nothing was asked, it says nothing. Neither is ever true of callers who wait for
// answers before they ask again, unless they are so many that they wait for longer
// than they can.
package admit
