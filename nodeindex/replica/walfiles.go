package replica

import (
	"os"
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
	if err != nil {
		return nil, err
	}
	return f.writable(dir, name, file, int64(size)), nil
}

// OpenWriter opens a file to write to.
func (f walFiles) OpenWriter(dir, name string) (types.WritableFile, error) {
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	file, err := f.FS.OpenWriter(dir, name)
	if err != nil {
		return nil, err
	}
	return f.writable(dir, name, file, info.Size()), nil
}

func (f walFiles) writable(dir, name string, file types.WritableFile, size int64) types.WritableFile {
	path := filepath.Join(dir, name)
	return &walFile{WritableFile: file, path: path, disk: f.disk, ahead: writtenAhead{path: path, size: size}}
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
	ahead writtenAhead
}

// WriteAt writes to the file.
func (f *walFile) WriteAt(data []byte, at int64) (n int, err error) {
	end := at + int64(len(data))
	f.ahead.before(end)
	err = f.disk.Do(durable.Append, durable.Write, f.path, func() error {
		n, err = f.WritableFile.WriteAt(data, at)
		return err
	})
	if err == nil {
		f.ahead.after(end)
	}
	return n, err
}

// Close closes the file, which nothing is written to any more then.
func (f *walFile) Close() error {
	f.ahead.wait()
	return f.WritableFile.Close()
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
