package nodeindex

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"cairn"
)

// arrival is a shard that is moving here: what is staged of it for one move. Its
// entries stand under their keys like all others, in blocks of ordinals like all
// others, and are kept up in the views; nobody sees them, since their keys are
// in no shard of the cluster, and the views hide them. Activating it makes its
// population that of a shard.
//
// What it is does not change; the population and the progress are guarded by
// Index.mu.
type arrival struct {
	// Shard is as it was planned, with its owner's epoch.
	cairn.Shard
	*population
	progress
}

// progress is how far an arrival is. See cairn.Staged.
type progress struct {
	attempt  uint64
	copied   uint64
	last     []byte
	complete bool
	through  uint64
	sealed   uint64
}

// kept tells that it does not arrive: it is what a move that took the shard away has
// left, with the fence's number and log index as sealed and through, and nothing
// copied.
func (p *progress) kept() bool { return p.sealed > 0 && p.copied == 0 }

// staged is what is told of an arrival; it may be nil.
func (a *arrival) staged() cairn.Staged {
	if a == nil || a.kept() {
		return cairn.Staged{}
	}
	return cairn.Staged{
		Copied: a.copied, Last: bytes.Clone(a.last), Complete: a.complete,
		Through: a.through, Sealed: a.sealed, Digest: a.digest(),
	}
}

// whole tells that all of it is there: it can be activated.
func (a *arrival) whole() bool { return a.complete && a.sealed > 0 }

// arrival is what is staged for a move, nil for nothing.
func (a *assignment) arrival(keyspace, move cairn.UID) *arrival {
	if k := a.keyspaces[keyspace]; k != nil {
		for _, each := range k.arriving {
			if each.Move == move {
				return each
			}
		}
	}
	return nil
}

// freeze is a copy for a checkpoint to write.
func (a *arrival) freeze() *arrival {
	copied := &arrival{Shard: a.Shard, population: a.population.freeze(), progress: a.progress}
	return copied
}

func (p *progress) append(out []byte) []byte {
	out = binary.AppendUvarint(out, p.attempt)
	out = binary.AppendUvarint(out, p.copied)
	out = appendFlag(appendBytes(out, p.last), p.complete)
	out = binary.AppendUvarint(out, p.through)
	return binary.AppendUvarint(out, p.sealed)
}

func (d *decoder) progress() progress {
	return progress{
		attempt: d.uvarint(), copied: d.uvarint(), last: bytes.Clone(d.bytes()), complete: d.flag(),
		through: d.uvarint(), sealed: d.uvarint(),
	}
}

// encodeArrival is what stands in bucketArrivals.
func encodeArrival(a *arrival) ([]byte, error) {
	out := a.progress.append(appendShard(nil, &a.Shard))
	out, err := appendPopulation(out, a.population)
	return seal(out), err
}

// decodeArrival reads what encodeArrival writes, and is false for anything else.
func decodeArrival(sealed []byte) (*arrival, bool) {
	value, ok := unseal(sealed)
	if !ok {
		return nil, false
	}
	d := decoder{rest: value}
	a := &arrival{Shard: d.shard(), progress: d.progress()}
	a.population, ok = d.population()
	return a, ok && a.Move != 0
}

// arrivalKey is where an arrival stands in bucketArrivals.
func arrivalKey(keyspace, move cairn.UID) []byte {
	key := binary.BigEndian.AppendUint64(nil, uint64(keyspace))
	return binary.BigEndian.AppendUint64(key, uint64(move))
}

// withArrivals is the keyspace with others arriving.
func (k *keyspace) withArrivals(arriving []*arrival) *keyspace {
	next := *k
	next.arriving = slices.SortedFunc(slices.Values(arriving), func(a, b *arrival) int {
		return cmp.Or(bytes.Compare(a.Start, b.Start), cmp.Compare(a.Move, b.Move))
	})
	return &next
}

// arrivesAt tells whether a key is in a shard that is moving here.
func (k *keyspace) arrivesAt(placementKey []byte) bool {
	for _, a := range k.arriving {
		if contains(&a.Shard, placementKey) {
			return true
		}
	}
	return false
}
