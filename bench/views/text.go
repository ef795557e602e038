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
