package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"cairn"
	"cairn/cmd/cairn/render"
	"cairn/router/client"
)

// query is what is asked of a view: a page of it or, if one of them is asked
// for, a count, groups or aggregates.
type query struct {
	*options
	view  string
	fresh freshness

	where          string
	partial, watch bool

	orderBy, fields []string
	limit, offset   int
	cursor          string
	explain         bool

	count   bool
	groupBy []string
	top     int

	sum, min, max, mean []string
	// attributes are those to aggregate, each once, and askedBy the flag that
	// asks for each.
	attributes []string
	askedBy    map[string]string

	reading cairn.Freshness
}

// answered is an answer of a view, ready to print.
type answered struct {
	document any
	table    func(out io.Writer) error
	// content is what the answer says, without how fresh it is: two that are
	// alike need not both be shown.
	content any
	token   cairn.Token
	missing []cairn.MissingCluster
	// next is the cursor of the page after this one.
	next string
}

func newQuery(o *options) *cobra.Command {
	q := &query{options: o}
	cmd := &cobra.Command{
		Use:   "query VIEW",
		Short: "Show a view: a page of it, counts, groups, sums",
		Long: `Show the entries of a view in its order, a page at a time, or count them, group
them by the values of one or two attributes, or sum up attributes. --where
narrows the view by a condition in CEL, as in surface == "ASP" && width_ft > 100;
it may say now.

If there is a next page, its cursor is printed on standard error, and with
-o json and yaml as next_cursor. Pages that follow cursors show each key once,
whatever is written meanwhile.

With --watch the answer is printed again whenever it changes, at most twice a
second, until Ctrl-C; -o json then prints one document a line.`,
		Example: `  cairn query long-lighted --where 'surface == "ASP"' --limit 10
  cairn query long-lighted --count
  cairn query long-lighted --group-by surface --top 5
  cairn query long-lighted --mean length_ft --max length_ft -o json`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.view = args[0]
			if err := q.check(cmd); err != nil {
				return err
			}
			return q.run(cmd)
		},
	}
	clientFlags(cmd, o)
	keyFlag(cmd, o)
	q.fresh.flags(cmd)
	q.flags(cmd)
	return cmd
}

func (q *query) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&q.where, "where", "", "only entries of which this `CONDITION` is true")
	f.BoolVar(&q.partial, "partial", false, "answer without clusters that can't be reached")
	f.StringSliceVar(&q.orderBy, "order-by", nil, "`ATTRIBUTES` to sort by, as in -length_ft,surface; a minus is for descending")
	f.StringSliceVar(&q.fields, "fields", nil, "`ATTRIBUTES` to show, as in surface,length_ft")
	f.IntVar(&q.limit, "limit", 0, "at most so many rows, 1 to 10000 (default 50)")
	f.IntVar(&q.offset, "offset", 0, "pass so many rows over; a cursor is quicker")
	f.StringVar(&q.cursor, "cursor", "", "the page after the one that this `CURSOR` came with")
	f.BoolVar(&q.explain, "explain", false, "tell how each cluster found its rows, too")
	f.BoolVar(&q.count, "count", false, "count the entries")
	f.StringSliceVar(&q.groupBy, "group-by", nil, "count them by the values of one or two `ATTRIBUTES`")
	f.IntVar(&q.top, "top", 0, "only so many groups, the largest")
	for _, aggregate := range q.aggregates() {
		f.StringSliceVar(aggregate.of, aggregate.flag, nil, aggregate.usage)
	}
	f.BoolVar(&q.watch, "watch", false, "print the answer again whenever it changes")
}

// check refuses flags that do not go together and values that can't be, before
// anybody is asked.
func (q *query) check(cmd *cobra.Command) (err error) {
	if err := togetherOnly(cmd); err != nil {
		return err
	}
	if cmd.Flags().Changed("limit") && (q.limit < 1 || q.limit > cairn.MaxBatch) {
		return cairn.Invalid("--limit", "PAGE_SIZE", "%d rows; a page has 1 to %d", q.limit, cairn.MaxBatch)
	}
	if cmd.Flags().Changed("group-by") && len(q.groupBy) == 0 {
		return cairn.Invalid("--group-by", "GROUP_BY_ATTRIBUTES", "no attribute is named")
	}
	q.attributes, q.askedBy = nil, map[string]string{}
	for _, aggregate := range q.aggregates() {
		if cmd.Flags().Changed(aggregate.flag) && len(*aggregate.of) == 0 {
			return cairn.Invalid("--"+aggregate.flag, "ATTRIBUTE_MISSING", "no attribute is named")
		}
		for _, attribute := range *aggregate.of {
			if _, known := q.askedBy[attribute]; !known {
				q.attributes = append(q.attributes, attribute)
				q.askedBy[attribute] = "--" + aggregate.flag
			}
		}
	}
	q.reading, err = q.fresh.read()
	return err
}

// togetherOnly refuses flags that are for different questions.
func togetherOnly(cmd *cobra.Command) error {
	const ofPages = "order-by fields limit offset cursor explain"
	const aggregates = "sum min max mean"
	for _, rule := range []struct{ one, others, why string }{
		{"count", "group-by " + aggregates + " " + ofPages, "a count is all that --count asks for"},
		{"group-by", aggregates + " " + ofPages, "groups are counted, and have no rows"},
		{aggregates, ofPages, "aggregates have no rows"},
		{"cursor", "offset", "an offset counts from the first row"},
		{"explain", "watch", "what it takes differs each time"},
	} {
		for one := range strings.FieldsSeq(rule.one) {
			for other := range strings.FieldsSeq(rule.others) {
				if cmd.Flags().Changed(one) && cmd.Flags().Changed(other) {
					return usageError{fmt.Errorf("--%s and --%s do not go together: %s", one, other, rule.why)}
				}
			}
		}
	}
	if cmd.Flags().Changed("top") && !cmd.Flags().Changed("group-by") {
		return usageError{errors.New("--top is for groups: say --group-by ATTRIBUTE too")}
	}
	return nil
}

func (q *query) run(cmd *cobra.Command) error {
	c, err := q.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	if q.watch {
		return q.follow(cmd, c)
	}
	a, err := q.ask(cmd.Context(), c)
	if err != nil {
		return err
	}
	if err := q.print(cmd, a.document, a.table); err != nil {
		return err
	}
	noteMissing(cmd, a.missing)
	if a.next != "" && q.output == render.Table {
		note(cmd, "the next page: --cursor %s", a.next)
	}
	return nil
}

// ask puts the question once.
func (q *query) ask(ctx context.Context, c *client.Client) (answered, error) {
	ctx, cancel := q.within(ctx)
	defer cancel()
	var a answered
	var err error
	switch {
	case q.count:
		a, err = q.askCount(ctx, c)
	case len(q.groupBy) > 0:
		a, err = q.askGroups(ctx, c)
	case len(q.attributes) > 0:
		a, err = q.askAggregates(ctx, c)
	default:
		a, err = q.askPage(ctx, c)
	}
	return a, q.inFlags(err)
}

func (q *query) selection() cairn.Selection {
	return cairn.Selection{View: q.view, Where: q.where, Freshness: q.reading, Partial: q.partial}
}

// flagOf are the flags for fields that errors name.
var flagOf = map[string]string{
	"where": "--where", "order_by": "--order-by", "fields": "--fields", "page_size": "--limit", "offset": "--offset",
	"cursor": "--cursor", "group_by": "--group-by", "top": "--top",
}

// inFlags names the flag that an error is about, and shows where in the
// condition it is, if it is there.
func (q *query) inFlags(err error) error {
	e, ok := errors.AsType[*cairn.Error](err)
	if !ok {
		return err
	}
	field, rest, _ := strings.Cut(e.Field, "[")
	flag, known := flagOf[field]
	if !known {
		return err
	}
	named := *e
	named.Field = flag
	if rest != "" {
		named.Field += "[" + rest
	}
	if field == "where" {
		return pointed(&named, q.where)
	}
	return &named
}
