package nodeindex

import (
	"bytes"
	"encoding/binary"
	"sync/atomic"

	"cairn"
)

// A fence has a shard take no writes, so that a move can take over what it holds
// then. It is set and lifted by commands of the log and checked when a write is
// applied. Each move numbers its own; a command with a number that it has had
// lifted, or that is below its last, does nothing. So whatever comes late from
// who has given up is without effect. Fences end with the shard's epoch.

var errFenced = cairn.Errorf(cairn.KindUnavailable, "SHARD_FENCED",
	"the shard is about to be another cluster's and takes no writes now; try again")

// fence is the last one of a move.
type fence struct {
	move   cairn.UID
	number uint64
	on     bool
	index  uint64 // of the log entry that set it; 0 once it is lifted
	// relocation is what the move does to the entries' nodes, nil where the shard goes
	// to another cluster.
	relocation *cairn.Relocation
}

// fences are those of one shard.
type fences struct {
	// on tells whether any is. It may be looked at by anybody.
	on  atomic.Bool
	all []fence
}

// of is the last one of a move, the zero fence if there was none.
func (f *fences) of(move cairn.UID) fence {
	for _, each := range f.all {
		if each.move == move {
			return each
		}
	}
	return fence{move: move}
}

// change sets or lifts a fence of a move, at a log index.
func (f *fences) change(move cairn.UID, number uint64, on bool, index uint64, r *cairn.Relocation) {
	last := f.of(move)
	switch {
	case number < last.number, number == last.number && on == last.on, number == last.number && on:
		return // what was lifted stays so
	case !on:
		index, r = 0, nil
	}
	f.keep(fence{move: move, number: number, on: on, index: index, relocation: r})
}

func (f *fences) keep(next fence) {
	found := false
	on := false
	for i := range f.all {
		if f.all[i].move == next.move {
			f.all[i], found = next, true
		}
		on = on || f.all[i].on
	}
	if !found {
		f.all = append(f.all, next)
		on = on || next.on
	}
	f.on.Store(on)
}

// lift ends all of them.
func (f *fences) lift() {
	f.all = nil
	f.on.Store(false)
}

func (f *fences) append(out []byte) []byte {
	out = binary.AppendUvarint(out, uint64(len(f.all)))
	for _, each := range f.all {
		flags := uint64(0)
		if each.on {
			flags |= fenceOn
		}
		if each.relocation != nil {
			flags |= fenceRelocates
		}
		out = binary.BigEndian.AppendUint64(out, uint64(each.move))
		out = binary.AppendUvarint(binary.AppendUvarint(out, each.number), flags)
		if out = binary.AppendUvarint(out, each.index); each.relocation != nil {
			out = appendRelocation(out, each.relocation)
		}
	}
	return out
}

// The flags of a fence as it is stored. Files of before relocations have no other than
// the first.
const (
	fenceOn        = 1
	fenceRelocates = 2
)

// load reads what append writes.
func (f *fences) load(d *decoder) {
	for range d.count(11) {
		each := fence{move: cairn.UID(d.uint64()), number: d.uvarint()}
		flags := d.number(fenceOn | fenceRelocates)
		each.on, each.index = flags&fenceOn != 0, d.uvarint()
		if flags&fenceRelocates != 0 {
			each.relocation = d.relocation()
		}
		f.keep(each)
	}
}

// FenceCommand is the command that sets a move's fence of a number, or lifts it. What
// is set has the move's relocation, if there is one, behind everything else.
func FenceCommand(m cairn.MovingShard, number uint64, on bool) []byte {
	out := appendMoving([]byte{commandFence}, m)
	out = appendFlag(binary.AppendUvarint(out, number), on)
	if on && m.Relocation != nil {
		out = appendRelocation(out, m.Relocation)
	}
	return out
}

// applyFence sets or lifts a fence, or leaves it if the number says so, and
// returns how it is now. KindStale (NOT_OWNED): the shard is not the cluster's
// in that epoch.
func (x *Index) applyFence(s *state, index uint64, command []byte) (cairn.FenceState, *cairn.Error) {
	d := decoder{rest: command[1:]}
	m := d.moving()
	number, on := d.uvarint(), d.flag()
	var relocation *cairn.Relocation
	if len(d.rest) > 0 {
		relocation = d.relocation()
	}
	if !d.done() {
		return cairn.FenceState{}, errCommand
	}
	owned, err := s.owned(m)
	if err != nil {
		x.effects.refused(err)
		return cairn.FenceState{}, err
	}
	owned.fences.change(m.Move, number, on, index, relocation)
	owned.changed = x.generation
	x.effects.fenced(&owned.fences)
	fenced := s.fencedKeyspaces()
	x.publish(func(s *state) { s.fenced = fenced })
	return owned.fenceState(m.Move), nil
}

// fenceState is how a move's fence is. Index.mu is held.
func (p *population) fenceState(move cairn.UID) cairn.FenceState {
	f := p.fences.of(move)
	return cairn.FenceState{Number: f.number, On: f.on, Index: f.index, Digest: p.digest()}
}

// Fence says how a move's fence is, and what the shard holds, as of the applied
// index that it returns, or later. KindStale (NOT_OWNED): the shard is not the
// cluster's in that epoch. KindUnavailable (CLOSED).
func (x *Index) Fence(m cairn.MovingShard) (cairn.FenceState, cairn.Answer, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load()
	if s == nil {
		return cairn.FenceState{}, cairn.Answer{}, errClosed
	}
	applied, revision := x.Position()
	owned, err := s.owned(m)
	if err != nil {
		return cairn.FenceState{}, cairn.Answer{}, err
	}
	return owned.fenceState(m.Move), cairn.Answer{Index: applied, Revision: revision}, nil
}

// owned is the cluster's shard that moves.
func (a *assignment) owned(m cairn.MovingShard) (*shard, *cairn.Error) {
	if k := a.keyspaces[m.Keyspace]; k != nil {
		if s := k.find(m.Start); s != nil && s.ID == m.Shard && s.Epoch == m.Epoch && bytes.Equal(s.Start, m.Start) && bytes.Equal(s.End, m.End) {
			return s, nil
		}
	}
	return nil, errNotOwned
}

// Fenced tells whether any of a keyspace's keys, or without keys any shard of
// it, is in a shard that is fenced. Nothing waits.
func (x *Index) Fenced(keyspace cairn.UID, keys []cairn.Key) bool {
	s := x.state.Load()
	if s == nil || !s.fenced[keyspace] {
		return false
	}
	k := s.keyspaces[keyspace]
	if k == nil {
		return false
	}
	var buffer [16]byte
	for _, key := range keys {
		if home := k.locate(key, buffer[:0]); home != nil && home.fences.on.Load() {
			return true
		}
	}
	return keys == nil
}

// FencedWrites is the answer to a request all of whose writes are of fenced
// shards, nil if any is not: the log need not have what it would refuse. Nothing
// waits.
func (x *Index) FencedWrites(request *cairn.WriteRequest) *cairn.WriteReply {
	applied, revision := x.Position()
	s := x.state.Load()
	if s == nil || !s.fenced[request.Keyspace] || s.keyspaces[request.Keyspace] == nil {
		return nil
	}
	reply := &cairn.WriteReply{
		Answer:  cairn.Answer{Index: applied, Revision: revision},
		Results: make([]cairn.Written, len(request.Mutations)),
	}
	var buffer [16]byte
	for i := range request.Mutations {
		home := s.keyspaces[request.Keyspace].locate(request.Mutations[i].Key, buffer[:0])
		if home == nil || !home.fences.on.Load() {
			return nil
		}
		reply.Results[i] = cairn.Written{Err: errFenced, Stamp: cairn.Stamp{Epoch: home.Epoch, Index: applied}}
	}
	return reply
}

// fencedKeyspaces are the keyspaces that have a fenced shard.
func (a *assignment) fencedKeyspaces() map[cairn.UID]bool {
	out := make(map[cairn.UID]bool)
	for uid, k := range a.keyspaces {
		for _, s := range k.shards {
			if s.fences.on.Load() {
				out[uid] = true
				break
			}
		}
	}
	return out
}

// appendMoving writes which shard moves.
func appendMoving(out []byte, m cairn.MovingShard) []byte {
	out = appendShard(out, &cairn.Shard{Keyspace: m.Keyspace, ID: m.Shard, Start: m.Start, End: m.End, Epoch: m.Epoch, Move: m.Move})
	return binary.AppendUvarint(out, m.Attempt)
}

func (d *decoder) moving() cairn.MovingShard {
	s := d.shard()
	return cairn.MovingShard{Move: s.Move, Keyspace: s.Keyspace, Shard: s.ID, Epoch: s.Epoch, Attempt: d.uvarint(), Start: s.Start, End: s.End}
}
