package replica

import (
	"testing"
	"time"

	"cairn"
)

// TestLogOvertaken has a leader, cut off, go on with its log alone further than
// the snapshot goes that it gets from the next leader.
func TestLogOvertaken(t *testing.T) {
	const attempts = 10
	for range attempts { // on a slow disk it may not get that far
		if leadsOnAlone(t) {
			return
		}
	}
	t.Errorf("a leader that is cut off did not get far enough, %d times", attempts)
}

// leadsOnAlone is false if the leader that is cut off did not get far enough.
func leadsOnAlone(t *testing.T) bool {
	t.Helper()
	g, log := recorded(t, 3, func(c *Config) {
		c.LogBytes = 1
		c.ElectionTimeout = 2 * time.Second // in which the one cut off still leads
	})
	defer g.close()
	old := g.leader()
	if err := old.Assign(t.Context(), viewedAssignment(t, 20)); err != nil {
		t.Fatal(err)
	}
	g.load("old", 2000)
	id := old.config.ID
	g.networks[id].set(true)
	delete(g.replicas, id)
	command := old.index.Prepare(time.Now(), []*cairn.WriteRequest{put(1, "never")})
	for range 1000 {
		old.log.Load().raft.Apply(command, 0)
	}
	g.load("new", 2000)
	g.cut()
	last, err := old.log.Load().store.LastIndex()
	if err != nil {
		t.Fatal(err)
	}
	far := last > g.leader().index.Checkpointed().Index
	g.replicas[id] = old
	if !far {
		return false
	}
	g.networks[id].set(false)
	g.reaches(old)
	eventually(t, "the log is overtaken", func() bool { return log.count("the log is opened anew") > 0 })
	installs := log.installs()
	for n := range 5 {
		g.write(put(n, "k"))
		g.reaches(old)
	}
	if n := log.installs(); n != installs {
		t.Errorf("it got %d snapshots more:\n%s", n-installs, log)
	}
	wantEqual(t, g.leader(), old)
	if _, found := find(t, old, cairn.Read{}, "never"); found {
		t.Error("a write that was never committed")
	}
	return true
}
