package server

import (
	"context"
	"errors"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/proto/wire"
)

// Views is what the Views service asks of a router.
type Views interface {
	QueryView(ctx context.Context, query cairn.PageQuery) (cairn.ViewPage, error)
	CountView(ctx context.Context, selection cairn.Selection) (cairn.ViewCount, error)
	GroupView(ctx context.Context, query cairn.GroupQuery) (cairn.ViewGroups, error)
	AggregateView(ctx context.Context, selection cairn.Selection, attribute string) (cairn.ViewAggregation, error)
	ExplainView(ctx context.Context, view string, key cairn.Key, freshness cairn.Freshness) (cairn.ViewMembership, error)
	ViewExporter
}

// ViewExporter is what Admin.ExportView asks of a router.
type ViewExporter interface {
	ExportView(ctx context.Context, view, cluster string, deliver func(cairn.ExportPiece) error) error
}

type views struct {
	cairnv1.UnimplementedViewsServer
	router Views
}

func (v *views) Query(ctx context.Context, req *cairnv1.QueryRequest) (*cairnv1.QueryResponse, error) {
	selected, err := selection(req.GetSelection())
	if err != nil {
		return nil, err
	}
	page, err := v.router.QueryView(ctx, cairn.PageQuery{
		Selection: selected, OrderBy: req.GetOrderBy(), Limit: int(req.GetPageSize()), Cursor: req.GetCursor(), Offset: int(req.GetOffset()),
		Fields: req.GetFields(), Explain: req.GetExplain(),
	})
	if err != nil {
		return nil, ofSelection(err)
	}
	out := &cairnv1.QueryResponse{NextCursor: page.NextCursor, Token: page.Token.String(), Missing: missing(page.Missing)}
	for _, plan := range page.Plans {
		out.Plans = append(out.Plans, &cairnv1.ClusterPlan{
			Cluster: clusterPrefix + plan.Cluster, Plan: plan.Plan, Rows: uint32(plan.Rows), Duration: durationpb.New(plan.Duration),
		})
	}
	fillRows(out, page.Rows)
	return checked(out)
}

func (v *views) Count(ctx context.Context, req *cairnv1.CountRequest) (*cairnv1.CountResponse, error) {
	selected, err := selection(req.GetSelection())
	if err != nil {
		return nil, err
	}
	count, err := v.router.CountView(ctx, selected)
	if err != nil {
		return nil, ofSelection(err)
	}
	return &cairnv1.CountResponse{Count: count.Count, Token: count.Token.String(), Missing: missing(count.Missing)}, nil
}

func (v *views) GroupCount(ctx context.Context, req *cairnv1.GroupCountRequest) (*cairnv1.GroupCountResponse, error) {
	selected, err := selection(req.GetSelection())
	if err != nil {
		return nil, err
	}
	groups, err := v.router.GroupView(ctx, cairn.GroupQuery{Selection: selected, By: req.GetGroupBy(), Top: int(req.GetTop())})
	if err != nil {
		return nil, ofSelection(err)
	}
	return checked(&cairnv1.GroupCountResponse{Groups: wire.Groups(groups.Groups), Token: groups.Token.String(), Missing: missing(groups.Missing)})
}

func (v *views) Aggregate(ctx context.Context, req *cairnv1.AggregateRequest) (*cairnv1.AggregateResponse, error) {
	selected, err := selection(req.GetSelection())
	if err != nil {
		return nil, err
	}
	aggregation, err := v.router.AggregateView(ctx, selected, req.GetAttribute())
	if err != nil {
		return nil, ofSelection(err)
	}
	out := &cairnv1.AggregateResponse{Token: aggregation.Token.String(), Missing: missing(aggregation.Missing)}
	wire.Aggregation(aggregation.Aggregation, out)
	return out, nil
}

func (v *views) Explain(ctx context.Context, req *cairnv1.ExplainRequest) (*cairnv1.ExplainResponse, error) {
	view, err := viewName("view", req.GetView())
	if err != nil {
		return nil, err
	}
	freshness, err := wire.FromFreshness(req.GetFreshness())
	if err != nil {
		return nil, err
	}
	explained, err := v.router.ExplainView(ctx, view, req.GetKey(), freshness)
	if err != nil {
		return nil, err
	}
	out := &cairnv1.ExplainResponse{Cluster: clusterPrefix + explained.Cluster, Token: explained.Token.String()}
	wire.Membership(&explained, out)
	return checked(out)
}

// checked is a response that clients take.
func checked[Resp proto.Message](response Resp) (Resp, error) {
	if err := checkResponse(proto.Size(response)); err != nil {
		var none Resp
		return none, err
	}
	return response, nil
}

// selection reads a selection. The fields of its errors are those of the
// request.
func selection(s *cairnv1.Selection) (cairn.Selection, error) {
	view, err := viewName("view", s.GetView())
	if err != nil {
		return cairn.Selection{}, ofSelection(err)
	}
	freshness, err := wire.FromFreshness(s.GetFreshness())
	if err != nil {
		return cairn.Selection{}, cairn.InField(selectionField, err)
	}
	return cairn.Selection{View: view, Where: s.GetWhere(), Freshness: freshness, Partial: s.GetPartial(), Pinned: s.GetPinned()}, nil
}

const selectionField = "selection"

// ofSelection names the field of the request that an error is about: view and
// where, which are the selection's, and not a query's own as the others.
func ofSelection(err error) error {
	e, ok := errors.AsType[*cairn.Error](err)
	if !ok || e.Field != "view" && e.Field != "where" {
		return err
	}
	named := *e
	named.Field = selectionField + "." + e.Field
	return &named
}

// missing are the clusters that an answer is without.
func missing(clusters []cairn.MissingCluster) []*cairnv1.MissingCluster {
	if len(clusters) == 0 {
		return nil
	}
	out := make([]*cairnv1.MissingCluster, len(clusters))
	for i, each := range clusters {
		out[i] = &cairnv1.MissingCluster{Cluster: clusterPrefix + each.Cluster, Error: rpcerr.ToProto(each.Err)}
	}
	shortenErrors(len(out), func(i int) *statuspb.Status { return out[i].GetError() })
	return out
}
