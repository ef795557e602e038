package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"cairn"
	moverv1 "cairn/proto/cairn/mover/v1"
)

// Mover moves values between Redis servers. What it knows of moves is gone with it;
// guards and notes are the nodes' own.
type Mover struct {
	moverv1.UnimplementedDataMoverServer

	mu        sync.Mutex // guards nodes and transfers
	nodes     map[string]*node
	transfers map[string]*transfer // by moves' ids
}

// NewMover makes a Mover.
func NewMover() *Mover {
	return &Mover{nodes: map[string]*node{}, transfers: map[string]*transfer{}}
}

// Close ends the connections to nodes.
func (m *Mover) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.nodes {
		n.redis.Close() // there is nothing to be done about an error
	}
}

// transfer is what there is of one attempt. Run is its name at the nodes: another
// process, or this one after it has forgotten the attempt, takes another.
type transfer struct {
	mu      sync.Mutex // one call at a time; guards all below
	run     string     // empty before Prepare
	attempt uint32
	// uncompared are keys whose values were put down and not compared since, with the
	// nodes they went to.
	uncompared map[string]string

	// progress is never changed, but replaced: it is shown while calls are under way.
	progress atomic.Pointer[moverv1.Progress]
}

// change changes the progress, and returns what it is then.
func (t *transfer) change(to func(p *moverv1.Progress)) *moverv1.Progress {
	next := proto.CloneOf(t.progress.Load())
	to(next)
	t.progress.Store(next)
	return next
}

// call is one call that has its claim on all nodes of a move.
type call struct {
	*transfer
	move     *moverv1.Move
	rang     string // as guards name it
	claim    string
	from, to map[uint32]*node
	// runs are those that the nodes belong to, fences those that stand at the source, and
	// before the moves that nodes have had a part in before.
	runs   map[string]bool
	fences map[string]bool
	before map[*node][]string
}

func (m *Mover) transferOf(id string) *transfer {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.transfers[id]
	if t == nil {
		t = new(transfer)
		t.progress.Store(new(moverv1.Progress))
		m.transfers[id] = t
	}
	return t
}

func (m *Mover) side(s *moverv1.Side) map[uint32]*node {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[uint32]*node{}
	for _, each := range s.GetNodes() {
		n := m.nodes[each.GetAddress()]
		if n == nil {
			n = openNode(each.GetAddress())
			m.nodes[each.GetAddress()] = n
		}
		out[each.GetNumber()] = n
	}
	return out
}

// begin has a call begin at all nodes, which ends whatever call was under way there.
// End it with c.mu.Unlock. KindConflict: there was a later one.
func (m *Mover) begin(ctx context.Context, move *moverv1.Move) (*call, error) {
	c := &call{
		transfer: m.transferOf(move.GetId()), move: move, claim: cairn.NewUID().String(), from: m.side(move.GetFrom()), to: m.side(move.GetTo()),
		rang: hex.EncodeToString(move.GetStart()) + "-" + hex.EncodeToString(move.GetEnd()),
		runs: map[string]bool{}, fences: map[string]bool{}, before: map[*node][]string{},
	}
	c.mu.Lock()
	sides := []map[uint32]*node{c.from, c.to}
	if c.within() {
		sides = sides[:1]
	}
	for i, side := range sides {
		for _, n := range side {
			answer, err := n.list(ctx, "claim", move.GetKeyspace(), c.rang, c.claim, move.GetId(), move.GetEpoch(), move.GetRevision())
			if err != nil {
				c.mu.Unlock()
				return nil, err
			}
			c.runs[answer[0]], c.before[n] = true, answer[2:]
			if i == 0 {
				c.fences[answer[1]] = true
			}
		}
	}
	return c, nil
}

// within tells whether keys change nodes inside one cluster.
func (c *call) within() bool { return c.move.GetFrom().GetCluster() == c.move.GetTo().GetCluster() }

// prepared begins a call of an attempt that was prepared, by this process, and not anew
// by another.
func (m *Mover) prepared(ctx context.Context, move *moverv1.Move) (*call, error) {
	c, err := m.begin(ctx, move)
	if err != nil {
		return nil, err
	}
	if !c.isPrepared() {
		c.mu.Unlock()
		return nil, cairn.Errorf(cairn.KindPrecondition, "NOT_PREPARED", "nothing is known of attempt %d of move %s", move.GetAttempt(), move.GetId())
	}
	return c, nil
}

func (c *call) isPrepared() bool {
	return c.run != "" && c.attempt == c.move.GetAttempt() && len(c.runs) == 1 && c.runs[c.run]
}

// fenced tells whether the move's fence stands at all source nodes.
func (c *call) fenced() bool {
	return len(c.fences) == 1 && c.fences[strconv.FormatUint(c.move.GetFence(), 10)]
}

// do has a node do something under the call's claim.
func (c *call) do(ctx context.Context, n *node, operation string, args ...any) ([]string, error) {
	answer, err := n.run(ctx, slices.Concat([]any{operation, c.move.GetKeyspace(), c.rang, c.claim}, args)...)
	if err != nil {
		return nil, err
	}
	values, _ := answer.([]any)
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = fmt.Sprint(v)
	}
	return out, nil
}

// guard changes the guards of all nodes of a side.
func (c *call) guard(ctx context.Context, side map[uint32]*node, p patch) error {
	return c.each(side, func(n *node) error {
		_, err := c.do(ctx, n, "guard", p.String())
		return err
	})
}

// each does something at all nodes of a side at the same time.
func (c *call) each(side map[uint32]*node, do func(*node) error) error {
	var group errgroup.Group
	for _, n := range side {
		group.Go(func() error { return do(n) })
	}
	return group.Wait()
}

// encodeTargets is how a node keeps which ones a key goes to; decodeTargets reads it.
func encodeTargets(numbers []uint32) string {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = strconv.FormatUint(uint64(n), 10)
	}
	return strings.Join(texts, ",")
}

func (c *call) decodeTargets(text string) (map[uint32]*node, error) {
	out := map[uint32]*node{}
	for each := range strings.SplitSeq(text, ",") {
		number, err := strconv.ParseUint(each, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is no list of nodes", text)
		}
		n := c.to[uint32(number)]
		if n == nil {
			return nil, fmt.Errorf("cluster %s has no node %d; it has %v", c.move.GetTo().GetCluster(), number, slices.Collect(maps.Keys(c.to)))
		}
		out[uint32(number)] = n
	}
	return out, nil
}
