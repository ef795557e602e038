package replica

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"cairn"
	"cairn/nodeindex"
)

// backupPiece is how much of a backup is delivered at once.
const backupPiece = 256 << 10

// Backup delivers a backup of the index in pieces: a file that nodeindex reads,
// of everything that was acknowledged before the call, as of one log index. It
// is written here first, at the disk's speed, so that who takes it may be slow.
// cluster is what the file is to call it. Only the leader makes one.
//
// It fails with the error of deliver; with KindUnavailable (NOT_LEADER,
// NO_LEADER, LOG_FAILED, STORAGE_FAILED, CLOSED), KindNotYet or KindDeadline
// when ctx ends, KindExhausted (DISK_FULL: there is no room beside the reserve)
// or KindCorrupt (DIVERGED).
func (r *Replica) Backup(ctx context.Context, cluster string, deliver func(data []byte) error) error {
	path, err := r.prepareBackup(ctx, cluster)
	if err != nil {
		return err
	}
	defer r.removeBackup(path)
	file, err := os.Open(path)
	if err != nil {
		return storageFailed(err)
	}
	defer func() { _ = file.Close() }() // nothing was written
	for piece := make([]byte, backupPiece); ; {
		n, err := io.ReadFull(file, piece)
		if n > 0 {
			if ended := r.ended(ctx); ended != nil {
				return ended
			}
			if err := deliver(piece[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return storageFailed(err)
		}
	}
}

// prepareBackup writes a backup as of now.
func (r *Replica) prepareBackup(ctx context.Context, cluster string) (path string, err error) {
	if !r.asking.begin() {
		return "", errClosed()
	}
	defer r.asking.end()
	if err := r.fresh(ctx, cairn.Read{Level: cairn.Linearizable}); err != nil {
		return "", err
	}
	if err := r.checkpointNow(ctx); err != nil {
		return "", err
	}
	return r.writeBackup(cluster)
}

// ended is why a long answer is not to go on.
func (r *Replica) ended(ctx context.Context) error {
	if r.ctx.Err() != nil {
		return errClosed()
	}
	if err := ctx.Err(); err != nil {
		return cairn.Errorf(cairn.KindDeadline, "DEADLINE_EXCEEDED", "sending a backup: %w", err)
	}
	return nil
}

// writeBackup writes a backup of the last checkpoint to a file of its own, if
// there is room for it.
func (r *Replica) writeBackup(cluster string) (path string, err error) {
	info, err := os.Stat(filepath.Join(r.config.Dir, nodeindex.FileName))
	if err != nil {
		return "", storageFailed(err)
	}
	if err := r.config.room(uint64(info.Size())); err != nil {
		return "", err
	}
	folder := backupsFolder(r.config.Dir)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", storageFailed(err)
	}
	file, err := os.CreateTemp(folder, "*")
	if err != nil {
		return "", storageFailed(err)
	}
	_ = file.Close() // it is there for its name
	_, err = r.index.WriteBackup(file.Name(), nodeindex.BackupLabel{Cluster: cluster, UID: r.config.Cluster, Time: r.config.Now()})
	if err != nil {
		r.removeBackup(file.Name())
		return "", err
	}
	return file.Name(), nil
}

func (r *Replica) removeBackup(path string) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		r.config.Logger.Warn("a backup that was sent could not be removed", "err", err)
	}
}

// backupsFolder holds backups on their way out.
func backupsFolder(dir string) string { return filepath.Join(dir, "backups") }

// removeBackups removes what a former process has left.
func removeBackups(dir string) error {
	if err := os.RemoveAll(backupsFolder(dir)); err != nil {
		return cairn.Errorf(cairn.KindUnavailable, "DATA_DIR", "removing old backups: %w", err)
	}
	return nil
}

// checkpointNow has everything written that is applied now.
func (r *Replica) checkpointNow(ctx context.Context) error {
	wanted, _ := r.index.Position()
	taken := make(chan bool, 1)
	for r.index.Checkpointed().Index < wanted {
		select {
		case r.checkpointAsked <- taken:
		case <-ctx.Done():
			return cairn.Errorf(cairn.KindDeadline, "DEADLINE_EXCEEDED", "waiting for a checkpoint: %w", ctx.Err())
		case <-r.ctx.Done():
			return errClosed()
		}
		if <-taken {
			continue // that of before may have been under way
		}
		if refusal := r.refusals.get(); refusal != nil {
			return refusal
		}
		return cairn.Errorf(cairn.KindUnavailable, "CHECKPOINT_FAILED", "no checkpoint could be taken; ask again")
	}
	return nil
}

func storageFailed(err error) error {
	if isFull(err) {
		return cairn.Errorf(cairn.KindExhausted, "DISK_FULL", "%w", err)
	}
	return cairn.Errorf(cairn.KindUnavailable, "STORAGE_FAILED", "%w", err)
}
