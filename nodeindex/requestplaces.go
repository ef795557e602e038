package nodeindex

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"sync"

	"cairn"
)

// requestPlaces finds a slice's records by the shards that they name. A copy of one shard
// would else go through what is remembered of all; who moves one shard after the other,
// through all of it each time. It is made when it is first asked for, and takes 16 bytes a
// record.
type requestPlaces struct {
	mu sync.Mutex // guards what follows
	// through is how many bytes of the records have been gone through.
	through int
	// places are ascending; they are replaced, not changed.
	places []requestPlace
	// oldest is the lowest epoch that an outcome has.
	oldest uint64
}

// requestPlace is where a record stands that names a shard.
type requestPlace struct {
	shard  cairn.ShardID
	offset uint32
}

func (p requestPlace) compare(other requestPlace) int {
	return cmp.Or(cmp.Compare(p.shard, other.shard), cmp.Compare(p.offset, other.offset))
}

// of are the places of a shard's records in what a slice has, from an offset on. It is false
// if an outcome may be of before an epoch: then they are not all that go along.
func (p *requestPlaces) of(records []byte, shard cairn.ShardID, bounded uint64, from int) ([]requestPlace, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.through < len(records) {
		p.extend(records)
	}
	if p.oldest < bounded {
		return nil, false
	}
	first, _ := slices.BinarySearchFunc(p.places, requestPlace{shard, uint32(from)}, requestPlace.compare)
	// The places may be of more records than these.
	end, _ := slices.BinarySearchFunc(p.places, requestPlace{shard, uint32(len(records))}, requestPlace.compare)
	return p.places[min(first, end):end], true
}

// extend takes in the records behind those gone through.
func (p *requestPlaces) extend(records []byte) {
	if p.through == 0 {
		p.oldest = math.MaxUint64
	}
	places := slices.Clone(p.places)
	for d := (decoder{rest: records[p.through:]}); len(d.rest) > 0; {
		offset := uint32(len(records) - len(d.rest))
		_, _, outcomes := d.record()
		for o := (outcome{}); outcomes.next(&o); {
			p.oldest = min(p.oldest, o.version.Epoch)
			place := requestPlace{o.shard, offset}
			if n := len(places); n == 0 || places[n-1] != place {
				places = append(places, place)
			}
		}
	}
	slices.SortFunc(places, requestPlace.compare)
	p.places, p.through = slices.Clip(slices.Compact(places)), len(records)
}

// of yields the offsets, from one on, of the records that may go along with a shard that has
// had its bounds since an epoch.
func (t *requestTail) of(shard cairn.ShardID, bounded uint64, from int) iter.Seq[int] {
	return func(yield func(int) bool) {
		places, all := t.places.of(t.records, shard, bounded, from)
		if all {
			for _, each := range places {
				if !yield(int(each.offset)) {
					return
				}
			}
			return
		}
		for d := (decoder{rest: t.records[min(from, len(t.records)):]}); len(d.rest) > 0; {
			if !yield(len(t.records) - len(d.rest)) {
				return
			}
			d.record()
		}
	}
}
