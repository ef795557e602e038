package nodeindex

import (
	"testing"

	"cairn"
)

// TestTailIsInSmallPieces has one log entry change more than a command of the
// target's should.
func TestTailIsInSmallPieces(t *testing.T) {
	m := openMove(t, 1, Options{})
	m.copy(t)
	var mutations []cairn.Mutation
	for i := range 3*pieceEntries + 1 {
		mutations = append(mutations, put(testKey(i), size(int64(i))), put(testKey(i), size(7)))
	}
	m.source.write(put("before"))
	m.source.write(mutations...)
	m.source.write(put("after"))
	staged, _, err := m.target.x.StagedFor(m.moving)
	if err != nil {
		t.Fatal(err)
	}
	part, err := m.source.x.TailShard(m.moving, staged.Through)
	if err != nil {
		t.Fatal(err)
	}
	all, refusal := pieces(part.Data)
	if refusal != nil || len(all) < 7 {
		t.Fatalf("%d pieces, %v", len(all), refusal)
	}
	for _, encoded := range all {
		d := decoder{rest: encoded}
		if p := d.piece(); len(p.changes) > pieceEntries {
			t.Fatalf("a piece of %d changes", len(p.changes))
		}
	}
	// Whatever of it has come when the mover ends, another goes on.
	commands, err := m.target.x.PrepareStage(m.moving, part.Data)
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range commands[:3] {
		if result := m.target.apply(command); result.Err != nil || result.Staged.Through >= m.source.index-1 {
			t.Fatalf("%+v", result)
		}
	}
	fence := m.fence(t, 1, true)
	if staged := m.tail(t); staged.Sealed != 1 || staged.Digest != fence.Digest || staged.Digest.Entries != 3*pieceEntries+3 {
		t.Fatalf("%+v, %+v", staged, fence)
	}
}

// TestTailTellsWhetherThereIsMore: a part is of so many changes of the keyspace at most,
// which may all be other shards'.
func TestTailTellsWhetherThereIsMore(t *testing.T) {
	m := openMove(t, 1, Options{})
	m.copy(t)
	staged, _, err := m.target.x.StagedFor(m.moving)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20_000 {
		m.source.write(put(testKey(i), size(int64(i))))
	}
	parts := 0
	for through, more := staged.Through, true; more; parts++ {
		part, err := m.source.x.TailShard(m.moving, through)
		if err != nil {
			t.Fatal(err)
		}
		if through, more = part.Through, part.More; more != (through < m.source.index) {
			t.Fatalf("%t after %d of %d", more, through, m.source.index)
		}
	}
	if parts < 2 {
		t.Errorf("all of it came in %d part", parts)
	}
}
