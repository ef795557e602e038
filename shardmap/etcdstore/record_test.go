package etcdstore

import (
	"testing"

	"cairn"
	"cairn/shardmap"
)

// TestRecordsAreReadStrictly: what a later version has added to a record is not
// passed over, whatever the record is of.
func TestRecordsAreReadStrictly(t *testing.T) {
	shard := encodeShard(shardmap.Shard{Shard: cairn.Shard{ID: 1, Epoch: 3}, Cluster: 7})
	move := encodeMove(shardmap.Move{UID: 1, Keyspace: 2, Shard: 3, Epoch: 3, From: 4, To: 5, Phase: shardmap.MoveDone, Staging: 6})
	for what, decode := range map[string]struct {
		value []byte
		read  func(value []byte) error
	}{
		"a shard": {shard, func(value []byte) error {
			_, err := decodeShard(generation{2, 1}, 1, record{"shards/x", value, 9})
			return err
		}},
		"a move": {move, func(value []byte) error {
			_, err := decodeMove(record{moveKey(1), value, 9})
			return err
		}},
	} {
		if err := decode.read(decode.value); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		added := append([]byte(`{"of_a_later_version":1,`), decode.value[1:]...)
		for _, broken := range [][]byte{added, append(decode.value[:len(decode.value):len(decode.value)], "{}"...)} {
			if err := decode.read(broken); cairn.ReasonOf(err) != "RECORD_BROKEN" {
				t.Errorf("%s is read from %s: %v", what, broken, err)
			}
		}
	}
}

// TestRelocationRecord: a relocation is read back as it was, and a record that has one
// of another kind than its clusters say is refused.
func TestRelocationRecord(t *testing.T) {
	rule := shardmap.NewRelocation(&cairn.Relocation{
		Leaving: []cairn.LeavingNode{{Node: 1, Share: 7}}, Targets: []cairn.Node{{ID: 2, Weight: 3, Zone: "a<b"}}, Seed: 1<<64 - 1,
	})
	move := shardmap.Move{UID: 1, Keyspace: 2, Shard: 3, Epoch: 3, From: 4, To: 4, Phase: shardmap.MoveCopying, Staging: 6, Relocation: rule, Revision: 9}
	read, err := decodeMove(record{moveKey(1), encodeMove(move), 9})
	if err != nil || read.Relocation != rule || read != move {
		t.Errorf("%+v, %v", read, err)
	}
	for _, broken := range []func(*shardmap.Move){
		func(m *shardmap.Move) { m.To = 5 },
		func(m *shardmap.Move) { m.Relocation = "" },
		func(m *shardmap.Move) { m.Relocation = `{"leaving":[],"targets":[]}` },
	} {
		other := move
		if broken(&other); other == move {
			t.Fatal("it is the same")
		}
		if _, err := decodeMove(record{moveKey(1), encodeMove(other), 9}); cairn.ReasonOf(err) != "RECORD_BROKEN" {
			t.Errorf("%q from %s to %s: %v", other.Relocation, other.From, other.To, err)
		}
	}
}
