package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"cairn"
	"cairn/nodeindex"
	"cairn/nodeindex/durable"
	"cairn/nodeindex/replica"
)

// restoringTag is behind the name of a directory until it is whole.
const restoringTag = ".restoring"

// Restored is what a directory was made of.
type Restored struct {
	// Cluster and UID are of the cluster whose index it is.
	Cluster string
	UID     cairn.UID
	// Report is what Check found in its index.
	*nodeindex.Report
}

// Restore makes the data directory of an index out of a backup: a replica of its
// own, without the others of the group that the backup is of. It is whole or not
// there at all. An index server takes it with IndexConfig.Restored.
//
// KindPrecondition (DIR_NOT_EMPTY): the directory holds something. KindCorrupt:
// the backup is not what was written. KindUnavailable (DATA_DIR_IN_USE): another
// process is making the same directory. KindExhausted (DISK_FULL).
func Restore(backup, dir string) (out Restored, err error) {
	return restore(durable.Disk{}, backup, dir)
}

func restore(disk durable.Disk, backup, dir string) (out Restored, err error) {
	return out, makeRestored(disk, dir, func(temporary string) (identity, error) {
		read, report, err := nodeindex.ExtractBackup(disk, backup, temporary)
		if err != nil {
			return identity{}, err
		}
		out = Restored{read.Cluster, read.UID, report}
		return identity{Cluster: read.Cluster, UID: read.UID}, nil
	})
}

// Recovered is what RecoverIndex found in a replica's directory.
type Recovered struct {
	Restored
	replica.Recovered
}

// RecoverIndex makes the data directory of an index, as Restore does, out of what
// one replica of several has: its index and all of its log, which is left as it
// is. What was acknowledged and did not reach that replica is lost; what it has
// beyond may never have been acknowledged. confirm is asked when all is known and
// nothing has its name yet; its error ends it.
//
// KindUnavailable (DATA_DIR_IN_USE): the replica runs. KindNotFound: there is no
// replica. Else errors are those of Restore and of replica.Open.
func RecoverIndex(from, dir string, confirm func(Recovered) error) (Recovered, error) {
	return recoverIndex(durable.Disk{}, from, dir, confirm)
}

func recoverIndex(disk durable.Disk, from, dir string, confirm func(Recovered) error) (out Recovered, err error) {
	id, err := readIdentity(from)
	if errors.Is(err, os.ErrNotExist) {
		err = cairn.Errorf(cairn.KindNotFound, "INDEX_MISSING", "%s is not the directory of an index: %w", from, err)
	}
	if err != nil {
		return out, err
	}
	unlock, err := lockDir(from)
	if err != nil {
		return out, err
	}
	defer unlock()
	return out, makeRestored(disk, dir, func(temporary string) (identity, error) {
		if err := copyReplica(from, temporary); err != nil {
			return identity{}, err
		}
		var err error
		if out.Recovered, err = replica.Recover(replica.Config{Dir: temporary, Index: nodeindex.Options{Disk: disk}}); err != nil {
			return identity{}, err
		}
		report, err := nodeindex.Check(temporary)
		if err != nil {
			return identity{}, err
		}
		out.Restored = Restored{id.Cluster, id.UID, report}
		return identity{Cluster: id.Cluster, UID: id.UID}, confirm(out)
	})
}

// copyReplica copies the index and the log of a replica that does not run.
func copyReplica(from, to string) error {
	if err := copyFile(filepath.Join(from, nodeindex.FileName), filepath.Join(to, nodeindex.FileName)); err != nil {
		return err
	}
	return os.CopyFS(filepath.Join(to, "log"), os.DirFS(filepath.Join(from, "log")))
}

// copyFile copies a file, synced.
func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	if err == nil {
		err = target.Sync()
	}
	return errors.Join(err, target.Close())
}

// makeRestored makes a directory of what fill puts into an empty one, under
// another name until it is whole. It gets an identity of its own.
func makeRestored(disk durable.Disk, dir string, fill func(temporary string) (identity, error)) (err error) {
	dir = filepath.Clean(dir)
	if err := refuseFilled(dir); err != nil {
		return err
	}
	temporary := dir + restoringTag
	unlock, err := lockDir(temporary)
	if err != nil {
		return err
	}
	defer unlock()
	if err := emptyDir(temporary); err != nil { // of what a crash has left
		return err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(temporary) // the error before matters more
		}
	}()
	id, err := fill(temporary)
	if err != nil {
		return err
	}
	id.Replica, id.Restored = cairn.NewUID(), true
	if err := writeIdentity(disk, temporary, id); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) { // it is empty
		return err
	}
	return disk.Publish(durable.Restore, temporary, dir)
}

// refuseFilled refuses a directory that holds anything.
func refuseFilled(dir string) error {
	content, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return cairn.Invalid("DIR", "DATA_DIR_UNUSABLE", "the directory can't be made: %w", err)
	case len(content) > 0:
		return cairn.Errorf(cairn.KindPrecondition, "DIR_NOT_EMPTY", "%s is not empty; name a directory that is not there yet", dir)
	}
	return nil
}

// emptyDir removes all but the lock.
func emptyDir(dir string) error {
	content, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, each := range content {
		if each.Name() == lockFile {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, each.Name())); err != nil {
			return fmt.Errorf("remove what an earlier attempt left: %w", err)
		}
	}
	return nil
}
