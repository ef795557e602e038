package nodeindex

import (
	"errors"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"cairn"
	"cairn/nodeindex/durable"
)

// compactedTag is behind the name of a file while it is being compacted.
const compactedTag = ".compacted"

// compactBytes bounds one transaction of a compaction.
const compactBytes = 16 << 20

// Compact writes an index file anew without its free pages, and returns its size
// before and after. path is the file, or the directory that it is in. The new
// file takes the place of the old one when it is synced and Check finds nothing
// wrong with it, images of views aside; until then, and after any error, the old one is as it was.
//
// A file that a process has open is KindUnavailable (DATA_DIR_IN_USE), a damaged
// one KindCorrupt, a disk without room for the new one KindExhausted (DISK_FULL).
func Compact(disk durable.Disk, path string) (before, after int64, err error) {
	path = indexPath(path)
	options := Options{}.withDefaults()
	if err := verify(path, options); err != nil {
		return 0, 0, err
	}
	if err := CheckPages(path); err != nil {
		return 0, 0, inFile(path, err)
	}
	defer panicOnFault(&err)()
	bolt := options.bolt()
	bolt.InitialMmapSize = 0
	// Open to write, so that nobody else has it open until the new one is there.
	from, err := bbolt.Open(path, 0o600, bolt)
	if err != nil {
		return 0, 0, openError(path, err)
	}
	defer func() { _ = from.Close() }() // nothing was written but what is synced
	if err := settleFile(from, disk); err != nil {
		return 0, 0, storageError("compact "+path, err)
	}
	compacted := path + compactedTag
	defer func() {
		if err != nil {
			_ = os.Remove(compacted) // the error before matters more
		}
	}()
	if err := compactTo(disk, compacted, from); err != nil {
		return 0, 0, storageError("compact "+path, err)
	}
	if _, err := Check(compacted); err != nil && cairn.ReasonOf(err) != "CHECK_FAILED_IMAGE" {
		return 0, 0, err
	}
	if before, err = fileSize(path); err == nil {
		after, err = fileSize(compacted)
	}
	if err == nil {
		err = disk.Publish(durable.Compact, compacted, path)
	}
	if err != nil {
		return 0, 0, storageError("compact "+path, err)
	}
	return before, after, nil
}

// compactTo writes what a file holds to another, synced.
func compactTo(disk durable.Disk, path string, from *bbolt.DB) error {
	if err := removeFile(path); err != nil { // that a crash has left
		return err
	}
	to, err := bbolt.Open(path, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType, NoSync: true})
	if err != nil {
		return err
	}
	err = bbolt.Compact(to, from, compactBytes)
	if err == nil {
		err = disk.Do(durable.Compact, durable.Sync, path, to.Sync) // once, instead of after each transaction
	}
	return errors.Join(err, to.Close())
}

// indexPath is the index's file where a path is its directory.
func indexPath(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return filepath.Join(path, FileName)
	}
	return path
}

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
