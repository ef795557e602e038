package nodeindex

import (
	"testing"

	"cairn"
)

// follow applies what a replica has applied to another index, which takes its
// own checkpoints.
func follow(t *testing.T, log [][]byte, checkpointAt int) *replica {
	t.Helper()
	r := openReplica(t, Options{})
	for i, command := range log {
		r.apply(command)
		if i == checkpointAt {
			r.checkpoint()
			r.close()
			r.open(Options{})
		}
	}
	return r
}

// marked is a log of writes and splits with marks in it.
func marked(t *testing.T) [][]byte {
	t.Helper()
	leader := openReplica(t, Options{})
	var log [][]byte
	do := func(command []byte) {
		log = append(log, command)
		leader.apply(command)
	}
	mark := func() {
		command, needed := leader.x.MarkCommand("leader")
		if !needed {
			t.Fatal("nothing to compare")
		}
		do(command)
	}
	for revision, shards := range []int{1, 4, 2} {
		a := testAssignment(t, cairn.SchemeHash, shards)
		a.Revision += uint64(revision)
		command, _ := leader.x.Diff(a)
		do(command)
		for i := range 20 {
			mutations := []cairn.Mutation{put(testKey(i+10*revision), size(int64(i))), put(testKey(1000 + i)), remove(testKey(i))}
			mutations[1].Condition.Present = true // holds the first time only
			do(leader.x.Prepare(testTime, []*cairn.WriteRequest{{Keyspace: testKeyspace, Mutations: mutations}}))
		}
		mark() // notes the digest
		mark() // has it compared
	}
	if _, needed := leader.x.MarkCommand("leader"); needed {
		t.Error("there is nothing that was not compared")
	}
	if err := leader.x.Diverged(); err != nil {
		t.Fatal(err)
	}
	return log
}

func TestReplicasThatAgree(t *testing.T) {
	log := marked(t)
	for _, at := range []int{-1, 5, 21, 22, 30, len(log) - 1} {
		follower := follow(t, log, at)
		if err := follower.x.Diverged(); err != nil {
			t.Errorf("with a checkpoint at %d: %v", at, err)
		}
	}
}

// TestReplicaThatDiffers has one command lost, or another in its place.
func TestReplicaThatDiffers(t *testing.T) {
	log := marked(t)
	for _, at := range []int{3, 30, 40} {
		for name, instead := range map[string][]byte{"lost": nil, "another": log[at+1]} {
			changed := append([][]byte{}, log...)
			changed[at] = instead
			follower := follow(t, changed, 50)
			if err := follower.x.Diverged(); cairn.ReasonOf(err) != "DIVERGED" {
				t.Errorf("command %d %s: %v", at, name, err)
			}
		}
	}
}
