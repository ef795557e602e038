package nodeindex

import (
	"testing"

	"cairn"
)

// TestArrivingEntriesWaitOutsideTheOrders stages a copy piece by piece: what comes
// finds its place in an order of the views when all of it has come, or when the
// views are made of the entries.
func TestArrivingEntriesWaitOutsideTheOrders(t *testing.T) {
	view := cairn.View{UID: 5, Keyspace: testKeyspace, Name: "all", Version: 1, Sort: []cairn.SortField{{Attribute: 2}}}
	m := openMove(t, 1, Options{}, view)
	var mutations []cairn.Mutation
	for i := range 5 * pieceEntries {
		mutations = append(mutations, put(testKey(i), size(int64(i*7919%10_000))))
	}
	m.source.write(mutations...)
	m.source.checkpoint()
	part, err := m.source.x.CopyShard(m.moving, nil)
	if err != nil || !part.Done {
		t.Fatalf("the copy is done %v, %v", part.Done, err)
	}
	commands, err := m.target.x.PrepareStage(m.moving, part.Data)
	if err != nil || len(commands) != 5 {
		t.Fatalf("%d commands, %v", len(commands), err)
	}
	stage := func(command []byte) {
		t.Helper()
		if result := m.target.apply(command); result.Err != nil {
			t.Fatal(result.Err)
		}
	}
	orders := func() int64 {
		return m.target.x.state.Load().projections[testKeyspace].Present().Usage().Orders
	}
	stage(commands[0])
	m.target.settle() // which makes the keyspace's views
	for at, command := range commands[1:] {
		before := orders()
		stage(command)
		last := at == len(commands)-2
		if orders() != before || m.target.x.Work() != last || !last && orders() != before {
			t.Fatalf("what came with piece %d went into the orders at once", at+1)
		}
		if at == 1 {
			m.target.checkpoint()
			m.target.close()
			m.target.open(Options{})
			m.target.settle()
			if orders() <= before {
				t.Fatal("views that are made anew have what waited")
			}
		}
		if last {
			m.target.settle()
			if orders() <= before {
				t.Fatal("what waited has no place when all has come")
			}
		}
	}
	fence := m.fence(t, 1, true)
	if staged := m.tail(t); staged.Sealed != 1 || staged.Digest != fence.Digest {
		t.Fatalf("%+v, %+v", staged, fence)
	}
	_, target := m.commit(t, 20)
	m.target.assign(target)
	reply := m.target.mustAsk(cairn.ViewRequest{View: view.UID, Version: 1, Asked: cairn.AskPage, Limit: 5 * pieceEntries})
	if len(reply.Rows) != 5*pieceEntries {
		t.Fatalf("%d rows", len(reply.Rows))
	}
}
