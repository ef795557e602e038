package indexv1

import "cairn"

// Decode is the shard that a request is about, the zero one if it names none:
// no index has that.
func (m *MovingShard) Decode() cairn.MovingShard {
	out := cairn.MovingShard{
		Move: cairn.UID(m.GetMove()), Keyspace: cairn.UID(m.GetKeyspace()), Shard: cairn.ShardID(m.GetShard()),
		Epoch: m.GetEpoch(), Attempt: m.GetAttempt(), Start: m.GetStart(), End: m.GetEnd(), Kept: cairn.UID(m.GetKept()),
	}
	for from, to := range m.GetNodes() {
		if out.Nodes == nil {
			out.Nodes = make(map[cairn.NodeID]cairn.NodeID, len(m.GetNodes()))
		}
		out.Nodes[cairn.NodeID(from)] = cairn.NodeID(to)
	}
	out.Relocation = m.GetRelocation().decode()
	return out
}

// EncodeMoving is the opposite of MovingShard.Decode.
func EncodeMoving(m cairn.MovingShard) *MovingShard {
	out := &MovingShard{
		Move: uint64(m.Move), Keyspace: uint64(m.Keyspace), Shard: uint64(m.Shard), Epoch: m.Epoch, Start: m.Start, End: m.End, Attempt: m.Attempt, Kept: uint64(m.Kept),
	}
	for from, to := range m.Nodes {
		if out.Nodes == nil {
			out.Nodes = make(map[uint32]uint32, len(m.Nodes))
		}
		out.Nodes[uint32(from)] = uint32(to)
	}
	out.Relocation = encodeRelocation(m.Relocation)
	return out
}

func encodeRelocation(r *cairn.Relocation) *Relocation {
	if r == nil {
		return nil
	}
	out := &Relocation{Instead: uint32(r.Instead), Seed: r.Seed}
	for _, n := range r.Leaving {
		out.Leaving = append(out.Leaving, &LeavingNode{Node: uint32(n.Node), Share: n.Share})
	}
	for _, n := range r.Targets {
		out.Targets = append(out.Targets, &TargetNode{Node: uint32(n.ID), Weight: n.Weight, Zone: n.Zone})
	}
	return out
}

// decode is nil for none.
func (r *Relocation) decode() *cairn.Relocation {
	if r == nil {
		return nil
	}
	out := &cairn.Relocation{Instead: cairn.NodeID(r.GetInstead()), Seed: r.GetSeed()}
	for _, n := range r.GetLeaving() {
		out.Leaving = append(out.Leaving, cairn.LeavingNode{Node: cairn.NodeID(n.GetNode()), Share: n.GetShare()})
	}
	for _, n := range r.GetTargets() {
		out.Targets = append(out.Targets, cairn.Node{ID: cairn.NodeID(n.GetNode()), Weight: n.GetWeight(), Zone: n.GetZone()})
	}
	return out
}

// EncodeFence and FenceState.Decode are opposites.
func EncodeFence(f cairn.FenceState) *FenceState {
	return &FenceState{Number: f.Number, On: f.On, Index: f.Index, Digest: encodeDigest(f.Digest)}
}

// Decode is the zero FenceState where there is none.
func (f *FenceState) Decode() cairn.FenceState {
	return cairn.FenceState{Number: f.GetNumber(), On: f.GetOn(), Index: f.GetIndex(), Digest: f.GetDigest().decode()}
}

// EncodeStaged and Staged.Decode are opposites.
func EncodeStaged(s cairn.Staged) *Staged {
	return &Staged{
		Copied: s.Copied, Last: s.Last, Complete: s.Complete, Through: s.Through, Sealed: s.Sealed, Digest: encodeDigest(s.Digest), Building: s.Building,
	}
}

// Decode is the zero Staged where there is none.
func (s *Staged) Decode() cairn.Staged {
	return cairn.Staged{
		Copied: s.GetCopied(), Last: s.GetLast(), Complete: s.GetComplete(), Through: s.GetThrough(), Sealed: s.GetSealed(), Digest: s.GetDigest().decode(), Building: s.GetBuilding(),
	}
}

// EncodeMovedKeys and MovedKeysResponse.Decode are opposites.
func EncodeMovedKeys(keys []cairn.MovedKey) *MovedKeysResponse {
	out := &MovedKeysResponse{Keys: make([]*MovedKey, len(keys))}
	for i := range keys {
		k := &keys[i]
		out.Keys[i] = &MovedKey{Key: k.Key, From: numbers[uint32](k.From), To: numbers[uint32](k.To), Gone: k.Gone}
	}
	return out
}

// Decode is described at EncodeMovedKeys.
func (m *MovedKeysResponse) Decode() []cairn.MovedKey {
	out := make([]cairn.MovedKey, len(m.GetKeys()))
	for i, k := range m.GetKeys() {
		out[i] = cairn.MovedKey{Key: k.GetKey(), From: numbers[cairn.NodeID](k.GetFrom()), To: numbers[cairn.NodeID](k.GetTo()), Gone: k.GetGone()}
	}
	return out
}

// numbers is nil for none.
func numbers[To, From ~uint32](from []From) []To {
	if len(from) == 0 {
		return nil
	}
	to := make([]To, len(from))
	for i, n := range from {
		to[i] = To(n)
	}
	return to
}

func encodeDigest(d cairn.Digest) *ShardDigest { return &ShardDigest{Entries: d.Entries, Sum: d.Sum} }

func (d *ShardDigest) decode() cairn.Digest {
	return cairn.Digest{Entries: d.GetEntries(), Sum: d.GetSum()}
}
