package nodeindex

import (
	"slices"
	"testing"

	"cairn"
)

// TestMovedKeys asks where the keys of each part are: from where they were as of the
// part, to where they are by now.
func TestMovedKeys(t *testing.T) {
	m := openMove(t, 1, Options{})
	const keys = 700 // more than a piece has
	from := map[string][]cairn.NodeID{}
	for i := range keys {
		m.source.write(put(testKey(i), size(int64(i))))
		from[testKey(i)] = nodesOf(t, m.source.x, testKey(i))
	}
	m.copy(t)
	part, err := m.source.x.CopyShard(m.moving, nil)
	if err != nil {
		t.Fatal(err)
	}
	changed, deleted := testKey(1), testKey(2)
	m.source.write(remove(deleted))
	w := put(changed, size(0))
	w.Nodes = []cairn.NodeID{m.a.Nodes[(slices.IndexFunc(m.a.Nodes, func(n cairn.Node) bool { return n.ID == from[changed][0] })+1)%len(m.a.Nodes)].ID}
	m.source.write(w)
	tail, err := m.source.x.TailShard(m.moving, part.Index)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.target.x.MovedKeys(m.moving, tail.Data); cairn.ReasonOf(err) != "KEYS_AHEAD" {
		t.Errorf("of a part that is not staged: %v", err)
	}
	m.stage(t, tail.Data)
	m.fence(t, 1, true)
	m.tail(t)

	to := map[string][]cairn.NodeID{}
	copied, err := m.target.x.MovedKeys(m.moving, part.Data)
	if err != nil || len(copied) != keys {
		t.Fatalf("%d keys, %v", len(copied), err)
	}
	for _, k := range copied {
		switch key := string(k.Key); {
		case key == deleted:
			if !k.Gone || k.From != nil || k.To != nil {
				t.Errorf("of the deleted one: %+v", k)
			}
		case k.Gone || !slices.Equal(k.From, from[key]):
			t.Errorf("%s was on %d: %+v", key, from[key], k)
		default:
			to[key] = k.To
		}
	}
	followed, err := m.target.x.MovedKeys(m.moving, tail.Data)
	if err != nil || len(followed) != 2 || string(followed[0].Key) != deleted || !followed[0].Gone || string(followed[1].Key) != changed ||
		!slices.Equal(followed[1].From, w.Nodes) || !slices.Equal(followed[1].To, to[changed]) {
		t.Errorf("%+v, %v", followed, err)
	}
	_, target := m.commit(t, 20)
	m.target.assign(target)
	for key, nodes := range to {
		if got := nodesOf(t, m.target.x, key); !slices.Equal(got, nodes) {
			t.Errorf("%s is on %d, was to be on %d", key, got, nodes)
		}
	}
	if _, err := m.target.x.MovedKeys(m.moving, part.Data); cairn.ReasonOf(err) != "NOTHING_STAGED" {
		t.Errorf("after the move: %v", err)
	}
}
