package nodeindex

import (
	"testing"
	"time"

	"cairn"
)

// TestFollowersRemember has replicas of other bounds follow a leader, from its
// log or from a snapshot on, and answer its clients' retries when they lead.
func TestFollowersRemember(t *testing.T) {
	leader := openReplica(t, Options{RequestBytes: 2000, RequestWindow: 10 * time.Second})
	var log [][]byte
	do := func(command []byte) {
		log = append(log, command)
		leader.apply(command)
	}
	mark := func() {
		for range 2 {
			if command, needed := leader.x.MarkCommand("leader"); needed {
				do(command)
			}
		}
	}
	command, _ := leader.x.Diff(testAssignment(t, cairn.SchemeHash, 4))
	do(command)
	at := func(i int) time.Duration { return time.Duration(i) * 200 * time.Millisecond }
	request := func(i int) *cairn.WriteRequest {
		fresh := put(testKey(i))
		fresh.Condition.Present = true
		return named(byte(i), at(i), fresh, remove(testKey(i-1)), fresh)
	}
	first := map[int][]cairn.Written{}
	for i := 1; i <= 200; i++ {
		do(leader.x.Prepare(testTime.Add(at(i)), []*cairn.WriteRequest{request(i), request(max(1, i-i%7))}))
		first[i] = leader.writeAt(at(i), request(i))[0]
		log = append(log, leader.x.Prepare(testTime.Add(at(i)), []*cairn.WriteRequest{request(i)}))
		if i == 120 {
			leader.checkpoint()
		}
	}
	snapshotIndex := leader.x.Checkpointed().Index
	mark()
	check := func(name string, r *replica) {
		t.Helper()
		if err := r.x.Diverged(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if r.x.requests.requestTimes != leader.x.requests.requestTimes || r.x.requests.bytes != leader.x.requests.bytes {
			t.Errorf("%s: %+v, the leader %+v", name, r.x.requests.requestTimes, leader.x.requests.requestTimes)
		}
		for i := 195; i <= 200; i++ {
			for n, again := range r.writeAt(at(200), request(i))[0] {
				if !sameOutcome(again, first[i][n]) {
					t.Errorf("%s: request %d, write %d: first %+v, then %+v", name, i, n, first[i][n], again)
				}
			}
		}
		wantError(t, r.writeAt(at(200), request(1))[0][0].Err, cairn.KindPrecondition, "REQUEST_TOO_OLD")
	}
	check("from the log", follow(t, log, 70))
	installed := openReplica(t, Options{})
	installed.install(leader.snapshot())
	for _, command := range log[snapshotIndex:] {
		installed.apply(command)
	}
	check("from a snapshot", installed)

	// One that has forgotten something is found out.
	differs := openReplica(t, Options{})
	for i, command := range log {
		if i == 300 {
			differs.x.requests.raise(differs.x.requests.latest)
		}
		differs.apply(command)
	}
	if err := differs.x.Diverged(); cairn.ReasonOf(err) != "DIVERGED" {
		t.Errorf("a replica that forgot: %v", err)
	}
}
