package crashtest

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// Tree is what a crash leaves of a directory.
type Tree []node

// node is a file or a directory.
type node struct {
	path    string // below the root
	dir     bool
	content []byte
}

var hashSeed = maphash.MakeSeed()

// Sum tells trees apart, within this process.
func (t Tree) Sum() uint64 {
	var hash maphash.Hash
	hash.SetSeed(hashSeed)
	for _, n := range t {
		fmt.Fprintf(&hash, "%q %v %d ", n.path, n.dir, len(n.content)) // never fails
		_, _ = hash.Write(n.content)
	}
	return hash.Sum64()
}

// Write writes the tree into a directory.
func (t Tree) Write(to string) error {
	for _, n := range t {
		path := filepath.Join(to, n.path)
		var err error
		if n.dir {
			err = os.MkdirAll(path, 0o700)
		} else {
			err = os.WriteFile(path, n.content, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Flip is the tree with a bit flipped of one of the files that may be, by a seed,
// and says where.
func (t Tree) Flip(seed uint64, may func(path string) bool) (flipped Tree, where string) {
	random := rand.New(rand.NewPCG(seed, 7))
	var at []int
	for i, n := range t {
		if len(bytes.TrimRight(n.content, "\x00")) > 0 && may(n.path) {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return t, "nowhere"
	}
	n := &t[at[random.IntN(len(at))]]
	bit := random.IntN(8 * len(bytes.TrimRight(n.content, "\x00")))
	flipped = slices.Clone(t)
	content := bytes.Clone(n.content)
	content[bit/8] ^= 1 << (bit % 8)
	flipped[slices.IndexFunc(flipped, func(each node) bool { return each.path == n.path })].content = content
	return flipped, fmt.Sprintf("bit %d of byte %d of %s", bit%8, bit/8, n.path)
}
