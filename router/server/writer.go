package server

import (
	"context"
	"fmt"
	"strings"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/proto/wire"
	"cairn/router"
)

type writer struct {
	cairnv1.UnimplementedWriterServer
	router *router.Router
}

func (w *writer) Put(ctx context.Context, req *cairnv1.PutRequest) (*cairnv1.PutResponse, error) {
	keyspace, err := keyspaceName("keyspace", req.GetKeyspace())
	if err != nil {
		return nil, err
	}
	if req.GetPut() == nil {
		return nil, cairn.Invalid("put", "PUT_MISSING", "say what to put")
	}
	write, err := wire.FromPut(req.GetPut(), req.GetCondition())
	if err != nil {
		return nil, err
	}
	id, err := wire.FromRequestID(req.GetRequestId())
	if err != nil {
		return nil, err
	}
	outcome, token, err := w.router.Put(ctx, keyspace, write, id)
	if err != nil {
		return nil, err
	}
	out := &cairnv1.PutResponse{
		Version: wire.Version(outcome.Version), Created: !outcome.Existed,
		Replicas: nodeRefs(outcome.Cluster, outcome.Replicas), Token: token.String(),
	}
	if outcome.Primary != nil {
		out.Primary = nodeRef(outcome.Cluster, outcome.Primary)
	}
	return out, nil
}

func (w *writer) Delete(ctx context.Context, req *cairnv1.DeleteRequest) (*cairnv1.DeleteResponse, error) {
	keyspace, err := keyspaceName("keyspace", req.GetKeyspace())
	if err != nil {
		return nil, err
	}
	condition, err := wire.FromCondition(req.GetCondition())
	if err != nil {
		return nil, err
	}
	id, err := wire.FromRequestID(req.GetRequestId())
	if err != nil {
		return nil, err
	}
	existed, token, err := w.router.Delete(ctx, keyspace, req.GetKey(), condition, id)
	if err != nil {
		return nil, err
	}
	return &cairnv1.DeleteResponse{Found: existed, Token: token.String()}, nil
}

func (w *writer) BatchWrite(ctx context.Context, req *cairnv1.BatchWriteRequest) (*cairnv1.BatchWriteResponse, error) {
	keyspace, err := keyspaceName("keyspace", req.GetKeyspace())
	if err != nil {
		return nil, err
	}
	if err := checkCount("writes", len(req.GetWrites())); err != nil {
		return nil, err
	}
	id, err := wire.FromRequestID(req.GetRequestId())
	if err != nil {
		return nil, err
	}
	results := make([]cairnv1.WriteResult, len(req.GetWrites()))
	// Only what can be read as a write goes on; the others have their errors
	// in their place already. The same ones do when the batch comes again, so
	// that the others have the same positions.
	writes := make([]cairn.Write, 0, len(results))
	places := make([]int, 0, len(results))
	for i, each := range req.GetWrites() {
		write, err := wire.FromWrite(each)
		if err != nil {
			results[i].Error = rpcerr.ToProto(rpcerr.FromError(cairn.InField(position(i), err)))
			continue
		}
		writes, places = append(writes, write), append(places, i)
	}
	var table nodeTable
	var token cairn.Token
	if len(writes) > 0 || len(results) == 0 {
		var outcomes []cairn.WriteOutcome
		if outcomes, token, err = w.router.BatchWrite(ctx, keyspace, writes, id); err != nil {
			return nil, err
		}
		for i := range outcomes {
			if err := outcomes[i].Err; err != nil {
				err.Field = strings.Replace(err.Field, position(i), position(places[i]), 1)
			}
			fillResult(&results[places[i]], &outcomes[i], writes[i].Operation, &table)
		}
	}
	out := &cairnv1.BatchWriteResponse{Results: make([]*cairnv1.WriteResult, len(results)), Nodes: table.refs, Token: token.String()}
	for i := range results {
		out.Results[i] = &results[i]
	}
	shortenErrors(len(results), func(i int) *statuspb.Status { return results[i].GetError() })
	return out, nil
}

// position names a write in errors, as the router does.
func position(i int) string { return fmt.Sprintf("writes[%d]", i) }

func fillResult(out *cairnv1.WriteResult, outcome *cairn.WriteOutcome, operation cairn.Operation, table *nodeTable) {
	if outcome.Err != nil {
		out.Error = rpcerr.ToProto(outcome.Err)
		return
	}
	if operation == cairn.Delete {
		out.ChangedExistence = outcome.Existed
		return
	}
	out.ChangedExistence = !outcome.Existed
	out.Version = wire.Version(outcome.Version)
	if outcome.Primary != nil {
		out.Primary = table.add(outcome.Cluster, outcome.Primary)
		out.Replicas = table.addAll(outcome.Cluster, outcome.Replicas)
	}
}
