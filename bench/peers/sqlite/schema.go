package sqlite

import (
	"fmt"

	"cairn/bench/views"
)

// Times are in microseconds.
const (
	recordsTable = `CREATE TABLE records (
	key TEXT NOT NULL PRIMARY KEY,
	node TEXT NOT NULL,
	country TEXT NOT NULL,
	tier TEXT NOT NULL,
	status TEXT NOT NULL,
	balance INTEGER NOT NULL,
	created INTEGER NOT NULL,
	score REAL NOT NULL
) WITHOUT ROWID, STRICT`
	insertRecords = "INSERT INTO records VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
)

// indexes are those of PostgreSQL: for each question one that has the answer's
// rows together, in order, with all that is asked of them. There is no INCLUDE:
// what an index is to have besides its key are further columns of it. Balances
// are in all that are partial by them, since it compares them again.
func indexes() []string {
	recent := " WHERE " + views.Views[views.Recent].SQL
	rich := " WHERE " + views.Views[1].SQL
	return []string{
		"CREATE INDEX recent_page ON records (created DESC, key, node, country, tier, balance)" + recent,
		"CREATE INDEX rich_page ON records (balance DESC, key, node, country, tier)" + rich,
		"CREATE INDEX all_page ON records (score, key, node, country, tier, balance)",
		"CREATE INDEX recent_tier_page ON records (tier, created DESC, key, score, node, country, balance)" + recent,
		"CREATE INDEX recent_country ON records (country, balance)" + recent,
		"CREATE INDEX recent_balance ON records (balance)" + recent,
		"CREATE INDEX recent_tier_score ON records (tier, score, country, balance)" + recent,
	}
}

// The columns of a page's rows.
const columns = "key, node, country, tier, balance"

// page is the query for a page of a view, from the first row or behind a
// position, which are its value of the sort and its key.
func page(view int, behind bool) string {
	v := views.Views[view]
	attribute, direction, beyond := v.Sort, "ASC", ">"
	if v.Sort[0] == '-' {
		attribute, direction, beyond = v.Sort[1:], "DESC", "<"
	}
	where := v.SQL
	if behind {
		if where != "" {
			where += " AND "
		}
		// The first comparison is where the index is entered, the second
		// leaves out what has the same value and comes before.
		where += fmt.Sprintf("%[1]s %[2]s= ?1 AND (%[1]s %[2]s ?1 OR key > ?2)", attribute, beyond)
	}
	if where != "" {
		where = " WHERE " + where
	}
	return fmt.Sprintf("SELECT %s FROM records%s ORDER BY %s %s, key LIMIT %d", columns, where, attribute, direction, views.PageRows)
}

// query is the query of a question that is about "recent". A narrowed one names its
// index: with many records the planner would go through all of them country by country.
func query(asks views.Asks, isNarrowed bool) string {
	from, where := " FROM records", " WHERE "+views.Views[views.Recent].SQL
	if isNarrowed {
		index := "recent_tier_score"
		if asks == views.Page {
			index = "recent_tier_page"
		}
		from += " INDEXED BY " + index
		where += " AND tier = ?1 AND score > ?2"
	}
	where = from + where
	switch asks {
	case views.Count:
		return "SELECT count(*)" + where
	case views.Group:
		return "SELECT country, count(*)" + where + " GROUP BY country ORDER BY country"
	case views.Aggregate:
		return "SELECT count(balance), sum(balance), min(balance), max(balance)" + where
	}
	return fmt.Sprintf("SELECT %s%s ORDER BY created DESC, key LIMIT %d", columns, where, views.PageRows)
}
