package router

import (
	"slices"

	"cairn"
	"cairn/shardmap"
)

// part is one cluster's share of a listing: exactly the shards that the map
// gives it, which its fingerprint names.
type part struct {
	owner shardmap.Owner
	// entries are those read and not yet merged, ascending by key; more tells
	// whether the cluster may have others after them.
	entries []cairn.NamedEntry
	more    bool
	// limit is how many entries were last asked for.
	limit int
}

// starved tells whether the part must be read before the merge can go on.
func (p *part) starved() bool { return len(p.entries) == 0 && p.more }

// partsOf are the parts of a listing by a map, the old ones as far as they
// still hold: a cluster that owns the same shards at the same epochs has the
// same entries to show.
func partsOf(owners []shardmap.Owner, old []*part) []*part {
	parts := make([]*part, 0, len(owners))
	for _, owner := range owners {
		at := slices.IndexFunc(old, func(p *part) bool {
			return p.owner.Cluster == owner.Cluster && p.owner.Fingerprint == owner.Fingerprint
		})
		if at >= 0 {
			parts = append(parts, old[at])
			continue
		}
		parts = append(parts, &part{owner: owner, more: true})
	}
	return parts
}

// mergeOnto moves entries from parts to page in key order until the page has
// limit entries or maxBytes, or a part must be read first. It is done when the
// page is full or no part has anything left.
func mergeOnto(page []cairn.NamedEntry, bytes int, parts []*part, limit, maxBytes int) (_ []cairn.NamedEntry, _ int, done bool) {
	for len(page) < limit {
		var next *part
		for _, p := range parts {
			if p.starved() {
				return page, bytes, false
			}
			if len(p.entries) > 0 && (next == nil || p.entries[0].Key.Compare(next.entries[0].Key) < 0) {
				next = p
			}
		}
		if next == nil {
			return page, bytes, true
		}
		size := sizeOf(&next.entries[0])
		if len(page) > 0 && bytes+size > maxBytes {
			return page, bytes, true
		}
		page, bytes = append(page, next.entries[0]), bytes+size
		next.entries = next.entries[1:]
	}
	return page, bytes, true
}

// exhausted tells whether nothing is left after the page.
func exhausted(parts []*part) bool {
	return !slices.ContainsFunc(parts, func(p *part) bool { return len(p.entries) > 0 || p.more })
}

// sizeOf is about how large an entry is in a response, rather more than less.
func sizeOf(e *cairn.NamedEntry) int {
	size := 64 + len(e.Key) + 4*len(e.Replicas)
	for _, v := range e.Attributes {
		size += 32 + len(v.Name) + len(v.Value.Text())
	}
	return size
}

// fairShare is how many entries to ask of one of so many clusters for a page:
// its share and some more, since keys are not spread quite evenly; twice the
// last number when that was not enough.
func fairShare(wanted, clusters, last int) int {
	if clusters == 1 || last > 0 {
		return min(wanted, max(2*last, wanted/clusters+1))
	}
	return min(wanted, wanted/clusters+wanted/(4*clusters)+16)
}

// successor is the first key after key: there are none over MaxKeyLength.
// It is nil if no key can come after.
func successor(key cairn.Key) cairn.Key {
	if len(key) < cairn.MaxKeyLength {
		return append(slices.Clone(key), 0)
	}
	for i := len(key) - 1; i >= 0; i-- {
		if key[i] != 0xff {
			next := slices.Clone(key[:i+1])
			next[i]++
			return next
		}
	}
	return nil
}
