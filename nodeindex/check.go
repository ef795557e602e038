package nodeindex

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"cairn"
	"cairn/shardmap/placement"

	"github.com/RoaringBitmap/roaring/v2"
	"go.etcd.io/bbolt"
)

// Report is what Check found.
type Report struct {
	Path      string
	FileBytes int64
	// Backup is what the file says of itself, if it is a backup.
	Backup *Backup
	// Lost are the log indexes whose writes a restore has lost.
	Lost []Gap
	// Index, Term and Revision are what the checkpoint in the file covers.
	Index, Term, Revision uint64
	Keyspaces, Shards     int
	// Entries that have a shard; Departed are those whose shard has left and
	// that are still to be swept.
	Entries, Departed uint64
	// Arriving are entries of shards that are moving here, Kept such that have moved
	// away and are kept for a while.
	Arriving, Kept uint64
	// Images of views that were read; of ImagesMissing the file knows the name.
	Images, ImagesMissing int
	// Problems are the first of what is wrong; ProblemCount counts them all.
	Problems     []string
	ProblemCount int
	// imageProblems are those of them that images have.
	imageProblems int
}

// maxProblems is how many problems a Report spells out.
const maxProblems = 100

func (r *Report) problem(format string, args ...any) {
	r.ProblemCount++
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

// String is the report as people read it, several lines.
func (r *Report) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %d bytes, log index %d, term %d, map revision %d\n", r.Path, r.FileBytes, r.Index, r.Term, r.Revision)
	fmt.Fprintf(&out, "%d entries in %d shards of %d keyspaces", r.Entries, r.Shards, r.Keyspaces)
	if r.Departed > 0 {
		fmt.Fprintf(&out, ", %d departed ones to be swept", r.Departed)
	}
	if r.Arriving > 0 {
		fmt.Fprintf(&out, ", %d of shards that are moving here", r.Arriving)
	}
	if r.Kept > 0 {
		fmt.Fprintf(&out, ", %d kept of shards that have moved away", r.Kept)
	}
	out.WriteByte('\n')
	if r.Backup != nil {
		fmt.Fprintf(&out, "%s\n", r.Backup)
	}
	for _, gap := range r.Lost {
		fmt.Fprintf(&out, "writes lost in a restore: %s\n", gap)
	}
	for _, p := range r.Problems {
		out.WriteString("problem: " + p + "\n")
	}
	if more := r.ProblemCount - len(r.Problems); more > 0 {
		fmt.Fprintf(&out, "and %d more problems\n", more)
	}
	if r.ProblemCount == 0 {
		out.WriteString("no problems\n")
	}
	return out.String()
}

// Check looks at everything in an index file that no process has open, without
// changing it: the structure of its pages; that entries and records match one
// to one, with their checksums; that ordinals are unique; that bitmaps, counts
// and digests equal a recount; that each key is inside one of the shards; that images
// of views beside the file are what was written and have the entries. path is
// the file, or the directory that it is in; a backup is checked against its
// checksums too. If anything is wrong the error is
// KindCorrupt (CHECK_FAILED, or CHECK_FAILED_IMAGE where it is images alone,
// without which an index does), and the report says what. A file that can't be
// looked at is an error as of Open, without a report.
func Check(path string) (*Report, error) {
	path = indexPath(path)
	info, err := os.Stat(path)
	if err != nil {
		return nil, inFile(path, err)
	}
	report := &Report{Path: path, FileBytes: info.Size()}
	options := Options{}.withDefaults()
	if err := verify(path, options); err != nil {
		return nil, err
	}
	if err := report.checkTail(); err != nil {
		return report, report.damaged(inFile(path, err))
	}
	// The pages first, by reading them: bbolt would follow a damaged page out
	// of the file.
	if err := CheckPages(path); err != nil {
		return report, report.damaged(err)
	}
	err = withReadOnly(path, options, func(tx *bbolt.Tx) (err error) {
		if report.Backup != nil {
			if report.Backup.CheckpointMeta, err = loadCheckpoint(tx); err != nil {
				return err
			}
		}
		for problem := range tx.Check() {
			report.problem("page structure: %v", problem)
		}
		if report.ProblemCount > 0 {
			return nil // whatever else is wrong follows from it
		}
		c := checker{Report: report, tx: tx, seen: roaring.New()}
		if err := c.run(); err != nil {
			return err
		}
		return c.images()
	})
	if err != nil {
		return report, report.damaged(err)
	}
	return report, report.verdict()
}

// verdict is the error that problems are; nil if there are none.
func (r *Report) verdict() error {
	reason, problems := "CHECK_FAILED", "problems"
	if r.imageProblems == r.ProblemCount {
		reason = "CHECK_FAILED_IMAGE"
	}
	switch r.ProblemCount {
	case 0:
		return nil
	case 1:
		problems = "problem"
	}
	return corrupt(reason, "%s has %d %s; the first: %s", r.Path, r.ProblemCount, problems, r.Problems[0])
}

// checkTail holds what stands behind the pages, if anything does, against its
// checksums. bbolt has whole pages only.
func (r *Report) checkTail() error {
	file, err := os.Open(r.Path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // nothing was written
	newest, err := readNewestMeta(file)
	if err != nil || r.FileBytes%int64(newest.pageSize) == 0 {
		return err
	}
	if tail, err := readTail(file, r.FileBytes, trailerSize); err != nil || bytes.HasPrefix(tail, []byte(trailerName)) {
		return errors.Join(err, checkSnapshot(file, r.FileBytes))
	}
	backup, err := readBackup(r.Path, nil)
	if err == nil {
		r.Backup = &backup
	}
	return err
}

// damaged notes an error that ended the check.
func (r *Report) damaged(err error) error {
	if cairn.KindOf(err) == cairn.KindCorrupt {
		r.problem("%v", err)
	}
	return err
}

// checker compares what is in a file with a recount.
type checker struct {
	*Report
	tx      *bbolt.Tx
	image   *image
	records *recordWalk

	seen       *roaring.Bitmap // ordinals of all entries
	recounts   map[*population]*counted
	nodesTotal []cairn.NodeID // slab
	hasher     entryHasher
}

// counted is what a shard turns out to hold.
type counted struct {
	*population
	name string // of the shard
}

func (c *checker) run() error {
	found, err := loadImage(c.tx)
	if err != nil {
		return err
	}
	c.image, c.records = found, walkRecords(c.tx)
	c.Index, c.Term, c.Revision, c.Lost = found.meta.Index, found.meta.Term, found.assignment.revision, found.gaps
	c.recounts = make(map[*population]*counted)
	for _, k := range found.assignment.keyspaces {
		c.Keyspaces++
		for i, s := range k.shards {
			c.Shards++
			c.recounts[s.population] = &counted{newPopulation(), fmt.Sprintf("shard %s of keyspace %s", s.ID, s.Keyspace)}
			if i > 0 && overlap(&k.shards[i-1].Shard, &s.Shard) {
				c.problem("shards %s and %s of keyspace %s overlap", k.shards[i-1].ID, s.ID, k.UID)
			}
		}
		c.arrivals(k)
	}
	if err := c.entries(); err != nil {
		return err
	}
	c.compare()
	return c.orphans()
}

// entries checks all entries, as they are once the file is settled.
func (c *checker) entries() error {
	deferred, err := loadDeferred(c.tx)
	if err != nil {
		return err
	}
	entries := c.tx.Bucket(bucketEntries)
	err = entries.ForEach(func(name, value []byte) error {
		bucket := entries.Bucket(name)
		if value != nil || len(name) != 8 || bucket == nil {
			c.problem("%x in the bucket %q is not a keyspace", name, bucketEntries)
			return nil
		}
		uid := cairn.UID(binary.BigEndian.Uint64(name))
		return bucket.ForEach(func(key, value []byte) error {
			if _, changes := deferred[uid][string(key)]; !changes {
				c.entry(uid, key, value)
			}
			return nil
		})
	})
	for uid, of := range deferred {
		for key, value := range of {
			if value != nil {
				c.entry(uid, cairn.Key(key), value)
			}
		}
	}
	return err
}

// entry checks one entry with its record, and counts it.
func (c *checker) entry(uid cairn.UID, key cairn.Key, value []byte) {
	ordinal, nodes, ok := decodeEntryValue(value, c.nodesTotal[:0])
	if !ok || len(nodes) == 0 {
		c.problem("key %s: its entry is malformed", key)
		return
	}
	c.nodesTotal = nodes
	if !c.seen.CheckedAdd(ordinal) {
		c.problem("key %s: its ordinal %d is another entry's too", key, ordinal)
	}
	record, ok := decodeRecord(uid, value, c.records.seek(ordinal))
	switch {
	case !ok:
		c.problem("key %s: the record of its ordinal %d is missing or its checksum does not fit", key, ordinal)
	case !bytes.Equal(record.key, key):
		c.problem("key %s: the record of its ordinal %d is of key %s", key, ordinal, cairn.Key(record.key))
	}
	if departed := c.image.departed[uid]; departed != nil && departed.Contains(ordinal) {
		c.Departed++
		return
	}
	home := c.home(uid, key, record.version)
	if home == nil {
		c.problem("key %s of keyspace %s is in no shard of this cluster", key, uid)
		return
	}
	found := c.recounts[home]
	found.add(ordinal, nodes)
	found.sum += c.hasher.hash(&cairn.Entry{Key: key, Version: record.version, Attributes: record.attributes})
}

// arrivals prepares for what is moving here.
func (c *checker) arrivals(k *keyspace) {
	for i, a := range k.arriving {
		c.recounts[a.population] = &counted{newPopulation(), fmt.Sprintf("shard %s of keyspace %s, moving here", a.ID, a.Keyspace)}
		if i > 0 && overlap(&k.arriving[i-1].Shard, &a.Shard) {
			c.problem("shards %s and %s of keyspace %s, moving here, overlap", k.arriving[i-1].ID, a.ID, k.UID)
		}
		for _, s := range k.shards {
			if overlap(&s.Shard, &a.Shard) {
				c.problem("shard %s of keyspace %s is moving here, and keys of it are shard %s's", a.ID, k.UID, s.ID)
			}
		}
	}
}

// home is the population that an entry is of, nil if there is none, and counts
// the entry.
func (c *checker) home(uid cairn.UID, key cairn.Key, version cairn.Version) *population {
	k := c.image.assignment.keyspaces[uid]
	if k == nil {
		return nil
	}
	var buffer [8]byte
	at := placement.Key(k.Placement, key, buffer[:0])
	if s := k.find(at); s != nil {
		c.Entries++
		// One of an earlier epoch may have been written elsewhere.
		if version.Epoch == s.Epoch && version.Index > c.Index {
			c.problem("key %s: version %s is after the checkpoint's index %d", key, version, c.Index)
		}
		return s.population
	}
	for _, a := range k.arriving {
		if contains(&a.Shard, at) {
			if a.kept() {
				c.Kept++
			} else {
				c.Arriving++
			}
			return a.population
		}
	}
	return nil
}

// compare holds bitmaps, counts and digests against the recount.
func (c *checker) compare() {
	owners := make(map[uint16]string)
	for p, found := range c.recounts {
		name := found.name
		if !p.ordinals.Equals(found.ordinals) {
			c.problem("%s: its bitmap has %d ordinals, its keys have %d, %d of them in common", name,
				p.entries(), found.entries(), p.ordinals.AndCardinality(found.ordinals))
		} else if p.sum != found.sum {
			c.problem("%s: its digest is %016x, that of its entries %016x", name, p.sum, found.sum)
		}
		for _, n := range found.nodes {
			p.countNode(n.node, -n.entries)
		}
		for _, n := range p.nodes {
			if n.entries != 0 {
				c.problem("%s: the count of node %d is off by %d", name, n.node, int64(n.entries))
			}
		}
		for _, number := range p.blocks {
			if other, taken := owners[number]; taken {
				c.problem("%s: its block %d is also of %s", name, number, other)
			}
			owners[number] = name
		}
	}
	for uid, departed := range c.image.departed {
		for p, found := range c.recounts {
			if p.ordinals.Intersects(departed) {
				c.problem("%s: ordinals of it have departed from keyspace %s", found.name, uid)
			}
		}
	}
}

// orphans looks for records that no entry points to.
func (c *checker) orphans() error {
	found := roaring.New()
	return eachRecord(c.tx, func(ordinal uint32, _ []byte) {
		if !found.CheckedAdd(ordinal) {
			c.problem("ordinal %d has a record in a bundle and one that stands alone", ordinal)
		}
		c.owned(ordinal)
	})
}

// owned checks that the record of an ordinal is an entry's.
func (c *checker) owned(ordinal uint32) {
	if c.seen.Contains(ordinal) {
		return
	}
	for _, departed := range c.image.departed {
		if departed.Contains(ordinal) {
			return // its key has a newer entry
		}
	}
	c.problem("the record of ordinal %d has no entry", ordinal)
}
