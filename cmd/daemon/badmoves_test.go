package daemon

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
)

// TestMovesRefuseBadInput: what is asked about moves and can't be is refused by
// name, and a move to a cluster that does not answer waits, says why, and can be
// paused and cancelled.
func TestMovesRefuseBadInput(t *testing.T) {
	c := call(t, start(t, child{Kind: "dev", Data: t.TempDir()}).ready().Listen)
	c.apply(cluster("north"), orders())
	c.apply(cluster("away", "127.0.0.1:1"))
	create := func(shard, to, reason string) (*cairnv1.Move, error) {
		response, err := c.admin.CreateMove(c.context(), &cairnv1.CreateMoveRequest{Shard: shard, To: to, Reason: reason})
		return response.GetMove(), err
	}
	const held, free = keyspaceName + "/shards/1", keyspaceName + "/shards/2"
	waiting, err := create(held, "clusters/away", "it is closer")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		paused, err := c.admin.PauseMove(c.context(), &cairnv1.PauseMoveRequest{Name: waiting.Name})
		if err != nil || !paused.Move.Paused || paused.Move.Waits != "it is paused" {
			t.Fatalf("paused: %v %v", paused, err)
		}
	}
	resumed, err := c.admin.ResumeMove(c.context(), &cairnv1.ResumeMoveRequest{Name: waiting.Name})
	if err != nil || resumed.Move.Paused {
		t.Fatalf("resumed: %v %v", resumed, err)
	}
	eventually(t, "the move says that its target does not answer", func() bool {
		move, err := c.admin.GetMove(c.context(), &cairnv1.GetMoveRequest{Name: waiting.Name})
		return err == nil && move.Phase == cairnv1.Move_PREPARING && strings.Contains(move.Problem, "127.0.0.1:1")
	})
	refused := map[string]struct {
		err           error
		code          codes.Code
		reason, field string
	}{
		"no shard":               {second(create("", "clusters/north", "")), codes.InvalidArgument, "RESOURCE_NAME", "shard"},
		"no such shard":          {second(create(keyspaceName+"/shards/99", "clusters/away", "")), codes.NotFound, "SHARD_NOT_FOUND", "shard"},
		"no such keyspace":       {second(create("keyspaces/none/shards/1", "clusters/away", "")), codes.NotFound, "KEYSPACE_NOT_FOUND", "shard"},
		"no target":              {second(create(free, "", "")), codes.InvalidArgument, "RESOURCE_NAME", "to"},
		"no such target":         {second(create(free, "clusters/none", "")), codes.NotFound, "CLUSTER_NOT_FOUND", "to"},
		"to its owner":           {second(create(free, "clusters/north", "")), codes.InvalidArgument, "MOVE_TO_OWNER", "to"},
		"a long reason":          {second(create(free, "clusters/away", strings.Repeat("a", 256))), codes.InvalidArgument, "REASON_TOO_LONG", "reason"},
		"a shard that moves":     {second(create(held, "clusters/away", "")), codes.FailedPrecondition, "SHARD_MOVING", ""},
		"a split of it":          {second(c.admin.SplitShard(c.context(), &cairnv1.SplitShardRequest{Name: held})), codes.FailedPrecondition, "SHARD_MOVING", ""},
		"a target in use":        {second(c.admin.DeleteCluster(c.context(), &cairnv1.DeleteClusterRequest{Name: "clusters/away"})), codes.FailedPrecondition, "IN_USE", "clusters/away"},
		"a keyspace in use":      {second(c.admin.DeleteKeyspace(c.context(), &cairnv1.DeleteKeyspaceRequest{Name: keyspaceName})), codes.FailedPrecondition, "IN_USE", keyspaceName},
		"a move's bare name":     {second(c.admin.GetMove(c.context(), &cairnv1.GetMoveRequest{Name: "17"})), codes.InvalidArgument, "RESOURCE_NAME", "name"},
		"a move's short name":    {second(c.admin.PauseMove(c.context(), &cairnv1.PauseMoveRequest{Name: "moves/17"})), codes.InvalidArgument, "RESOURCE_NAME", "name"},
		"no such move":           {second(c.admin.CancelMove(c.context(), &cairnv1.CancelMoveRequest{Name: "moves/00c3a1f09be24d57"})), codes.NotFound, "MOVE_NOT_FOUND", "name"},
		"a page size":            {second(c.admin.ListMoves(c.context(), &cairnv1.ListMovesRequest{PageSize: 1_001})), codes.InvalidArgument, "PAGE_SIZE", "page_size"},
		"a page token":           {second(c.admin.ListMoves(c.context(), &cairnv1.ListMovesRequest{PageToken: "Zmlyc3Q"})), codes.InvalidArgument, "PAGE_TOKEN_MALFORMED", "page_token"},
		"pinning no such shard":  {second(c.admin.PinShard(c.context(), &cairnv1.PinShardRequest{Name: keyspaceName + "/shards/99"})), codes.NotFound, "SHARD_NOT_FOUND", "name"},
		"isolating no key":       {second(c.admin.IsolateKey(c.context(), &cairnv1.IsolateKeyRequest{Parent: keyspaceName})), codes.InvalidArgument, "KEY_EMPTY", "key"},
		"isolating where no one": {second(c.admin.IsolateKey(c.context(), &cairnv1.IsolateKeyRequest{Parent: "keyspaces/none", Key: []byte("a")})), codes.NotFound, "KEYSPACE_NOT_FOUND", "parent"},
	}
	for what, each := range refused {
		failure := rpcerr.FromError(each.err)
		if code := status.Code(each.err); code != each.code || failure.Reason != each.reason || failure.Field != each.field {
			t.Errorf("%s: %s %s, field %q: %v", what, code, failure.Reason, failure.Field, each.err)
		}
	}

	cancelled, err := c.admin.CancelMove(c.context(), &cairnv1.CancelMoveRequest{Name: waiting.Name})
	if err != nil || !cancelled.Move.Cancelling && cancelled.Move.Phase != cairnv1.Move_CANCELLED {
		t.Fatalf("cancelled: %v %v", cancelled, err)
	}
	eventually(t, "the move is cancelled although its target does not answer", func() bool {
		move, err := c.admin.GetMove(c.context(), &cairnv1.GetMoveRequest{Name: waiting.Name})
		return err == nil && move.Phase == cairnv1.Move_CANCELLED
	})
	if _, err := create(free, "clusters/away", ""); err != nil {
		t.Fatal(err)
	}
	var listed []string
	for token := ""; ; {
		page, err := c.admin.ListMoves(c.context(), &cairnv1.ListMovesRequest{PageSize: 1, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, move := range page.Moves {
			listed = append(listed, move.Shard)
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	if len(listed) != 2 || listed[0] != held || listed[1] != free {
		t.Errorf("listed page by page: %v", listed)
	}
}
