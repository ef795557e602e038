package crashtest

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"cairn/nodeindex/durable"
)

// sector is what a disk writes as a whole.
const sector = 512

// Moment is a directory at a point.
type Moment struct {
	durable.Event
	// Note is what the caller said.
	Note int

	hit   int
	names []name // ascending by path
}

// name is a path, and what had it.
type name struct {
	path          string
	durable, live *content // nil: nothing
}

// content is what is in a file: what has been synced, and what was written.
type content struct {
	dir          bool
	synced, live []byte
	// committed is what a transaction of bbolt leaves that begins now, or has
	// written of itself so far, nil where there is none.
	committed []byte
	// written is what a kill leaves, if that is not live.
	written []byte
}

func (m *Moment) sort() {
	slices.SortFunc(m.names, func(a, b name) int { return cmp.Compare(a.path, b.path) })
}

// commit notes what a transaction is going to have written.
func (m *Moment) commit(path string, after []byte) {
	for _, n := range m.names {
		if n.path == path && n.live != nil {
			n.live.committed = after
		}
	}
}

// Killed is what the end of the process leaves.
func (m *Moment) Killed() Tree {
	return m.tree(func(n name) (*content, []byte) {
		if n.live == nil {
			return nil, nil
		}
		if n.live.written != nil {
			return n.live, n.live.written
		}
		return n.live, n.live.live
	})
}

// Loss says what of the writes that were not synced a loss of power leaves.
type Loss int

const (
	// Nothing of them is there.
	Nothing Loss = iota
	// AllButOne sector is.
	AllButOne
	// Some sectors are, and some names.
	Some
	// Torn: the last page that was written ends within.
	Torn
)

// Losses are all of them.
func Losses() []Loss { return []Loss{Nothing, AllButOne, Some, Torn} }

func (l Loss) String() string {
	return [...]string{"nothing", "all but one sector", "some sectors", "the last page torn"}[l]
}

// Lost is what a loss of power leaves, by a seed.
func (m *Moment) Lost(loss Loss, seed uint64) Tree {
	random := rand.New(rand.NewPCG(seed, uint64(loss)))
	chosen := make(map[*content][]byte)
	return m.tree(func(n name) (*content, []byte) {
		at := n.durable
		if n.durable != n.live && (loss == AllButOne || loss == Torn || loss == Some && random.IntN(2) == 0) {
			at = n.live
		}
		if at == nil || at.dir {
			return at, nil
		}
		if _, is := chosen[at]; !is {
			chosen[at] = at.lose(loss, random)
		}
		return at, chosen[at]
	})
}

// lose is one of the contents that a loss of power leaves.
func (c *content) lose(loss Loss, random *rand.Rand) []byte {
	if c.committed != nil {
		return c.loseCommit(loss, random)
	}
	return mix(c.synced, c.live, nil, loss, random)
}

// loseCommit is one in the middle of a transaction: some of its pages are there
// and neither meta page, or all of its pages and some of the meta page.
func (c *content) loseCommit(loss Loss, random *rand.Rand) []byte {
	const pageSizeAt = 24 // in a meta page
	if len(c.live) < pageSizeAt+4 {
		return c.live
	}
	metas := 2 * int(binary.NativeEndian.Uint32(c.live[pageSizeAt:]))
	if loss == Nothing {
		return c.live
	}
	// A file that grows has its new length, synced, before anything is written.
	grown := slices.Concat(c.live, make([]byte, max(0, len(c.committed)-len(c.live))))
	if random.IntN(2) == 0 || bytes.Equal(grown[:metas], c.committed[:metas]) {
		return mix(grown, c.committed, func(at int) bool { return at >= metas }, loss, random)
	}
	pages := slices.Concat(grown[:metas], c.committed[metas:])
	return mix(pages, c.committed, nil, loss, random)
}

// mix is old with some of the sectors of written, of those that may be.
func mix(old, written []byte, may func(at int) bool, loss Loss, random *rand.Rand) []byte {
	var changed []int
	for at := 0; at < max(len(old), len(written)); at += sector {
		if !bytes.Equal(part(old, at), part(written, at)) && (may == nil || may(at)) {
			changed = append(changed, at)
		}
	}
	if len(changed) == 0 || loss == Nothing {
		return old
	}
	left := changed[random.IntN(len(changed))]
	last := changed[len(changed)-1]
	out := make([]byte, len(old), max(len(old), len(written)))
	copy(out, old)
	for _, at := range changed {
		switch {
		case loss == AllButOne && at == left, loss == Some && random.IntN(2) == 0, loss == Torn && at/4096 == last/4096 && at > last-last%4096+sector*random.IntN(4):
			continue
		}
		from := part(written, at)
		if need := at + len(from); need > len(out) {
			out = append(out, make([]byte, need-len(out))...)
		}
		copy(out[at:], from)
	}
	return out
}

func part(content []byte, at int) []byte {
	return content[min(at, len(content)):min(at+sector, len(content))]
}

// tree is the state of which choose says what each name has.
func (m *Moment) tree(choose func(name) (*content, []byte)) (t Tree) {
	there := make(map[string]bool) // directories
	for _, n := range m.names {
		at, bytes := choose(n)
		if at == nil || n.path != "." && !there[filepath.Dir(n.path)] {
			continue
		}
		there[n.path] = at.dir
		t = append(t, node{path: n.path, dir: at.dir, content: bytes})
	}
	return t
}
