package etcdstore

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

func moveKey(uid cairn.UID) string { return movesFolder + uid.String() }

// parseMoveKey reads what moveKey writes.
func parseMoveKey(key string) (uid cairn.UID, err error) {
	if err := uid.UnmarshalText([]byte(strings.TrimPrefix(key, movesFolder))); err != nil {
		return 0, cairn.Errorf(cairn.KindCorrupt, "RECORD_BROKEN", "%q is not the key of a move", key)
	}
	return uid, nil
}

// moveRecord is a move as it is stored.
type moveRecord struct {
	Keyspace cairn.UID     `json:"keyspace"`
	Shard    cairn.ShardID `json:"shard"`
	Epoch    uint64        `json:"epoch"`
	Start    hexadecimal   `json:"start"`
	End      hexadecimal   `json:"end"`
	From     cairn.UID     `json:"from"`
	To       cairn.UID     `json:"to"`
	Phase    string        `json:"phase"`
	Attempt  uint32        `json:"attempt"`
	Staging  cairn.UID     `json:"staging"`
	Stale    cairn.UID     `json:"stale,omitempty"`
	Fence    uint64        `json:"fence,omitempty"`
	Final    uint64        `json:"final,omitempty"`
	Nodes    string        `json:"nodes,omitempty"`
	// Relocation is there where From is To, and nowhere else.
	Relocation json.RawMessage `json:"relocation,omitempty"`
	Kept       cairn.UID       `json:"kept,omitempty"`
	Keep       time.Duration   `json:"keep_ns,omitempty"`
	Cancel     bool            `json:"cancel,omitempty"`
	Paused     bool            `json:"paused,omitempty"`
	Clean      bool            `json:"clean,omitempty"`
	Who        string          `json:"who,omitempty"`
	Why        string          `json:"why,omitempty"`
	Problem    string          `json:"problem,omitempty"`
	Created    time.Time       `json:"created"`
	Stepped    time.Time       `json:"stepped"`
}

// encodeMove writes a move's record, all but its uid, which is its key's, and its
// revision.
func encodeMove(m shardmap.Move) []byte {
	data, err := json.Marshal(moveRecord{
		Keyspace: m.Keyspace, Shard: m.Shard, Epoch: m.Epoch, Start: hexadecimal(m.Start), End: hexadecimal(m.End),
		From: m.From, To: m.To, Phase: m.Phase.String(), Attempt: m.Attempt, Staging: m.Staging, Stale: m.Stale, Fence: m.Fence, Final: m.Final,
		Nodes: string(m.Nodes), Relocation: json.RawMessage(m.Relocation), Kept: m.Kept, Keep: m.Keep, Cancel: m.Cancel, Paused: m.Paused, Clean: m.Clean, Who: m.Who, Why: m.Why, Problem: m.Problem, Created: m.Created, Stepped: m.Stepped,
	})
	if err != nil {
		panic(err) // strings, numbers and times of our years always marshal
	}
	return data
}

// decodeMove reads the record of a move.
func decodeMove(r record) (shardmap.Move, error) {
	broken := func(err error) (shardmap.Move, error) {
		return shardmap.Move{}, cairn.Errorf(cairn.KindCorrupt, "RECORD_BROKEN", "the record of %s is broken: %w", r.key, err)
	}
	uid, err := parseMoveKey(r.key)
	if err != nil {
		return shardmap.Move{}, err
	}
	var stored moveRecord
	if err := catalog.DecodeStrictly(r.value, &stored); err != nil {
		return broken(err)
	}
	phase, known := shardmap.ParseMovePhase(stored.Phase)
	if !known || uid == 0 || stored.Keyspace == 0 || stored.From == 0 || stored.To == 0 || stored.Staging == 0 || stored.Epoch == 0 || stored.Epoch > r.modRevision ||
		stored.Keep < 0 || stored.Keep > shardmap.MaxKeep {
		return broken(errors.New("a field out of its range"))
	}
	nodes := shardmap.NodeMap(stored.Nodes)
	if !nodes.Valid() {
		return broken(errors.New("a map of nodes that is none"))
	}
	relocation := shardmap.Relocation(stored.Relocation)
	if !relocation.Valid() || (relocation != "") != (stored.From == stored.To) {
		return broken(errors.New("a relocation that is none"))
	}
	return shardmap.Move{
		UID: uid, Keyspace: stored.Keyspace, Shard: stored.Shard, Epoch: stored.Epoch, Start: string(stored.Start), End: string(stored.End),
		From: stored.From, To: stored.To, Phase: phase, Attempt: stored.Attempt, Staging: stored.Staging, Stale: stored.Stale, Fence: stored.Fence, Final: stored.Final,
		Nodes: nodes, Relocation: relocation, Kept: stored.Kept, Keep: stored.Keep, Cancel: stored.Cancel, Paused: stored.Paused, Clean: stored.Clean, Who: stored.Who, Why: stored.Why, Problem: stored.Problem,
		Created: stored.Created.UTC(), Stepped: stored.Stepped.UTC(), Revision: r.modRevision,
	}, nil
}
