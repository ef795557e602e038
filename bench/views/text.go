package views

import (
	"fmt"
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
