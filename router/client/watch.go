package client

import (
	"context"
	"errors"
	"time"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/proto/wire"
)

// Watch is router.Router.Watch. When the connection breaks it goes on from the
// last token that was delivered, so that changes may come twice and none is
// left out.
func (c *Client) Watch(ctx context.Context, keyspace string, from cairn.Token, deliver func(cairn.Changes) error) error {
	return c.watch(ctx, &cairnv1.WatchRequest{Keyspace: keyspacePrefix + keyspace, From: from.String()}, deliver)
}

// WatchSnapshot is router.Router.WatchSnapshot. When the connection breaks
// before all entries have been told, they are told from the beginning.
func (c *Client) WatchSnapshot(ctx context.Context, keyspace string, deliver func(cairn.Changes) error) error {
	return c.watch(ctx, &cairnv1.WatchRequest{Keyspace: keyspacePrefix + keyspace, Snapshot: true}, deliver)
}

func (c *Client) watch(ctx context.Context, req *cairnv1.WatchRequest, deliver func(cairn.Changes) error) error {
	for try := 1; ; try++ {
		progressed, err := c.watchOnce(ctx, req, deliver)
		if failure, own := errors.AsType[*delivering](err); own {
			return failure.err
		}
		if progressed {
			try = 1
		}
		broke := rpcerr.From(c.address, err)
		if ctx.Err() != nil {
			return rpcerr.FromError(ctx.Err())
		}
		if broke.Kind != cairn.KindUnavailable {
			return broke
		}
		if !pause(ctx, try) {
			<-ctx.Done()
			return rpcerr.FromError(ctx.Err())
		}
	}
}

// delivering is an error of deliver, kept apart from those of the connection.
type delivering struct{ err error }

func (d *delivering) Error() string { return d.err.Error() }

// watchOnce watches until the connection breaks, and has the request go on from
// what was delivered. It tells whether anything came.
func (c *Client) watchOnce(ctx context.Context, req *cairnv1.WatchRequest, deliver func(cairn.Changes) error) (progressed bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.changes.Watch(ctx, req)
	if err != nil {
		return false, err
	}
	for {
		resp, err := stream.Recv()
		if err != nil {
			return progressed, err
		}
		changes, err := fromWatch(resp)
		if err != nil {
			return progressed, err
		}
		if err := deliver(changes); err != nil {
			return progressed, &delivering{err}
		}
		if progressed = true; resp.GetToken() != "" {
			req.From, req.Snapshot = resp.GetToken(), false
		}
	}
}

func fromWatch(resp *cairnv1.WatchResponse) (cairn.Changes, error) {
	token, err := wire.FromToken("token", resp.GetToken())
	if err != nil {
		return cairn.Changes{}, broken(err)
	}
	out := cairn.Changes{Token: token}
	nodes := tableOf(resp.GetNodes())
	entry := func(e *cairnv1.Entry) *cairn.NamedEntry {
		if e == nil || err != nil {
			return nil
		}
		var named cairn.NamedEntry
		named, err = nodes.entry(e)
		return &named
	}
	for _, change := range resp.GetChanges() {
		id, unreadable := shardID(change.GetShard())
		if unreadable != nil {
			return cairn.Changes{}, unreadable
		}
		named := cairn.NamedChange{Key: change.GetKey(), Shard: id, Before: entry(change.GetBefore()), After: entry(change.GetAfter())}
		if change.GetTime() != nil {
			named.Time = change.GetTime().AsTime().In(time.UTC)
		}
		out.Changes = append(out.Changes, named)
	}
	return out, err
}
