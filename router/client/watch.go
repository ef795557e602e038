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
	for try := 1; ; try++ {
		progressed, err := c.watchOnce(ctx, keyspace, &from, deliver)
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

// watchOnce watches until the connection breaks, moving from on. It tells
// whether anything came.
func (c *Client) watchOnce(ctx context.Context, keyspace string, from *cairn.Token, deliver func(cairn.Changes) error) (progressed bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.changes.Watch(ctx, &cairnv1.WatchRequest{Keyspace: keyspacePrefix + keyspace, From: from.String()})
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
		*from, progressed = changes.Token, true
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
		out.Changes = append(out.Changes, cairn.NamedChange{
			Key: change.GetKey(), Shard: id, Time: change.GetTime().AsTime().In(time.UTC),
			Before: entry(change.GetBefore()), After: entry(change.GetAfter()),
		})
	}
	return out, err
}
