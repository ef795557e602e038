package nodeindex

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"cairn"
	"cairn/shardmap/placement"
)

// nodeHash is the hash that a key's nodes are chosen by: that of its affinity
// part, so that keys placed together in a shard are together on a node too.
// buf is written over.
func nodeHash(k *keyspace, key cairn.Key, buf []byte) uint64 {
	byHash := cairn.Placement{Scheme: cairn.SchemeHash, Affinity: k.Placement.Affinity}
	return binary.BigEndian.Uint64(placement.Key(byHash, key, buf))
}

// ChooseNodes is the placement policy: which nodes a new key gets, the primary
// first, at most count. Weighted rendezvous hashing (Thaler and Ravishankar
// 1998; the weights by -w/ln(h), Schindelhauer and Schomaker 2005) ranks the
// active nodes of non-zero weight, so that each gets keys by its weight, and a
// node that comes or goes moves no other node's keys. The best is the primary;
// a replica is the best node in a zone that has none yet, and when every zone
// has one, the best left. hash is the key's, well mixed. It returns none if no
// node is active.
func ChooseNodes(nodes []cairn.Node, hash uint64, count int) []cairn.NodeID {
	type candidate struct {
		node  *cairn.Node
		score float64
	}
	ranked := make([]candidate, 0, 16)
	for i := range nodes {
		n := &nodes[i]
		if n.State != cairn.NodeActive || n.Weight == 0 {
			continue
		}
		// Uniform in (0, 1): the top 53 bits, and half a step off zero.
		uniform := (float64(mix(hash^mix(uint64(n.ID)))>>11) + 0.5) / (1 << 53)
		ranked = append(ranked, candidate{n, -float64(n.Weight) / math.Log(uniform)})
	}
	count = min(count, len(ranked))
	if count == 0 {
		return nil
	}
	slices.SortFunc(ranked, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.node.ID, b.node.ID))
	})
	chosen := make([]cairn.NodeID, 0, count)
	zones := make([]string, 0, count)
	for _, c := range ranked {
		if len(chosen) < count && !slices.Contains(zones, c.node.Zone) {
			chosen, zones = append(chosen, c.node.ID), append(zones, c.node.Zone)
		}
	}
	for _, c := range ranked {
		if len(chosen) < count && !slices.Contains(chosen, c.node.ID) {
			chosen = append(chosen, c.node.ID)
		}
	}
	return chosen
}

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
