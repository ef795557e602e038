package nodeindex

import (
	"encoding/binary"
	"slices"
	"testing"

	"cairn"
	"cairn/shardmap/placement"
)

// TestRequestsOfShardsThatChangedMove has a shard that was split off another move, and
// move on: what became of writes to its keys goes along, those of before the split too,
// and nothing that can't be of its keys.
func TestRequestsOfShardsThatChangedMove(t *testing.T) {
	m := openMove(t, 2, Options{})
	third := openReplica(t, Options{})
	third.assign(cairn.Assignment{Revision: 10, Nodes: m.target.x.state.Load().nodes})
	var mutations []cairn.Mutation
	for i := range 60 {
		mutations = append(mutations, put(testKey(i)))
	}
	before := named(1, 0, slices.Clone(mutations)...)
	m.source.writeAt(0, before)

	// The first half of all becomes two quarters.
	m.a.Revision, m.a.Shards = 11, slices.Clone(m.a.Shards)
	first := &m.a.Shards[0]
	second := *first
	second.ID, second.Start = 3, binary.BigEndian.AppendUint64(nil, 1<<62)
	first.End = second.Start
	first.Epoch, second.Epoch = 11, 11
	m.a.Shards = append(m.a.Shards, second)
	m.source.assign(m.a)
	since := named(2, 0, slices.Clone(mutations)...)
	m.source.writeAt(0, since)

	var owned cairn.Assignment // the target's
	move := func(id cairn.ShardID, name cairn.UID, revision uint64) {
		t.Helper()
		s := m.a.Shards[slices.IndexFunc(m.a.Shards, func(s cairn.Shard) bool { return s.ID == id })]
		m.moving = cairn.MovingShard{Move: name, Keyspace: testKeyspace, Shard: s.ID, Epoch: s.Epoch, Start: s.Start, End: s.End}
		m.copy(t)
		m.fence(t, 1, true)
		m.tail(t)
		source, target := m.commit(t, revision)
		target.Shards = slices.Concat(owned.Shards, target.Shards)
		m.source.assign(source)
		m.target.assign(target)
		m.a, owned = source, target
	}
	remembered := func(r *replica, request *cairn.WriteRequest) (shards map[cairn.ShardID]int) {
		shards = make(map[cairn.ShardID]int)
		for _, o := range r.x.requests.find(testKeyspace, nameOf(request.RequestID)) {
			shards[o.shard]++
		}
		return shards
	}

	move(2, 0x71, 15)
	neighbour := named(3, 0, slices.Clone(mutations)...)
	m.target.writeAt(0, neighbour) // of which shard 2 has its share, and the rest is refused
	move(3, 0x72, 20)
	if got := remembered(m.target, since); got[1] > 0 || got[3] == 0 {
		t.Errorf("of writes after the split the target knows %v by shard", got)
	}

	m.source, m.target = m.target, third
	m.a, owned = owned, cairn.Assignment{}
	m.source.checkpoint()
	m.source.close()
	m.source.open(Options{})
	move(3, 0x73, 30)
	if got := remembered(third, neighbour); len(got) > 0 {
		t.Errorf("of writes to another shard, when the shard had its bounds, it took along %v", got)
	}
	for _, request := range []*cairn.WriteRequest{before, since} {
		for i, again := range third.writeAt(0, request)[0] {
			key := request.Mutations[i].Key
			if !contains(&second, placement.Key(cairn.Placement{Scheme: cairn.SchemeHash}, key, nil)) {
				continue
			}
			if again.Err != nil || again.Version.Epoch > 11 {
				t.Errorf("request %d, %s was carried out again: %+v", request.RequestID.ID[0], key, again)
			}
		}
	}
}
