package daemon

import (
	"fmt"
	"testing"

	cairnv1 "cairn/proto/cairn/v1"
)

// TestWatchFromTheTokenOfAPut resumes from a token that speaks of one of two
// clusters: every change after it comes from both, in the order of each key.
func TestWatchFromTheTokenOfAPut(t *testing.T) {
	p := start(t, child{Kind: "dev", Data: t.TempDir()})
	c := call(t, p.ready().Listen)
	c.apply(orders(), cluster("north"), cluster("south"))
	const before, after = 40, 400
	c.mustWrite(0, before)
	put := func(i int, amount int64) *cairnv1.PutResponse {
		t.Helper()
		written, err := c.writer.Put(c.context(), &cairnv1.PutRequest{Keyspace: keyspaceName, Put: &cairnv1.Put{
			Key: key(i), Attributes: map[string]*cairnv1.Value{"amount": intValue(int(amount))},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return written
	}
	token := put(before, before).GetToken()
	c.mustWrite(before+1, after)
	// Once more, so that a key has two changes.
	put(before+1, -1)

	expect := func(from string) {
		t.Helper()
		stream, err := c.changes.Watch(c.context(), &cairnv1.WatchRequest{Keyspace: keyspaceName, From: from})
		if err != nil {
			t.Fatal(err)
		}
		missing := map[string]bool{}
		for i := before + 1; i < after; i++ {
			missing[string(key(i))] = true
		}
		missing["again"] = true
		owners := map[string]bool{}
		var amounts []int64
		for len(missing) > 0 {
			batch, err := stream.Recv()
			if err != nil {
				t.Fatalf("with %d changes missing: %v", len(missing), err)
			}
			for _, change := range batch.GetChanges() {
				delete(missing, string(change.GetKey()))
				owners[batch.GetNodes()[change.GetAfter().GetPrimary()].GetCluster()] = true
				if string(change.GetKey()) == string(key(before+1)) {
					amounts = append(amounts, change.GetAfter().GetAttributes()["amount"].GetIntValue())
					if amounts[len(amounts)-1] == -1 {
						delete(missing, "again")
					}
				}
			}
		}
		if len(owners) != 2 {
			t.Errorf("changes of %v; want both clusters'", owners)
		}
		if got := fmt.Sprint(amounts); got != fmt.Sprintf("[%d -1]", before+1) {
			t.Errorf("the amounts of one key came as %s", got)
		}
	}
	expect(token)
	// A locate's token stands for its cluster alone too.
	found, err := c.locator.Locate(c.context(), &cairnv1.LocateRequest{Keyspace: keyspaceName, Key: key(0)})
	if err != nil {
		t.Fatal(err)
	}
	late := found.GetToken()
	put(after, 7)
	stream, err := c.changes.Watch(c.context(), &cairnv1.WatchRequest{Keyspace: keyspaceName, From: late})
	if err != nil {
		t.Fatal(err)
	}
	for seen := false; !seen; {
		batch, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for _, change := range batch.GetChanges() {
			seen = seen || string(change.GetKey()) == string(key(after))
		}
	}
}
