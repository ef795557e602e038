package shardmap

import (
	"cmp"
	"slices"

	"cairn"
)

// Owner is what one cluster owns of a keyspace.
type Owner struct {
	Cluster cairn.UID
	// Shards is how many it owns; never 0.
	Shards int
	// Fingerprint is of its shards and their epochs.
	Fingerprint cairn.Fingerprint
	// MaxEpoch is a revision by whose map the cluster owned exactly these
	// shards: the highest epoch among them, or that of a change that took one
	// away, if that was later and this Map has been told of it. A node index
	// that has noted it knows the set.
	MaxEpoch uint64
}

// ownerDelta is what a change does to one owner.
type ownerDelta struct {
	cluster     cairn.UID
	shards      int
	fingerprint cairn.Fingerprint
	epoch       uint64
}

// owners is every Owner of a keyspace, in ascending pages. It is immutable;
// with copies one page of it.
type owners struct {
	pages [][]Owner // none empty
}

const ownersPerPage = 64

// newOwners takes owners ascending by cluster.
func newOwners(all []Owner) owners {
	var x owners
	for page := range slices.Chunk(all, ownersPerPage*3/4) {
		x.pages = append(x.pages, slices.Clip(page))
	}
	return x
}

// find is the page that a cluster is in or belongs in, its place there, and
// whether it is there. There must be a page.
func (x owners) find(cluster cairn.UID) (page, place int, found bool) {
	page, found = slices.BinarySearchFunc(x.pages, cluster, func(p []Owner, uid cairn.UID) int { return cmp.Compare(p[0].Cluster, uid) })
	if !found && page > 0 {
		page--
	}
	place, found = slices.BinarySearchFunc(x.pages[page], cluster, func(o Owner, uid cairn.UID) int { return cmp.Compare(o.Cluster, uid) })
	return page, place, found
}

func (x owners) get(cluster cairn.UID) (Owner, bool) {
	page, place, found := x.find(cluster)
	if !found {
		return Owner{}, false
	}
	return x.pages[page][place], true
}

// all is every Owner in one slice.
func (x owners) all() []Owner { return slices.Concat(x.pages...) }

// with is x with one owner changed, added, or, if it owns nothing more,
// removed.
func (x owners) with(d ownerDelta) owners {
	if len(x.pages) == 0 {
		return newOwners([]Owner{{d.cluster, d.shards, d.fingerprint, d.epoch}})
	}
	at, place, found := x.find(d.cluster)
	owner := Owner{Cluster: d.cluster}
	if found {
		owner = x.pages[at][place]
	}
	owner.Shards += d.shards
	owner.Fingerprint += d.fingerprint
	owner.MaxEpoch = max(owner.MaxEpoch, d.epoch)

	page := slices.Clone(x.pages[at])
	switch {
	case owner.Shards == 0:
		page = slices.Delete(page, place, place+1)
	case found:
		page[place] = owner
	default:
		page = slices.Insert(page, place, owner)
	}
	pages := slices.Clone(x.pages)
	switch {
	case len(page) == 0:
		pages = slices.Delete(pages, at, at+1)
	case len(page) > ownersPerPage:
		half := len(page) / 2
		pages[at] = slices.Clip(page[:half])
		pages = slices.Insert(pages, at+1, slices.Clone(page[half:]))
	default:
		pages[at] = page
	}
	return owners{pages}
}

// term is what a shard adds to its owner's fingerprint.
func term(s Shard) cairn.Fingerprint { return cairn.Fingerprint(0).Add(s.ID, s.Epoch) }
