package nodeindex

import (
	"slices"
	"testing"

	"cairn"
)

func TestWrite(t *testing.T) {
	r := openReplica(t, Options{})
	r.assign(testAssignment(t, cairn.SchemeHash, 4))

	put1 := r.write(put("k", size(5)))[0]
	if put1.Err != nil || put1.Existed || len(put1.Nodes) != 2 || put1.Version != (cairn.Version{Epoch: 10, Index: 2}) {
		t.Fatalf("put: %+v", put1)
	}
	check := func() {
		t.Helper()
		got := r.locate("k")
		if got.State != cairn.Found || !slices.Equal(got.Nodes, put1.Nodes) || got.Version.Index != 2 || got.Attributes.String() != "[2=5]" {
			t.Fatalf("locate: %+v", got)
		}
		if got := r.locate("other"); got.State != cairn.Absent || got.Stamp.Epoch != 10 || got.Stamp.Index < 2 {
			t.Fatalf("absent: %+v", got)
		}
	}
	check()
	r.checkpoint()
	check()
	r.close()
	r.open(Options{})
	check()
	if got := r.x.Checkpointed(); got.Index != 2 || got.Term != 1 || string(got.Configuration) != "voters" {
		t.Fatalf("checkpointed: %+v", got)
	}

	merged := r.write(cairn.Mutation{Operation: cairn.Merge, Key: cairn.Key("k"), Attributes: attributes(name("x"), cairn.Attribute{ID: 2})})[0]
	if merged.Err != nil || !merged.Existed || !slices.Equal(merged.Nodes, put1.Nodes) {
		t.Fatalf("merge: %+v", merged)
	}
	if got := r.locate("k"); got.Attributes.String() != "[1=x]" {
		t.Fatalf("merged: %v", got.Attributes)
	}
	deleted := r.write(remove("k"), remove("k"))
	if !deleted[0].Existed || deleted[1].Existed || deleted[0].Err != nil || deleted[1].Err != nil {
		t.Fatalf("delete: %+v", deleted)
	}
	if got := r.locate("k"); got.State != cairn.Absent {
		t.Fatalf("deleted: %+v", got)
	}
	r.checkpoint()
	if got := r.locate("k"); got.State != cairn.Absent {
		t.Fatalf("deleted: %+v", got)
	}
	if status := r.x.Status(); status.Entries != 0 || status.NodeEntries[1] != 0 || status.CheckpointIndex != 4 {
		t.Fatalf("status: %+v", status)
	}
}

func TestConditions(t *testing.T) {
	r := openReplica(t, Options{})
	r.assign(testAssignment(t, cairn.SchemeHash, 4))
	ifVersion := func(m cairn.Mutation, v cairn.Version) cairn.Mutation {
		m.Condition = cairn.Condition{Present: true, Version: v}
		return m
	}
	var absent cairn.Version
	// Two writers of one key in one command: by position.
	got := r.write(ifVersion(put("k", size(1)), absent), ifVersion(put("k", size(2)), absent))
	if got[0].Err != nil {
		t.Fatal(got[0].Err)
	}
	wantError(t, got[1].Err, cairn.KindPrecondition, "KEY_EXISTS")
	first := got[0].Version

	got = r.write(ifVersion(put("k", size(3)), first), ifVersion(put("k", size(4)), first))
	if got[0].Err != nil {
		t.Fatal(got[0].Err)
	}
	wantError(t, got[1].Err, cairn.KindPrecondition, "VERSION_MISMATCH")
	wantError(t, r.write(ifVersion(remove("other"), first))[0].Err, cairn.KindPrecondition, "KEY_ABSENT")
	if got := r.locate("k").Attributes.String(); got != "[2=3]" {
		t.Fatal(got)
	}
	if got := r.write(ifVersion(remove("k"), got[0].Version))[0]; got.Err != nil || !got.Existed {
		t.Fatalf("%+v", got)
	}
}

func TestRefusals(t *testing.T) {
	r := openReplica(t, Options{})
	wantError(t, r.write(put("k"))[0].Err, cairn.KindStale, "NOT_OWNED")
	a := testAssignment(t, cairn.SchemeHash, 4)
	a.Nodes[1].State = cairn.NodeDraining
	a.Nodes[2].State = cairn.NodeDown
	r.assign(a)
	on := func(m cairn.Mutation, nodes ...cairn.NodeID) cairn.Mutation {
		m.Nodes = nodes
		return m
	}
	bad := []struct {
		m      cairn.Mutation
		kind   cairn.Kind
		reason string
	}{
		{cairn.Mutation{Operation: 7, Key: cairn.Key("new")}, cairn.KindInvalid, "OPERATION_UNKNOWN"},
		{put(""), cairn.KindInvalid, "KEY_EMPTY"},
		{put(string(make([]byte, 1025))), cairn.KindInvalid, "KEY_TOO_LONG"},
		{on(put("new"), 9), cairn.KindInvalid, "NODE_UNKNOWN"},
		{on(put("new"), 2), cairn.KindInvalid, "NODE_DRAINING"},
		{on(put("new"), 3), cairn.KindInvalid, "NODE_DOWN"},
		{on(put("new"), 1, 1), cairn.KindInvalid, "NODE_TWICE"},
		{on(put("new"), make([]cairn.NodeID, 17)...), cairn.KindInvalid, "NODES_TOO_MANY"},
		{put("new", cairn.Attribute{ID: 9, Value: cairn.Int(1)}), cairn.KindInvalid, "ATTRIBUTE_UNKNOWN"},
		{put("new", cairn.Attribute{ID: 1, Value: cairn.Int(1)}), cairn.KindInvalid, "VALUE_TYPE"},
		{put("new", cairn.Attribute{ID: 1}), cairn.KindInvalid, "VALUE_NULL"},
		{cairn.Mutation{Operation: cairn.Put, Key: cairn.Key("new"), Attributes: []byte{0xff}}, cairn.KindCorrupt, "ATTRIBUTES_BROKEN"},
	}
	for _, b := range bad {
		wantError(t, r.write(b.m)[0].Err, b.kind, b.reason)
	}
	if got := r.locate("new"); got.State != cairn.Absent {
		t.Fatalf("%+v", got)
	}

	// A choice made before the nodes changed.
	command := r.x.Prepare(testTime, []*cairn.WriteRequest{{Keyspace: testKeyspace, Mutations: []cairn.Mutation{put("k")}}})
	a = testAssignment(t, cairn.SchemeHash, 4)
	a.Revision = 11
	a.Nodes[0].State = cairn.NodeDraining
	r.assign(a)
	wantError(t, r.apply(command).Requests[0][0].Err, cairn.KindStale, "NODES_CHANGED")

	// What an entry has may stay, whatever became of its nodes.
	if got := r.write(on(put("k"), 3, 2))[0]; got.Err != nil {
		t.Fatal(got.Err)
	}
	a = testAssignment(t, cairn.SchemeHash, 4)
	a.Revision = 12
	for i := range a.Nodes {
		a.Nodes[i].State = cairn.NodeDraining
	}
	r.assign(a)
	for _, m := range []cairn.Mutation{on(put("k"), 3, 2), put("k"), on(put("k"), 2)} {
		if got := r.write(m)[0]; got.Err != nil {
			t.Fatal(got.Err)
		}
	}
	wantError(t, r.write(on(put("k"), 1))[0].Err, cairn.KindInvalid, "NODE_DRAINING")
	wantError(t, r.write(put("new"))[0].Err, cairn.KindPrecondition, "NO_ACTIVE_NODE")

	a.Revision = 13
	a.Keyspaces[0].Deleting = true
	r.assign(a)
	wantError(t, r.write(put("k"))[0].Err, cairn.KindPrecondition, "KEYSPACE_DELETING")

	a.Revision = 14
	a.Keyspaces, a.Shards = nil, nil
	r.assign(a)
	wantError(t, r.write(put("k"))[0].Err, cairn.KindStale, "NOT_OWNED")
	if got := r.locate("k"); got.State != cairn.NotOwned {
		t.Fatalf("%+v", got)
	}
	if status := r.x.Status(); status.Entries != 0 {
		t.Fatalf("%+v", status)
	}
	r.checkpoint()
	r.checkpoint()
}

// TestConcerns: a newer assignment is of concern if anything in it is another.
func TestConcerns(t *testing.T) {
	r := openReplica(t, Options{})
	a := testAssignment(t, cairn.SchemeHash, 2)
	a.Records = []cairn.Record{{Name: "things", Value: []byte("a")}}
	if !r.x.Concerns(a) {
		t.Error("the first is not")
	}
	r.assign(a)
	for name, test := range map[string]struct {
		change func(*cairn.Assignment)
		want   bool
	}{
		"the same":           {func(a *cairn.Assignment) { a.Revision-- }, false},
		"its revision":       {func(*cairn.Assignment) {}, false},
		"nodes":              {func(a *cairn.Assignment) { a.Nodes = a.Nodes[1:] }, true},
		"a keyspace less":    {func(a *cairn.Assignment) { a.Keyspaces, a.Shards = nil, nil }, true},
		"another schema":     {func(a *cairn.Assignment) { a.Keyspaces[0].Schema = &cairn.Schema{} }, true},
		"an epoch":           {func(a *cairn.Assignment) { a.Shards[1].Epoch++ }, true},
		"a shard less":       {func(a *cairn.Assignment) { a.Shards = a.Shards[1:] }, true},
		"a view":             {func(a *cairn.Assignment) { a.Views = []cairn.View{{UID: 1, Keyspace: testKeyspace, Version: 1}} }, true},
		"a record":           {func(a *cairn.Assignment) { a.Records[0].Value = []byte("b") }, true},
		"a record that went": {func(a *cairn.Assignment) { a.Records = nil }, true},
	} {
		next := testAssignment(t, cairn.SchemeHash, 2)
		next.Revision++
		next.Records = []cairn.Record{{Name: "things", Value: []byte("a")}}
		test.change(&next)
		if got := r.x.Concerns(next); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestCommandsThatAreNone(t *testing.T) {
	r := openReplica(t, Options{})
	r.assign(testAssignment(t, cairn.SchemeHash, 1))
	for _, command := range [][]byte{{99}, {commandWrites}, {commandAssign, 1}} {
		wantError(t, r.apply(command).Err, cairn.KindCorrupt, "COMMAND_MALFORMED")
	}
	if result := r.apply(nil); result.Err != nil || result.Revision != 10 {
		t.Fatalf("%+v", result)
	}
	if again := r.x.Apply(r.index, 1, []byte{99}); again.Err != nil {
		t.Fatal(again.Err) // applied before
	}
	command, _ := r.x.Diff(cairn.Assignment{Revision: 11})
	r.assign(cairn.Assignment{Revision: 12})
	wantError(t, r.apply(command).Err, cairn.KindConflict, "ASSIGNMENT_SUPERSEDED")
	if _, changed := r.x.Diff(cairn.Assignment{Revision: 12}); changed {
		t.Fatal("an assignment that is there changes something")
	}
}
