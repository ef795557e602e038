package postgres

import (
	"fmt"

	"cairn/bench/views"
)

const table = `CREATE TABLE records (
	key text PRIMARY KEY,
	node text NOT NULL,
	country text NOT NULL,
	tier text NOT NULL,
	status text NOT NULL,
	balance bigint NOT NULL,
	created timestamptz NOT NULL,
	score double precision NOT NULL
)`

// shown is what an index of pages has besides its key, so that the table
// itself is not read.
const shown = "INCLUDE (node, country, tier, balance)"

// indexes are the best that we know: for each question one that has the
// answer's rows together, in order, with all that is asked of them. The
// server's locale is C, so that keys compare as bytes.
func indexes() []string {
	recent := " WHERE " + views.Views[views.Recent].SQL
	rich := " WHERE " + views.Views[1].SQL
	return []string{
		"CREATE INDEX recent_page ON records (created DESC, key) " + shown + recent,
		"CREATE INDEX rich_page ON records (balance DESC, key) INCLUDE (node, country, tier)" + rich,
		"CREATE INDEX all_page ON records (score, key) " + shown,
		"CREATE INDEX recent_tier_page ON records (tier, created DESC, key) INCLUDE (score, node, country, balance)" + recent,
		// Few values have small indexes: each stands there once, with the
		// rows' places.
		"CREATE INDEX recent_country ON records (country)" + recent,
		"CREATE INDEX recent_balance ON records (balance)" + recent,
		"CREATE INDEX recent_tier_score ON records (tier, score) INCLUDE (country, balance)" + recent,
	}
}

// The columns of a page's rows.
const columns = "key, node, country, tier, balance"

// page is the query for a page of a view, from the first row or behind a
// position, which are its value of the sort and its key.
func page(view int, behind bool) string {
	v := views.Views[view]
	where, sort, before := v.SQL, v.Sort+" ASC", ">="
	if v.Sort[0] == '-' {
		sort, before = v.Sort[1:]+" DESC", "<="
	}
	if behind {
		attribute := sort[:len(sort)-len(" ASC")]
		if before == "<=" {
			attribute = v.Sort[1:]
		}
		if where != "" {
			where += " AND "
		}
		// The first comparison is where the index is entered, the second
		// leaves out what has the same value and comes before.
		where += fmt.Sprintf("%s %s $1 AND (%s %s $1 OR key > $2)", attribute, before, attribute, before[:1])
	}
	if where != "" {
		where = " WHERE " + where
	}
	return fmt.Sprintf("SELECT %s FROM records%s ORDER BY %s, key LIMIT %d", columns, where, sort, views.PageRows)
}

// narrowed is the condition of a question with a tier and a score.
const narrowed = " AND tier = $1 AND score > $2"

// query is the query of a question that is about "recent".
func query(asks views.Asks, isNarrowed bool) string {
	where := " FROM records WHERE " + views.Views[views.Recent].SQL
	if isNarrowed {
		where += narrowed
	}
	switch asks {
	case views.Count:
		return "SELECT count(*)" + where
	case views.Group:
		return "SELECT country, count(*)" + where + " GROUP BY country ORDER BY country"
	case views.Aggregate:
		return "SELECT count(balance), sum(balance)::bigint, min(balance), max(balance)" + where
	}
	return fmt.Sprintf("SELECT %s%s ORDER BY created DESC, key LIMIT %d", columns, where, views.PageRows)
}
