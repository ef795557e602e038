package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/records"
	"cairn/cmd/cairn/render"
	"cairn/router/client"
)

type changeRecord struct {
	// Time is left out of an entry that was there when the watch began.
	Time      string `json:"time,omitempty"`
	Operation string `json:"operation"`
	keyField
	Shard  cairn.ShardID `json:"shard"`
	Before *entryFields  `json:"before,omitempty"`
	After  *entryFields  `json:"after,omitempty"`
	// Token is on the last of the changes that were delivered together: to
	// watch from it misses none and repeats none.
	Token string `json:"token,omitempty"`
}

type entryFields struct {
	nodeFields
	Replicas   []nodeFields        `json:"replicas,omitempty"`
	Version    string              `json:"version"`
	Attributes *records.Attributes `json:"attributes"`
}

func newWatch(o *options) *cobra.Command {
	var from string
	var snapshot bool
	var limit int
	cmd := &cobra.Command{
		Use:   "watch KEYSPACE",
		Short: "Print changes as they happen",
		Long: `Print every change to a keyspace as it happens: in order a shard, at least
once, a line each. With -o json each line is an object with the entry before
and after; its token, where it has one, is what --from takes to go on after it.

A TOKEN of another answer will do for --from too. It speaks of the clusters
that answered; of the others all changes are printed that are still kept.

With --snapshot every entry there is comes first, then what changes: the way to
begin, and to begin anew when the changes after a token are no longer kept.

It ends with Ctrl-C. If the router goes away it asks again until it is back.`,
		Example: `  cairn watch runways
  cairn watch runways --from TOKEN -o json
  cairn watch runways --snapshot -o json`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 0 {
				return cairn.Invalid("--limit", "LIMIT_NEGATIVE", "%d; it is a number of changes, and 0 means no limit", limit)
			}
			token, err := cairn.ParseToken(from)
			if err != nil {
				return flagError("from", err)
			}
			return o.watch(cmd, args[0], token, snapshot, limit)
		},
	}
	clientFlags(cmd, o)
	keyFlag(cmd, o)
	cmd.Flags().StringVar(&from, "from", "", "print the changes after this `TOKEN`; without it, those from now on")
	cmd.Flags().BoolVar(&snapshot, "snapshot", false, "print every entry first")
	cmd.MarkFlagsMutuallyExclusive("from", "snapshot")
	cmd.Flags().IntVar(&limit, "limit", 0, "end after this many changes; 0 means never")
	return cmd
}

// errEnough ends a watch that has printed what it was asked for.
var errEnough = errors.New("enough changes")

func (o *options) watch(cmd *cobra.Command, keyspace string, from cairn.Token, snapshot bool, limit int) error {
	c, err := o.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	printed, noted := 0, false
	err = o.following(cmd.Context(), cmd, c, keyspace, from, snapshot, func(batch cairn.Changes) error {
		delivered := batch.Token.String() // empty while it tells what there is
		if !noted && delivered != "" {
			note(cmd, "watching %s from token %s", keyspace, delivered)
			noted = true
		}
		for i, change := range batch.Changes {
			token := ""
			if i == len(batch.Changes)-1 {
				token = delivered
			}
			if err := o.printChange(cmd.OutOrStdout(), change, token); err != nil {
				return err
			}
			if printed++; printed == limit {
				return errEnough
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) || cmd.Context().Err() != nil {
		return nil
	}
	return err
}

// following delivers the changes of a keyspace, with all entries before them if
// that is asked for, until the caller goes away or
// deliver fails, and returns why. A router that goes away after the watch
// has begun is asked again until it is back.
func (o *options) following(ctx context.Context, cmd *cobra.Command, c *client.Client, keyspace string, from cairn.Token, snapshot bool, deliver func(cairn.Changes) error) error {
	began := false
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		delivered := false
		pass := func(batch cairn.Changes) error {
			began = true
			if snapshot = snapshot && batch.Token.String() == ""; !snapshot {
				from = batch.Token
			}
			delivered = delivered || len(batch.Changes) > 0
			return deliver(batch)
		}
		var err error
		if snapshot {
			err = c.WatchSnapshot(ctx, keyspace, pass)
		} else {
			err = c.Watch(ctx, keyspace, from, pass)
		}
		switch {
		case !began || ctx.Err() != nil || cairn.KindOf(err) != cairn.KindUnavailable:
			return err
		case delivered:
			wait = 100 * time.Millisecond
		}
		note(cmd, "%v; asking again", err)
		sleep(ctx, wait)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (o *options) printChange(out io.Writer, change cairn.NamedChange, token string) error {
	operation := operationOf(change)
	if o.output != render.Table {
		at := ""
		if !change.Time.IsZero() {
			at = change.Time.UTC().Format(time.RFC3339Nano)
		}
		return render.Line(out, o.output, changeRecord{
			Time: at, Operation: operation, keyField: o.keyField(change.Key), Shard: change.Shard,
			Before: entryOf(change.Before), After: entryOf(change.After), Token: token,
		})
	}
	where, what := "", ""
	switch {
	case change.After != nil && change.Before != nil:
		what = attributeChanges(change.Before.Attributes, change.After.Attributes)
	case change.After != nil:
		what = attributesText(change.After.Attributes)
	}
	if e := cmp.Or(change.After, change.Before); e != nil {
		where = e.Cluster + "/" + nodeNames(e.Primary, e.Replicas)
	}
	// No table can be aligned whose rows are still to come; the first columns
	// are of fixed width.
	at := fmt.Sprintf("%-12s", "-")
	if !change.Time.IsZero() {
		at = change.Time.Local().Format("15:04:05.000")
	}
	line := fmt.Sprintf("%s  %-6s  %s  %s  %s", at, operation, o.keys.Text(change.Key), where, what)
	_, err := fmt.Fprintln(out, strings.TrimRight(line, " "))
	return err
}

func operationOf(change cairn.NamedChange) string {
	switch {
	case change.Time.IsZero():
		return "entry"
	case change.After == nil:
		return "delete"
	case change.Before == nil:
		return "create"
	}
	return "change"
}

func entryOf(e *cairn.NamedEntry) *entryFields {
	if e == nil {
		return nil
	}
	return &entryFields{
		nodeFields: nodeOf(e.Cluster, e.Primary), Replicas: nodesOf(e.Cluster, e.Replicas),
		Version: e.Version.String(), Attributes: attributesOf(e.Attributes),
	}
}

// attributeChanges says which attributes differ, and how.
func attributeChanges(before, after cairn.NamedValues) string {
	var out []string
	for _, b := range before {
		a, present := after.Get(b.Name)
		switch {
		case !present:
			out = append(out, b.Name+": "+valueText(b.Value)+" -> absent")
		case a != b.Value:
			out = append(out, b.Name+": "+valueText(b.Value)+" -> "+valueText(a))
		}
	}
	for _, a := range after {
		if _, present := before.Get(a.Name); !present {
			out = append(out, a.Name+": absent -> "+valueText(a.Value))
		}
	}
	return strings.Join(out, ", ")
}
