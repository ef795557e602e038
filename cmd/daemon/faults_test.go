package daemon

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	cairnv1 "cairn/proto/cairn/v1"
)

// fault is something that happens to a besieged cluster while it is used. do
// returns once it is over; what it draws makes no two times alike.
type fault struct {
	name string
	do   func(b *besieged, random *rand.Rand)
}

var faults = []fault{
	{"leader killed", func(b *besieged, random *rand.Rand) { b.killed(random, b.leader()) }},
	{"follower killed", func(b *besieged, random *rand.Rand) { b.killed(random, b.follower(random)) }},
	{"all killed", func(b *besieged, random *rand.Rand) { b.killed(random, b.declared...) }},
	{"leader stopped", func(b *besieged, random *rand.Rand) { b.stopped(random, b.leader()) }},
	{"follower stopped", func(b *besieged, random *rand.Rand) { b.stopped(random, b.follower(random)) }},
	{"leader cut off", func(b *besieged, random *rand.Rand) {
		leader := b.leader()
		b.cutOff(random, waysBetween(b.name(leader), b.names(b.others(leader)), true, true))
	}},
	{"follower cut off", func(b *besieged, random *rand.Rand) {
		follower := b.follower(random)
		b.cutOff(random, waysBetween(b.name(follower), b.names(b.others(follower)), true, true))
	}},
	{"leader mute", func(b *besieged, random *rand.Rand) {
		leader := b.leader()
		b.cutOff(random, waysBetween(b.name(leader), b.names(b.others(leader)), true, false))
	}},
	{"leader deaf", func(b *besieged, random *rand.Rand) {
		leader := b.leader()
		b.cutOff(random, waysBetween(b.name(leader), b.names(b.others(leader)), false, true))
	}},
	{"follower deaf or mute", func(b *besieged, random *rand.Rand) {
		follower, mute := b.follower(random), random.IntN(2) == 0
		b.cutOff(random, waysBetween(b.name(follower), b.names(b.others(follower)), mute, !mute))
	}},
	{"router cut off from leader", func(b *besieged, random *rand.Rand) {
		asks, answers := random.IntN(3) > 0, random.IntN(3) > 0
		b.cutOff(random, waysBetween(routerName, []string{b.name(b.leader())}, asks || !answers, answers))
	}},
	{"leader and router cut off from the rest", func(b *besieged, random *rand.Rand) {
		leader := b.leader()
		others := b.names(b.others(leader))
		b.cutOff(random, append(waysBetween(b.name(leader), others, true, true), waysBetween(routerName, others, true, true)...))
	}},
	{"leader replaced", (*besieged).replaced},
	{"slow disk", func(b *besieged, random *rand.Rand) {
		slow := fmt.Sprintf("slow=%dms", 20+random.IntN(150))
		b.suffers(b.leader(), slow, between(random, 500*time.Millisecond, 2*time.Second))
	}},
	{"slow disks", func(b *besieged, random *rand.Rand) {
		for _, address := range b.declared {
			b.set(address, fmt.Sprintf("slow=%dms", random.IntN(60)))
		}
		b.suffers(b.leader(), "slow=100ms", between(random, 500*time.Millisecond, 2*time.Second))
	}},
	{"leader's disk hangs", func(b *besieged, random *rand.Rand) {
		b.suffers(b.leader(), "hang", between(random, time.Second, 6*time.Second))
	}},
	{"follower's disk hangs", func(b *besieged, random *rand.Rand) {
		b.suffers(b.follower(random), "hang", between(random, time.Second, 4*time.Second))
	}},
	{"leader's disk full", func(b *besieged, random *rand.Rand) {
		b.suffers(b.leader(), "full", between(random, 500*time.Millisecond, 2*time.Second))
	}},
	{"disk full to its last byte", (*besieged).filled},
	{"clocks jump", func(b *besieged, random *rand.Rand) {
		for range 5 {
			address := b.declared[random.IntN(len(b.declared))]
			b.suffers(address, fmt.Sprintf("clock=%s", between(random, -5*time.Hour, 5*time.Hour)), 100*time.Millisecond)
		}
	}},
	{"etcd restarts", (*besieged).withoutEtcd},
}

// between draws a time.
func between(random *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(random.Int64N(int64(to-from)))
}

// follower draws a replica that does not lead.
func (b *besieged) follower(random *rand.Rand) string {
	others := b.others(b.leader())
	return others[random.IntN(len(others))]
}

func (b *besieged) names(addresses []string) (names []string) {
	for _, address := range addresses {
		names = append(names, b.name(address))
	}
	return names
}

// killed kills replicas (kill -9), and starts them again a moment later.
func (b *besieged) killed(random *rand.Rand, addresses ...string) {
	for _, address := range addresses {
		b.indexes[address].kill()
	}
	time.Sleep(between(random, 0, 1500*time.Millisecond))
	for _, address := range addresses {
		b.run(address)
	}
	for _, address := range addresses {
		b.indexes[address].ready()
	}
}

// stopped stops a replica's process (SIGSTOP) for a while, mostly for longer
// than an election takes.
func (b *besieged) stopped(random *rand.Rand, address string) {
	b.indexes[address].signal(syscall.SIGSTOP)
	time.Sleep(between(random, 300*time.Millisecond, 3*time.Second))
	b.indexes[address].signal(syscall.SIGCONT)
}

// waysBetween are the ways between one and others: out, in, or both.
func waysBetween(one string, others []string, out, in bool) (ways []way) {
	for _, other := range others {
		if out {
			ways = append(ways, way{one, other})
		}
		if in {
			ways = append(ways, way{other, one})
		}
	}
	return ways
}

// cutOff cuts ways for a while; what is on its way arrives late or not at all.
func (b *besieged) cutOff(random *rand.Rand, ways []way) {
	for _, w := range ways {
		b.network.cutOff(w.from, w.to)
	}
	time.Sleep(between(random, 300*time.Millisecond, 3500*time.Millisecond))
	b.network.heal(random.IntN(2) == 0)
}

// replaced takes the leader out of what is declared, and back in.
func (b *besieged) replaced(*rand.Rand) {
	all := b.declared
	b.declared = b.others(b.leader())
	b.declare()
	b.settle()
	b.declared = all
	b.declare()
	b.settle()
}

// suffers has a replica suffer for a while, and all well after it.
func (b *besieged) suffers(address, words string, d time.Duration) {
	b.set(address, words)
	time.Sleep(d)
	for _, each := range append(slices.Clone(b.declared), address) {
		b.set(each, "")
	}
}

func (b *besieged) set(address, words string) {
	if err := b.mischief(address).set(words); err != nil {
		b.t.Error(err)
	}
}

// filled fills the small file system, if there is one, until its replica has
// found that out, and for a while more.
func (b *besieged) filled(random *rand.Rand) {
	if b.small == "" {
		return
	}
	ballast, err := os.Create(filepath.Join(b.small, "ballast"))
	if err != nil {
		b.t.Fatal(err)
	}
	defer ballast.Close()
	suffering := b.indexes[b.declared[2]]
	complaints := func() int { return strings.Count(suffering.logText(), syscall.ENOSPC.Error()) }
	before := complaints()
	fillDisk(b.t, ballast, 0)
	eventually(b.t, "the replica finds its disk full", func() bool {
		b.writeNotes()
		return complaints() > before
	})
	time.Sleep(between(random, 0, 2*time.Second))
	if err := ballast.Truncate(0); err != nil {
		b.t.Fatal(err)
	}
}

// writeNotes tries to write some 400 KB.
func (b *besieged) writeNotes() {
	request := &cairnv1.BatchWriteRequest{Keyspace: keyspaceName}
	note := &cairnv1.Value{Kind: &cairnv1.Value_StringValue{StringValue: strings.Repeat("0123456789", 400)}}
	for i := range 100 {
		request.Writes = append(request.Writes, &cairnv1.Write{Operation: &cairnv1.Write_Put{Put: &cairnv1.Put{
			Key: fmt.Appendf(nil, "note-%03d", i), Attributes: map[string]*cairnv1.Value{"note": note},
		}}})
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
	defer cancel()
	_, _ = b.writer.BatchWrite(ctx, request) // whether the disk takes it is what is to be found out
}

// withoutEtcd stops etcd and starts it again; half of the time a leader is lost
// meanwhile.
func (b *besieged) withoutEtcd(random *rand.Rand) {
	leader := b.leader()
	b.stopEtcd()
	if random.IntN(2) == 0 {
		b.stopped(random, leader)
	} else {
		time.Sleep(between(random, 100*time.Millisecond, time.Second))
	}
	_, b.stopEtcd = etcdForTest(b.all, b.etcdData, strings.TrimPrefix(b.etcd, "http://"))
}
