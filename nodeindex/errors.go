package nodeindex

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"cairn"
)

var errClosed = cairn.Errorf(cairn.KindUnavailable, "CLOSED", "the index is closed")

func corrupt(reason, format string, args ...any) *cairn.Error {
	return cairn.Errorf(cairn.KindCorrupt, reason, format, args...)
}

// recovered turns a panic while reading the file, which is how bbolt meets
// damaged pages, into KindCorrupt; deferred as recovered(&err).
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = damage(r)
	}
}

func damage(panicked any) *cairn.Error {
	if fault, ok := panicked.(runtime.Error); ok {
		return corrupt("FILE_DAMAGED", "the index file is damaged: %w", fault)
	}
	return corrupt("FILE_DAMAGED", "the index file is damaged: %s", fmt.Sprint(panicked))
}

// storageError says what went wrong with the file system: KindExhausted for a
// full disk that refused a write, else KindUnavailable; what is an Error
// already stays one.
func storageError(op string, err error) *cairn.Error {
	if e, ok := errors.AsType[*cairn.Error](err); ok {
		return e
	}
	kind, reason := cairn.KindUnavailable, "STORAGE_FAILED"
	if isFull(err) {
		kind, reason = cairn.KindExhausted, "DISK_FULL"
	}
	return &cairn.Error{Op: op, Kind: kind, Reason: reason, Err: err}
}

// isFull reports whether a full disk refused a write, so that nothing is
// changed. A sync that fails for want of space is not among it: what it did
// not write is lost to the page cache. bbolt's sync returns the bare number.
func isFull(err error) bool {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) && !errors.Is(err, syscall.EFBIG) {
		return false
	}
	if _, link := errors.AsType[*os.LinkError](err); link {
		return true
	}
	path, ok := errors.AsType[*os.PathError](err)
	return ok && path.Op != "sync"
}
