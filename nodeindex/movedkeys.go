package nodeindex

import (
	"slices"

	"cairn"
	"cairn/shardmap/placement"
)

// MovedKeys are the keys of a part of a shard that moves here, in its order, with the
// nodes that each had where it came from and those that it has here by now. One that
// was deleted since is gone. Errors: KindConflict (KEYS_AHEAD), what is staged does not
// reach as far as the part; KindPrecondition (NOTHING_STAGED); KindInvalid
// (PART_MALFORMED); KindUnavailable (CLOSED); KindCorrupt.
//
// Of a relocation nothing is staged: the nodes are those that the relocation gives, and
// a copy has only the keys that get others.
func (x *Index) MovedKeys(m cairn.MovingShard, part []byte) (moved []cairn.MovedKey, err error) {
	encoded, refusal := pieces(part)
	if refusal != nil {
		return nil, refusal
	}
	if m.Relocation != nil {
		return x.relocatedKeys(m, encoded)
	}
	staged, _, err := x.StagedFor(m)
	if err != nil {
		return nil, err
	}
	s, r, err := x.acquire() // a state that has what is staged
	if err != nil {
		return nil, err
	}
	defer r.pool.release(r)
	defer recovered(&err)
	k := s.keyspaces[m.Keyspace]
	if k == nil || !staged.Complete {
		return nil, errNothingStaged
	}
	seen := s.view(k, r)
	for _, each := range encoded {
		d := decoder{rest: each}
		p := d.piece()
		switch {
		case !d.ok():
			return nil, errPart
		case p.index > staged.Through:
			return nil, cairn.Errorf(cairn.KindConflict, "KEYS_AHEAD", "the part is of log index %d, and what is staged of %d", p.index, staged.Through)
		}
		for i := range p.changes {
			key, err := movedKey(&seen, &p.changes[i])
			if err != nil {
				return nil, err
			}
			moved = append(moved, key)
		}
	}
	return moved, nil
}

// relocatedKeys are the keys of pieces with the nodes that a relocation gives them. Of
// the tail all are told: one may have left before, and stay by now.
func (x *Index) relocatedKeys(m cairn.MovingShard, encoded [][]byte) (moved []cairn.MovedKey, err error) {
	s := x.state.Load()
	if s == nil {
		return nil, errClosed
	}
	k := s.keyspaces[m.Keyspace]
	if k == nil {
		return nil, errNotOwned
	}
	var buffer [placement.HashLength]byte
	for _, each := range encoded {
		d := decoder{rest: each}
		p := d.piece()
		if !d.ok() {
			return nil, errPart
		}
		for i := range p.changes {
			c := &p.changes[i]
			if c.deleted {
				moved = append(moved, cairn.MovedKey{Key: c.Key, Gone: true})
				continue
			}
			to := relocated(m.Relocation, nodeHash(k, c.Key, buffer[:0]), c.Nodes)
			if p.kind == pieceTail || !slices.Equal(to, c.Nodes) {
				moved = append(moved, cairn.MovedKey{Key: c.Key, From: c.Nodes, To: to})
			}
		}
	}
	return moved, nil
}

func movedKey(seen *view, c *movedEntry) (cairn.MovedKey, error) {
	gone := cairn.MovedKey{Key: c.Key, Gone: true}
	if c.deleted {
		return gone, nil
	}
	if i := seen.item(c.Key); i != nil {
		if i.deleted || seen.hidden(i.ordinal) {
			return gone, nil
		}
		return cairn.MovedKey{Key: c.Key, From: c.Nodes, To: i.entry.Nodes}, nil
	}
	value := seen.reader.find(seen.keyspace.UID, c.Key)
	if value == nil {
		return gone, nil
	}
	ordinal, nodes, ok := decodeEntryValue(value, nil)
	switch {
	case !ok:
		return gone, corrupt("ENTRY_MALFORMED", "the entry of key %s is not what was written", c.Key)
	case seen.hidden(ordinal):
		return gone, nil
	}
	return cairn.MovedKey{Key: c.Key, From: c.Nodes, To: nodes}, nil
}
