package stack

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"

	"cairn/bench/spawn"
)

// usageOf is what an index has resident, and what the files in its folder have
// on disk.
func usageOf(index *spawn.Process, folder string) (memory, disk int64, err error) {
	usage, err := index.Usage()
	if err != nil {
		return 0, 0, err
	}
	err = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was in the way of a newer one
		} else if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		// A file may be longer than what was written of it.
		const block = 512
		if stat, is := info.Sys().(*syscall.Stat_t); is {
			disk += stat.Blocks * block
		}
		return nil
	})
	return usage.Memory, disk, err
}
