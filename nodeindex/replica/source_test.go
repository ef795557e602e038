package replica

import (
	"fmt"
	"testing"

	"cairn"
)

// TestCopyGoesOnAtAnother goes on with a copy at a replica that did not begin it:
// what that hands out has everything it has applied, as at the beginning.
func TestCopyGoesOnAtAnother(t *testing.T) {
	r := open(t, configure(t.TempDir()))
	a := assignment(t, 10)
	if err := r.Assign(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		mustWrite(t, r, put(i, fmt.Sprint("moving-", i)))
	}
	m := cairn.MovingShard{Move: 7, Keyspace: keyspace, Shard: a.Shards[0].ID, Epoch: a.Shards[0].Epoch, Attempt: 1, Start: a.Shards[0].Start, End: a.Shards[0].End}
	for _, cursor := range [][]byte{nil, append(make([]byte, 8), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)} {
		last := mustWrite(t, r, put(1, "again"))
		err := r.CopyShard(t.Context(), m, cursor, func(part cairn.CopiedPart) error {
			if part.Index < last.Index {
				t.Errorf("after %x: of log index %d, and %d was applied before", cursor, part.Index, last.Index)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
