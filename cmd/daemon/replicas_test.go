package daemon

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	cairnv1 "cairn/proto/cairn/v1"
)

// replicated is a router and the replicas of one cluster's index, each a
// process of its own.
type replicated struct {
	*caller
	etcd     string
	router   *process
	indexes  map[string]*process // by address
	configs  map[string]child
	declared []string
	keyspace *cairnv1.Resource // orders if nil
}

// startReplicated starts a cluster whose index has n replicas, and waits until
// all have a vote.
func startReplicated(t *testing.T, n int) *replicated {
	t.Helper()
	s := &replicated{indexes: map[string]*process{}, configs: map[string]child{}}
	s.etcd, _ = etcdForTest(t, t.TempDir(), anyPort)
	s.router = start(t, child{Kind: "router", Etcd: []string{s.etcd}, Data: t.TempDir()})
	s.caller = call(t, s.router.ready().Listen)
	for i := range n {
		s.declared = append(s.declared, s.startIndex(i > 0))
		if i == 0 {
			s.declare()
			s.indexes[s.declared[0]].ready()
		}
	}
	s.declare()
	s.settle()
	return s
}

// startIndex starts a replica with an empty directory.
func (s *replicated) startIndex(join bool) (address string) {
	s.t.Helper()
	address = freeAddress(s.t)
	s.configs[address] = child{Kind: "index", Cluster: "north", Data: s.t.TempDir(), Etcd: []string{s.etcd}, Listen: address, Join: join}
	s.indexes[address] = start(s.t, s.configs[address])
	if join {
		s.indexes[address].ready()
	}
	return address
}

// declare applies the cluster with the replicas that are declared now.
func (s *replicated) declare() {
	s.t.Helper()
	s.apply(cluster("north", s.declared...), cmp.Or(s.keyspace, orders()))
}

func (s *replicated) replicas() []*cairnv1.Replica {
	s.t.Helper()
	response, err := s.admin.ListReplicas(s.context(), &cairnv1.ListReplicasRequest{Parent: "clusters/north"})
	if err != nil {
		s.t.Fatal(err)
	}
	return response.GetReplicas()
}

// settle waits until the index has exactly the declared replicas.
func (s *replicated) settle() (leader string) {
	s.t.Helper()
	var replicas []*cairnv1.Replica
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		replicas = s.replicas()
		leader, others := "", 0
		for _, r := range replicas {
			switch {
			case r.Role == cairnv1.Replica_LEADER && r.Declared:
				leader = r.Address
			case r.Role != cairnv1.Replica_VOTER || !r.Declared:
				others++
			}
		}
		if leader != "" && others == 0 && len(replicas) == len(s.declared) {
			return leader
		}
	}
	s.t.Fatalf("the replicas are not as declared: %v", replicas)
	return ""
}

// leader waits for a replica that leads.
func (s *replicated) leader() string {
	s.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		for _, r := range s.replicas() {
			if r.Role == cairnv1.Replica_LEADER && r.Trouble == "" {
				return r.Address
			}
		}
	}
	s.t.Fatal("nobody leads")
	return ""
}

func (s *replicated) terminate() {
	s.t.Helper()
	s.router.terminate(syscall.SIGTERM)
	for _, index := range s.indexes {
		index.terminate(syscall.SIGTERM)
	}
}

func TestIndexSurvivesItsLeader(t *testing.T) {
	s := startReplicated(t, 3)
	s.mustWrite(0, 1000)
	for round := range 2 {
		lost := s.leader()
		s.indexes[lost].kill()
		first := 1000 + 100*round
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		acknowledged, err := s.writeUntil(ctx, first, first+100)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d writes, %s after the leader was killed", acknowledged, time.Since(began).Round(time.Millisecond))
		s.expect(upTo(first + 100))
		s.indexes[lost] = start(t, s.configs[lost])
		s.indexes[lost].ready()
		s.settle()
	}
	s.terminate()
}

// writeUntil writes keys one after the other, again where that failed.
func (s *replicated) writeUntil(ctx context.Context, first, end int) (acknowledged int, err error) {
	for i := first; i < end; {
		if _, err = s.writeRange(ctx, i, i+1); err == nil {
			i++
			acknowledged++
		} else if ctx.Err() != nil {
			return acknowledged, fmt.Errorf("key %d: %w", i, err)
		}
	}
	return acknowledged, nil
}

func TestReplicasComeAndGo(t *testing.T) {
	s := startReplicated(t, 1)
	s.mustWrite(0, 500)
	founder := s.declared[0]
	s.declared = append(s.declared, s.startIndex(true), s.startIndex(true))
	s.declare()
	s.settle()
	s.mustWrite(500, 1000)

	// The founder dies for good, and another takes its place.
	s.indexes[founder].kill()
	delete(s.indexes, founder)
	s.declared = append(s.declared[1:], s.startIndex(true))
	s.declare()
	s.settle()
	s.mustWrite(1000, 1500)
	s.expect(upTo(1500))

	// A directory is lost, and the server comes back with an empty one.
	emptied := s.declared[0]
	s.indexes[emptied].kill()
	config := s.configs[emptied]
	config.Data, config.Join = t.TempDir(), false
	if said := start(t, config).failure(); !strings.Contains(said, "start with --join") {
		t.Errorf("an empty directory without --join: %s", said)
	}
	config.Join = true
	s.indexes[emptied] = start(t, config)
	s.indexes[emptied].ready()
	s.settle()

	// Back to one, which is not the one that leads.
	leads := s.leader()
	for _, address := range s.declared {
		if address != leads {
			s.declared = []string{address}
			break
		}
	}
	s.declare()
	s.settle()
	for address, index := range s.indexes {
		if address != s.declared[0] {
			index.terminate(syscall.SIGTERM)
			delete(s.indexes, address)
		}
	}
	s.mustWrite(1500, 1600)
	s.expect(upTo(1600))
	s.terminate()
}
