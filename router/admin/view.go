package admin

import (
	"context"
	"fmt"
	"strings"

	"cairn"
	"cairn/shardmap"
	"cairn/shardmap/catalog"
)

// ViewInfo is a view as it stands.
type ViewInfo struct {
	*catalog.View
	// Declaration is what was declared last.
	Declaration *catalog.ViewSpec
	// Progress is what the indexes say; the zero ViewProgress where they could
	// not be asked.
	Progress cairn.ViewProgress
	// Problem is why the view can't be built, or which cluster could not be
	// asked; empty if all is well.
	Problem string
}

// GetView shows a view, with what the indexes that answer in time say of it.
// KindNotFound if there is none of that name.
func (a *Admin) GetView(ctx context.Context, name string) (ViewInfo, error) {
	m, v, err := a.view(ctx, name)
	if err != nil {
		return ViewInfo{}, err
	}
	page := []ViewInfo{newViewInfo(m, v)}
	a.describeViews(ctx, page)
	return page[0], nil
}

// ListViews shows a page of the views in ascending order of name: at most size
// of those after the name after. more tells whether others follow.
func (a *Admin) ListViews(ctx context.Context, after string, size int) (page []ViewInfo, more bool, err error) {
	m, err := a.store.Refresh(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, v := range m.Catalog().Views() {
		if v.Name <= after {
			continue
		}
		if more = len(page) == size; more {
			break
		}
		page = append(page, newViewInfo(m, v))
	}
	a.describeViews(ctx, page)
	return page, more, nil
}

// DeleteView deletes a view, whatever becomes of those who ask it. KindNotFound
// if there is none of that name; KindConflict if it was changed meanwhile.
func (a *Admin) DeleteView(ctx context.Context, name string) error {
	_, v, err := a.view(ctx, name)
	if err != nil {
		return err
	}
	_, err = a.commit(ctx, shardmap.Change{Views: []shardmap.ViewChange{{Name: v.Name, Expected: v.Revision, Delete: true}}})
	return err
}

// view finds a view in a fresh Map.
func (a *Admin) view(ctx context.Context, name string) (*shardmap.Map, *catalog.View, error) {
	m, err := a.store.Refresh(ctx)
	if err != nil {
		return nil, nil, err
	}
	v, found := m.Catalog().ViewByName(name)
	if !found {
		return nil, nil, cairn.Errorf(cairn.KindNotFound, "VIEW_NOT_FOUND", "there is no view %q", name)
	}
	return m, v, nil
}

func newViewInfo(m *shardmap.Map, v *catalog.View) ViewInfo {
	keyspace, _ := m.Catalog().KeyspaceByUID(v.Keyspace) // a catalog has no view without
	return ViewInfo{View: v, Declaration: v.Spec(keyspace)}
}

// describeViews adds to views what the indexes say of them.
func (a *Admin) describeViews(ctx context.Context, views []ViewInfo) {
	if a.config.Progress == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	names := make([]string, len(views))
	for i := range views {
		names[i] = views[i].Name
	}
	for i, progress := range a.config.Progress(ctx, names...) {
		views[i].Progress, views[i].Problem = progress, problemOf(progress)
	}
}

func problemOf(progress cairn.ViewProgress) string {
	if progress.Err != nil {
		return fmt.Sprintf("its size and progress are not known: %v", progress.Err)
	}
	var problems []string
	if progress.Refusal != "" {
		problems = append(problems, progress.Refusal)
	}
	for _, missing := range progress.Missing {
		problems = append(problems, fmt.Sprintf("cluster %s could not be asked: %v", missing.Cluster, missing.Err))
	}
	return strings.Join(problems, "; ")
}
