package order

import "sync/atomic"

// notes are what was found out about a node, by keys. A node that a snapshot has never
// changes: what was found out from it alone stays true, and goes when the node goes.
type notes struct{ first atomic.Pointer[note] }

type note struct {
	key     any
	version uint64 // of what else it was found out from
	value   any
	next    *note
}

// mostNotes is how many are kept of a node: those made last.
const mostNotes = 16

// find is the value of a key that was found out of a version; nil if there is none.
func (n *notes) find(key any, version uint64) any {
	for at := n.first.Load(); at != nil; at = at.next {
		if at.version == version && at.key == key {
			return at.value
		}
	}
	return nil
}

// count is how many there are.
func (n *notes) count() (count int) {
	for at := n.first.Load(); at != nil; at = at.next {
		count++
	}
	return count
}

// put keeps a value, in place of that of another version. One that is put while another is
// may be lost: it is found out again then.
func (n *notes) put(key any, version uint64, value any) {
	first := n.first.Load()
	made := &note{key: key, version: version, value: value}
	last, kept := made, 1
	for at := first; at != nil && kept < mostNotes; at = at.next {
		if at.key != key {
			last.next = &note{key: at.key, version: at.version, value: at.value}
			last, kept = last.next, kept+1
		}
	}
	n.first.CompareAndSwap(first, made)
}
