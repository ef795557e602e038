package replica

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"cairn"
	"cairn/nodeindex"
)

// KnownMap is what the replica knows of the map, at once. KindUnavailable
// (CLOSED).
func (r *Replica) KnownMap() (cairn.KnownMap, error) { return r.index.KnownMap() }

// ReadKnownMap is what the replica in config.Dir, which does not run, knows of the
// map with all that its log holds: a map that was noted was the store's, whether a
// majority has agreed on noting it or not. The directory stays as after a crash at
// the log's end. Errors are those of Open; a directory without an index is
// KindNotFound (INDEX_MISSING).
func ReadKnownMap(config Config) (known cairn.KnownMap, err error) {
	if config, err = config.completed(); err != nil {
		return known, err
	}
	if _, err := nodeindex.CheckpointOf(config.Dir); err != nil {
		return known, err
	}
	x, err := nodeindex.Open(config.Dir, config.Index)
	if err != nil {
		return known, err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	dir := filepath.Join(config.Dir, "log")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) { // restored, and never served
		return x.KnownMap()
	}
	s, err := openStore(config, dir)
	if err != nil {
		return known, err
	}
	_, err = replay(s, x, config, &Recovered{})
	if err = errors.Join(err, s.close()); err != nil {
		return known, err
	}
	return x.KnownMap()
}
