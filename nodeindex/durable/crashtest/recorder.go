package crashtest

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"cairn/nodeindex/durable"
)

// Recorder keeps moments of a directory. Its Disk is for one process at a time.
type Recorder struct {
	t    testing.TB
	root string
	note func() int

	mu      sync.Mutex // guards what follows; held while the directory is read
	random  *rand.Rand
	hits    map[durable.Point]int
	moments map[durable.Point]*Moment
	synced  map[*file][]byte // the content that is durable
	names   map[string]*file // durable
	live    map[string]*file
	commits map[string]int              // under way, by path
	moving  map[string]map[string]*file // what renames are about, by the path, and the rest of theirs
	over    bool
}

// file is a file or directory, whatever it is called.
type file struct{ dir bool }

// Record begins to record a directory. Of each point it keeps one of the times
// that it is passed, by the seed; note, if it is not nil, says a number of the
// caller's at that time, before the directory is read.
func Record(t testing.TB, root string, seed uint64, note func() int) *Recorder {
	if note == nil {
		note = func() int { return 0 }
	}
	r := &Recorder{
		t: t, root: root, note: note, random: rand.New(rand.NewPCG(seed, 0)),
		hits: make(map[durable.Point]int), moments: make(map[durable.Point]*Moment),
		synced: make(map[*file][]byte), names: make(map[string]*file), live: make(map[string]*file), commits: make(map[string]int), moving: make(map[string]map[string]*file),
	}
	r.look()
	for path, f := range r.live { // all that was there before
		r.names[path] = f
		r.synced[f] = r.read(path)
	}
	return r
}

// Disk is the one to record.
func (r *Recorder) Disk() durable.Disk { return durable.Disk{Watch: r.watch} }

// Moments are those kept, and ends the recording.
func (r *Recorder) Moments() map[durable.Point]*Moment {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	return r.moments
}

func (r *Recorder) watch(e durable.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	note := r.note() // first: what is acknowledged from now on may be here or not
	if r.over {
		return
	}
	r.look()
	switch {
	case e.Done:
		r.done(e)
	case e.Act == durable.Rename:
		r.moving[e.Path] = r.below(e.Path)
	case e.Act == durable.Commit:
		defer func() { r.commits[e.Path]++ }()
	}
	r.hits[e.Point]++
	if r.random.IntN(r.hits[e.Point]) == 0 { // each with the same chance, in the end
		r.moments[e.Point] = r.moment(e, note)
	}
}

// look brings live up to date with the directory.
func (r *Recorder) look() {
	present := make(map[string]bool)
	err := filepath.WalkDir(r.root, func(path string, entry os.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // removed just now
		}
		if err != nil {
			return err
		}
		present[path] = true
		if r.live[path] == nil {
			r.live[path] = &file{dir: entry.IsDir()}
		}
		return nil
	})
	if err != nil {
		r.t.Error(err)
	}
	for path := range r.live {
		if !present[path] {
			delete(r.live, path)
		}
	}
	r.names[r.root] = r.live[r.root]
}

// done notes what a step has made durable.
func (r *Recorder) done(e durable.Event) {
	f := r.live[e.Path]
	if e.Act == durable.Commit {
		r.commits[e.Path]--
	}
	switch e.Act {
	case durable.Sync, durable.Commit:
		if f == nil {
			return
		}
		r.synced[f] = r.read(e.Path)
		start := e.Point
		start.Done = false
		// What was kept of this commit's beginning has its middle too.
		if m := r.moments[start]; m != nil && e.Act == durable.Commit && m.hit == r.hits[start] && r.commits[e.Path] == 0 {
			m.commit(r.relative(e.Path), r.synced[f])
		}
	case durable.Rename:
		r.renamed(e.Path, e.To)
	case durable.Link:
		r.live[e.To] = r.live[e.Path]
	case durable.Remove, durable.SyncDir:
		dir := e.Path
		if e.Act == durable.Remove {
			dir = filepath.Dir(dir)
		}
		for path := range r.names {
			if filepath.Dir(path) == dir && r.live[path] == nil {
				delete(r.names, path)
			}
		}
		for path, f := range r.live {
			if filepath.Dir(path) == dir {
				r.names[path] = f
			}
		}
	}
}

// below are the files at and below a path, by the rest of theirs.
func (r *Recorder) below(path string) map[string]*file {
	out := make(map[string]*file)
	for each, f := range r.live {
		if rest, err := filepath.Rel(path, each); err == nil && filepath.IsLocal(rest) {
			out[rest] = f
		}
	}
	return out
}

// renamed has what was below a path be below another. The names in a directory
// are its own, whatever it is called.
func (r *Recorder) renamed(from, to string) {
	for rest, f := range r.moving[from] {
		r.live[filepath.Join(to, rest)] = f
		if durable := r.names[filepath.Join(from, rest)]; durable != nil && rest != "." {
			r.names[filepath.Join(to, rest)] = durable
		}
	}
}

func (r *Recorder) relative(path string) string {
	rest, err := filepath.Rel(r.root, path)
	if err != nil {
		r.t.Error(err)
	}
	return rest
}

// read is a file's content, nil if it is none or gone.
func (r *Recorder) read(path string) []byte {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return content
}

// moment is what there is now.
func (r *Recorder) moment(e durable.Event, note int) *Moment {
	m := &Moment{Event: e, Note: note, hit: r.hits[e.Point]}
	at := make(map[*file]*content)
	of := func(f *file) *content {
		if f == nil {
			return nil
		}
		if at[f] == nil {
			at[f] = &content{dir: f.dir, synced: r.synced[f]}
			at[f].live = at[f].synced
		}
		return at[f]
	}
	for path, f := range r.live {
		if c := of(f); !c.dir {
			c.live = r.read(path)
			if r.commits[path] > 0 {
				c.live, c.committed, c.written = c.synced, c.live, c.live
			}
		}
	}
	paths := make(map[string]bool)
	for path := range r.live {
		paths[path] = true
	}
	for path := range r.names {
		paths[path] = true
	}
	for path := range paths {
		n := name{path: r.relative(path), durable: of(r.names[path]), live: of(r.live[path])}
		if r.live[filepath.Dir(path)] == nil && path != r.root {
			n.live = n.durable // it goes where its directory does
		}
		m.names = append(m.names, n)
	}
	m.sort()
	return m
}
