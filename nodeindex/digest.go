package nodeindex

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"cairn"
)

// Replicas apply the same commands and must come to the same state. Each keeps
// a digest of everything that applying did: what each mutation found and what
// it left, and what each shard holds after a change of the assignment. Now and
// then the leader puts a mark in the log that says which digest it had at the
// mark before; whoever had another there has diverged, or the leader has. That
// holds for a log applied again at a start too. What is local to a replica, as
// ordinals are, is not in it.

// mark is a place in the log at which the digest was noted.
type mark struct {
	// index is that of the mark; 0 before the first.
	index  uint64
	digest uint64
}

// digested is the digest after some command, and the last mark before it.
type digested struct {
	digest uint64
	last   mark
}

func (d digested) encode() []byte {
	out := binary.BigEndian.AppendUint64(nil, d.digest)
	out = binary.AppendUvarint(out, d.last.index)
	return binary.BigEndian.AppendUint64(out, d.last.digest)
}

// decode reads what encode writes, and is false for anything else.
func (d *digested) decode(value []byte) bool {
	r := decoder{rest: value}
	d.digest = r.uint64()
	d.last = mark{index: r.uvarint(), digest: r.uint64()}
	return r.done()
}

// effects is how the digest goes on. It belongs to the goroutine that applies,
// and is guarded by Index.mu.
type effects struct {
	digested
	// settled: the last mark followed on one, and nothing came in between, so
	// that everything has been compared.
	settled bool
	hash    xxhash.Digest
	buffer  []byte
}

// begin begins the effects of the command at a log index.
func (e *effects) begin(index uint64) {
	e.hash.Reset()
	e.buffer = binary.BigEndian.AppendUint64(e.buffer[:0], e.digest)
	e.buffer = binary.BigEndian.AppendUint64(e.buffer, index)
	e.flush()
}

// end is after the last effect of a command.
func (e *effects) end() { e.digest = e.hash.Sum64() }

func (e *effects) flush() {
	_, _ = e.hash.Write(e.buffer) // never fails
	e.buffer = e.buffer[:0]
}

// entry notes what stood, or stands now, under a key; nil is nothing.
func (e *effects) entry(entry *cairn.Entry) {
	if entry == nil {
		e.buffer = append(e.buffer, 0)
	} else {
		e.buffer = appendVersion(append(e.buffer, 1), entry.Version)
		e.buffer = binary.AppendUvarint(e.buffer, uint64(len(entry.Nodes)))
		e.buffer = appendNodes(e.buffer, entry.Nodes)
		e.buffer = appendBytes(e.buffer, entry.Key)
		e.buffer = appendBytes(e.buffer, entry.Attributes)
	}
	e.flush()
}

// refused notes why a mutation did nothing.
func (e *effects) refused(err *cairn.Error) {
	e.buffer = append(e.buffer, 2)
	e.buffer = appendBytes(e.buffer, []byte(err.Reason))
	e.flush()
}

// remembered notes how much is remembered of requests, and since when.
func (e *effects) remembered(q *requests) {
	e.buffer = append(e.buffer, 4)
	for _, n := range []int64{q.clock, q.latest, q.horizon, q.bytes} {
		e.buffer = binary.AppendVarint(e.buffer, n)
	}
	e.flush()
}

// fenced notes the fences of a shard.
func (e *effects) fenced(f *fences) {
	e.buffer = f.append(append(e.buffer, 5))
	e.flush()
}

// staged notes how far an arrival is; nil is that it has been dropped.
func (e *effects) staged(a *arrival) {
	e.buffer = append(e.buffer, 6)
	if a != nil {
		e.buffer = a.progress.append(e.buffer)
		e.buffer = binary.BigEndian.AppendUint64(e.buffer, a.sum)
	}
	e.flush()
}

// assigned notes what the shards hold after a change.
func (e *effects) assigned(a *assignment) {
	e.buffer = binary.BigEndian.AppendUint64(append(e.buffer, 3), a.revision)
	for _, uid := range sortedUIDs(a.keyspaces) {
		for _, s := range a.keyspaces[uid].shards {
			e.buffer = appendShard(e.buffer, &s.Shard)
			e.buffer = binary.AppendUvarint(e.buffer, s.entries())
			e.buffer = binary.BigEndian.AppendUint64(e.buffer, s.sum)
			counts := slices.Clone(s.nodes)
			slices.SortFunc(counts, func(a, b nodeCount) int { return int(int64(a.node) - int64(b.node)) })
			for _, n := range counts {
				if n.entries > 0 {
					e.buffer = binary.AppendUvarint(e.buffer, uint64(n.node))
					e.buffer = binary.AppendUvarint(e.buffer, n.entries)
				}
			}
			e.flush()
		}
		for _, s := range a.keyspaces[uid].withheld {
			e.buffer = appendShard(append(e.buffer, 7), &s.Shard)
		}
		for _, each := range a.keyspaces[uid].arriving {
			e.buffer = appendShard(append(e.buffer, 8), &each.Shard)
		}
		e.flush()
	}
}

// divergence is that this replica is not what another made of the same log.
type divergence struct{ err atomic.Pointer[cairn.Error] }

// Diverged is why what this index holds is not to be believed: at a mark its
// digest was not that of the replica that led (KindCorrupt, DIVERGED). It is
// nil while nothing of the kind is known, and stays for as long as the index
// is open.
func (x *Index) Diverged() error {
	if err := x.diverged.err.Load(); err != nil {
		return err
	}
	return nil
}

// MarkCommand is the command that marks the log anew, as the leader replica: it
// says what the digest was here at the last mark. needed is false if everything
// applied has been compared.
func (x *Index) MarkCommand(replica string) (command []byte, needed bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	last := x.effects.last
	if applied, _ := x.Position(); applied == last.index && x.effects.settled {
		return nil, false
	}
	out := binary.AppendUvarint([]byte{commandMark}, last.index)
	out = binary.BigEndian.AppendUint64(out, last.digest)
	return appendBytes(out, []byte(replica)), true
}

// applyMark compares the digest at the last mark with the leader's, and notes
// it anew.
func (x *Index) applyMark(index uint64, command []byte) *cairn.Error {
	d := decoder{rest: command[1:]}
	theirs := mark{index: d.uvarint(), digest: d.uint64()}
	leader := strings.ToValidUTF8(string(d.bytes()), "?")
	if !d.done() {
		return errCommand
	}
	if ours := x.effects.last; ours.index == theirs.index && ours.digest != theirs.digest {
		x.diverged.err.CompareAndSwap(nil, cairn.Errorf(cairn.KindCorrupt, "DIVERGED",
			"after log index %d this replica's digest is %016x and that of replica %s, which led, %016x: one of the two is damaged; compare with the others, and start the one that differs with an empty directory and --join",
			ours.index, ours.digest, leader, theirs.digest))
	}
	applied, _ := x.Position()
	x.effects.settled = applied == x.effects.last.index
	x.effects.last = mark{index: index, digest: x.effects.digest}
	return nil
}
