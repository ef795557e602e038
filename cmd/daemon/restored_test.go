package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cairn"
	"cairn/nodeindex"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// backUp takes a backup of the cluster north.
func (c *caller) backUp() (path string) {
	c.t.Helper()
	path = filepath.Join(c.t.TempDir(), "north.backup")
	file, err := os.Create(path)
	if err != nil {
		c.t.Fatal(err)
	}
	stream, err := c.admin.BackupCluster(c.context(), &cairnv1.BackupClusterRequest{Name: "clusters/north"})
	for err == nil {
		var piece *cairnv1.BackupClusterResponse
		if piece, err = stream.Recv(); err == nil {
			_, err = file.Write(piece.GetData())
		}
	}
	if !errors.Is(err, io.EOF) {
		c.t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// put writes a key and returns the answer's token.
func (c *caller) put(i int) (token string) {
	c.t.Helper()
	response, err := c.writer.Put(c.context(), &cairnv1.PutRequest{Keyspace: keyspaceName, Put: &cairnv1.Put{
		Key: key(i), Attributes: map[string]*cairnv1.Value{"amount": intValue(i)},
	}})
	if err != nil {
		c.t.Fatalf("put %d: %v", i, err)
	}
	return response.GetToken()
}

// found reads a key, at least as new as a token if there is one.
func (c *caller) found(i int, token string) (bool, error) {
	c.t.Helper()
	request := &cairnv1.LocateRequest{Keyspace: keyspaceName, Key: key(i)}
	if token != "" {
		request.Freshness = &cairnv1.Freshness{Level: &cairnv1.Freshness_AtLeast{AtLeast: token}}
	}
	response, err := c.locator.Locate(c.context(), request)
	return response.GetLocation().GetState() == cairnv1.Location_FOUND, err
}

// wantFound reads a key that is to be there.
func (c *caller) wantFound(i int, token string) {
	c.t.Helper()
	if found, err := c.found(i, token); err != nil || !found {
		c.t.Errorf("key %d with token %q: %t, %v", i, token, found, err)
	}
}

// wantLost reads with a token of what is lost.
func (c *caller) wantLost(i int, token string) {
	c.t.Helper()
	_, err := c.found(i, token)
	if status.Code(err) != codes.DataLoss || cairn.ReasonOf(rpcerr.FromError(err)) != "DATA_LOSS" {
		c.t.Errorf("key %d with the token of a write that is lost: %v", i, err)
	}
}

// epochs are the lowest and the highest epoch of the keyspace's shards.
func (c *caller) epochs() (least, greatest uint64) {
	c.t.Helper()
	response, err := c.admin.ListShards(c.context(), &cairnv1.ListShardsRequest{Parent: keyspaceName})
	if err != nil {
		c.t.Fatal(err)
	}
	least = response.Shards[0].Epoch
	for _, shard := range response.Shards {
		least, greatest = min(least, shard.Epoch), max(greatest, shard.Epoch)
	}
	return least, greatest
}

// loseAll ends all replicas of the index for good, as with kill -9.
func (s *replicated) loseAll() {
	s.t.Helper()
	for address, index := range s.indexes {
		index.kill()
		delete(s.indexes, address)
	}
}

// startRestored starts a server of a restored directory at the first address that
// is declared.
func (s *replicated) startRestored(dir, replaces string) *process {
	s.t.Helper()
	return start(s.t, child{Kind: "index", Cluster: "north", Data: dir, Etcd: []string{s.etcd}, Listen: s.declared[0], Restored: true, Replaces: replaces})
}

// TestRestoredIndex backs an index up while it is written to, loses it, and goes
// on from the backup: nothing old passes for new, by either router.
func TestRestoredIndex(t *testing.T) {
	s := startReplicated(t, 3)
	other := call(t, start(t, child{Kind: "router", Etcd: []string{s.etcd}, Data: t.TempDir()}).ready().Listen)
	s.mustWrite(0, 1000)
	kept := s.put(1000)
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	for w := range 4 {
		writing.Go(func() {
			for i := 100_000 * (w + 1); ctx.Err() == nil; i += 10 {
				if _, err := s.writeRange(ctx, i, i+10); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	path := s.backUp()
	stop()
	writing.Wait()
	if report, err := nodeindex.Check(path); err != nil {
		t.Fatalf("%v\n%v", err, report)
	}
	lost := s.put(2000)
	other.wantFound(2000, lost)
	_, greatest := s.epochs()

	dir, second := filepath.Join(t.TempDir(), "restored"), filepath.Join(t.TempDir(), "second")
	for _, each := range []string{dir, second} {
		if _, err := Restore(path, each); err != nil {
			t.Fatal(err)
		}
	}
	// One that lives is not replaced, and nothing is by accident.
	spare := freeAddress(t)
	refused := func(c child, reason string) {
		t.Helper()
		c.Kind, c.Cluster, c.Etcd, c.Listen = "index", "north", []string{s.etcd}, spare
		if said := start(t, c).failure(); !strings.Contains(said, reason) {
			t.Errorf("want it refused for %q: %s", reason, said)
		}
	}
	refused(child{Data: dir}, "start with --restored")
	refused(child{Data: dir, Restored: true}, "still run")
	s.loseAll()

	old := s.declared
	s.declared = []string{freeAddress(t)}
	s.declare()
	restored := s.startRestored(dir, "")
	restored.ready()
	if least, _ := s.epochs(); least <= greatest {
		t.Errorf("a shard has the epoch %d, and had up to %d before", least, greatest)
	}
	s.expect(upTo(1001))
	for _, c := range []*caller{other, s.caller} {
		c.wantFound(1000, kept)
		c.wantLost(2000, lost)
		if found, err := c.found(2000, ""); err != nil || found {
			t.Errorf("what is lost: %t, %v", found, err)
		}
		c.wantFound(2001, c.put(2001))
		watch, err := c.changes.Watch(c.context(), &cairnv1.WatchRequest{Keyspace: keyspaceName, From: lost})
		for err == nil { // heartbeats come first
			var batch *cairnv1.WatchResponse
			if batch, err = watch.Recv(); len(batch.GetChanges()) > 0 {
				t.Errorf("changes after what is lost: %v", batch)
			}
		}
		if cairn.ReasonOf(rpcerr.FromError(err)) != "DATA_LOSS" {
			t.Errorf("a watch from the token of a write that is lost: %v", err)
		}
	}
	newer := other.put(2002)
	s.wantFound(2002, newer)

	// The old replicas do not come back, nor does a second of the same backup.
	refused(child{Data: s.configs[old[0]].Data}, "has taken the place of this index")
	refused(child{Data: second, Restored: true}, "has been restored since")
	// Others join, and it goes on after a restart without being told again.
	s.indexes[s.declared[0]] = restored
	s.configs[s.declared[0]] = child{Kind: "index", Cluster: "north", Data: dir, Etcd: []string{s.etcd}, Listen: s.declared[0]}
	s.declared = append(s.declared, s.startIndex(true), s.startIndex(true))
	s.declare()
	s.settle()
	restored.kill()
	s.writeAgain(3000)
	s.indexes[s.declared[0]] = start(t, s.configs[s.declared[0]])
	s.indexes[s.declared[0]].ready()
	s.settle()
	s.wantFound(2002, newer)
	s.wantLost(2000, lost)

	// That one is lost too, and the other directory takes its place.
	s.loseAll()
	id, err := readIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	s.declared = []string{freeAddress(t)}
	s.declare()
	again := s.startRestored(second, id.Replica.String())
	again.ready()
	s.expect(upTo(1001))
	s.wantFound(1000, kept)
	s.wantLost(2000, lost)
	s.wantLost(2002, newer)
	other.wantFound(2003, other.put(2003))
	again.terminate(syscall.SIGTERM)
}

// writeAgain writes a key until it is acknowledged.
func (s *replicated) writeAgain(i int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if _, err := s.writeUntil(ctx, i, i+1); err != nil {
		s.t.Fatal(err)
	}
}

// TestRestoredEpochsAreFinished has a restored index crash between the claim of
// the place and the last new epoch: the next start finishes, without being told
// that it is restored.
func TestRestoredEpochsAreFinished(t *testing.T) {
	s := startReplicated(t, 1)
	s.mustWrite(0, 100)
	path := s.backUp()
	lost := s.put(100)
	_, greatest := s.epochs()
	s.loseAll()
	dir := filepath.Join(t.TempDir(), "restored")
	if _, err := Restore(path, dir); err != nil {
		t.Fatal(err)
	}
	// The claim alone, as a process that crashed after it would leave it.
	store, err := openStore(t.Context(), storeConfig{etcd: []string{s.etcd}, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer store.close()
	cluster, _ := store.Map().Catalog().ClusterByName("north")
	before, err := store.FoundingOf(t.Context(), cluster.UID)
	if err != nil {
		t.Fatal(err)
	}
	id, err := readIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.RestoreIndex(t.Context(), cluster.UID, before, id.Replica.String(), 1); err != nil {
		t.Fatal(err)
	}
	started := start(t, child{Kind: "index", Cluster: "north", Data: dir, Etcd: []string{s.etcd}, Listen: s.declared[0]})
	started.ready()
	if least, _ := s.epochs(); least <= greatest {
		t.Errorf("a shard has the epoch %d, and had up to %d before", least, greatest)
	}
	s.expect(upTo(100))
	s.wantLost(100, lost)
	started.terminate(syscall.SIGTERM)
}

// TestIndexSupersededWhileItRuns has a restored directory take the place of an
// index that still runs where nobody looked: that one ends as soon as it hears of
// the new epochs, and answers for none of them.
func TestIndexSupersededWhileItRuns(t *testing.T) {
	s := startReplicated(t, 1)
	s.mustWrite(0, 100)
	dir := filepath.Join(t.TempDir(), "restored")
	if _, err := Restore(s.backUp(), dir); err != nil {
		t.Fatal(err)
	}
	forgotten := s.indexes[s.declared[0]]
	s.declared = []string{freeAddress(t)}
	s.declare()
	restored := s.startRestored(dir, "")
	restored.ready()
	if said := forgotten.failure(); !strings.Contains(said, "has taken the place of this index") {
		t.Errorf("it ended with: %s", said)
	}
	s.expect(upTo(100))
	restored.terminate(syscall.SIGTERM)
}

// mapOf is a map at a revision with one keyspace, 5, of one shard, 1, of an epoch.
func mapOf(t *testing.T, revision, epoch uint64) *shardmap.Map {
	t.Helper()
	schema, err := cairn.NewSchema(nil)
	if err != nil {
		t.Fatal(err)
	}
	known, err := catalog.New([]*catalog.Keyspace{{
		Keyspace: cairn.Keyspace{UID: 5, Name: "orders", Placement: cairn.Placement{Scheme: cairn.SchemeHash}, Replicas: 1, Schema: schema},
		Revision: 1, ModRevision: 1, Generation: 1, NextShard: 2, NextAttribute: 1,
	}}, []*catalog.Cluster{{UID: 7, Name: "north", Weight: 1, NextNode: 1, Revision: 1}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b shardmap.Builder
	b.Add(shardmap.Shard{Shard: cairn.Shard{Keyspace: 5, ID: 1, Epoch: epoch}, Cluster: 7, Revision: epoch})
	m, err := b.Build(revision, known)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// files are the files below a directory, each with its size and time.
func files(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			out = append(out, fmt.Sprint(path, info.Size(), info.ModTime()))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestIndexRefusesAnOlderMap has etcd lose what an index has noted.
func TestIndexRefusesAnOlderMap(t *testing.T) {
	shard := cairn.Shard{Keyspace: 5, ID: 1, Epoch: 10}
	half := cairn.Shard{Keyspace: 5, ID: 2, Start: []byte("m"), Epoch: 10} // split since
	m := mapOf(t, 20, 9)
	for name, noted := range map[string]cairn.Assignment{
		"by revision":          {Revision: 21},
		"by epoch":             {Revision: 20, Shards: []cairn.Shard{shard}},
		"by the epoch of keys": {Revision: 20, Shards: []cairn.Shard{half}},
	} {
		if err := knowsMore(&noted, m); cairn.ReasonOf(err) != "MAP_OLDER" {
			t.Errorf("%s: %v", name, err)
		}
	}
	shard.Epoch = 9
	gone := cairn.Shard{Keyspace: 6, ID: 2, Epoch: 20}
	if err := knowsMore(&cairn.Assignment{Revision: 20, Shards: []cairn.Shard{shard, gone}}, m); err != nil {
		t.Errorf("as it should be: %v", err)
	}
	// Without its cluster the map is lost, unless its shards became others'.
	shard.Epoch = 5
	noted := cairn.Assignment{Revision: 15, Shards: []cairn.Shard{shard}}
	if err := mapLost(&noted, 99, m); err != nil {
		t.Errorf("a cluster that gave its shards away: %v", err)
	}
	noted.Shards = append(noted.Shards, gone)
	if err := mapLost(&noted, 99, m); cairn.ReasonOf(err) != "MAP_LOST" {
		t.Errorf("a map without the index's cluster: %v", err)
	}
}

// TestIndexRefusesEtcdOfBefore starts an index with an etcd that was restored from
// before what the index's log has noted.
func TestIndexRefusesEtcdOfBefore(t *testing.T) {
	data := t.TempDir()
	url, stop := etcdForTest(t, data, anyPort)
	at := strings.TrimPrefix(url, "http://")
	router := start(t, child{Kind: "router", Etcd: []string{url}, Data: t.TempDir()})
	c := call(t, router.ready().Listen)
	config := child{Kind: "index", Cluster: "north", Data: t.TempDir(), Etcd: []string{url}, Listen: freeAddress(t)}
	index := start(t, config)
	c.apply(cluster("north", config.Listen), orders())
	index.ready()
	c.put(1)
	index.terminate(syscall.SIGTERM)
	stop()
	before := t.TempDir()
	if err := os.CopyFS(before, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	_, stop = etcdForTest(t, data, at)
	index = start(t, config)
	index.ready()
	_, epoch := c.epochs()
	if _, err := c.admin.SplitShard(c.context(), &cairnv1.SplitShardRequest{Name: keyspaceName + "/shards/1"}); err != nil {
		t.Fatal(err)
	}
	c.put(2)
	eventually(t, "the index notes it", func() bool { _, now := c.epochs(); c.put(3); return now > epoch })
	index.terminate(syscall.SIGTERM)
	router.terminate(syscall.SIGTERM)
	stop()
	etcdForTest(t, before, at)
	if said := start(t, config).failure(); !strings.Contains(said, "THE INDEX IS NOT SERVED") || !strings.Contains(said, "etcd was restored from a backup") {
		t.Errorf("it ended with: %s", said)
	}
}

// TestIndexRecoveredFromOne makes an index of what one replica of three has.
func TestIndexRecoveredFromOne(t *testing.T) {
	s := startReplicated(t, 3)
	s.mustWrite(0, 500)
	survivor := s.leader()
	from := s.configs[survivor].Data
	to := filepath.Join(t.TempDir(), "recovered")
	if _, err := RecoverIndex(from, to, func(Recovered) error { return nil }); cairn.ReasonOf(err) != "DATA_DIR_IN_USE" {
		t.Errorf("of a replica that runs: %v", err)
	}
	s.loseAll()
	no := errors.New("no")
	if _, err := RecoverIndex(from, to, func(Recovered) error { return no }); !errors.Is(err, no) {
		t.Errorf("unconfirmed: %v", err)
	}
	if left, _ := filepath.Glob(to + "*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	before := files(t, from)
	recovered, err := RecoverIndex(from, to, func(r Recovered) error {
		if r.Last == 0 || r.Cluster != "north" || r.Report.Index != r.Last {
			t.Errorf("recovered %+v", r)
		}
		return nil
	})
	if err != nil || recovered.Report.Entries != 500 {
		t.Fatalf("%+v, %v", recovered, err)
	}
	if after := files(t, from); !slices.Equal(before, after) {
		t.Errorf("the directory it came from has changed: %v, %v", before, after)
	}
	s.declared = []string{freeAddress(t)}
	s.declare()
	started := s.startRestored(to, "")
	started.ready()
	s.expect(upTo(500))
	s.wantFound(600, s.put(600))
	started.terminate(syscall.SIGTERM)
}
