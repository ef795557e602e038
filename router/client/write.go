package client

import (
	"context"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/proto/wire"
)

// Put is router.Router.Put. The client itself sends a write once: after
// KindUnknown, call again with the same id.
func (c *Client) Put(ctx context.Context, keyspace string, put cairn.Write, id cairn.RequestID) (cairn.WriteOutcome, cairn.Token, error) {
	if put.Operation != cairn.Put && put.Operation != cairn.Merge {
		return cairn.WriteOutcome{}, cairn.Token{}, cairn.Invalid("operation", "OPERATION_UNKNOWN", "a Put puts or merges")
	}
	resp, err := write(ctx, c, &cairnv1.PutRequest{
		Keyspace: keyspacePrefix + keyspace, Put: wire.Put(&put), Condition: wire.Condition(put.Condition), RequestId: wire.RequestID(id),
	}, c.writer.Put)
	if err != nil {
		return cairn.WriteOutcome{}, cairn.Token{}, err
	}
	token, err := wire.FromToken("token", resp.GetToken())
	if err != nil {
		return cairn.WriteOutcome{}, cairn.Token{}, broken(err)
	}
	out := cairn.WriteOutcome{Existed: !resp.GetCreated(), Version: wire.FromVersion(resp.GetVersion())}
	if resp.GetPrimary() != nil {
		nodes := tableOf(append([]*cairnv1.NodeRef{resp.GetPrimary()}, resp.GetReplicas()...))
		out.Primary, out.Cluster = &nodes.nodes[0], nodes.clusters[0]
		for i := range nodes.nodes[1:] {
			out.Replicas = append(out.Replicas, &nodes.nodes[i+1])
		}
	}
	return out, token, nil
}

// Delete is router.Router.Delete.
func (c *Client) Delete(ctx context.Context, keyspace string, key cairn.Key, condition cairn.Condition, id cairn.RequestID) (existed bool, token cairn.Token, err error) {
	resp, err := write(ctx, c, &cairnv1.DeleteRequest{
		Keyspace: keyspacePrefix + keyspace, Key: key, Condition: wire.Condition(condition), RequestId: wire.RequestID(id),
	}, c.writer.Delete)
	if err != nil {
		return false, cairn.Token{}, err
	}
	if token, err = wire.FromToken("token", resp.GetToken()); err != nil {
		return false, cairn.Token{}, broken(err)
	}
	return resp.GetFound(), token, nil
}

// BatchWrite is router.Router.BatchWrite. A batch that is over the size of a
// message is refused before it is sent.
func (c *Client) BatchWrite(ctx context.Context, keyspace string, writes []cairn.Write, id cairn.RequestID) ([]cairn.WriteOutcome, cairn.Token, error) {
	if len(writes) > cairn.MaxBatch {
		return nil, cairn.Token{}, cairn.Invalid("writes", "BATCH_TOO_LARGE", "a batch of %d; a batch has 1 to %d", len(writes), cairn.MaxBatch)
	}
	req := &cairnv1.BatchWriteRequest{Keyspace: keyspacePrefix + keyspace, Writes: make([]*cairnv1.Write, len(writes)), RequestId: wire.RequestID(id)}
	for i := range writes {
		req.Writes[i] = wire.Write(&writes[i])
	}
	if err := checkSize("writes", len(writes), req); err != nil {
		return nil, cairn.Token{}, err
	}
	resp, err := write(ctx, c, req, c.writer.BatchWrite)
	if err != nil {
		return nil, cairn.Token{}, err
	}
	token, err := wire.FromToken("token", resp.GetToken())
	if err != nil {
		return nil, cairn.Token{}, broken(err)
	}
	if len(resp.GetResults()) != len(writes) {
		return nil, cairn.Token{}, cairn.Errorf(cairn.KindUnknown, "OUTCOME_UNKNOWN", "the server gave %d results to a batch of %d", len(resp.GetResults()), len(writes))
	}
	nodes := tableOf(resp.GetNodes())
	out := make([]cairn.WriteOutcome, len(writes))
	for i, result := range resp.GetResults() {
		if out[i], err = nodes.outcome(result, writes[i].Operation); err != nil {
			return nil, cairn.Token{}, err
		}
	}
	return out, token, nil
}

func (t nodeTable) outcome(result *cairnv1.WriteResult, operation cairn.Operation) (out cairn.WriteOutcome, err error) {
	if result.GetError() != nil {
		return cairn.WriteOutcome{Err: rpcerr.FromProto(result.GetError())}, nil
	}
	if operation == cairn.Delete {
		return cairn.WriteOutcome{Existed: result.GetChangedExistence()}, nil
	}
	out = cairn.WriteOutcome{Existed: !result.GetChangedExistence(), Version: wire.FromVersion(result.GetVersion())}
	if len(t.nodes) == 0 {
		// The server could not name them.
		return out, nil
	}
	if out.Primary, out.Cluster, err = t.at(result.GetPrimary()); err != nil {
		return out, err
	}
	out.Replicas, err = t.all(result.GetReplicas())
	return out, err
}
