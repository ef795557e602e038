package datamover

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"cairn"
	moverv1 "cairn/proto/cairn/mover/v1"
	"cairn/proto/channel"
	"cairn/proto/rpcerr"
	"cairn/router/move"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// Client is a client of one data mover; a move.Data. Any goroutine may call it.
type Client struct {
	address string
	conn    *grpc.ClientConn
	mover   moverv1.DataMoverClient
}

// Dial makes a Client for the data mover at host:port, without encryption unless an option
// says how. It does not connect: the first call does. It fails with KindInvalid for an
// address that can't be one.
func Dial(address string, options ...grpc.DialOption) (*Client, error) {
	conn, err := channel.Dial(address, options...)
	if err != nil {
		return nil, cairn.Invalid("mover", "ADDRESS_MALFORMED", "data mover %q: %w", address, err)
	}
	return &Client{address, conn, moverv1.NewDataMoverClient(conn)}, nil
}

// Close fails the calls under way.
func (c *Client) Close() error { return c.conn.Close() }

// answer is a response of any call.
type answer interface{ GetProgress() *moverv1.Progress }

func (c *Client) progress(response answer, err error) (move.DataProgress, error) {
	if err != nil {
		return move.DataProgress{}, fmt.Errorf("data mover: %w", rpcerr.From(c.address, err))
	}
	p := response.GetProgress()
	return move.DataProgress{
		DataHave: move.DataHave{
			Known: true, Copied: string(p.GetCopied()), Complete: p.GetComplete(), Through: p.GetThrough(), Caught: p.GetCaughtUp(),
			Fence: p.GetFence(), Drained: p.GetDrained(), Verified: p.GetVerified(),
		},
		Values: p.GetValuesCopied(), Bytes: p.GetBytesCopied(), Left: p.GetValuesLeft(),
	}, nil
}

// Do is what an action asks for that has no method of its own.
func (c *Client) Do(ctx context.Context, m move.DataMove, a move.Action) (move.DataProgress, error) {
	message := encode(m)
	switch a.Kind {
	case move.PrepareData:
		return c.progress(c.mover.Prepare(ctx, &moverv1.PrepareRequest{Move: message}))
	case move.FenceData:
		return c.progress(c.mover.Fence(ctx, &moverv1.FenceRequest{Move: message, Deadline: timestamppb.New(m.FencedUntil)}))
	case move.UnfenceData:
		return c.progress(c.mover.Unfence(ctx, &moverv1.UnfenceRequest{Move: message}))
	case move.DrainData:
		return c.progress(c.mover.Drain(ctx, &moverv1.DrainRequest{Move: message}))
	case move.CommitData:
		return c.progress(c.mover.Commit(ctx, &moverv1.CommitRequest{Move: message, Epoch: a.Epoch}))
	case move.CleanUpData:
		return c.progress(c.mover.CleanUp(ctx, &moverv1.CleanUpRequest{Move: message, Outcome: outcome(m, a)}))
	}
	return move.DataProgress{}, cairn.Errorf(cairn.KindInternal, "ACTION_UNKNOWN", "no data mover does %s", a)
}

func outcome(m move.DataMove, a move.Action) moverv1.CleanUpRequest_Outcome {
	switch {
	case a.Void:
		return moverv1.CleanUpRequest_VOID
	case m.Phase == shardmap.MoveDone:
		return moverv1.CleanUpRequest_COMMITTED
	}
	return moverv1.CleanUpRequest_CANCELLED
}

// Copy hands keys of the copy over.
func (c *Client) Copy(ctx context.Context, m move.DataMove, part move.DataCopy) (move.DataProgress, error) {
	return c.progress(c.mover.Copy(ctx, &moverv1.CopyRequest{
		Move: encode(m), Keys: encodeKeys(part.Keys), After: part.After, Last: part.Last, Done: part.Done, Index: part.Index,
	}))
}

// CatchUp hands keys over that have changed.
func (c *Client) CatchUp(ctx context.Context, m move.DataMove, part move.DataTail) (move.DataProgress, error) {
	return c.progress(c.mover.CatchUp(ctx, &moverv1.CatchUpRequest{
		Move: encode(m), Keys: encodeKeys(part.Keys), After: part.After, Through: part.Through,
	}))
}

// Verify compares both sides.
func (c *Client) Verify(ctx context.Context, m move.DataMove) (move.DataProgress, []cairn.Key, error) {
	response, err := c.mover.Verify(ctx, &moverv1.VerifyRequest{Move: encode(m)})
	progress, err := c.progress(response, err)
	var differing []cairn.Key
	for _, key := range response.GetDiffering() {
		differing = append(differing, key)
	}
	return progress, differing, err
}

// Progress is how far the data mover is.
func (c *Client) Progress(ctx context.Context, m move.DataMove) (move.DataProgress, error) {
	return c.progress(c.mover.GetProgress(ctx, &moverv1.GetProgressRequest{Move: encode(m)}))
}

func encode(m move.DataMove) *moverv1.Move {
	return &moverv1.Move{
		Id: m.UID.String(), Attempt: m.Attempt, Fence: m.Fence, Revision: m.Revision,
		Keyspace: m.Keyspace.Name, KeyspaceUid: m.Keyspace.UID.String(), Shard: uint64(m.Shard), Epoch: m.Epoch,
		Start: []byte(m.Start), End: []byte(m.End), From: encodeSide(m.From), To: encodeSide(m.To),
	}
}

func encodeSide(cluster *catalog.Cluster) *moverv1.Side {
	out := new(moverv1.Side)
	if cluster == nil {
		return out
	}
	out.Cluster = cluster.Name
	for _, n := range cluster.Nodes {
		out.Nodes = append(out.Nodes, &moverv1.Node{Number: uint32(n.ID), Name: n.Name, Address: n.Address, Zone: n.Zone})
	}
	return out
}

func encodeKeys(keys []cairn.MovedKey) []*moverv1.MovedKey {
	out := make([]*moverv1.MovedKey, len(keys))
	for i := range keys {
		k := &keys[i]
		out[i] = &moverv1.MovedKey{Key: k.Key, From: numbers(k.From), To: numbers(k.To), Gone: k.Gone}
	}
	return out
}

func numbers(nodes []cairn.NodeID) (out []uint32) {
	for _, n := range nodes {
		out = append(out, uint32(n))
	}
	return out
}
