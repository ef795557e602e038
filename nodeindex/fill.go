package nodeindex

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"cairn"
	"cairn/nodeindex/projection"

	"github.com/RoaringBitmap/roaring/v2"
)

// This file makes views out of entries: the first ones of a keyspace, those of
// other attributes than before, and after a restart. All of a keyspace's
// entries are read off the file in order of their ordinals, while writes go
// on; the projection notes what changes meanwhile.

// CheckpointWanted reports whether views are to be made of entries that are
// not all in the file yet.
func (x *Index) CheckpointWanted() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load()
	if s == nil {
		return false
	}
	for _, p := range s.projections {
		if f := p.Fill(); f != nil && f.Since() > x.checkpointed.Index {
			return true
		}
	}
	return false
}

// FillViews makes the views that are to be made out of entries and can be, one
// keyspace after the other. It takes seconds for a million entries, in which
// everything else goes on, and gives up without an error when ctx ends. One
// keyspace's failure does not keep the others waiting; its views are not tried
// again before a pause, which doubles from failure to failure, unless it was an
// image that could not be used. Errors say which keyspace's views failed and
// when they are tried again: KindUnavailable (CLOSED), KindCorrupt.
func (x *Index) FillViews(ctx context.Context) error {
	var errs []error
	failed := make(map[cairn.UID]bool)
	for ctx.Err() == nil {
		job := x.nextFill(failed)
		if job == nil {
			break
		}
		if err := job.run(ctx); err != nil {
			failed[job.keyspace] = true
			errs = append(errs, job.failed(err))
		}
	}
	return errors.Join(errs...)
}

// failed is an error with what follows from it.
func (j *fillJob) failed(err error) error {
	name := j.keyspace.String()
	if k := j.now(); k != nil {
		name = k.Name
	}
	if pause := j.fill.Failed(); pause > 0 {
		return fmt.Errorf("views of keyspace %s can't be made of its entries, which is tried again in %s: %w", name, pause, err)
	}
	return fmt.Errorf("views of keyspace %s can't be read from their image, and are made of its entries: %w", name, err)
}

// fillJob is the making of one keyspace's views.
type fillJob struct {
	x        *Index
	keyspace cairn.UID
	project  *projection.Projection
	fill     *projection.Fill
	missed   *roaring.Bitmap // by the fill, if entries have been added
}

// nextFill is a job whose entries are in the file, of a keyspace that has not
// failed; nil if there is none.
func (x *Index) nextFill(failed map[cairn.UID]bool) *fillJob {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load()
	if s == nil {
		return nil
	}
	for _, uid := range sortedUIDs(s.projections) {
		p := s.projections[uid]
		f := p.Fill()
		if f == nil || failed[uid] || f.Since() > x.checkpointed.Index {
			continue
		}
		job := &fillJob{x: x, keyspace: uid, project: p, fill: f}
		if f.Added() {
			job.missed = f.Missed()
		}
		return job
	}
	return nil
}

// fillAtOnce is how many entries are read with one reader: checkpoints wait for
// readers.
const fillAtOnce = 4096

func (j *fillJob) run(ctx context.Context) error {
	ended := func() bool {
		s := j.x.state.Load()
		return ctx.Err() != nil || s == nil || s.projections[j.keyspace] != j.project
	}
	if j.missed != nil {
		if err := j.again(j.missed, ended); err != nil {
			j.fill.Abandon()
			return err
		}
	} else if err := j.begin(ended); err != nil {
		return err
	}
	if ended() {
		return nil
	}
	err := j.fill.TakeOver(projection.Shards{All: j.shards, Of: j.x.populationOf}, ended)
	j.x.wakeWork()
	return err
}

// begin fills in what the file has.
func (j *fillJob) begin(ended func() bool) error {
	if j.fill.Image() == "" {
		ordinals := roaring.FastOr(slices.Collect(maps.Values(j.shards()))...)
		if err := j.fill.Begin(int(ordinals.GetCardinality())); err != nil {
			return err
		}
		return j.eachOf(ordinals, ended, j.fill.Add)
	}
	image, err := j.x.openImage(j.fill.Image())
	if err == nil {
		err = j.fill.Restore(image)
		err = errors.Join(err, image.Close())
	} else {
		j.fill.Abandon()
	}
	if err != nil {
		return err
	}
	dirty := j.x.dirtyOf(j.project)
	if dirty == nil {
		return nil // the projection is over, and the image with it
	}
	return j.again(dirty, ended)
}

// again makes entries that have changed what the file says of them. Of which it
// has nothing, they are gone.
func (j *fillJob) again(changed *roaring.Bitmap, ended func() bool) error {
	j.fill.Forget(changed)
	return j.eachOf(changed, ended, func(ordinal uint32, entry *cairn.Entry) error {
		// What is read of the file is good until its reader goes.
		return j.fill.Put(ordinal, &cairn.Entry{Key: bytes.Clone(entry.Key), Nodes: slices.Clone(entry.Nodes), Attributes: bytes.Clone(entry.Attributes)})
	})
}

// eachOf calls back for ordinals with the entries that the file has of them
// now, in its own time; checkpoints go on meanwhile.
func (j *fillJob) eachOf(ordinals *roaring.Bitmap, ended func() bool, each func(ordinal uint32, entry *cairn.Entry) error) error {
	it := ordinals.ManyIterator()
	buffer := make([]uint32, fillAtOnce)
	for n := it.NextMany(buffer); n > 0 && !ended(); n = it.NextMany(buffer) {
		if err := j.read(buffer[:n], each); err != nil {
			return err
		}
	}
	return nil
}

// shardsAtOnce is how many shards are looked at while writes wait.
const shardsAtOnce = 4096

// shards are the ordinals of each of the keyspace's shards, of one moment but for
// entries that were put or deleted meanwhile. Where the shards change in the
// meantime it begins again; the fourth time writes wait.
func (j *fillJob) shards() map[projection.Shard]*roaring.Bitmap {
	for atOnce, tries := shardsAtOnce, 1; ; tries++ {
		k := j.now()
		if k == nil {
			return nil
		}
		if tries == 4 {
			atOnce = math.MaxInt
		}
		out := make(map[projection.Shard]*roaring.Bitmap, len(k.shards))
		if j.collect(k, atOnce, out) {
			return out
		}
	}
}

// now is the keyspace as it is, nil if it is none of the index's.
func (j *fillJob) now() *keyspace {
	if s := j.x.state.Load(); s != nil {
		return s.keyspaces[j.keyspace]
	}
	return nil
}

// collect collects the ordinals of a keyspace's shards, and is false if they are
// not its shards any more.
func (j *fillJob) collect(k *keyspace, atOnce int, out map[projection.Shard]*roaring.Bitmap) bool {
	some := func(populations []*population) bool {
		j.x.mu.Lock()
		defer j.x.mu.Unlock()
		if j.now() != k {
			return false
		}
		for _, p := range populations {
			out[j.x.numberOf(p)] = p.ordinals.Clone()
		}
		return true
	}
	all := k.populations()
	for populations := range slices.Chunk(all, min(atOnce, max(len(all), 1))) {
		if !some(populations) {
			return false
		}
	}
	return true
}

// read reads the entries of some ordinals as the file has them now. One that
// has none there has been noted as changed, or has left.
func (j *fillJob) read(ordinals []uint32, each func(ordinal uint32, entry *cairn.Entry) error) (err error) {
	s, r, err := j.x.acquire()
	if err != nil {
		return err
	}
	defer r.pool.release(r)
	defer recovered(&err)
	if s.projections[j.keyspace] != j.project {
		return nil // an installed file has other ordinals
	}
	if ordinals = j.fill.Unchanged(ordinals); len(ordinals) == 0 {
		return nil
	}
	var entry cairn.Entry
	for _, ordinal := range ordinals {
		value := r.records.seek(ordinal)
		if value == nil {
			continue
		}
		key, ok := parseRecord(value)
		if !ok {
			return corrupt("RECORD_MALFORMED", "the record of ordinal %d is not what was written", ordinal)
		}
		held := r.find(j.keyspace, key.key)
		if len(held) < 4 {
			continue
		}
		at, nodes, ok := decodeEntryValue(held, entry.Nodes[:0])
		if at != ordinal {
			continue // the key has another entry by now
		}
		record, intact := decodeRecord(j.keyspace, held, value)
		if !ok || !intact {
			return corrupt("RECORD_CHECKSUM", "the record of ordinal %d is not what was written", ordinal)
		}
		entry = cairn.Entry{Key: record.key, Nodes: nodes, Attributes: record.attributes, Version: record.version}
		if err := each(ordinal, &entry); err != nil {
			return err
		}
	}
	return nil
}
