package router

import (
	"slices"

	"cairn"
	"cairn/shardmap"
)

// firstIndex is the index of a log's first entry. It is the log's own
// configuration, so that whoever watches after it misses no write.
const firstIndex = 1

// following is what a watch knows of one cluster that it follows.
type following struct {
	// at is up to which log index everything has been delivered; 0 before the
	// first batch of a watch that begins now.
	at uint64
	// noted is the map revision that its log had noted then.
	noted uint64
	// begun tells whether a batch has come.
	begun bool
}

// whomToFollow says which clusters a watch is to begin and to cease following
// by a map: the owners, and former ones of which its token says that they have
// more to tell, if they have been fenced since they said that they have not; see
// watching.ended. It ceases to follow a cluster that owns nothing any more once
// that cluster's own log says so, or was delivered up to its last fence, since
// all that it did as the owner has been delivered by then.
func whomToFollow(m *shardmap.Map, keyspace cairn.UID, follows map[cairn.UID]*following, token cairn.Token, ended map[cairn.UID]uint64) (begin, cease []cairn.UID) {
	for _, owner := range m.Owners(keyspace) {
		if follows[owner.Cluster] == nil {
			begin = append(begin, owner.Cluster)
		}
	}
	for _, move := range movedFrom(m, keyspace, 0) {
		at := token.Index(move.From)
		_, there := m.Catalog().ClusterByUID(move.From)
		if there && 0 < at && max(at, ended[move.From]) < move.Final && follows[move.From] == nil && !slices.Contains(begin, move.From) {
			begin = append(begin, move.From)
		}
	}
	for cluster, each := range follows {
		if _, owns := m.Owner(keyspace, cluster); owns {
			continue
		}
		if _, there := m.Catalog().ClusterByUID(cluster); !there || each.noted >= m.Revision() || drained(m, keyspace, cluster, each.at) {
			cease = append(cease, cluster)
		}
	}
	return begin, cease
}

// whereToBegin is after which log index to follow a cluster: where the token
// says; from now on if the watch itself begins now; from the oldest that is
// kept if the token says nothing of a cluster that may have been written to
// since.
func whereToBegin(cluster cairn.UID, token cairn.Token, fromNow bool) uint64 {
	if index := token.Index(cluster); index > 0 {
		return index
	}
	if fromNow {
		return 0
	}
	return firstIndex
}
