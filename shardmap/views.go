package shardmap

import (
	"cairn"
	"cairn/shardmap/catalog"
)

// Flip decides that the version of a view that is being built is the one that
// serves from now on. Whoever asks for it has seen that every owner of the
// view's keyspace has built it.
//
// KindNotFound (VIEW_NOT_FOUND) if the Map has no view of that uid;
// KindConflict (VIEW_VERSION_CHANGED) if the version is not the one that is
// being built: it serves already, or was given up for another.
func Flip(m *Map, uid cairn.UID, version uint64) (Change, error) {
	view, found := m.Catalog().ViewByUID(uid)
	if !found {
		return Change{}, cairn.Errorf(cairn.KindNotFound, "VIEW_NOT_FOUND", "there is no view of uid %s", uid)
	}
	if view.Building == nil || view.Building.Number != version {
		return Change{}, cairn.Errorf(cairn.KindConflict, "VIEW_VERSION_CHANGED", "version %d of view %s is not the one that is being built", version, view.Name)
	}
	next := *view
	next.Serving, next.Building = view.Building, nil
	return Change{Views: []ViewChange{{Name: view.Name, Expected: view.Revision, Put: &next}}}, nil
}

// DeclareViews is what a declaration of views changes: the views, and the
// records of their keyspaces, whose content stays. A change to a keyspace that
// was decided without these views, such as the removal of an attribute that
// they use, compares that record and loses. Keyspaces whose names in full are in
// set are put already, or created; it adds those that it puts.
func DeclareViews(m *Map, views []*catalog.View, set map[string]bool) Change {
	var change Change
	for _, view := range views {
		var expected uint64
		if standing, found := m.Catalog().ViewByName(view.Name); found {
			expected = standing.Revision
		}
		change.Views = append(change.Views, ViewChange{Name: view.Name, Expected: expected, Put: view})
		keyspace, found := m.Catalog().KeyspaceByUID(view.Keyspace)
		if !found {
			continue // it is created by the same change
		}
		name := catalog.KeyspaceName(keyspace.Name)
		if set[name] {
			continue
		}
		set[name] = true
		change.Keyspaces = append(change.Keyspaces, KeyspaceChange{Name: keyspace.Name, Expected: keyspace.ModRevision, Put: keyspace})
	}
	return change
}
