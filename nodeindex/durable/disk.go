package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// Disk is a file system that can be watched; the zero Disk is nobody's.
type Disk struct {
	// Watch is told before and after each step. It may be called by several
	// goroutines, and what it does not return from does not go on.
	Watch func(Event)
}

// Event is a moment before or after a step.
type Event struct {
	Point
	// Path is the file or directory that the step is about, To the other name
	// of a Rename or a Link.
	Path, To string
}

// Do does a step. The step is what it says once it returns without an error.
func (d Disk) Do(step Step, act Act, path string, do func() error) error {
	return d.between(Event{Point: Point{Step: step, Act: act}, Path: path}, do)
}

func (d Disk) between(e Event, do func() error) error {
	if d.Watch == nil {
		return do()
	}
	d.Watch(e)
	if err := do(); err != nil {
		return err
	}
	e.Done = true
	d.Watch(e)
	return nil
}

// Sync makes a file's content durable.
func (d Disk) Sync(step Step, file *os.File) error {
	return d.Do(step, Sync, file.Name(), file.Sync)
}

// Commit makes a transaction of a bbolt file durable, all of it or nothing.
func (d Disk) Commit(step Step, path string, commit func() error) error {
	return d.Do(step, Commit, path, commit)
}

// Publish gives a file, or a directory, that is synced another name, which
// another's is taken from, and makes that durable. After an error other than
// ErrUnsynced the names are as before.
func (d Disk) Publish(step Step, from, to string) error {
	err := d.between(Event{Point: Point{Step: step, Act: Rename}, Path: from, To: to}, func() error { return os.Rename(from, to) })
	if err != nil {
		return err
	}
	if err := d.SyncDir(step, filepath.Dir(to)); err != nil {
		return errors.Join(ErrUnsynced, err)
	}
	return nil
}

// ErrUnsynced is for a name that has been given and may not outlast a crash.
var ErrUnsynced = errors.New("a file has its name, and that could not be made durable")

// Link gives a file another name that nothing has yet.
func (d Disk) Link(step Step, from, to string) error {
	return d.between(Event{Point: Point{Step: step, Act: Link}, Path: from, To: to}, func() error { return os.Link(from, to) })
}

// SyncDir makes the names in a directory durable.
func (d Disk) SyncDir(step Step, dir string) error {
	return d.Do(step, SyncDir, dir, func() error {
		file, err := os.Open(dir)
		if err != nil {
			return err
		}
		return errors.Join(file.Sync(), file.Close())
	})
}

// MakeDir makes a directory, and those above it, where they are not there, and
// their names durable. That of one that is there is too, since whoever made it may
// have been killed before: with it, all other names beside it.
func (d Disk) MakeDir(step Step, dir string, mode os.FileMode) error {
	dir = filepath.Clean(dir)
	made := missing(dir)
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	if len(made) == 0 {
		err := d.SyncDir(step, filepath.Dir(dir))
		if errors.Is(err, os.ErrPermission) {
			return nil // another's directory, that this one was made in for us
		}
		return err
	}
	for _, each := range made {
		if err := d.SyncDir(step, filepath.Dir(each)); err != nil {
			return err
		}
	}
	return nil
}

// missing are the directories that are not there, the deepest first.
func missing(dir string) (out []string) {
	for at := dir; at != filepath.Dir(at); at = filepath.Dir(at) {
		if _, err := os.Stat(at); !errors.Is(err, os.ErrNotExist) {
			break
		}
		out = append(out, at)
	}
	return out
}
