package nodeindex

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"cairn"
)

// TestWhatIsAFullDisk: only a write that was refused changed nothing. A sync
// that found no space leaves unknown what of the file is on disk.
func TestWhatIsAFullDisk(t *testing.T) {
	for _, err := range []error{
		&os.PathError{Op: "write", Err: syscall.ENOSPC},
		fmt.Errorf("file resize error: %w", &os.PathError{Op: "truncate", Err: syscall.EDQUOT}),
	} {
		wantError(t, storageError("x", err), cairn.KindExhausted, "DISK_FULL")
	}
	for _, err := range []error{
		syscall.ENOSPC, // as fdatasync says it
		&os.PathError{Op: "sync", Err: syscall.ENOSPC},
		&os.PathError{Op: "write", Err: syscall.EIO},
	} {
		wantError(t, storageError("x", err), cairn.KindUnavailable, "STORAGE_FAILED")
	}
}
