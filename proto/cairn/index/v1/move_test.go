package indexv1

import (
	"reflect"
	"testing"

	"cairn"
)

func TestMovingShardCrossesTheWire(t *testing.T) {
	want := cairn.MovingShard{
		Move: 1, Keyspace: 2, Shard: 3, Epoch: 4, Attempt: 5, Start: []byte{6}, End: []byte{7}, Kept: 8,
		Nodes: map[cairn.NodeID]cairn.NodeID{1: 3, 2: 4},
	}
	if got := EncodeMoving(want).Decode(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v became %+v", want, got)
	}
}
