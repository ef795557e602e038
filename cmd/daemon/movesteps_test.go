package daemon

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/move"
)

// stepsEnv, where it is set, has every fault happen at every step of the protocol,
// rather than one that is drawn at each.
const stepsEnv = "CAIRN_TORTURE_STEPS"

// moverSteps are what a mover does in the course of a move, each of which it can be
// held up before and after. It lifts a fence where the target did not get the last
// changes in time, and asks for those, but under the fence, where it does not know how
// much has changed.
var moverSteps = []string{
	"note", "ask", "swap-to-copying", "copy", "stage", "swap-to-catching-up", "swap-to-fenced", "fence",
	"unfence", "tail", "swap-to-committed", "swap-to-done", "drop",
}

// stepFault is something that happens while the mover, a router, is held up at a step.
// do has the mover go on, unless it ends it.
type stepFault struct {
	name string
	do   func(x *stepping, mover int)
}

var stepFaults = []stepFault{
	{"mover killed", (*stepping).moverKilled},
	{"mover stopped", (*stepping).moverStopped},
	{"source killed", func(x *stepping, _ int) { x.indexKilled(x.source) }},
	{"target killed", func(x *stepping, _ int) { x.indexKilled(x.target) }},
	{"source stopped", func(x *stepping, _ int) { x.indexStopped(x.source) }},
	{"target stopped", func(x *stepping, _ int) { x.indexStopped(x.target) }},
	{"other router killed", func(x *stepping, mover int) { x.otherRouterKilled(mover) }},
	{"etcd restarts", func(x *stepping, _ int) { x.etcdRestarts() }},
}

// stepping is a spread of two routers, whose clients work throughout, and whose movers
// are held up as the test says.
type stepping struct {
	t *testing.T // of the fault
	*spread
	moving *moving
	mischief
	load           *load
	random         *rand.Rand
	source, target string    // of the present move
	move, shard    string    // its name, and what moves
	since          time.Time // when it began
	takeovers      []time.Duration
}

// TestMovesAtEachStep has movers, sources, targets, routers and etcd die or stand still
// at each step of the protocol, while clients read and write, and read all pages. Calls
// may find nobody for a while, and are answered when they are repeated; the move is
// done, and the logs of both sides are the log of one owner.
func TestMovesAtEachStep(t *testing.T) {
	x, seed := startStepping(t)
	s, m := x.spread, x.moving
	replicas := map[string][]string{"north": {s.configs["north"].Listen}, "south": {s.configs["south"].Listen}}
	logs := followJournals(t, replicas)
	pages := startScans(t, seed, true, m.routers...)
	defer pages.end()
	x.load = startHealing(t, "moved", seed, m.routers...)
	defer x.load.end()
	x.load.goesOn(100)
	all := fromEnv(t, stepsEnv, 0) > 0
	for _, step := range moverSteps {
		for _, when := range []string{"before:", "after:"} {
			faults := stepFaults
			if !all {
				at := x.random.IntN(len(faults))
				faults = faults[at : at+1]
			}
			for _, fault := range faults {
				if !x.run(when+step+"/"+fault.name, func() { x.at(when+step, fault.do) }) {
					return
				}
			}
		}
	}
	for _, step := range moverSteps {
		if !strings.HasPrefix(step, "swap-to-") {
			continue
		}
		if !x.run("lost/"+step, func() { x.lost(step) }) || !x.run("late/"+step, func() { x.late(step) }) {
			return
		}
	}
	pages.finish()
	x.load.finish()
	logs.catchUp(replicas)
	if err := logs.check(x.load); err != nil {
		t.Error(err)
	}
	slices.Sort(x.takeovers)
	t.Logf("%d calls were repeated; after a mover was killed, another went on after %v", x.load.failed.Load(), x.takeovers)
	s.terminateAll(m)
}

// startStepping starts a spread whose movers are the routers that clients ask.
func startStepping(t *testing.T) (*stepping, uint64) {
	t.Helper()
	from := mischief(filepath.Join(t.TempDir(), "movers"))
	s, m, seed := startMoving(t, from)
	s.router.terminate(syscall.SIGTERM)
	m.movers = m.movers[1:]
	return &stepping{t: t, spread: s, moving: m, mischief: from, random: m.random}, seed
}

// run has something happen, after which clients go on.
func (x *stepping) run(name string, do func()) bool {
	return x.moving.t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
		x.t = t
		defer func() { x.t = x.moving.t }()
		do()
		x.load.goesOn(50)
	})
}

// at has a fault happen while the mover is held up at a step of a move, which is done
// in the end.
func (x *stepping) at(step string, fault func(*stepping, int)) {
	x.t.Helper()
	began := time.Now()
	switch {
	case strings.HasSuffix(step, ":unfence"):
		x.outlastFence()
		x.set("at=" + step)
	case strings.HasSuffix(step, ":tail"):
		x.changeMovers("at=" + step)
	default:
		x.begin("at=" + step)
	}
	mover := x.awaitHeld("at=" + step)
	fault(x, mover)
	x.awaitDone()
	if x.mischief.says("at", step) {
		x.t.Fatal("nothing had the mover go on")
	}
	x.t.Logf("%s: done after %s", step, time.Since(began).Round(time.Millisecond))
}

// begin begins a move of some shard, with the mover held up as the words say.
func (x *stepping) begin(words string) {
	x.t.Helper()
	x.since = time.Now()
	x.set(words)
	var created *cairnv1.CreateMoveResponse
	x.ask("a move begins", func(ctx context.Context, admin cairnv1.AdminClient) error {
		page, err := admin.ListShards(ctx, &cairnv1.ListShardsRequest{Parent: keyspaceName})
		if err != nil {
			return err
		}
		shard := page.Shards[x.random.IntN(len(page.Shards))]
		x.source, x.target = "north", "south"
		if shard.Cluster == "clusters/south" {
			x.source, x.target = x.target, x.source
		}
		// Nothing is kept, so that each move copies.
		created, err = admin.CreateMove(ctx, &cairnv1.CreateMoveRequest{Shard: shard.Name, To: "clusters/" + x.target, Keep: durationpb.New(0)})
		return err
	})
	x.move, x.shard = created.Move.Name, created.Move.Shard
}

// ask makes a call through any router that answers.
func (x *stepping) ask(what string, call func(context.Context, cairnv1.AdminClient) error) {
	x.t.Helper()
	turn := 0
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		err = call(ctx, x.moving.routers[turn%len(x.moving.routers)].admin)
		cancel()
		if err == nil {
			return
		}
		turn++
	}
	x.t.Fatalf("after %v it is not so that %s: %v", patience, what, err)
}

// awaitDone waits until the move is done.
func (x *stepping) awaitDone() {
	x.t.Helper()
	var record *cairnv1.Move
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		x.ask("a router tells of the move", func(ctx context.Context, admin cairnv1.AdminClient) (err error) {
			record, err = admin.GetMove(ctx, &cairnv1.GetMoveRequest{Name: x.move})
			return err
		})
		if record.Phase == cairnv1.Move_DONE {
			return
		}
	}
	x.t.Fatalf("after %v the move is %v", patience, record)
}

// awaitHeld waits until a mover is held up as the words say, and tells which router that
// is.
func (x *stepping) awaitHeld(words string) (mover int) {
	x.t.Helper()
	mover = -1
	eventually(x.t, "the mover is held up", func() bool {
		for _, n := range x.mischief.noted(x.since) {
			if n.what == heldNote+words {
				mover = x.routerOf(n.pid)
			}
		}
		return mover >= 0
	})
	return mover
}

func (x *stepping) routerOf(pid int) int {
	for i, each := range x.moving.movers {
		if each.cmd.Process.Pid == pid {
			return i
		}
	}
	return -1
}

// outlastFence begins a move and has the mover held up under a fence for longer than that
// may stand.
func (x *stepping) outlastFence() {
	x.t.Helper()
	x.begin("at=after:fence")
	x.awaitHeld("at=after:fence")
	time.Sleep(move.FenceFor + 100*time.Millisecond)
}

// changeMovers begins a move and has another mover catch up, with words for that one.
func (x *stepping) changeMovers(words string) {
	x.t.Helper()
	const at = "at=after:swap-to-catching-up"
	x.begin(at)
	mover := x.awaitHeld(at)
	x.moving.movers[mover].kill()
	x.set(words)
	x.restartRouter(mover)
}

func (x *stepping) set(words string) {
	if err := x.mischief.set(words); err != nil {
		x.t.Error(err)
	}
}

// release has the mover go on.
func (x *stepping) release() { x.set("") }

// moverKilled kills the mover. Another goes on soon: after the last step too there is the
// record's end to be written.
func (x *stepping) moverKilled(mover int) {
	x.moving.movers[mover].kill()
	killed := time.Now()
	pid := x.moving.movers[mover].cmd.Process.Pid
	x.release()
	eventually(x.t, "another mover goes on", func() bool {
		for _, n := range x.mischief.noted(killed) {
			if n.pid != pid {
				x.takeovers = append(x.takeovers, n.at.Sub(killed).Round(time.Millisecond))
				return true
			}
		}
		return false
	})
	x.restartRouter(mover)
}

func (x *stepping) restartRouter(i int) {
	x.moving.movers[i] = start(x.moving.t, x.moving.configs[i])
	x.moving.at[i] = x.moving.movers[i].ready()
}

// moverStopped stops the mover until another has done its work; then it wakes, and does
// what it was about to.
func (x *stepping) moverStopped(mover int) {
	x.moving.movers[mover].signal(syscall.SIGSTOP)
	x.release()
	x.awaitDone()
	x.moving.movers[mover].signal(syscall.SIGCONT)
}

func (x *stepping) indexKilled(cluster string) {
	x.indexes[cluster].kill()
	x.release()
	time.Sleep(between(x.random, 0, time.Second))
	x.indexes[cluster] = start(x.moving.t, x.configs[cluster])
	x.indexes[cluster].ready()
}

func (x *stepping) indexStopped(cluster string) {
	x.indexes[cluster].signal(syscall.SIGSTOP)
	x.release()
	time.Sleep(between(x.random, 100*time.Millisecond, 3*time.Second))
	x.indexes[cluster].signal(syscall.SIGCONT)
}

// otherRouterKilled kills the router that is not the mover.
func (x *stepping) otherRouterKilled(mover int) {
	other := 1 - mover
	x.moving.movers[other].kill()
	x.release()
	time.Sleep(between(x.random, 0, time.Second))
	x.restartRouter(other)
}

func (x *stepping) etcdRestarts() {
	x.stopEtcd()
	x.release()
	time.Sleep(between(x.random, 0, 2*time.Second))
	_, x.stopEtcd = etcdForTest(x.moving.t, x.etcdData, strings.TrimPrefix(x.etcd, "http://"))
}

// lost has the mover told that nothing is known of a transaction that was made.
func (x *stepping) lost(step string) {
	x.begin("lost=" + step)
	x.awaitHeld("lost=" + step)
	x.release()
	x.awaitDone()
}

// late has the mover told that nothing is known of a transaction, which is made at some
// time after that, when it has found out, or not.
func (x *stepping) late(step string) {
	x.begin("late=" + step)
	mover := x.awaitHeld("late=" + step)
	x.set("later=" + step)
	time.Sleep(between(x.random, 0, 2*time.Second))
	x.release()
	late := "late " + step
	x.moving.movers[mover].says(late)
	x.awaitDone()
	log := x.moving.movers[mover].logText()
	outcome, _, _ := strings.Cut(log[strings.LastIndex(log, late):], "\n")
	x.t.Log(outcome)
}
