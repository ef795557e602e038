package daemon

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"cairn"
	"cairn/cmd/secure"
	"cairn/nodeindex/replica"
	"cairn/shardmap/etcdstore"
	"cairn/shardmap/rebuild"
)

// RecoverMapConfig says out of what the map is to be made again, and where.
type RecoverMapConfig struct {
	// Dirs are data directories of indexes that do not run, or copies of such: one of
	// each cluster at least.
	Dirs []string
	// Options say what to make of what is not certain.
	rebuild.Options
	// Etcd are the URLs of the etcd that gets the map. None, for a plan alone.
	Etcd []string
	// TLS is how to talk to an etcd of https.
	TLS secure.Files
	// Replace names the prefix under which what etcd has is to be deleted first; empty
	// if it must have nothing.
	Replace string
	// Above is a revision of the old etcd that the new one's is to be above, where one
	// is known that no index has noted.
	Above uint64
	// MostWrites bounds by how much the revision is raised by writing.
	MostWrites uint64
	// Raised is told how far the revision is.
	Raised func(revision, to uint64)
	Log    *slog.Logger
}

// revisionMargin is by how much etcd's revision is to be above the latest that an
// index has noted: a router, or a token, may have seen some of later.
const revisionMargin = 10_000

// MapTarget is how the etcd stands that is to get a map.
type MapTarget struct {
	etcdstore.Standing
	// To is what its revision has to be.
	To uint64
}

// PlanMap plans the map that indexes know, and changes nothing. Errors are those of
// replica.ReadKnownMap and rebuild.New; KindUnavailable (DATA_DIR_IN_USE): an index
// runs. What the plan lacks is told by its Check.
func PlanMap(config RecoverMapConfig) (*rebuild.Plan, error) {
	known := make([]rebuild.Known, len(config.Dirs))
	for i, dir := range config.Dirs {
		var err error
		if known[i], err = readKnown(dir, config.Log); err != nil {
			return nil, err
		}
	}
	return rebuild.New(known, config.Options)
}

// readKnown is what a directory knows of the map.
func readKnown(dir string, log *slog.Logger) (rebuild.Known, error) {
	id, err := readIdentity(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = cairn.Errorf(cairn.KindNotFound, "INDEX_MISSING", "%s is not the directory of an index: %w", dir, err)
	}
	if err != nil {
		return rebuild.Known{}, err
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return rebuild.Known{}, err
	}
	defer unlock()
	known := rebuild.Known{Source: dir, Of: id.UID}
	if known.Map, err = replica.ReadKnownMap(replica.Config{Dir: dir, Logger: log}); err != nil {
		return known, err
	}
	known.Generation = generationOf(known.Map.Applied)
	if !id.Restored { // what was restored claims its place when it is served
		known.Replica = id.Replica.String()
	}
	return known, nil
}

// RecoverMap writes a plan's map into etcd. Everything else that etcd has stays. An
// index that runs meanwhile notes nothing before its cluster is there, which comes
// last; one that is cut off by an error is done again with Replace.
//
// KindPrecondition: the plan has gaps (MAP_GAPS), etcd has a map (MAP_PRESENT), or its
// revision is too far below (REVISION_BEHIND). KindUnavailable: etcd does not answer.
func RecoverMap(ctx context.Context, plan *rebuild.Plan, config RecoverMapConfig) (revision uint64, err error) {
	if err := validateEtcd(config.Etcd); err != nil {
		return 0, err
	}
	transport, err := secure.Open(config.TLS, config.Log)
	if err != nil {
		return 0, err
	}
	client, err := newEtcdClient(config.Etcd, transport)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	prefix := etcdstore.DefaultPrefix
	target, err := standMap(ctx, client, plan, config)
	if err != nil {
		return 0, err
	}
	if err := target.check(plan, config); err != nil {
		return 0, err
	}
	if target.Records > 0 {
		if err := etcdstore.Clear(ctx, client, prefix); err != nil {
			return 0, err
		}
	}
	if target.Revision < target.To {
		if err := etcdstore.Raise(ctx, client, prefix, target.To, func(at uint64) { config.Raised(at, target.To) }); err != nil {
			return 0, err
		}
	}
	store, err := openStore(ctx, storeConfig{etcd: config.Etcd, transport: transport, log: config.Log})
	if err != nil {
		return 0, err
	}
	defer store.close()
	return writeMap(ctx, store, plan)
}

// StandMap tells how the etcd stands that is to get a plan's map.
func StandMap(ctx context.Context, plan *rebuild.Plan, config RecoverMapConfig) (MapTarget, error) {
	transport, err := secure.Open(config.TLS, config.Log)
	if err != nil {
		return MapTarget{}, err
	}
	client, err := newEtcdClient(config.Etcd, transport)
	if err != nil {
		return MapTarget{}, err
	}
	defer client.Close()
	return standMap(ctx, client, plan, config)
}

func standMap(ctx context.Context, client *clientv3.Client, plan *rebuild.Plan, config RecoverMapConfig) (MapTarget, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	standing, err := etcdstore.Stand(ctx, client, etcdstore.DefaultPrefix)
	return MapTarget{standing, max(plan.Revision, config.Above) + revisionMargin}, err
}

// check refuses what must not be begun.
func (t MapTarget) check(plan *rebuild.Plan, config RecoverMapConfig) error {
	if err := plan.Check(); err != nil {
		return err
	}
	if t.Records > 0 && config.Replace != etcdstore.DefaultPrefix {
		return cairn.Errorf(cairn.KindPrecondition, "MAP_PRESENT",
			"etcd has %d records of a map under %s; to delete them all and write the map of the indexes instead, say --replace %s", t.Records, etcdstore.DefaultPrefix, etcdstore.DefaultPrefix)
	}
	if t.Revision < t.To && t.To-t.Revision > config.MostWrites {
		return cairn.Errorf(cairn.KindPrecondition, "REVISION_BEHIND",
			"etcd is at revision %d, and has to be at %d: %d writes, of which --most-writes allows %d. Have etcd begin there instead: etcdctl snapshot save FILE; stop etcd; etcdutl snapshot restore FILE --bump-revision %d --mark-compacted --data-dir NEW",
			t.Revision, t.To, t.To-t.Revision, config.MostWrites, t.To-t.Revision)
	}
	return nil
}

// writeMap writes keyspace after keyspace, and at last the clusters, which have the
// indexes look.
func writeMap(ctx context.Context, store *mapStore, plan *rebuild.Plan) (revision uint64, err error) {
	found := func() error {
		for _, c := range plan.Clusters {
			if c.Known.Replica == "" {
				continue
			}
			if err := store.SetFounding(ctx, c.UID, etcdstore.Founding{Replica: c.Replica, Generation: c.Generation}); err != nil {
				return err
			}
		}
		return nil
	}
	changes := plan.Changes()
	for i, change := range changes {
		if i == len(changes)-1 {
			// An index server without an index founds one where none is recorded.
			if err := found(); err != nil {
				return 0, err
			}
		}
		if revision, err = store.Commit(ctx, change); err != nil {
			return 0, err
		}
	}
	// A router may have swept them as long as their clusters were not there.
	return revision, found()
}
