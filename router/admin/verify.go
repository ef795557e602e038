package admin

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// Verify has a replica of a cluster's index count a shard again: the one at an
// address, or for an empty one whichever there is in this process.
type Verify func(ctx context.Context, cluster *catalog.Cluster, address string, shard shardmap.Shard) (cairn.ShardCheck, error)

// Outcome is what came of a comparison.
type Outcome uint8

// The outcomes of a comparison.
const (
	Same Outcome = iota + 1
	Different
	// Unknown: it could not be made, or not at one moment.
	Unknown
)

// Check is one comparison of what is known of a shard.
type Check struct {
	What    string
	Outcome Outcome
	// Index is the log index that it is of, Digest what was counted.
	Index  uint64
	Digest cairn.Digest
	// Note is what is different, or why it is not known.
	Note string
}

// VerifyShard compares all that is known of a shard, and tells each comparison: what
// every replica of the owner's index has in its file with the digest that it kept
// with every write, and with the map; the replicas with one another, as far as they
// answer for one log index; and while the shard is fenced for a move what source and
// target have. An error while verifying is an unknown outcome, never an equal one.
//
// KindNotFound if there is no such shard.
func (a *Admin) VerifyShard(ctx context.Context, keyspace string, id cairn.ShardID) ([]Check, error) {
	m, k, err := a.keyspace(ctx, keyspace)
	if err != nil {
		return nil, err
	}
	shard, found := m.Shard(k.UID, id)
	if !found {
		return nil, noShard(k, id)
	}
	owner, found := m.Catalog().ClusterByUID(shard.Cluster)
	if !found {
		return []Check{{What: "owner", Outcome: Different, Note: fmt.Sprintf("the map gives the shard to cluster %s, which is not declared", shard.Cluster)}}, nil
	}
	addresses := owner.IndexReplicas
	if len(addresses) == 0 {
		addresses = []string{""}
	}
	counts := make([]cairn.ShardCheck, len(addresses))
	errs := make([]error, len(addresses))
	var asking sync.WaitGroup
	for i, address := range addresses {
		asking.Go(func() { counts[i], errs[i] = a.config.Verify(ctx, owner, address, shard) })
	}
	asking.Wait()
	var checks []Check
	for i, address := range addresses {
		what := "index of " + owner.Name
		if address != "" {
			what = "replica " + address
		}
		checks = append(checks, checkReplica(what, shard, counts[i], errs[i]))
	}
	if len(addresses) > 1 {
		checks = append(checks, compareReplicas(counts, errs))
	}
	if move, held := m.MoveOf(k.UID, id); held && !move.Within() && a.config.Moving != nil {
		checks = append(checks, a.checkMove(ctx, m, move))
	}
	return checks, nil
}

// checkReplica compares what one replica has with what it kept, and with the map.
func checkReplica(what string, shard shardmap.Shard, count cairn.ShardCheck, err error) Check {
	c := Check{What: what, Outcome: Same, Index: count.Index, Digest: count.Counted}
	switch {
	case cairn.KindOf(err) == cairn.KindCorrupt && err != nil, cairn.KindOf(err) == cairn.KindStale && err != nil:
		c.Outcome, c.Note = Different, err.Error()
	case err != nil:
		c.Outcome, c.Note = Unknown, err.Error()
	case count.Counted != count.Kept:
		c.Outcome, c.Note = Different, fmt.Sprintf("%d entries of digest %016x were kept with the writes", count.Kept.Entries, count.Kept.Sum)
	case count.Withheld:
		c.Outcome, c.Note = Different, "it is not served: what there is of it did not arrive as a whole"
	case count.Epoch > shard.Epoch:
		c.Outcome, c.Note = Unknown, "the shard changed meanwhile; verify it again"
	case count.Epoch != shard.Epoch || !bytes.Equal(count.Start, shard.Start) || !bytes.Equal(count.End, shard.End):
		c.Outcome, c.Note = Different, fmt.Sprintf("the index has it in epoch %d as %x to %x, the map in epoch %d as %x to %x",
			count.Epoch, count.Start, count.End, shard.Epoch, shard.Start, shard.End)
	}
	return c
}

// compareReplicas compares those that answered for the last log index.
func compareReplicas(counts []cairn.ShardCheck, errs []error) Check {
	last, compared := -1, 0
	for i := range counts {
		if errs[i] == nil && (last < 0 || counts[i].Index > counts[last].Index) {
			last = i
		}
	}
	if last < 0 {
		return Check{What: "replicas", Outcome: Unknown, Note: "none answers"}
	}
	c := Check{What: "replicas", Outcome: Same, Index: counts[last].Index, Digest: counts[last].Counted}
	for i := range counts {
		if errs[i] != nil || counts[i].Index != c.Index {
			continue
		}
		if compared++; counts[i].Counted != c.Digest {
			c.Outcome, c.Note = Different, "they have different entries at one log index"
		}
	}
	if c.Outcome == Same && compared < len(counts) {
		c.Outcome = Unknown
		c.Note = fmt.Sprintf("%d of %d answer for this log index; the marks in the log compare them all the time, and one that differed would say so", compared, len(counts))
	}
	return c
}

// checkMove compares what source and target of a move have, which is the same only
// while the shard is fenced.
func (a *Admin) checkMove(ctx context.Context, m *shardmap.Map, move shardmap.Move) Check {
	c := Check{What: "move to " + a.name(m, move.To), Outcome: Unknown}
	fence, staged, err := a.config.Moving(ctx, m, move)
	c.Index, c.Digest = fence.Index, staged.Digest
	switch {
	case err != nil:
		c.Note = err.Error()
	case !fence.On || !staged.Complete || staged.Through < fence.Index:
		c.Note = fmt.Sprintf("the move is %s; both are compared before it is committed", move.Phase)
	case fence.Digest != staged.Digest:
		c.Outcome, c.Note = Different, fmt.Sprintf("the source has %d entries of digest %016x", fence.Digest.Entries, fence.Digest.Sum)
	default:
		c.Outcome = Same
	}
	return c
}
