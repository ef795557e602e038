package replica

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// TestPipelineEndsWithARefusal has a follower refuse what a pipeline brings.
// raft, which stops to read answers then, must not wait for room in it.
func TestPipelineEndsWithARefusal(t *testing.T) {
	g := newGroup(t, 2)
	leader := g.leader()
	follower := "b"
	if leader.config.ID == follower {
		follower = "a"
	}
	address := raft.ServerAddress(g.networks[follower].address)
	// Another transport, whose pipeline nobody but the test reads.
	network := newTestNetwork(t)
	config := leader.config
	config.Address, config.Network = network.address, network
	other, err := openTransport(config, raftConfig(config).Logger, &store{retention: newRetention(config, t.TempDir())})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	p, err := other.AppendEntriesPipeline(raft.ServerID(follower), address)
	if err != nil {
		t.Fatal(err)
	}
	refused := make(chan bool)
	go func() { // as raft does
		answer := <-p.Consumer()
		refused <- !answer.Response().Success
	}()
	sent := make(chan error)
	go func() {
		for {
			// Of a term that has passed.
			request := raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}, PrevLogEntry: 1}
			if _, err := p.AppendEntries(&request, new(raft.AppendEntriesResponse)); err != nil {
				sent <- err
				return
			}
		}
	}()
	if !<-refused {
		t.Error("the follower accepts what is of an earlier term")
	}
	select {
	case <-sent:
	case <-time.After(5 * time.Second):
		t.Error("sending waits although nobody reads answers any more")
		p.Close()
		<-sent
	}
}
