package daemon

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
)

const keyspaceName = "keyspaces/orders"

// caller is a client of the public API.
type caller struct {
	t       *testing.T
	conn    *grpc.ClientConn
	locator cairnv1.LocatorClient
	writer  cairnv1.WriterClient
	changes cairnv1.ChangesClient
	admin   cairnv1.AdminClient
	views   cairnv1.ViewsClient
}

// call connects to a server for as long as the test lasts.
func call(t *testing.T, address string) *caller {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &caller{
		t: t, conn: conn,
		locator: cairnv1.NewLocatorClient(conn),
		writer:  cairnv1.NewWriterClient(conn),
		changes: cairnv1.NewChangesClient(conn),
		admin:   cairnv1.NewAdminClient(conn),
		views:   cairnv1.NewViewsClient(conn),
	}
}

func (c *caller) context() context.Context {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	c.t.Cleanup(cancel)
	return ctx
}

// orders is the keyspace of these tests.
func orders() *cairnv1.Resource {
	return &cairnv1.Resource{Resource: &cairnv1.Resource_Keyspace{Keyspace: &cairnv1.Keyspace{
		Name:       keyspaceName,
		Placement:  &cairnv1.Placement{Scheme: cairnv1.Placement_HASH, InitialShards: 16},
		Attributes: map[string]*cairnv1.Attribute{"amount": {Type: cairnv1.Attribute_INT}, "note": {Type: cairnv1.Attribute_STRING}},
	}}}
}

// cluster is a cluster of two nodes.
func cluster(name string, replicas ...string) *cairnv1.Resource {
	return &cairnv1.Resource{Resource: &cairnv1.Resource_Cluster{Cluster: &cairnv1.Cluster{
		Name: "clusters/" + name, Zone: "eu-1", IndexReplicas: replicas,
		Nodes: []*cairnv1.Node{
			{Name: name + "-a", Address: "10.0.0.1:5432"},
			{Name: name + "-b", Address: "10.0.0.2:5432"},
		},
	}}}
}

// apply applies resources, again where shards of them changed meanwhile.
func (c *caller) apply(resources ...*cairnv1.Resource) {
	c.t.Helper()
	ctx := c.context()
	_, err := c.admin.Apply(ctx, &cairnv1.ApplyRequest{Resources: resources})
	for codeOf(err) == codes.Aborted && ctx.Err() == nil {
		_, err = c.admin.Apply(ctx, &cairnv1.ApplyRequest{Resources: resources})
	}
	if err != nil {
		c.t.Fatalf("apply: %v", err)
	}
}

func key(i int) []byte { return fmt.Appendf(nil, "order-%07d", i) }

func intValue(n int) *cairnv1.Value {
	return &cairnv1.Value{Kind: &cairnv1.Value_IntValue{IntValue: int64(n)}}
}

// writeRange puts the keys from first up to, not including, end; each key's
// amount is its number. It returns which were acknowledged, and an error if
// not all were.
func (c *caller) writeRange(ctx context.Context, first, end int) (acknowledged []int, err error) {
	request := &cairnv1.BatchWriteRequest{Keyspace: keyspaceName}
	for i := first; i < end; i++ {
		request.Writes = append(request.Writes, &cairnv1.Write{Operation: &cairnv1.Write_Put{Put: &cairnv1.Put{
			Key: key(i), Attributes: map[string]*cairnv1.Value{"amount": intValue(i)},
		}}})
	}
	response, err := c.writer.BatchWrite(ctx, request)
	if err != nil {
		return nil, err
	}
	for i, result := range response.Results {
		if result.Error != nil {
			err = fmt.Errorf("key %d: %w", first+i, rpcerr.FromProto(result.Error))
			continue
		}
		acknowledged = append(acknowledged, first+i)
	}
	return acknowledged, err
}

// mustWrite puts a range of keys, all of which are to be acknowledged.
func (c *caller) mustWrite(first, end int) {
	c.t.Helper()
	const batch = 1000
	for ; first < end; first += batch {
		if _, err := c.writeRange(c.context(), first, min(first+batch, end)); err != nil {
			c.t.Fatalf("write from %d: %v", first, err)
		}
	}
}

// expect checks that every one of the keys is found with its amount.
func (c *caller) expect(numbers []int) {
	c.t.Helper()
	const batch = 1000
	for len(numbers) > 0 {
		part := numbers[:min(batch, len(numbers))]
		numbers = numbers[len(part):]
		request := &cairnv1.BatchLocateRequest{
			Keyspace: keyspaceName, View: cairnv1.LocationView_LOCATION_VIEW_FULL,
			Freshness: &cairnv1.Freshness{Level: &cairnv1.Freshness_Linearizable_{Linearizable: &cairnv1.Freshness_Linearizable{}}},
		}
		for _, i := range part {
			request.Keys = append(request.Keys, key(i))
		}
		response, err := c.locator.BatchLocate(c.context(), request)
		if err != nil {
			c.t.Fatalf("locate: %v", err)
		}
		for at, location := range response.Locations {
			i := part[at]
			if location.State != cairnv1.Location_FOUND || location.Attributes["amount"].GetIntValue() != int64(i) {
				c.t.Fatalf("key %d: %v; want it found with amount %d", i, location, i)
			}
			if node := response.Nodes[location.Primary]; node.Cluster == "" || node.Address == "" {
				c.t.Fatalf("key %d is on %v; want a node with cluster and address", i, node)
			}
		}
	}
}

// ordersByAmount is a view of all orders that have an amount, the largest
// first.
func ordersByAmount() *cairnv1.Resource {
	return &cairnv1.Resource{Resource: &cairnv1.Resource_View{View: &cairnv1.View{
		Name: "views/by-amount", Keyspace: keyspaceName, Filter: "amount >= 0", Sort: []string{"-amount"},
	}}}
}

// expectView checks that the view by amount has exactly the entries that the
// indexes hold, and the largest of them first, while nobody writes.
func (c *caller) expectView() {
	c.t.Helper()
	selection := &cairnv1.Selection{View: "views/by-amount"}
	var counted *cairnv1.CountResponse
	eventually(c.t, "the view serves", func() (ok bool) {
		var err error
		counted, err = c.views.Count(c.context(), &cairnv1.CountRequest{Selection: selection})
		return err == nil
	})
	if held := c.count("north") + c.count("south"); counted.Count != held {
		c.t.Errorf("the view has %d entries, the indexes hold %d", counted.Count, held)
	}
	page, err := c.views.Query(c.context(), &cairnv1.QueryRequest{Selection: selection, PageSize: 1000})
	if err != nil {
		c.t.Fatalf("query: %v", err)
	}
	last := int64(math.MaxInt64)
	for _, row := range page.Rows {
		amount := row.Attributes["amount"].GetIntValue()
		if string(row.Key) != string(key(int(amount))) || amount >= last {
			c.t.Fatalf("after an amount of %d comes key %s with %d", last, row.Key, amount)
		}
		last = amount
	}
}

// list is every key of the keyspace, in order, page by page.
func (c *caller) list() (keys []string) {
	c.t.Helper()
	request := &cairnv1.ListEntriesRequest{Parent: keyspaceName, PageSize: 1000}
	for {
		page, err := c.locator.ListEntries(c.context(), request)
		if err != nil {
			c.t.Fatalf("list: %v", err)
		}
		for _, entry := range page.Entries {
			keys = append(keys, string(entry.Key))
		}
		if request.PageToken = page.NextPageToken; request.PageToken == "" {
			return keys
		}
	}
}

// count is how many entries a cluster's index holds.
func (c *caller) count(name string) uint64 {
	c.t.Helper()
	status, err := c.admin.GetIndexStatus(c.context(), &cairnv1.GetIndexStatusRequest{Cluster: "clusters/" + name})
	if err != nil {
		c.t.Fatalf("status of %s: %v", name, err)
	}
	return status.Entries
}

// codeOf is the code of an error, also of one that was part of an answer; OK for nil.
func codeOf(err error) codes.Code {
	if err == nil {
		return codes.OK
	}
	return rpcerr.ToStatus(rpcerr.FromError(err)).Code()
}

// mayHeal tells whether an error is of those that a client sees while something is down,
// and after which the same request is answered once it is up again. A full disk has a
// code of its own.
func mayHeal(err error) bool {
	switch codeOf(err) {
	case codes.Unavailable, codes.DeadlineExceeded:
		return true
	case codes.ResourceExhausted:
		return rpcerr.FromError(err).Reason == "DISK_FULL"
	}
	return false
}

// upTo are the numbers from 0 up to, not including, n.
func upTo(n int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

// short is a context that ends soon, for calls that are to fail.
func short(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	t.Cleanup(cancel)
	return ctx
}
