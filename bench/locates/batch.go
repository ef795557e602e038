package locates

import (
	"fmt"
	"math/rand/v2"

	"cairn"
	"cairn/bench/load"
)

// Batch is keys that are asked for together, and the answer.
type Batch struct {
	// Keys are the keys, and Texts the same: each client takes what it wants.
	Keys  []cairn.Key
	Texts []string
	// Nodes is where the answer goes, the node of each key.
	Nodes []string
}

// Put puts the answer for key i, and fails if it is that there is none.
func (b *Batch) Put(i int, node string) error {
	if node == "" {
		return fmt.Errorf("key %s is not found", b.Texts[i])
	}
	b.Nodes[i] = node
	return nil
}

// draw draws batches of keys, which lie in one piece of memory so that they
// cost the garbage collector nothing.
func draw(random *rand.Rand, choose load.Chooser, count, size int) []Batch {
	const keyBytes = 20
	bytes := make([]byte, 0, count*size*keyBytes)
	for range count * size {
		bytes = load.AppendKey(bytes, choose(random))
	}
	text := string(bytes)
	batches := make([]Batch, count)
	for i := range batches {
		b := Batch{Keys: make([]cairn.Key, size), Texts: make([]string, size), Nodes: make([]string, size)}
		for j := range size {
			at := (i*size + j) * keyBytes
			b.Keys[j], b.Texts[j] = bytes[at:at+keyBytes:at+keyBytes], text[at:at+keyBytes]
		}
		batches[i] = b
	}
	return batches
}
