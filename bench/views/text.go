package views

import (
	"fmt"
	"strconv"
	"strings"
)

// RowText, CountText, GroupText and AggregateText are how answers are spelled
// for being compared.

// RowText is a row of a page.
func RowText(key, node, country, tier string, balance int64) string {
	return fmt.Sprintf("%s@%s %s %s %d\n", key, node, country, tier, balance)
}

// Row is a row of a page as peers give it.
type Row struct {
	Key, Node, Country, Tier string
	Balance                  int64
}

// Rows are the Answer of a peer to a question for a page.
type Rows []Row

// Text implements Answer.
func (r Rows) Text() string {
	return joined(r, func(row *Row) string { return RowText(row.Key, row.Node, row.Country, row.Tier, row.Balance) })
}

// Total is the Answer of a peer to a question for a count.
type Total uint64

// Text implements Answer.
func (t Total) Text() string { return CountText(uint64(t)) }

// CountryCount is how many members a country has.
type CountryCount struct {
	Country string
	Count   uint64
}

// Groups are the Answer of a peer to a question for counts by country.
type Groups []CountryCount

// Text implements Answer.
func (g Groups) Text() string {
	return joined(g, func(each *CountryCount) string { return GroupText(each.Country, each.Count) })
}

// Sums are the Answer of a peer to a question for an aggregation.
type Sums struct {
	Count            uint64
	Sum, Least, Most int64
}

// Text implements Answer.
func (s *Sums) Text() string {
	decimal := func(n int64) string { return strconv.FormatInt(n, 10) }
	return AggregateText(s.Count, decimal(s.Sum), decimal(s.Least), decimal(s.Most))
}

// CountText is a count.
func CountText(n uint64) string { return fmt.Sprintf("%d\n", n) }

// GroupText is one group; they come in order of their countries.
func GroupText(country string, n uint64) string { return fmt.Sprintf("%s: %d\n", country, n) }

// AggregateText is an aggregation.
func AggregateText(count uint64, sum, least, most string) string {
	return fmt.Sprintf("%d, %s, %s to %s\n", count, sum, least, most)
}

func joined[T any](items []T, text func(*T) string) string {
	var out strings.Builder
	for i := range items {
		out.WriteString(text(&items[i]))
	}
	return out.String()
}
