package shardmap

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"cairn"
	"cairn/shardmap/catalog"
)

// An index keeps the records of its cluster, of the keyspaces in which that owns
// shards, and of their views: what an assignment says of them is what the index
// needs, and less than what was declared. With these the map can be made again
// where its store is lost.

// The names of records: that of the cluster, and how those of each keyspace begin,
// of each view, and of the shards of a keyspace that are pinned.
const (
	clusterRecord   = "cluster"
	keyspaceRecords = "keyspace/"
	pinnedRecords   = "pinned/"
	viewRecords     = "view/"
)

// records are the records of an assignment, ascending by name; pinned are the
// cluster's shards that are, by keyspace.
func (m *Map) records(cluster *catalog.Cluster, a *cairn.Assignment, pinned map[cairn.UID][]cairn.ShardID) (out []cairn.Record) {
	add := func(name string, value []byte) { out = append(out, cairn.Record{Name: name, Value: value}) }
	if cluster != nil {
		add(clusterRecord, catalog.EncodeCluster(cluster))
	}
	for i := range a.Keyspaces {
		uid := a.Keyspaces[i].UID
		keyspace, _ := m.catalog.KeyspaceByUID(uid) // Apply and Build see to that
		add(keyspaceRecords+uid.String(), catalog.EncodeKeyspace(keyspace))
		for _, view := range m.catalog.ViewsOf(uid) {
			add(viewRecords+view.UID.String(), catalog.EncodeView(view))
		}
		if ids := pinned[uid]; len(ids) > 0 {
			value, err := json.Marshal(ids)
			if err != nil {
				panic(err) // numbers always marshal
			}
			add(pinnedRecords+uid.String(), value)
		}
	}
	slices.SortFunc(out, func(a, b cairn.Record) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Recorded is what the records of an assignment say.
type Recorded struct {
	// Cluster is nil where the index has noted no map with it.
	Cluster   *catalog.Cluster
	Keyspaces map[cairn.UID]*catalog.Keyspace
	Views     []*catalog.View
	Pinned    map[ShardRef]bool
}

// ReadRecords reads the records of an assignment. KindCorrupt (RECORD_BROKEN) for
// what this version can't read.
func ReadRecords(a *cairn.Assignment) (Recorded, error) {
	out := Recorded{Keyspaces: map[cairn.UID]*catalog.Keyspace{}, Pinned: map[ShardRef]bool{}}
	for _, r := range a.Records {
		if err := out.read(r, a.Revision); err != nil {
			return Recorded{}, err
		}
	}
	return out, nil
}

func (out *Recorded) read(r cairn.Record, revision uint64) (err error) {
	broken := func(err error) error {
		return cairn.Errorf(cairn.KindCorrupt, "RECORD_BROKEN", "the record %q that an index has kept: %w", r.Name, err)
	}
	if r.Name == clusterRecord {
		out.Cluster, err = catalog.DecodeCluster(r.Value, revision)
		return err
	}
	folder, name, _ := strings.Cut(r.Name, "/")
	var uid cairn.UID
	if err := uid.UnmarshalText([]byte(name)); err != nil {
		return broken(err)
	}
	switch folder + "/" {
	case keyspaceRecords:
		keyspace, err := catalog.DecodeKeyspace(r.Value, revision)
		if err != nil {
			return err
		}
		out.Keyspaces[uid] = keyspace
	case viewRecords:
		view, err := catalog.DecodeView(r.Value, revision)
		if err != nil {
			return err
		}
		out.Views = append(out.Views, view)
	case pinnedRecords:
		var ids []cairn.ShardID
		if err := json.Unmarshal(r.Value, &ids); err != nil {
			return broken(err)
		}
		for _, id := range ids {
			out.Pinned[ShardRef{uid, id}] = true
		}
	default:
		return broken(fmt.Errorf("this version knows no such records"))
	}
	return nil
}
