package client

import (
	"context"
	"errors"
	"math"
	"strings"

	"google.golang.org/grpc"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/proto/wire"
)

const (
	viewPrefix    = "views/"
	clusterPrefix = "clusters/"
)

// QueryView is router.Router.QueryView.
func (c *Client) QueryView(ctx context.Context, query cairn.PageQuery) (cairn.ViewPage, error) {
	if query.Limit < 0 || query.Limit > cairn.MaxBatch {
		return cairn.ViewPage{}, cairn.Invalid("page_size", "PAGE_SIZE", "a page of %d rows; it has 1 to %d, or 0 for 50", query.Limit, cairn.MaxBatch)
	}
	resp, err := read(ctx, c, &cairnv1.QueryRequest{
		Selection: selection(&query.Selection), OrderBy: query.OrderBy, PageSize: int32(query.Limit), Cursor: query.Cursor, Offset: int64(query.Offset),
		Fields: query.Fields, Explain: query.Explain,
	}, c.views.Query)
	if err != nil {
		return cairn.ViewPage{}, ofSelection(err)
	}
	page := cairn.ViewPage{NextCursor: resp.GetNextCursor(), Rows: make([]cairn.NamedRow, len(resp.GetRows()))}
	if page.Scattered, err = scattered(resp); err != nil {
		return cairn.ViewPage{}, err
	}
	nodes := tableOf(resp.GetNodes())
	values := make([]cairn.NamedValues, len(page.Rows))
	for i, row := range resp.GetRows() {
		if page.Rows[i], err = nodes.row(row); err != nil {
			return cairn.ViewPage{}, err
		}
		if values[i], err = wire.FromValues(row.GetAttributes()); err != nil {
			return cairn.ViewPage{}, broken(err)
		}
	}
	shown, err := cairn.RowValuesOf(values)
	if err != nil {
		return cairn.ViewPage{}, broken(err)
	}
	for i := range page.Rows {
		page.Rows[i].Attributes = shown[i]
	}
	for _, plan := range resp.GetPlans() {
		page.Plans = append(page.Plans, cairn.ClusterPlan{
			Cluster: bareName(plan.GetCluster()), Plan: plan.GetPlan(), Rows: int(plan.GetRows()), Duration: plan.GetDuration().AsDuration(),
		})
	}
	return page, nil
}

// CountView is router.Router.CountView.
func (c *Client) CountView(ctx context.Context, selected cairn.Selection) (cairn.ViewCount, error) {
	resp, err := read(ctx, c, &cairnv1.CountRequest{Selection: selection(&selected)}, c.views.Count)
	if err != nil {
		return cairn.ViewCount{}, ofSelection(err)
	}
	out := cairn.ViewCount{Count: resp.GetCount()}
	out.Scattered, err = scattered(resp)
	return out, err
}

// GroupView is router.Router.GroupView.
func (c *Client) GroupView(ctx context.Context, query cairn.GroupQuery) (cairn.ViewGroups, error) {
	if query.Top < 0 || query.Top > math.MaxInt32 {
		return cairn.ViewGroups{}, cairn.Invalid("top", "TOP_OUT_OF_RANGE", "a top of %d; 0 stands for all groups", query.Top)
	}
	resp, err := read(ctx, c, &cairnv1.GroupCountRequest{
		Selection: selection(&query.Selection), GroupBy: query.By, Top: int32(query.Top),
	}, c.views.GroupCount)
	if err != nil {
		return cairn.ViewGroups{}, ofSelection(err)
	}
	out := cairn.ViewGroups{By: query.By}
	if out.Groups, err = wire.FromGroups(resp.GetGroups()); err != nil {
		return cairn.ViewGroups{}, broken(err)
	}
	out.Scattered, err = scattered(resp)
	return out, err
}

// AggregateView is router.Router.AggregateView. Of floats whose sum is out of
// range it has an infinite one, whose sign means nothing.
func (c *Client) AggregateView(ctx context.Context, selected cairn.Selection, attribute string) (cairn.ViewAggregation, error) {
	resp, err := read(ctx, c, &cairnv1.AggregateRequest{Selection: selection(&selected), Attribute: attribute}, c.views.Aggregate)
	if err != nil {
		return cairn.ViewAggregation{}, ofSelection(err)
	}
	out := cairn.ViewAggregation{Attribute: attribute}
	if out.Aggregation, err = wire.FromAggregation(resp); err != nil {
		return cairn.ViewAggregation{}, broken(err)
	}
	out.Scattered, err = scattered(resp)
	return out, err
}

// ExplainView is router.Router.ExplainView. The attributes' numbers are the
// client's own.
func (c *Client) ExplainView(ctx context.Context, view string, key cairn.Key, freshness cairn.Freshness) (cairn.ViewMembership, error) {
	resp, err := read(ctx, c, &cairnv1.ExplainRequest{View: viewPrefix + view, Key: key, Freshness: wire.Freshness(freshness)}, c.views.Explain)
	if err != nil {
		return cairn.ViewMembership{}, err
	}
	out, err := wire.FromMembership(resp)
	if err != nil {
		return cairn.ViewMembership{}, broken(err)
	}
	out.Cluster = bareName(resp.GetCluster())
	if out.Token, err = wire.FromToken("token", resp.GetToken()); err != nil {
		return cairn.ViewMembership{}, broken(err)
	}
	return out, nil
}

// ExportView is router.Router.ExportView; the pieces have no map revision. It
// is tried again only while nothing has come, and for no longer than
// Options.Timeout if ctx has no deadline; what comes then may take its time.
func (c *Client) ExportView(ctx context.Context, view, cluster string, deliver func(cairn.ExportPiece) error) error {
	return download(ctx, c, "view", func(ctx context.Context) (grpc.ServerStreamingClient[cairnv1.ExportViewResponse], error) {
		return c.admin.ExportView(ctx, &cairnv1.ExportViewRequest{Name: viewPrefix + view, Cluster: clusterPrefix + cluster})
	}, func(m *cairnv1.ExportViewResponse) error {
		piece := cairn.ExportPiece{Answer: cairn.Answer{Index: m.GetIndex()}, Bitmap: m.GetBitmap()}
		for _, key := range m.GetKeys() {
			piece.Keys = append(piece.Keys, key)
		}
		return deliver(piece)
	})
}

func selection(s *cairn.Selection) *cairnv1.Selection {
	return &cairnv1.Selection{View: viewPrefix + s.View, Where: s.Where, Freshness: wire.Freshness(s.Freshness), Partial: s.Partial, Pinned: s.Pinned}
}

// ofSelection names a field of a selection as a router in the process does.
func ofSelection(err error) error {
	e, ok := errors.AsType[*cairn.Error](err)
	if !ok {
		return err
	}
	if field, of := strings.CutPrefix(e.Field, "selection."); of {
		return inField(e, e.Field, field)
	}
	return err
}

// inField is an error whose field has another name here than in the message.
func inField(e *cairn.Error, there, here string) error {
	if e.Field != there {
		return e
	}
	named := *e
	named.Field = here
	return &named
}

// scattered reads what every answer over a view says of how it came about.
func scattered(resp interface {
	GetToken() string
	GetMissing() []*cairnv1.MissingCluster
}) (out cairn.Scattered, err error) {
	if out.Token, err = wire.FromToken("token", resp.GetToken()); err != nil {
		return out, broken(err)
	}
	for _, missing := range resp.GetMissing() {
		out.Missing = append(out.Missing, cairn.MissingCluster{Cluster: bareName(missing.GetCluster()), Err: rpcerr.FromProto(missing.GetError())})
	}
	return out, nil
}

// row is a row without its attributes.
func (t nodeTable) row(r *cairnv1.ViewRow) (out cairn.NamedRow, err error) {
	out.Key = r.GetKey()
	if out.Primary, out.Cluster, err = t.at(r.GetPrimary()); err != nil {
		return out, err
	}
	out.Replicas, err = t.all(r.GetReplicas())
	return out, err
}
