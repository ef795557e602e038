package rebuild

import (
	"cmp"
	"slices"
	"strings"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// Known is what one replica of a cluster's index knows.
type Known struct {
	// Source is where that was found: a directory.
	Source string
	// Of is the cluster whose index it is.
	Of cairn.UID
	// Replica is its id, Generation that of its log.
	Replica    string
	Generation uint64
	Map        cairn.KnownMap
}

// Cluster is a cluster to be written, with the replica that is believed.
type Cluster struct {
	*catalog.Cluster
	// Known is what that replica knows.
	Known
	// Replicas is how many replicas of it were asked.
	Replicas int

	recorded shardmap.Recorded
}

// clustersOf are the clusters of all that is known, ascending by name, each with the
// replica that has noted the latest map and, of those, applied most of its log.
//
// KindPrecondition: one has noted no map with its cluster (CLUSTER_UNRECORDED), or two
// clusters have one name (CLUSTER_TWICE). KindCorrupt: records that can't be read.
func clustersOf(known []Known) ([]*Cluster, error) {
	byUID := map[cairn.UID]*Cluster{}
	for _, k := range known {
		c := byUID[k.Of]
		if c == nil {
			c = &Cluster{Known: k}
			byUID[k.Of] = c
		}
		c.Replicas++
		generation := max(c.Generation, k.Generation)
		if order := cmp.Or(cmp.Compare(k.Map.Revision, c.Map.Revision), cmp.Compare(k.Map.Applied, c.Map.Applied)); order > 0 {
			c.Known = k
		}
		c.Generation = generation
	}
	out := make([]*Cluster, 0, len(byUID))
	for _, c := range byUID {
		var err error
		if c.recorded, err = shardmap.ReadRecords(&c.Map.Assignment); err != nil {
			return nil, cairn.Errorf(cairn.KindOf(err), cairn.ReasonOf(err), "%s: %w", c.Source, err)
		}
		if c.recorded.Cluster == nil {
			return nil, cairn.Errorf(cairn.KindPrecondition, "CLUSTER_UNRECORDED",
				"%s has noted no map with its cluster, so it has nothing to recover one from; leave it out", c.Source)
		}
		c.Cluster = c.recorded.Cluster
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *Cluster) int { return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID)) })
	for i := 1; i < len(out); i++ {
		if a, b := out[i-1], out[i]; a.Name == b.Name {
			return nil, cairn.Errorf(cairn.KindPrecondition, "CLUSTER_TWICE",
				"%s is of a cluster %s with uid %s, and %s of one with uid %s: one of them was deleted; leave it out", a.Source, a.Name, a.UID, b.Source, b.UID)
		}
	}
	return out, nil
}
