package server

import (
	"context"

	"cairn"
	"cairn/router"
)

// viewsOf is a router's views. A router that has none refuses.
func viewsOf(r *router.Router) Views {
	if served, ok := any(r).(Views); ok {
		return served
	}
	return unserved{}
}

// unserved refuses everything.
type unserved struct{}

func (unserved) refuse() error {
	return cairn.Errorf(cairn.KindUnimplemented, "VIEWS", "this router serves no views")
}

func (u unserved) QueryView(context.Context, cairn.PageQuery) (cairn.ViewPage, error) {
	return cairn.ViewPage{}, u.refuse()
}

func (u unserved) CountView(context.Context, cairn.Selection) (cairn.ViewCount, error) {
	return cairn.ViewCount{}, u.refuse()
}

func (u unserved) GroupView(context.Context, cairn.GroupQuery) (cairn.ViewGroups, error) {
	return cairn.ViewGroups{}, u.refuse()
}

func (u unserved) AggregateView(context.Context, cairn.Selection, string) (cairn.ViewAggregation, error) {
	return cairn.ViewAggregation{}, u.refuse()
}

func (u unserved) ExplainView(context.Context, string, cairn.Key, cairn.Freshness) (cairn.ViewMembership, error) {
	return cairn.ViewMembership{}, u.refuse()
}

func (u unserved) ExportView(context.Context, string, string, func(cairn.ExportPiece) error) error {
	return u.refuse()
}
