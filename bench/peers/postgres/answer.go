package postgres

import (
	"strconv"
	"strings"

	"cairn/bench/views"
)

// The answers.
type (
	group struct {
		country string
		count   uint64
	}
	groups      []group
	aggregation struct {
		count            uint64
		sum, least, most int64
	}
)

func (g groups) Text() string {
	var out strings.Builder
	for _, each := range g {
		out.WriteString(views.GroupText(each.country, each.count))
	}
	return out.String()
}

func (a *aggregation) Text() string {
	decimal := func(n int64) string { return strconv.FormatInt(n, 10) }
	return views.AggregateText(a.count, decimal(a.sum), decimal(a.least), decimal(a.most))
}
