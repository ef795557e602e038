package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"cairn"
	"cairn/bench/views"
)

// Views is Redis with a sorted set for each view. It is a views.Side of those questions
// that a sorted set answers: pages without a condition, and counts.
//
// A member is a whole row, its key first, so that a page is one command; whoever changes
// a record has to know the former row of each view. Its score is the value that the view
// is in order of, negative for descending ones: members of one score are in order of
// their bytes, and so of their keys.
type Views struct{ *Redis }

// Answers tells whether sorted sets answer a workload's questions.
func (v Views) Answers(w *views.Workload) bool {
	return !w.Narrowed && (w.Asks == views.Page || w.Asks == views.Count)
}

// batch is how many records are read from Cairn at once.
const batch = 2_000

// Fill adds the first records to the sets of the views that they are in.
func (v Views) Fill(ctx context.Context, from *views.Cairn, entries int) error {
	for first := 0; first < entries; first += batch {
		records, err := from.Stored(ctx, first, min(first+batch, entries))
		if err != nil {
			return err
		}
		var adds rueidis.Commands
		for i := range views.Views {
			if add, some := v.add(&views.Views[i], records); some {
				adds = append(adds, add)
			}
		}
		for _, result := range v.pipelined.DoMulti(ctx, adds...) {
			if err := result.Error(); err != nil {
				return err
			}
		}
	}
	return nil
}

// add is the command for those records that are in a view, if there are some.
func (v Views) add(view *views.View, records []views.Stored) (command rueidis.Completed, some bool) {
	members := v.pipelined.B().Zadd().Key(view.Name).ScoreMember()
	for i := range records {
		if r := &records[i]; view.Has(&r.Record) {
			members, some = members.ScoreMember(score(view, view.Of(&r.Record)), member(r)), true
		}
	}
	return members.Build(), some
}

// score is what a row of a value has in the view's set.
func score(view *views.View, v cairn.Value) float64 {
	var out float64
	switch v.Type() {
	case cairn.TypeFloat:
		out = v.Float()
	case cairn.TypeTimestamp:
		out = float64(v.Time().UnixMicro()) // below 2^53
	default:
		out = float64(v.Int())
	}
	if view.Sort[0] == '-' {
		return -out
	}
	return out
}

// member is a row, its parts with blanks between.
func member(r *views.Stored) string {
	return fmt.Sprintf("%s %s %s %s %d", r.Key, r.Node, r.Country, r.Tier, r.Balance)
}

func rowOf(member string) (views.Row, error) {
	parts := strings.Split(member, " ")
	if len(parts) != 5 {
		return views.Row{}, fmt.Errorf("a member %q", member)
	}
	balance, err := strconv.ParseInt(parts[4], 10, 64)
	return views.Row{Key: parts[0], Node: parts[1], Country: parts[2], Tier: parts[3], Balance: balance}, err
}

// Ask asks the set of the question's view.
func (v Views) Ask(ctx context.Context, q *views.Question) (views.Answer, error) {
	view := &views.Views[q.View]
	if q.Asks == views.Count {
		n, err := v.pipelined.Do(ctx, v.pipelined.B().Zcard().Key(view.Name).Build()).AsInt64()
		return views.Total(n), err
	}
	if q.After == nil {
		return rowsOf(v.pipelined.Do(ctx, v.pipelined.B().Zrange().Key(view.Name).Min("0").Max(strconv.Itoa(views.PageRows-1)).Build()).AsStrSlice())
	}
	return rowsOf(v.behind(ctx, view, q.After))
}

// behind are the members of a page behind a position. The set is asked from the
// position's score on, and so for the row at the position too; where further ones before
// it have that score, again for as many more.
func (v Views) behind(ctx context.Context, view *views.View, after *views.Position) ([]string, error) {
	least := strconv.FormatFloat(score(view, after.Sort), 'g', -1, 64)
	last := string(after.Key) + " "
	for limit := int64(views.PageRows + 1); ; limit += views.PageRows {
		members, err := v.pipelined.Do(ctx,
			v.pipelined.B().Zrange().Key(view.Name).Min(least).Max("+inf").Byscore().Limit(0, limit).Build()).AsStrSlice()
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(members, func(m string) bool { return strings.HasPrefix(m, last) })
		switch full := int64(len(members)) == limit; {
		case at >= 0 && (!full || len(members)-at > views.PageRows):
			return members[at+1 : min(at+1+views.PageRows, len(members))], nil
		case at < 0 && !full:
			return nil, fmt.Errorf("view %s has no row %q", view.Name, after.Key)
		}
	}
}

func rowsOf(members []string, err error) (views.Answer, error) {
	if err != nil {
		return nil, err
	}
	if len(members) == 0 {
		return nil, errors.New("a page of no rows")
	}
	rows := make(views.Rows, len(members))
	for i, m := range members {
		if rows[i], err = rowOf(m); err != nil {
			return nil, err
		}
	}
	return rows, nil
}
