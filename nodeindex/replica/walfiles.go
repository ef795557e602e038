package replica

import (
	"path/filepath"
	"sync/atomic"

	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/types"

	"cairn/nodeindex/durable"
)

// walFiles are the files of raft-wal, each step of which is one of a Disk. A file
// that a former process made gets its name synced too: raft-wal takes it for done,
// and makes an empty one where it is missing.
type walFiles struct {
	*fs.FS
	disk durable.Disk
}

// Create makes a file.
func (f walFiles) Create(dir, name string, size uint64) (types.WritableFile, error) {
	file, err := f.FS.Create(dir, name, size)
	return f.writable(dir, name, file, err)
}

// OpenWriter opens a file to write to.
func (f walFiles) OpenWriter(dir, name string) (types.WritableFile, error) {
	file, err := f.FS.OpenWriter(dir, name)
	return f.writable(dir, name, file, err)
}

func (f walFiles) writable(dir, name string, file types.WritableFile, err error) (types.WritableFile, error) {
	if err != nil {
		return nil, err
	}
	return &walFile{WritableFile: file, path: filepath.Join(dir, name), disk: f.disk}, nil
}

// Delete removes a file.
func (f walFiles) Delete(dir, name string) error {
	return f.disk.Do(durable.LogMeta, durable.Remove, filepath.Join(dir, name), func() error { return f.FS.Delete(dir, name) })
}

// walFile is a file that is written to.
type walFile struct {
	types.WritableFile
	path  string
	disk  durable.Disk
	named atomic.Bool // its name has been synced
}

// WriteAt writes to the file.
func (f *walFile) WriteAt(data []byte, at int64) (n int, err error) {
	err = f.disk.Do(durable.Append, durable.Write, f.path, func() error {
		n, err = f.WritableFile.WriteAt(data, at)
		return err
	})
	return n, err
}

// Sync makes the file's content durable, and with the first its name.
func (f *walFile) Sync() error {
	if err := f.disk.Do(durable.Append, durable.Sync, f.path, f.WritableFile.Sync); err != nil {
		return err
	}
	if f.named.Load() {
		return nil
	}
	if err := f.disk.SyncDir(durable.Append, filepath.Dir(f.path)); err != nil {
		return err
	}
	f.named.Store(true)
	return nil
}

var _ types.VFS = walFiles{}
