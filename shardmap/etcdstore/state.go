package etcdstore

import (
	"maps"
	"strings"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// state is what the records say, followed record by record. It is pure; the
// following goroutine alone changes it.
type state struct {
	current *shardmap.Map
	// hidden are the shards of generations that are not live: of keyspaces
	// being created, and leftovers.
	hidden map[generation]map[cairn.ShardID]shardmap.Shard
	// creating are the keyspaces that somebody is creating.
	creating map[cairn.UID]bool
	// foundings are the records of who began indexes, by their keys. They are no part
	// of a Map, and the map that has them is never changed.
	foundings map[string]record
}

// noteFounding follows a record of who began an index.
func (s *state) noteFounding(r record) {
	next := maps.Clone(s.foundings)
	if next[r.key] = r; r.value == nil {
		delete(next, r.key)
	}
	s.foundings = next
}

// leftovers are the generations that can never become live: a keyspace goes
// live only while it is marked as being created, and a mark is never set
// again.
func (s *state) leftovers() []generation {
	var out []generation
	for g := range s.hidden {
		if _, live := s.current.Catalog().KeyspaceByUID(g.keyspace); !live && !s.creating[g.keyspace] {
			out = append(out, g)
		}
	}
	return out
}

// loader builds a state from all records of one revision, given in ascending
// order of key.
type loader struct {
	state     *state
	keyspaces []*catalog.Keyspace
	clusters  []*catalog.Cluster
	views     []*catalog.View
	catalog   *catalog.Catalog // without views, which come after the shards
	builder   shardmap.Builder
	revision  uint64
	shards    int
}

func newLoader(revision uint64) *loader {
	return &loader{revision: revision, state: newState()}
}

func newState() *state {
	return &state{hidden: map[generation]map[cairn.ShardID]shardmap.Shard{}, creating: map[cairn.UID]bool{}, foundings: map[string]record{}}
}

func (l *loader) add(r record) error {
	switch {
	case strings.HasPrefix(r.key, clustersFolder):
		cluster, err := decodeCluster(r)
		if err != nil {
			return err
		}
		l.clusters = append(l.clusters, cluster)
	case strings.HasPrefix(r.key, keyspacesFolder):
		keyspace, err := decodeKeyspace(r)
		if err != nil {
			return err
		}
		l.keyspaces = append(l.keyspaces, keyspace)
	case strings.HasPrefix(r.key, viewsFolder):
		view, err := decodeView(r)
		if err != nil {
			return err
		}
		l.views = append(l.views, view)
	case strings.HasPrefix(r.key, movesFolder):
		move, err := decodeMove(r)
		if err != nil {
			return err
		}
		l.builder.AddMove(move)
	case r.key == settingsKey:
		settings, err := decodeSettings(r)
		if err != nil {
			return err
		}
		l.builder.Settings = settings
	case strings.HasPrefix(r.key, creatingFolder):
		uid, err := parseCreatingKey(r.key)
		if err != nil {
			return err
		}
		l.state.creating[uid] = true
	case strings.HasPrefix(r.key, foundersFolder):
		l.state.foundings[r.key] = r
	case strings.HasPrefix(r.key, shardsFolder):
		return l.addShard(r)
	}
	return nil
}

func (l *loader) addShard(r record) error {
	if err := l.begin(); err != nil {
		return err
	}
	g, id, err := parseShardKey(r.key)
	if err != nil {
		return err
	}
	shard, err := decodeShard(g, id, r)
	if err != nil {
		return err
	}
	if !isLive(l.catalog, g) {
		l.state.hide(g, shard)
		return nil
	}
	l.shards++
	l.builder.Add(shard)
	return nil
}

// begin makes the catalog, when all keyspaces are known.
func (l *loader) begin() (err error) {
	if l.catalog == nil {
		l.catalog, err = catalog.New(l.keyspaces, l.clusters, nil)
	}
	return err
}

func (l *loader) finish() (*state, error) {
	if err := l.begin(); err != nil {
		return nil, err
	}
	whole, err := l.catalog.With(catalog.Edit{SetViews: l.views})
	if err != nil {
		return nil, err
	}
	l.state.current, err = l.builder.Build(l.revision, whole)
	return l.state, err
}

// apply follows changed records up to a revision; several of one key are in
// the order of their revisions. After an error current is as before, but the
// state can't go on: load it anew.
func (s *state) apply(revision uint64, records []record) error {
	last := make(map[string]record, len(records))
	for _, r := range records {
		last[r.key] = r
	}
	before := s.current.Catalog()
	edit, err := s.catalogEdit(last)
	if err != nil {
		return err
	}
	update := shardmap.Update{Revision: revision}
	after := before
	if edit != nil {
		if after, err = before.With(*edit); err != nil {
			return err
		}
		update.Catalog = after
		if err := s.retire(before, after); err != nil {
			return err
		}
	}
	for key, r := range last {
		if strings.HasPrefix(key, movesFolder) {
			if err := addMove(&update, r); err != nil {
				return err
			}
		}
		if key == settingsKey {
			settings, err := decodeSettings(r)
			if err != nil {
				return err
			}
			update.Settings = &settings
		}
		if !strings.HasPrefix(key, shardsFolder) {
			continue
		}
		g, id, err := parseShardKey(key)
		if err != nil {
			return err
		}
		if r.value == nil {
			s.unhide(g, id)
			if isLive(after, g) {
				update.Remove = append(update.Remove, shardmap.ShardRef{Keyspace: g.keyspace, ID: id})
			}
			continue
		}
		shard, err := decodeShard(g, id, r)
		switch {
		case err != nil:
			return err
		case isLive(before, g) && isLive(after, g):
			update.Set = append(update.Set, shard)
		default:
			s.hide(g, shard)
		}
	}
	if edit != nil {
		update.Set = append(update.Set, s.reveal(before, after)...)
	}
	next, err := s.current.Apply(update)
	if err == nil {
		s.current = next
	}
	return err
}

// addMove adds what became of a move's record to an update.
func addMove(update *shardmap.Update, r record) error {
	if r.value == nil {
		uid, err := parseMoveKey(r.key)
		update.RemoveMoves = append(update.RemoveMoves, uid)
		return err
	}
	move, err := decodeMove(r)
	update.SetMoves = append(update.SetMoves, move)
	return err
}

// catalogEdit is what changed in the catalog, nil if nothing did. It follows
// the marks of keyspaces being created by the way.
func (s *state) catalogEdit(last map[string]record) (*catalog.Edit, error) {
	var edit catalog.Edit
	changed := false
	for key, r := range last {
		switch {
		case strings.HasPrefix(key, creatingFolder):
			uid, err := parseCreatingKey(key)
			if err != nil {
				return nil, err
			}
			if r.value == nil {
				delete(s.creating, uid)
			} else {
				s.creating[uid] = true
			}
		case strings.HasPrefix(key, keyspacesFolder):
			changed = true
			name := strings.TrimPrefix(key, keyspacesFolder)
			standing, stood := s.current.Catalog().KeyspaceByName(name)
			if r.value == nil {
				if stood {
					edit.RemoveKeyspaces = append(edit.RemoveKeyspaces, standing.UID)
				}
				continue
			}
			keyspace, err := decodeKeyspace(r)
			if err != nil {
				return nil, err
			}
			// Deleted and made anew since the last look.
			if stood && standing.UID != keyspace.UID {
				edit.RemoveKeyspaces = append(edit.RemoveKeyspaces, standing.UID)
			}
			edit.SetKeyspaces = append(edit.SetKeyspaces, keyspace)
		case strings.HasPrefix(key, clustersFolder):
			changed = true
			name := strings.TrimPrefix(key, clustersFolder)
			standing, stood := s.current.Catalog().ClusterByName(name)
			if r.value == nil {
				if stood {
					edit.RemoveClusters = append(edit.RemoveClusters, standing.UID)
				}
				continue
			}
			cluster, err := decodeCluster(r)
			if err != nil {
				return nil, err
			}
			if stood && standing.UID != cluster.UID {
				edit.RemoveClusters = append(edit.RemoveClusters, standing.UID)
			}
			edit.SetClusters = append(edit.SetClusters, cluster)
		case strings.HasPrefix(key, viewsFolder):
			changed = true
			name := strings.TrimPrefix(key, viewsFolder)
			standing, stood := s.current.Catalog().ViewByName(name)
			if r.value == nil {
				if stood {
					edit.RemoveViews = append(edit.RemoveViews, standing.UID)
				}
				continue
			}
			view, err := decodeView(r)
			if err != nil {
				return nil, err
			}
			if stood && standing.UID != view.UID {
				edit.RemoveViews = append(edit.RemoveViews, standing.UID)
			}
			edit.SetViews = append(edit.SetViews, view)
		}
	}
	if !changed {
		return nil, nil
	}
	return &edit, nil
}

// retire hides the shards of keyspaces that are gone, for the sweep.
func (s *state) retire(before, after *catalog.Catalog) error {
	for _, k := range before.Keyspaces() {
		still, found := after.KeyspaceByUID(k.UID)
		if found && still.Generation != k.Generation {
			return cairn.Errorf(cairn.KindCorrupt, "GENERATION_CHANGED", "the live generation of keyspace %s changed", k.Name)
		}
		if !found {
			for shard := range s.current.Shards(k.UID) {
				s.hide(generation{k.UID, k.Generation}, shard)
			}
		}
	}
	return nil
}

// reveal takes out the shards of keyspaces that have become live.
func (s *state) reveal(before, after *catalog.Catalog) []shardmap.Shard {
	var out []shardmap.Shard
	for _, k := range after.Keyspaces() {
		if _, found := before.KeyspaceByUID(k.UID); found {
			continue
		}
		g := generation{k.UID, k.Generation}
		for _, shard := range s.hidden[g] {
			out = append(out, shard)
		}
		delete(s.hidden, g)
	}
	return out
}

func (s *state) hide(g generation, shard shardmap.Shard) {
	if s.hidden[g] == nil {
		s.hidden[g] = map[cairn.ShardID]shardmap.Shard{}
	}
	s.hidden[g][shard.ID] = shard
}

func (s *state) unhide(g generation, id cairn.ShardID) {
	delete(s.hidden[g], id)
	if len(s.hidden[g]) == 0 {
		delete(s.hidden, g)
	}
}

// hiddenRecords are the records of what is hidden, in an order that a loader
// takes after everything else.
func (s *state) hiddenRecords() []record {
	var out []record
	for uid := range s.creating {
		out = append(out, record{key: creatingKey(uid), value: creatingValue})
	}
	for g, shards := range s.hidden {
		for id, shard := range shards {
			out = append(out, record{shardKey(g, id), encodeShard(shard), shard.Revision})
		}
	}
	return out
}

func isLive(c *catalog.Catalog, g generation) bool {
	k, found := c.KeyspaceByUID(g.keyspace)
	return found && k.Generation == g.number
}

func decodeKeyspace(r record) (*catalog.Keyspace, error) {
	k, err := catalog.DecodeKeyspace(r.value, r.modRevision)
	if err != nil {
		return nil, err
	}
	return k, checkName(r.key, keyspacesFolder+k.Name)
}

func decodeCluster(r record) (*catalog.Cluster, error) {
	c, err := catalog.DecodeCluster(r.value, r.modRevision)
	if err != nil {
		return nil, err
	}
	return c, checkName(r.key, clustersFolder+c.Name)
}

func decodeView(r record) (*catalog.View, error) {
	v, err := catalog.DecodeView(r.value, r.modRevision)
	if err != nil {
		return nil, err
	}
	return v, checkName(r.key, viewsFolder+v.Name)
}

func checkName(key, want string) error {
	if key != want {
		return cairn.Errorf(cairn.KindCorrupt, "RECORD_BROKEN", "the record of %s calls itself %s", key, want)
	}
	return nil
}

func parseCreatingKey(key string) (cairn.UID, error) {
	var uid cairn.UID
	if err := uid.UnmarshalText([]byte(strings.TrimPrefix(key, creatingFolder))); err != nil {
		return 0, cairn.Errorf(cairn.KindCorrupt, "RECORD_BROKEN", "%q is not the key of a keyspace being created", key)
	}
	return uid, nil
}
