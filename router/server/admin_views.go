package server

import (
	"context"

	cairnv1 "cairn/proto/cairn/v1"
)

// GetView, ListViews and DeleteView of the Admin service.

func (a *administration) GetView(ctx context.Context, req *cairnv1.GetViewRequest) (*cairnv1.View, error) {
	name, err := viewName("name", req.GetName())
	if err != nil {
		return nil, err
	}
	info, err := a.admin.GetView(ctx, name)
	if err != nil {
		return nil, inField("name", err)
	}
	return viewMessage(info), nil
}

func (a *administration) ListViews(ctx context.Context, req *cairnv1.ListViewsRequest) (*cairnv1.ListViewsResponse, error) {
	after, limit, err := namePage(viewsPage, req.GetPageSize(), req.GetPageToken())
	if err != nil {
		return nil, err
	}
	page, more, err := a.admin.ListViews(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	out := new(cairnv1.ListViewsResponse)
	var fits pageRoom
	for i, info := range page {
		message := viewMessage(info)
		if !fits.take(message) {
			page, more = page[:i], true
			break
		}
		out.Views = append(out.Views, message)
	}
	if more {
		out.NextPageToken = nameToken(viewsPage, page[len(page)-1].Name)
	}
	return out, nil
}

func (a *administration) DeleteView(ctx context.Context, req *cairnv1.DeleteViewRequest) (*cairnv1.DeleteViewResponse, error) {
	name, err := viewName("name", req.GetName())
	if err != nil {
		return nil, err
	}
	return new(cairnv1.DeleteViewResponse), inField("name", a.admin.DeleteView(ctx, name))
}
