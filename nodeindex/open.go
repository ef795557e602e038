package nodeindex

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"cairn"
	"cairn/nodeindex/changelog"
	"cairn/nodeindex/durable"
	"cairn/nodeindex/projection"

	"github.com/RoaringBitmap/roaring/v2"
	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// FileName is the index's file in its directory.
const FileName = "index.db"

// changesName is the directory of the change log, beside it.
const changesName = "changes"

// Options tune an Index; the zero value is good.
type Options struct {
	// LockTimeout is how long Open waits for another process to let go of the
	// file. Default 500 ms.
	LockTimeout time.Duration
	// MapBytes is the address space reserved for the file, rounded up as bbolt
	// does. While a file grows past it, reads cost more. Default 64 GiB.
	MapBytes int
	// KeyBytes bounds the memory for keys and what stands under them, which
	// makes a locate several times faster: about 14 bytes an entry beside its
	// key. An index that needs more reads them from the file. Default 1 GiB;
	// below 0, none are kept.
	KeyBytes int64
	// KeysAtOnce is how many keys a transaction of the file changes at the most: more
	// take more memory, fewer more time. Default 16,384.
	KeysAtOnce int
	// FeedBytes bounds the latest changes kept in memory for Watch, for each
	// keyspace: what watches that keep up are served from. Default 16 MiB.
	FeedBytes int64
	// Changes tune what is kept of them on disk.
	Changes changelog.Options
	// ImageEntries is how many entries of a keyspace must have changed for
	// another image of its views to be written: what a start may have to read
	// anew. Default 20,000.
	ImageEntries int
	// RequestWindow is for how long write requests with ids are remembered,
	// RequestBytes in how much memory: where that is too little, for less long.
	// A leader puts both into its commands, and they are what counts on every
	// replica. Defaults 5 minutes and 64 MiB.
	RequestWindow time.Duration
	RequestBytes  int64
	// Down, if set, tells of a node of the cluster that it does not answer: new keys
	// get others, as long as there are any. It must not wait.
	Down func(cairn.NodeID) bool
	// Now is the clock, for the age of checkpoints. Default time.Now.
	Now func() time.Time
	// Disk is where the files are.
	Disk durable.Disk
}

func (o Options) withDefaults() Options {
	if o.LockTimeout <= 0 {
		o.LockTimeout = 500 * time.Millisecond
	}
	if o.MapBytes <= 0 {
		o.MapBytes = 64 << 30
	}
	if o.KeyBytes == 0 {
		o.KeyBytes = 1 << 30
	}
	if o.KeysAtOnce <= 0 {
		o.KeysAtOnce = 16 << 10
	}
	if o.FeedBytes <= 0 {
		o.FeedBytes = 16 << 20
	}
	if o.ImageEntries <= 0 {
		o.ImageEntries = 20_000
	}
	if o.RequestWindow <= 0 {
		o.RequestWindow = 5 * time.Minute
	}
	if o.RequestBytes <= 0 {
		o.RequestBytes = 64 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Changes.Disk = o.Disk
	return o
}

func (o Options) requestBounds() requestBounds {
	return requestBounds{window: o.RequestWindow.Microseconds(), limit: o.RequestBytes}
}

// bolt are the options of bbolt.
//
// The freelist is a hash map: allocating from the array is linear in the free
// pages, of which every checkpoint leaves thousands. It is written with each
// transaction (no NoFreelistSync): few transactions are written, and without
// it opening would read the whole file. The map is larger than the file may
// become, since growing it waits for every reader. Statistics would be a
// counter that all readers contend for.
func (o Options) bolt() *bbolt.Options {
	return &bbolt.Options{
		Timeout:         o.LockTimeout,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: o.MapBytes,
		NoStatistics:    true,
	}
}

// Open opens the index in a directory, and makes both if there is none. A file
// that another process has open is KindUnavailable (DATA_DIR_IN_USE); one that
// is truncated, damaged, of another format or of another program is
// KindCorrupt, and is not changed; what the file system refuses is
// KindUnavailable (STORAGE_FAILED) or KindExhausted (DISK_FULL).
func Open(dir string, options Options) (*Index, error) {
	options = options.withDefaults()
	path := filepath.Join(dir, FileName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := create(options.Disk, dir, path); err != nil {
			return nil, storageError("create index", err)
		}
	}
	if err := verify(path, options); err != nil {
		return nil, err
	}
	x := &Index{dir: dir, options: options, generation: 1, feeds: feeds{limit: options.FeedBytes}, work: make(chan struct{}, 1), numbered: make(map[projection.Shard]*population)}
	if err := x.open(path); err != nil {
		return nil, err
	}
	return x, nil
}

func (x *Index) open(path string) (err error) {
	defer panicOnFault(&err)()
	before, err := os.Stat(path)
	if err != nil {
		return openError(path, err)
	}
	db, err := bbolt.Open(path, 0o600, x.options.bolt())
	if err != nil {
		return openError(path, err)
	}
	info, err := os.Stat(path)
	if err == nil && !os.SameFile(before, info) {
		// It waited for its lock while Compact put another in its place.
		err = bbolterrors.ErrTimeout
	}
	if err == nil {
		err = x.options.Disk.Do(durable.Opened, durable.Sync, path, db.Sync)
	}
	if err == nil {
		err = x.removeIncoming() // that a crash has left
	}
	if err == nil {
		err = settleFile(db, x.options.Disk) // what a crash has left
	}
	var loaded *loadedFile
	if err == nil {
		loaded, err = x.load(db, int(info.Size()))
	}
	if err == nil {
		x.feeds.log, err = changelog.Open(filepath.Join(x.dir, changesName), loaded.meta.Index, x.options.Changes)
		if err != nil {
			loaded.readers.retire()
		}
	}
	if err != nil {
		_ = db.Close() // the error before matters more
		return openError(path, err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.checkpointAt = info.ModTime()
	x.state.Store(x.adopt(loaded))
	x.position.advance(loaded.meta.Index, loaded.assignment.revision)
	return nil
}

// panicOnFault makes reading a page that is not there a panic, and a panic
// KindCorrupt; deferred as panicOnFault(&err)().
func panicOnFault(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if r := recover(); r != nil {
			*err = damage(r)
		}
	}
}

// inFile says which file an error is about.
func inFile(path string, err error) error {
	inner := *asError(storageError("open index", err))
	inner.Op = "open " + path
	return &inner
}

// openError is what bbolt refuses a file for.
func openError(path string, err error) error {
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		return cairn.Errorf(cairn.KindUnavailable, "DATA_DIR_IN_USE", "%s is in use by another process; stop it first", path)
	case errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrVersionMismatch),
		errors.Is(err, bbolterrors.ErrChecksum):
		return inFile(path, corrupt("FILE_FOREIGN", "not an index file of Cairn: %w", err))
	}
	return inFile(path, err)
}

// verify refuses a file that is not an index, without changing it.
func verify(path string, options Options) (err error) {
	if err := checkHeader(path, options.LockTimeout); err != nil {
		return openError(path, err)
	}
	return withReadOnly(path, options, checkFormat)
}

// withReadOnly calls back with a transaction on a file opened for reading
// only. Damage is KindCorrupt, whether it shows as error or as panic.
func withReadOnly(path string, options Options, read func(*bbolt.Tx) error) (err error) {
	defer panicOnFault(&err)()
	bolt := options.bolt()
	bolt.ReadOnly, bolt.InitialMmapSize = true, 0
	db, err := bbolt.Open(path, 0o600, bolt)
	if err != nil {
		return openError(path, err)
	}
	defer func() { _ = db.Close() }() // nothing was written
	tx, err := db.Begin(false)
	if err != nil {
		return inFile(path, err)
	}
	defer func() { _ = tx.Rollback() }() // of a read transaction: it can't fail
	if err := read(tx); err != nil {
		return inFile(path, err)
	}
	return nil
}

// create makes an index file, whole or not at all: it gets its name last.
func create(disk durable.Disk, dir, path string) (err error) {
	if err := disk.MakeDir(durable.Directory, dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, FileName+".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // its other name stays
	if err := file.Close(); err != nil {
		return err
	}
	db, err := bbolt.Open(file.Name(), 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	fill := func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketEntries, bucketBundles, bucketRecords, bucketShards, bucketArrivals, bucketDeparted, bucketImages, bucketRequests, bucketMeta} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		if err := putFormat(tx); err != nil {
			return err
		}
		if err := putRequestTimes(tx, requestTimes{}); err != nil {
			return err
		}
		return putMeta(tx, CheckpointMeta{}, &assignment{}, digested{})
	}
	err = disk.Commit(durable.Create, file.Name(), func() error { return db.Update(fill) })
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	// A link does not replace what another process may have made meanwhile.
	if err := disk.Link(durable.Create, file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return disk.SyncDir(durable.Create, dir)
}

// loadedFile is an open file with what it says, ready to be served from.
type loadedFile struct {
	db *bbolt.DB
	*image
	mapped   int
	readers  *readers
	ordinals *ordinals
}

// load reads a file of a size.
func (x *Index) load(db *bbolt.DB, size int) (*loadedFile, error) {
	pool, err := newReaders(db, nil, 0, true)
	if err != nil {
		return nil, err
	}
	r, err := pool.acquire()
	if err != nil {
		return nil, err
	}
	image, err := loadImage(r.tx)
	pool.release(r)
	if err != nil {
		pool.retire()
		return nil, err
	}
	inUse := image.inUse()
	pool.index = image.meta.Index
	if x.options.KeyBytes > 0 && inUse.IsEmpty() {
		pool.keys = make(keyTables) // all keys, from the first one on
	}
	mapped := mapSize(max(x.options.MapBytes, size))
	return &loadedFile{db: db, image: image, mapped: mapped, readers: pool, ordinals: newOrdinals(inUse, image.populations())}, nil
}

// adopt makes a loaded file the index's, and returns the state that is to be
// published. x.mu is held, and so is x.writing where there was another file.
func (x *Index) adopt(f *loadedFile) *state {
	x.db, x.mapped = f.db, f.mapped
	x.checkpointed, x.term = f.meta, f.meta.Term
	x.effects.digested = f.digest
	x.ordinals = f.ordinals
	x.savedImages = f.images
	for uid, k := range f.assignment.keyspaces {
		if !k.guest {
			x.feeds.open(uid, f.meta.Index)
		}
	}
	x.requests = f.requests
	return &state{
		assignment: f.assignment, assigned: f.meta.Index, projections: x.project(nil, f.assignment),
		departed: f.departed, fenced: f.assignment.fencedKeyspaces(), active: newOverlay(), readers: f.readers, gaps: f.gaps,
		session: uint64(cairn.NewUID()),
	}
}

// image is a file's content but for its entries.
type image struct {
	meta       CheckpointMeta
	gaps       []Gap
	digest     digested
	assignment *assignment
	departed   map[cairn.UID]*roaring.Bitmap
	images     map[cairn.UID]projection.Image
	requests   *requests
}

func (i *image) populations() (out []*population) {
	for _, k := range i.assignment.keyspaces {
		out = append(out, k.populations()...)
	}
	return out
}

// inUse are the ordinals that have a meaning.
func (i *image) inUse() *roaring.Bitmap {
	var all []*roaring.Bitmap
	for _, p := range i.populations() {
		all = append(all, p.ordinals)
	}
	for _, departed := range i.departed {
		all = append(all, departed)
	}
	return roaring.FastOr(all...)
}
