package router

import (
	"fmt"
	"testing"

	"cairn"
)

// TestKeptAnswersHaveBounds keeps more than there is room for.
func TestKeptAnswersHaveBounds(t *testing.T) {
	k := newKeptAnswers(1 << 20)
	id := func(i int) pinnedID { return pinnedID{question: questionID(fmt.Sprint("q", i)), index: uint64(i)} }
	reply := func(rows int) *cairn.ViewReply {
		out := &cairn.ViewReply{Rows: make([]cairn.ViewRow, rows), Count: uint64(rows)}
		for i := range out.Rows {
			out.Rows[i].Key = make(cairn.Key, 100)
		}
		return out
	}
	const answers = 1000
	for i := range answers {
		k.put(id(i), reply(20))
		k.put(id(i), reply(20)) // once is enough
		if k.get(id(0)) == nil {
			t.Fatalf("what is in use is gone after %d", i)
		}
		var used int64
		for _, element := range k.byID {
			used += element.Value.(*keptAnswer).size
		}
		if used != k.used || used > k.room || k.order.Len() != len(k.byID) {
			t.Fatalf("%d bytes of %d, said to be %d, %d in order of %d", used, k.room, k.used, k.order.Len(), len(k.byID))
		}
	}
	if len(k.byID) < 100 || len(k.byID) == answers || k.get(id(answers-1)) == nil || k.get(id(1)) != nil {
		t.Errorf("%d are kept", len(k.byID))
	}
	k.put(id(answers), reply(1000))
	if k.get(id(answers)) != nil || k.get(id(0)) == nil {
		t.Error("one answer took most of the room")
	}

	many := newKeptAnswers(1 << 40)
	for i := range mostKept + 10 {
		many.put(id(i), &cairn.ViewReply{})
	}
	if len(many.byID) != mostKept {
		t.Errorf("%d are kept of %d", len(many.byID), mostKept+10)
	}
}
