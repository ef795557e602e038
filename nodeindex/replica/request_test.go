package replica

import (
	"testing"
	"time"

	"cairn"
)

// TestRetryAcrossLeaders sends a request again to each leader that comes, whose
// clocks differ: it has taken effect once.
func TestRetryAcrossLeaders(t *testing.T) {
	g := newGroup(t, 3)
	req := put(7, "k", "l")
	req.Mutations[0].Condition.Present = true
	req.Mutations[1] = cairn.Mutation{Operation: cairn.Delete, Key: cairn.Key("l"), Position: 1}
	req.RequestID = cairn.NewRequestID(time.Now())
	first := g.write(req)
	for round := range 3 {
		// Another may have come in between.
		g.write(put(round, "l"))
		lost := g.leader().config.ID
		g.stop(lost)
		again := g.write(req)
		if again.Results[0].Version != first.Results[0].Version || again.Results[0].Existed || again.Results[1].Existed {
			t.Errorf("round %d: %+v, then %+v", round, first.Results, again.Results)
		}
		if n, found := find(t, g.leader(), cairn.Read{Level: cairn.Linearizable}, "l"); !found || n != round {
			t.Errorf("round %d: the delete took effect again: %d, %v", round, n, found)
		}
		jump := time.Duration(round-1) * time.Hour
		g.change = func(c *Config) { c.Now = func() time.Time { return time.Now().Add(jump) } }
		g.start(lost, false)
	}
}
