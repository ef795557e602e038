package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"cairn"
	"cairn/nodeindex/durable"
)

// lockFile is the file of a directory that is locked.
const lockFile = "lock"

// lockDir takes a directory for this process, making it if need be, until the
// returned function gives it back. One that another process has is
// KindUnavailable with the reason DATA_DIR_IN_USE. The lock belongs to the
// open file, so it ends with the process, however that ends.
func lockDir(dir string) (unlock func(), err error) {
	if err := (durable.Disk{}).MakeDir(durable.Directory, dir, 0o700); err != nil {
		return nil, cairn.Invalid("data", "DATA_DIR_UNUSABLE", "the data directory can't be made: %w", err)
	}
	path := filepath.Join(dir, lockFile)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, cairn.Invalid("data", "DATA_DIR_UNUSABLE", "the data directory can't be used: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		file.Close()
		return nil, &cairn.Error{Kind: cairn.KindUnavailable, Reason: "DATA_DIR_IN_USE", Field: "data",
			Err: fmt.Errorf("%s is in use by another process; stop that one, or name another directory", dir)}
	case err != nil:
		file.Close()
		return nil, &cairn.Error{Kind: cairn.KindUnavailable, Reason: "DATA_DIR_UNUSABLE", Field: "data", Err: fmt.Errorf("lock %s: %w", path, err)}
	}
	return func() { file.Close() }, nil
}
