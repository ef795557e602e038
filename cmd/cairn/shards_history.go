package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"cairn"
	"cairn/cmd/cairn/render"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

type historyDocument struct {
	Changes []historyChange `json:"changes"`
}

type historyChange struct {
	Revision  uint64            `json:"revision"`
	Time      time.Time         `json:"time"`
	Caller    string            `json:"caller,omitempty"`
	Reason    string            `json:"reason,omitempty"`
	Resources []historyResource `json:"resources,omitempty"`
	Shards    []historyShard    `json:"shards,omitempty"`
}

type historyResource struct {
	Name string `json:"name"`
	What string `json:"what"`
}

type historyShard struct {
	Shard  string         `json:"shard"`
	Before *historyBounds `json:"before,omitempty"`
	After  *historyBounds `json:"after,omitempty"`
}

type historyBounds struct {
	Cluster string `json:"cluster"`
	// Start and End are placement keys in hexadecimal; an empty End is open.
	Start  string `json:"start"`
	End    string `json:"end"`
	Epoch  uint64 `json:"epoch"`
	Pinned bool   `json:"pinned,omitempty"`
}

func newShardsHistory(o *options) *cobra.Command {
	var since, until string
	var limit int
	cmd := &cobra.Command{
		Use:   "history [KEYSPACE[/ID]]",
		Short: "Show what has happened to shards, and to what is declared",
		Long: `Show every change of the map, the last first: who made it, when, why, and what each
shard was before and is after. The last 10,000 changes are kept. Steps of a move that
leave its shard where it is are not among them: see 'cairn moves list'.`,
		Example: `  cairn shards history
  cairn shards history runways/17
  cairn shards history runways --since 24h -o json`,
		Args: arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			request := &cairnv1.ListMapChangesRequest{}
			var err error
			if len(args) > 0 {
				if request.Parent = keyspaceName(args[0]); strings.Contains(args[0], "/") {
					_, request.Parent, err = shardName(args[0])
				}
			}
			if err == nil {
				request.Since, err = timeFlag("since", since, time.Now())
			}
			if err == nil {
				request.Until, err = timeFlag("until", until, time.Now())
			}
			if err == nil && limit < 1 {
				err = cairn.Invalid("limit", "LIMIT_OUT_OF_RANGE", "show at least one change")
			}
			if err != nil {
				return err
			}
			return o.history(cmd, request, limit)
		},
	}
	clientFlags(cmd, o)
	cmd.Flags().StringVar(&since, "since", "", "only changes since a `TIME`, as in 2026-07-01T12:00:00Z, or as long ago as 24h")
	cmd.Flags().StringVar(&until, "until", "", "only changes before a `TIME`")
	cmd.Flags().IntVar(&limit, "limit", 100, "show at most so many changes")
	return cmd
}

// timeFlag reads a time, or a time ago.
func timeFlag(field, text string, now time.Time) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return timestamppb.New(now.Add(-ago)), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, cairn.Invalid(field, "TIME_MALFORMED", "%q is neither a time, as in 2026-07-01T12:00:00Z, nor a time ago, as in 24h", text)
	}
	return timestamppb.New(at), nil
}

func (o *options) history(cmd *cobra.Command, request *cairnv1.ListMapChangesRequest, limit int) error {
	document := historyDocument{Changes: []historyChange{}}
	for limit > len(document.Changes) {
		request.PageSize = int32(min(1_000, limit-len(document.Changes)))
		err := o.asking(cmd, func(ctx context.Context, c *client.Client) error {
			page, err := c.Admin().ListMapChanges(ctx, request)
			for _, change := range page.GetChanges() {
				document.Changes = append(document.Changes, newHistoryChange(change))
			}
			request.PageToken = page.GetNextPageToken()
			return err
		})
		if err != nil {
			return err
		}
		if request.PageToken == "" {
			break
		}
	}
	return o.print(cmd, document, func(out io.Writer) error {
		grid := render.Grid{Header: []string{"TIME", "REVISION", "WHAT", "CHANGE", "WHO", "WHY"}, Right: []int{1}}
		for _, c := range document.Changes {
			row := func(what, change string) {
				grid.Row(c.Time.Format(time.RFC3339), strconv.FormatUint(c.Revision, 10), what, change, cmp.Or(c.Caller, "-"), cmp.Or(c.Reason, "-"))
			}
			for _, r := range c.Resources {
				row(r.Name, r.What)
			}
			for _, s := range c.Shards {
				row(s.Shard, s.describe())
			}
		}
		return grid.Write(out)
	})
}

func newHistoryChange(c *cairnv1.MapChange) historyChange {
	out := historyChange{Revision: c.GetRevision(), Time: c.GetTime().AsTime(), Caller: c.GetCaller(), Reason: c.GetReason()}
	for _, r := range c.GetResources() {
		out.Resources = append(out.Resources, historyResource{r.GetName(), r.GetWhat()})
	}
	for _, s := range c.GetShards() {
		out.Shards = append(out.Shards, historyShard{shortShard(s.GetName()), newHistoryBounds(s.GetBefore()), newHistoryBounds(s.GetAfter())})
	}
	return out
}

func newHistoryBounds(v *cairnv1.ShardVersion) *historyBounds {
	if v == nil {
		return nil
	}
	return &historyBounds{short(v.GetCluster()), hex.EncodeToString(v.GetStart()), hex.EncodeToString(v.GetEnd()), v.GetEpoch(), v.GetPinned()}
}

// describe is what became of a shard, in few words.
func (s historyShard) describe() string {
	before, after := s.Before, s.After
	switch {
	case before == nil && after == nil:
		return "-"
	case before == nil:
		return "came to be in " + after.Cluster + ", " + after.bounds()
	case after == nil:
		return "went into the one before it"
	}
	var changes []string
	if before.Cluster != after.Cluster {
		changes = append(changes, before.Cluster+" to "+after.Cluster)
	}
	if before.bounds() != after.bounds() {
		changes = append(changes, before.bounds()+" to "+after.bounds())
	}
	if before.Pinned != after.Pinned {
		changes = append(changes, map[bool]string{true: "pinned", false: "unpinned"}[after.Pinned])
	}
	if len(changes) == 0 {
		changes = append(changes, "epoch "+strconv.FormatUint(before.Epoch, 10)+" to "+strconv.FormatUint(after.Epoch, 10))
	}
	return strings.Join(changes, ", ")
}

// bounds are the placement keys, "-" for an open one.
func (b *historyBounds) bounds() string {
	return "[" + cmp.Or(b.Start, "-") + ", " + cmp.Or(b.End, "-") + ")"
}
