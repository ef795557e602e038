package daemon

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cairn/nodeindex"
	cairnv1 "cairn/proto/cairn/v1"
)

func TestDevServesTheSameDataAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "stack")
	const entries = 2500
	var token string
	for round, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		p := start(t, child{Kind: "dev", Data: dir})
		at := p.ready()
		c := call(t, at.Listen)
		if round == 0 {
			c.apply(orders(), cluster("north"), cluster("south"))
			c.mustWrite(0, entries)
			written, err := c.writer.Put(c.context(), &cairnv1.PutRequest{Keyspace: keyspaceName, Put: &cairnv1.Put{
				Key: key(entries), Attributes: map[string]*cairnv1.Value{"amount": intValue(entries)},
			}})
			if err != nil || !written.Created {
				t.Fatalf("put: %v, %v; want it created", written, err)
			}
			token = written.Token
		}
		c.expect(upTo(entries + 1))
		found, err := c.locator.Locate(c.context(), &cairnv1.LocateRequest{Keyspace: keyspaceName, Key: key(entries),
			Freshness: &cairnv1.Freshness{Level: &cairnv1.Freshness_AtLeast{AtLeast: token}}})
		if err != nil || found.Location.State != cairnv1.Location_FOUND {
			t.Errorf("round %d: locate by the write's token: %v, %v", round, found, err)
		}
		missing, err := c.locator.Locate(c.context(), &cairnv1.LocateRequest{Keyspace: keyspaceName, Key: []byte("nothing")})
		if err != nil || missing.Location.State != cairnv1.Location_NOT_FOUND {
			t.Errorf("round %d: locate a key without an entry: %v, %v", round, missing, err)
		}
		keys := c.list()
		if len(keys) != entries+1 || !slices.IsSorted(keys) {
			t.Errorf("round %d: %d keys listed, sorted %t; want %d in order", round, len(keys), slices.IsSorted(keys), entries+1)
		}
		if north, south := c.count("north"), c.count("south"); north+south != entries+1 || north == 0 || south == 0 {
			t.Errorf("round %d: the indexes hold %d and %d entries; want %d over both", round, north, south, entries+1)
		}
		p.terminate(signal)
	}
	if log, err := os.Stat(filepath.Join(dir, "etcd.log")); err != nil || log.Size() == 0 {
		t.Errorf("the log of etcd: %v, %v", log, err)
	}
}

func TestDevWatches(t *testing.T) {
	p := start(t, child{Kind: "dev", Data: t.TempDir()})
	c := call(t, p.ready().Listen)
	c.apply(orders(), cluster("north"), cluster("south"))
	stream, err := c.changes.Watch(c.context(), &cairnv1.WatchRequest{Keyspace: keyspaceName})
	if err != nil {
		t.Fatal(err)
	}
	first, err := stream.Recv()
	if err != nil || len(first.Changes) > 0 || first.Token == "" {
		t.Fatalf("the watch begins with %v, %v; want a token and no changes", first, err)
	}
	const entries = 200
	c.mustWrite(0, entries)
	seen := map[string]bool{}
	for len(seen) < entries {
		batch, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %d changes: %v", len(seen), err)
		}
		for _, change := range batch.Changes {
			if change.Before != nil || change.After == nil || change.Time == nil {
				t.Fatalf("a change of a new key: %v", change)
			}
			seen[string(change.Key)] = true
		}
	}
	// The watch is still open: the stack ends in time all the same.
	p.terminate(syscall.SIGTERM)
	for err = error(nil); err == nil; { // heartbeats
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unavailable {
		t.Errorf("the watch ended with %v; want UNAVAILABLE", err)
	}
}

func TestDevRunsIndexesAsClustersComeAndGo(t *testing.T) {
	dir := t.TempDir()
	p := start(t, child{Kind: "dev", Data: dir})
	c := call(t, p.ready().Listen)
	c.apply(cluster("north"))
	c.apply(cluster("west"), orders())
	c.mustWrite(0, 100)
	c.apply(cluster("late"))
	if n := c.count("late"); n != 0 {
		t.Errorf("the new cluster's index holds %d entries; want none", n)
	}
	if _, err := c.admin.DeleteCluster(c.context(), &cairnv1.DeleteClusterRequest{Name: "clusters/late"}); err != nil {
		t.Fatal(err)
	}
	p.says(`msg="index stopped" cluster=late`)
	p.says("msg=operation method=DeleteCluster on=clusters/late caller=127.0.0.1:")
	p.says("msg=operation method=Apply on=clusters/west,keyspaces/orders caller=")
	if _, err := c.admin.GetIndexStatus(c.context(), &cairnv1.GetIndexStatusRequest{Cluster: "clusters/late"}); status.Code(err) != codes.NotFound {
		t.Errorf("status of a cluster that is gone: %v; want NOT_FOUND", err)
	}
	c.expect(upTo(100))
	p.terminate(syscall.SIGTERM)
}

func TestDevMetrics(t *testing.T) {
	p := start(t, child{Kind: "dev", Data: t.TempDir()})
	at := p.ready()
	c := call(t, at.Listen)
	c.apply(orders(), cluster("north"))
	c.mustWrite(0, 10)
	c.expect(upTo(10))
	for _, name := range []string{"orders", "no-such-keyspace"} {
		c.locator.Locate(short(t), &cairnv1.LocateRequest{Keyspace: "keyspaces/" + name, Key: key(1)})
	}
	code, body := getPage(t, "http://"+at.HTTP+"/metrics")
	if code != http.StatusOK {
		t.Fatalf("/metrics: %d", code)
	}
	for _, want := range []string{
		`cairn_request_duration_seconds_count{keyspace="orders",outcome="ok",verb="locate"} 1`,
		`cairn_request_duration_seconds_count{keyspace="orders",outcome="ok",verb="batch_write"} 1`,
		`cairn_request_duration_seconds_count{keyspace="",outcome="not found",verb="locate"} 1`,
		`cairn_request_keys_total{keyspace="orders",outcome="ok",verb="batch_write"} 10`,
		`cairn_index_entries{cluster="north"} 10`,
		`cairn_index_up{cluster="north"} 1`,
		"cairn_index_applied_index{", "cairn_index_checkpoint_age_seconds{", "cairn_index_file_bytes{",
		"cairn_map_revision ", "cairn_map_staleness_seconds ", "go_goroutines ", "process_resident_memory_bytes ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if strings.Contains(body, "no-such-keyspace") {
		t.Error("/metrics has a keyspace that does not exist")
	}
	p.terminate(syscall.SIGTERM)
}

func TestDevRefusesADirectoryInUse(t *testing.T) {
	dir := t.TempDir()
	first := start(t, child{Kind: "dev", Data: dir})
	first.ready()
	second := start(t, child{Kind: "dev", Data: dir})
	if said := second.failure(); !strings.Contains(said, "in use by another process") || !strings.Contains(said, dir) {
		t.Errorf("it says %q; want that %s is in use", said, dir)
	}
	first.terminate(syscall.SIGTERM)
}

func TestDevRefusesADamagedIndex(t *testing.T) {
	dir := t.TempDir()
	p := start(t, child{Kind: "dev", Data: dir})
	c := call(t, p.ready().Listen)
	c.apply(cluster("north"))
	c.count("north")
	p.terminate(syscall.SIGTERM)

	files, err := filepath.Glob(filepath.Join(dir, "clusters", "*", nodeindex.FileName))
	if err != nil || len(files) != 1 {
		t.Fatalf("index files: %v, %v; want one", files, err)
	}
	foreign := bytes.Repeat([]byte("not an index\n"), 1000)
	if err := os.WriteFile(files[0], foreign, 0o600); err != nil {
		t.Fatal(err)
	}
	if said := start(t, child{Kind: "dev", Data: dir}).failure(); !strings.Contains(said, "cluster north") || !strings.Contains(said, files[0]) {
		t.Errorf("it says %q; want the cluster and the file", said)
	}
	if now, err := os.ReadFile(files[0]); err != nil || !bytes.Equal(now, foreign) {
		t.Errorf("the file was changed (%d bytes, %v)", len(now), err)
	}
}

func TestDevRefusesAnAddressInUse(t *testing.T) {
	first := start(t, child{Kind: "dev", Data: t.TempDir()})
	at := first.ready()
	second := start(t, child{Kind: "dev", Data: t.TempDir(), Listen: at.Listen})
	if said := second.failure(); !strings.Contains(said, at.Listen+" is in use") {
		t.Errorf("it says %q; want that %s is in use", said, at.Listen)
	}
	third := start(t, child{Kind: "dev", Data: t.TempDir(), Listen: "0.0.0.0:0"})
	if said := third.failure(); !strings.Contains(said, "--insecure") {
		t.Errorf("it says %q; want --insecure named", said)
	}
}
