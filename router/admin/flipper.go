package admin

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// flipTimeout bounds one flip; the next look tries again.
const flipTimeout = 10 * time.Second

// FlipStore is what a Flipper needs of the shard map's store; *etcdstore.Store
// is one.
type FlipStore interface {
	Map() *shardmap.Map
	// Subscribe returns a channel that gets a value after each new Map.
	Subscribe() (changed <-chan struct{}, cancel func())
	Wait(ctx context.Context, revision uint64) (*shardmap.Map, error)
	Commit(ctx context.Context, change shardmap.Change) (revision uint64, err error)
}

// FlipperConfig is what a Flipper needs. Store and Status are required.
type FlipperConfig struct {
	Store  FlipStore
	Status Status
	// The pause between two looks at the indexes begins with FirstPause, 100 ms
	// if 0, and grows to LongestPause, 2 s if 0.
	FirstPause, LongestPause time.Duration
	// Events are told what happens; each may be nil. They must not block.
	Events FlipEvents
}

// FlipEvents are told what a Flipper does.
type FlipEvents struct {
	// Flipped: a version of a view serves from this revision of the map on.
	Flipped func(view string, version, revision uint64)
	// Refused: a cluster can't build a version, and why. It is told once for
	// each reason.
	Refused func(view string, version uint64, cluster, reason string)
}

// Flipper has the version of a view that is being built serve, once every
// owner of its keyspace has built it.
//
// Any number of them may run at once: the flip is a compare-and-swap on the
// view's record, and who loses looks again.
//
// A cluster may become an owner after the others were asked and before the flip
// takes effect; the flip compares the view, not every shard. Then the version
// serves although that cluster has yet to build it. That gives no wrong answer:
// the cluster's index knows the version from its assignment, and refuses what
// is asked of it (VIEW_BUILDING) until it has built it. A version is asked of
// every owner of the keyspace in the map by which the question is decided, so
// that no part is left out silently either. And a shard that moves is given to
// a cluster only when that has every version of the source: then there is
// nothing to refuse. Comparing all shards instead would make flips lose to
// every split, and save nobody from an owner that comes a moment later.
type Flipper struct {
	config FlipperConfig
	// told is what was said about refusals; only Run uses it.
	told map[refused]string
}

// building is a version that is being built, as declared at a revision.
type building struct {
	view              cairn.UID
	version, revision uint64
}

type refused struct {
	view    cairn.UID
	version uint64
	cluster cairn.UID
}

// NewFlipper makes a Flipper.
func NewFlipper(config FlipperConfig) *Flipper {
	if config.FirstPause == 0 {
		config.FirstPause = 100 * time.Millisecond
	}
	if config.LongestPause == 0 {
		config.LongestPause = 2 * time.Second
	}
	return &Flipper{config: config, told: map[refused]string{}}
}

// Run flips until ctx ends. While nothing is being built it only waits for the
// next Map, and asks nobody anything.
func (f *Flipper) Run(ctx context.Context) {
	changed, cancel := f.config.Store.Subscribe()
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var watched []building
	pause := f.config.FirstPause
	for {
		// A new declaration is looked at soon; any other change of the map, such
		// as a split, does not bring the next look forward.
		if now := buildingIn(f.config.Store.Map()); !slices.Equal(now, watched) {
			watched, pause = now, f.config.FirstPause
			f.forget(now)
			timer.Reset(0)
		}
		var due <-chan time.Time
		if len(watched) > 0 {
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
			continue
		case <-due:
		}
		f.look(ctx, f.config.Store.Map())
		timer.Reset(pause/2 + rand.N(pause/2+1))
		pause = min(2*pause, f.config.LongestPause)
	}
}

// buildingIn is what a Map has being built, ascending by the views' names.
func buildingIn(m *shardmap.Map) []building {
	var out []building
	if m == nil {
		return nil
	}
	for _, view := range m.Catalog().Views() {
		if view.Building != nil {
			out = append(out, building{view.UID, view.Building.Number, view.Revision})
		}
	}
	return out
}

// forget drops what was said about versions that are not built any more.
func (f *Flipper) forget(now []building) {
	for key := range f.told {
		if !slices.ContainsFunc(now, func(b building) bool { return b.view == key.view && b.version == key.version }) {
			delete(f.told, key)
		}
	}
}

// look asks the owners once, and flips what they have built.
func (f *Flipper) look(ctx context.Context, m *shardmap.Map) {
	if m == nil {
		return
	}
	statuses := f.ask(ctx, m)
	for _, view := range m.Catalog().Views() {
		if view.Building != nil && f.built(m, view, statuses) {
			f.flip(ctx, m, view)
		}
	}
}

// ask gets the status of every cluster that owns a part of a keyspace of which
// a view is being built, each once; those that do not answer are left out.
func (f *Flipper) ask(ctx context.Context, m *shardmap.Map) map[cairn.UID]cairn.IndexStatus {
	epochs := map[cairn.UID]uint64{}
	for _, view := range m.Catalog().Views() {
		if view.Building == nil {
			continue
		}
		for _, owner := range m.Owners(view.Keyspace) {
			epochs[owner.Cluster] = max(epochs[owner.Cluster], knowing(view, owner))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	var mu sync.Mutex
	statuses := make(map[cairn.UID]cairn.IndexStatus, len(epochs))
	var group errgroup.Group
	for uid, epoch := range epochs {
		cluster, found := m.Catalog().ClusterByUID(uid)
		if !found {
			continue
		}
		group.Go(func() error {
			status, err := f.config.Status(ctx, cluster, epoch)
			if err != nil {
				return nil // the next look asks again
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[uid] = status
			return nil
		})
	}
	_ = group.Wait() // who did not answer is missing in statuses
	return statuses
}

// knowing is the map revision that an owner's log must have noted to know both
// what it owns and the versions of a view.
func knowing(view *catalog.View, owner shardmap.Owner) uint64 {
	return max(view.Revision, owner.MaxEpoch)
}

// built tells whether every owner vouches for a view's version. An index that
// holds other shards than the Map gives its cluster does not: it is of another
// state of the map, or another cluster's behind a wrong address.
func (f *Flipper) built(m *shardmap.Map, view *catalog.View, statuses map[cairn.UID]cairn.IndexStatus) bool {
	owners := m.Owners(view.Keyspace)
	all := len(owners) > 0
	for _, owner := range owners {
		status, answered := statuses[owner.Cluster]
		if !answered || status.MapRevision < knowing(view, owner) || fingerprint(status, view.Keyspace) != owner.Fingerprint {
			all = false
			continue
		}
		i := slices.IndexFunc(status.Views, func(s cairn.ViewState) bool { return s.View == view.UID && s.Version == view.Building.Number })
		if i < 0 || !status.Views[i].Complete {
			all = false
		}
		if i >= 0 {
			f.tell(m, view, owner.Cluster, status.Views[i].Refusal)
		}
	}
	return all
}

func fingerprint(status cairn.IndexStatus, keyspace cairn.UID) (of cairn.Fingerprint) {
	for _, shard := range status.Shards {
		if shard.Keyspace == keyspace {
			of = of.Add(shard.Shard, shard.Epoch)
		}
	}
	return of
}

// tell tells of a refusal, unless that was the last thing said about it.
func (f *Flipper) tell(m *shardmap.Map, view *catalog.View, cluster cairn.UID, reason string) {
	key := refused{view.UID, view.Building.Number, cluster}
	if f.told[key] == reason {
		return
	}
	f.told[key] = reason
	if c, found := m.Catalog().ClusterByUID(cluster); found && reason != "" && f.config.Events.Refused != nil {
		f.config.Events.Refused(view.Name, view.Building.Number, c.Name, reason)
	}
}

// flip commits, and waits for the Map that shows it. What fails is tried again
// at the next look: a conflict means that the view was declared anew, or that
// another Flipper was first.
func (f *Flipper) flip(ctx context.Context, m *shardmap.Map, view *catalog.View) {
	change, err := shardmap.Flip(m, view.UID, view.Building.Number)
	if err != nil {
		return // the Map has it as being built
	}
	ctx, cancel := context.WithTimeout(ctx, flipTimeout)
	defer cancel()
	author := shardmap.Author{Who: "routers", Why: "every cluster has built the version"}
	revision, err := f.config.Store.Commit(shardmap.WithAuthor(ctx, author), change)
	if err != nil {
		return
	}
	if f.config.Events.Flipped != nil {
		f.config.Events.Flipped(view.Name, view.Building.Number, revision)
	}
	_, _ = f.config.Store.Wait(ctx, revision) // without, the next look may lose to this very flip
}
