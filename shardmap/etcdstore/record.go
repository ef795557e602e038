package etcdstore

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// record is one key as etcd holds it, its prefix cut off. A nil value is a
// deleted key.
type record struct {
	key         string
	value       []byte
	modRevision uint64
}

// The folders under the prefix. They are loaded in ascending order, so that
// the keyspaces are known before their shards come.
const (
	clustersFolder   = "clusters/"
	committersFolder = "committers/"
	creatingFolder   = "creating/"
	electionsFolder  = "elections/"
	foundersFolder   = "founders/"
	keyspacesFolder  = "keyspaces/"
	movesFolder      = "moves/"
	routersFolder    = "routers/"
	settingsFolder   = "settings/"
	shardsFolder     = "shards/"
	viewsFolder      = "views/"
)

// mapFolders hold what the Map is made of. What stands elsewhere is another's.
var mapFolders = []string{clustersFolder, creatingFolder, keyspacesFolder, movesFolder, settingsFolder, shardsFolder, viewsFolder}

func isOfMap(key string) bool {
	return slices.ContainsFunc(mapFolders, func(folder string) bool { return strings.HasPrefix(key, folder) })
}

// generation is a set of shards that becomes live as a whole.
type generation struct {
	keyspace cairn.UID
	number   uint64
}

func (g generation) folder() string {
	return fmt.Sprintf("%s%s/%d/", shardsFolder, g.keyspace, g.number)
}

func shardKey(g generation, id cairn.ShardID) string {
	return fmt.Sprintf("%s%016x", g.folder(), uint64(id))
}

func creatingKey(keyspace cairn.UID) string { return creatingFolder + keyspace.String() }

// parseShardKey reads what shardKey writes.
func parseShardKey(key string) (generation, cairn.ShardID, error) {
	broken := func() (generation, cairn.ShardID, error) {
		return generation{}, 0, cairn.Errorf(cairn.KindCorrupt, "RECORD_BROKEN", "%q is not the key of a shard", key)
	}
	rest, found := strings.CutPrefix(key, shardsFolder)
	parts := strings.Split(rest, "/")
	if !found || len(parts) != 3 || len(parts[2]) != 16 {
		return broken()
	}
	var g generation
	if err := g.keyspace.UnmarshalText([]byte(parts[0])); err != nil {
		return broken()
	}
	var err error
	if g.number, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return broken()
	}
	id, err := strconv.ParseUint(parts[2], 16, 64)
	// One shard, one key: no other spelling of the same numbers.
	if err != nil || strconv.FormatUint(g.number, 10) != parts[1] || strings.ToLower(key) != key {
		return broken()
	}
	return g, cairn.ShardID(id), nil
}

// shardRecord is a shard as it is stored.
type shardRecord struct {
	Cluster cairn.UID   `json:"cluster"`
	Start   hexadecimal `json:"start"`
	End     hexadecimal `json:"end"`
	// Epoch is there where the last transaction changed neither owner nor
	// bounds; otherwise it is the record's own revision.
	Epoch  uint64    `json:"epoch,omitempty"`
	Pinned bool      `json:"pinned,omitempty"`
	Move   cairn.UID `json:"move,omitempty"`
}

// encodeShard writes a shard's record. An Epoch of 0 means the revision of the
// transaction that stores it.
func encodeShard(s shardmap.Shard) []byte {
	data, err := json.Marshal(shardRecord{s.Cluster, s.Start, s.End, s.Epoch, s.Pinned, s.Move})
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return data
}

// decodeShard reads the record of a shard.
func decodeShard(g generation, id cairn.ShardID, r record) (shardmap.Shard, error) {
	broken := func(err error) (shardmap.Shard, error) {
		return shardmap.Shard{}, cairn.Errorf(cairn.KindCorrupt, "RECORD_BROKEN", "the record of %s is broken: %w", r.key, err)
	}
	var stored shardRecord
	if err := catalog.DecodeStrictly(r.value, &stored); err != nil {
		return broken(err)
	}
	if stored.Cluster == 0 || stored.Epoch > r.modRevision || len(stored.Start) > cairn.MaxKeyLength || len(stored.End) > cairn.MaxKeyLength {
		return broken(fmt.Errorf("a field out of its range"))
	}
	if stored.Epoch == 0 {
		stored.Epoch = r.modRevision
	}
	return shardmap.Shard{
		Shard:    cairn.Shard{Keyspace: g.keyspace, ID: id, Start: stored.Start, End: stored.End, Epoch: stored.Epoch, Move: stored.Move},
		Cluster:  stored.Cluster,
		Pinned:   stored.Pinned,
		Revision: r.modRevision,
	}, nil
}

// hexadecimal is bytes that a record has in hexadecimal digits.
type hexadecimal []byte

func (h hexadecimal) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

func (h *hexadecimal) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}
