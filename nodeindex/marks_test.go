package nodeindex

import (
	"slices"
	"strings"
	"testing"

	"cairn"
	"cairn/nodeindex/projection"
)

var markedViews = []cairn.View{
	{UID: 5, Keyspace: testKeyspace, Name: "all", Version: 1, Sort: []cairn.SortField{{Attribute: 2}}},
	{UID: 6, Keyspace: testKeyspace, Name: "large", Version: 1, Filter: "size > 5000", Sort: []cairn.SortField{{Attribute: 2, Descending: true}}},
	{UID: 7, Keyspace: testKeyspace, Name: "small", Version: 1, Filter: "size < 300"},
}

// markedMove is a source with entries of several pieces, and the commands by which
// the target stages a copy of them.
func markedMove(t *testing.T, n int) (*moveTest, [][]byte) {
	t.Helper()
	m := openMove(t, 1, Options{}, markedViews...)
	var mutations []cairn.Mutation
	for i := range n {
		mutations = append(mutations, put(testKey(i), size(int64(i*7919%10_000))))
	}
	m.source.write(mutations...)
	m.source.settle()
	part, err := m.source.x.CopyShard(m.moving, nil)
	if err != nil || !part.Done {
		t.Fatalf("the copy is done %v, %v", part.Done, err)
	}
	commands, err := m.target.x.PrepareStage(m.moving, part.Data)
	if err != nil {
		t.Fatal(err)
	}
	return m, commands
}

// take stages by commands.
func (m *moveTest) take(t *testing.T, commands ...[]byte) {
	t.Helper()
	for _, command := range commands {
		if result := m.target.apply(command); result.Err != nil {
			t.Fatal(result.Err)
		}
	}
}

// sameViews hands the shard over and compares what the views of it answer.
func (m *moveTest) sameViews(t *testing.T) {
	t.Helper()
	ask := func(r *replica) (pages [][]cairn.ViewRow) {
		for _, view := range markedViews {
			reply := r.mustAsk(cairn.ViewRequest{View: view.UID, Version: 1, Asked: cairn.AskPage, Limit: 6 * pieceEntries})
			pages = append(pages, reply.Rows)
		}
		return pages
	}
	want := ask(m.source)
	fence := m.fence(t, 1, true)
	if staged := m.tail(t); staged.Sealed != 1 || staged.Digest != fence.Digest {
		t.Fatalf("%+v, %+v", staged, fence)
	}
	_, target := m.commit(t, 20)
	m.target.assign(target)
	for at, rows := range ask(m.target) {
		same := slices.EqualFunc(rows, want[at], func(a, b cairn.ViewRow) bool {
			return a.Key.Compare(b.Key) == 0 && slices.Equal(a.Attributes, b.Attributes)
		})
		if !same || len(rows) == 0 {
			t.Fatalf("view %s has %d rows, and had %d", markedViews[at].Name, len(rows), len(want[at]))
		}
	}
}

func (r *replica) effort() projection.Effort {
	s := r.x.Status()
	return projection.Effort{Evaluated: s.ViewEvaluations, Placed: s.ViewPlacements}
}

// remark makes a command of one with other marks.
func remark(t *testing.T, command []byte, change func(p *piece)) []byte {
	t.Helper()
	var c stageCommand
	if !c.decode(command) {
		t.Fatal("no command that stages")
	}
	behind := len(c.piece.encode())
	change(&c.piece)
	return append(slices.Clone(command[:len(command)-behind]), c.piece.encode()...)
}

// TestCopyIsNeitherEvaluatedNorSorted stages a copy where the views serve: what the
// pieces tell of members and orders is taken over. Without that, it is worked out.
func TestCopyIsNeitherEvaluatedNorSorted(t *testing.T) {
	const pieces = 6
	m, commands := markedMove(t, pieces*pieceEntries)
	m.take(t, commands[0])
	m.target.settle() // the first piece has brought the views
	before := m.target.effort()
	m.take(t, commands[1:]...)
	for m.target.x.Work() {
	}
	if now := m.target.effort(); now != before {
		t.Fatalf("a copy with marks: %+v became %+v", before, now)
	}
	m.sameViews(t)

	m, commands = markedMove(t, pieces*pieceEntries)
	m.take(t, commands[0])
	m.target.settle()
	before = m.target.effort()
	for _, command := range commands[1:] {
		m.take(t, remark(t, command, func(p *piece) { p.marks = nil }))
	}
	for m.target.x.Work() {
	}
	now, came := m.target.effort(), uint64((pieces-1)*pieceEntries)
	if now.Evaluated-before.Evaluated != 2*came || now.Placed-before.Placed != 3*came {
		t.Fatalf("a copy without: %+v became %+v", before, now)
	}
	m.sameViews(t)
}

// TestCopyAmidChanges takes the copy in while the views change at the target, its
// tail comes first, pieces come twice, and the target starts again.
func TestCopyAmidChanges(t *testing.T) {
	m, commands := markedMove(t, 6*pieceEntries)
	m.take(t, commands[0])
	m.target.settle()
	m.take(t, commands[1], commands[1], commands[0])
	// Entries that are still to be copied change, and the tail comes before them.
	for i := range 6 * pieceEntries {
		if i%97 == 0 {
			m.source.write(put(testKey(i), size(int64(i))))
		}
	}
	m.source.write(remove(testKey(5*pieceEntries+1)), remove(testKey(3)))
	m.take(t, commands[2])
	for m.target.x.Work() {
	}
	m.target.checkpoint()
	m.target.close()
	m.target.open(Options{})
	m.target.settle()
	// One view is of another condition here, and one of another version.
	m.take(t, remark(t, commands[3], func(p *piece) {
		p.marks.Members[1].Condition++
		p.marks.Members[2].Version++
		p.marks.Sorted = p.marks.Sorted[1:]
		for i := range p.marks.Members[2].Bits {
			p.marks.Members[2].Bits[i] ^= 0xFF
		}
	}))
	m.take(t, commands[4:]...)
	m.tail(t)
	for m.target.x.Work() {
	}
	m.sameViews(t)
}

// TestWrongMarksAreRefused has pieces whose marks are not of their entries: nothing
// of them is taken in, and the error says of which shard and piece.
func TestWrongMarksAreRefused(t *testing.T) {
	m, commands := markedMove(t, 3*pieceEntries)
	m.take(t, commands[0])
	m.target.settle()
	names := func(err error, reason string) bool {
		return cairn.ReasonOf(err) == reason && cairn.KindOf(err) == cairn.KindInvalid &&
			strings.Contains(err.Error(), "shard "+m.moving.Shard.String()+", the copy's piece of 512 entries from key ")
	}
	part := func(command []byte) []byte {
		var c stageCommand
		if !c.decode(command) {
			t.Fatal("no command that stages")
		}
		return appendPiece(nil, &c.piece)
	}
	for what, spoil := range map[string]func(m *projection.Marks){
		"bits of other entries": func(m *projection.Marks) { m.Members[1].Bits = append(m.Members[1].Bits, 1) },
		"a place beyond":        func(m *projection.Marks) { m.Sorted[0].Places[3] = pieceEntries },
		"a place twice":         func(m *projection.Marks) { m.Sorted[2].Places[3] = m.Sorted[2].Places[4] },
	} {
		spoiled := remark(t, commands[1], func(p *piece) { spoil(p.marks) })
		before := m.target.x.Status().Arriving[0].Entries
		if result := m.target.apply(spoiled); !names(result.Err, "MARKS_MALFORMED") || m.target.x.Status().Arriving[0].Entries != before {
			t.Errorf("%s: %v", what, result.Err)
		}
		if _, err := m.target.x.PrepareStage(m.moving, part(spoiled)); !names(err, "MARKS_MALFORMED") {
			t.Errorf("%s: %v", what, err)
		}
	}
	disordered := remark(t, commands[1], func(p *piece) { slices.Reverse(p.marks.Sorted[0].Places) })
	if _, err := m.target.x.PrepareStage(m.moving, part(disordered)); !names(err, "MARKS_DISORDERED") {
		t.Errorf("disordered: %v", err)
	}
	// In the log it makes no order that is none.
	m.take(t, disordered, commands[2])
	for m.target.x.Work() {
	}
	m.sameViews(t)
}
