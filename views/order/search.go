package order

// search is how many of some entries, which are in order, come before a
// position, or with past are before or at it.
func search[P Position](entries []uint32, p P, past bool) int {
	limit := 0
	if past {
		limit = 1
	}
	low, high := 0, len(entries)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if p.Compare(entries[middle]) < limit {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// route is the index of the child that a position belongs below: the last one
// whose first entry is before it, or with past at or before it. It is the
// first child if there is none.
func route[P Position](prefixes []uint64, firsts []uint32, p P, past bool) int {
	prefix := p.Prefix()
	low := firstFrom(prefixes, prefix)
	if low < len(prefixes) && prefixes[low] == prefix {
		high := len(prefixes)
		if prefix != ^uint64(0) {
			high = low + firstFrom(prefixes[low:], prefix+1)
		}
		low += search(firsts[low:high], p, past)
	}
	return max(low-1, 0)
}

// firstFrom is the index of the first of some ascending prefixes that is not
// below one, their number if there is none.
func firstFrom(prefixes []uint64, prefix uint64) int {
	low, high := 0, len(prefixes)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if prefixes[middle] < prefix {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}
