package views

import (
	"fmt"
	"math/rand/v2"
	"time"

	"cairn"
	"cairn/bench/load"
	cairnv1 "cairn/proto/cairn/v1"
)

// Record is one entry.
type Record struct {
	Key                   []byte
	Country, Tier, Status string // of four, three and three values
	Balance               int64
	Created               time.Time
	Score                 float64
}

// Balances are up to balanceRange; those of poor are below poor, those of
// the view "rich" are rich or above.
const (
	balanceRange = 1_000_000_000
	poor         = balanceRange * 387 / 1_000
	rich         = balanceRange - balanceRange*34/10_000
)

// yearBegin is the first moment of Created, in microseconds; the last is a
// year later.
const (
	yearBegin = 1_767_225_600_000_000
	year      = 365 * 24 * 3_600 * 1_000_000
)

// RecordOf is record number n, the same every time.
func RecordOf(n int) Record {
	random := rand.New(rand.NewPCG(uint64(n), 1))
	return Record{
		Key:     load.Key(n),
		Country: name('c', random.IntN(countries)), Tier: name('t', random.IntN(tiers)), Status: name('s', random.IntN(3)),
		Balance: random.Int64N(balanceRange),
		Created: time.UnixMicro(yearBegin + random.Int64N(year)).UTC(),
		Score:   random.NormFloat64(),
	}
}

const countries, tiers = 4, 3

func name(kind byte, n int) string { return string([]byte{kind, '0' + byte(n)}) }

// write is the record as Cairn gets it. Which nodes it goes to is left to its
// placement.
func write(n int) cairn.Write {
	r := RecordOf(n)
	at, timeErr := cairn.Timestamp(r.Created)
	score, floatErr := cairn.Float(r.Score)
	if timeErr != nil || floatErr != nil {
		panic(fmt.Sprint(timeErr, floatErr)) // RecordOf makes none such
	}
	return cairn.Write{Operation: cairn.Put, Key: r.Key, Attributes: cairn.NamedValues{
		{Name: "balance", Value: cairn.Int(r.Balance)}, {Name: "country", Value: text(r.Country)}, {Name: "created", Value: at},
		{Name: "score", Value: score}, {Name: "status", Value: text(r.Status)}, {Name: "tier", Value: text(r.Tier)},
	}}
}

func text(s string) cairn.Value {
	v, err := cairn.String(s)
	if err != nil {
		panic(err)
	}
	return v
}

func keyspace() *cairnv1.Keyspace {
	return &cairnv1.Keyspace{
		Placement: &cairnv1.Placement{Scheme: cairnv1.Placement_HASH, InitialShards: 64},
		Attributes: map[string]*cairnv1.Attribute{
			"country": {Type: cairnv1.Attribute_STRING}, "tier": {Type: cairnv1.Attribute_STRING}, "status": {Type: cairnv1.Attribute_STRING},
			"balance": {Type: cairnv1.Attribute_INT}, "created": {Type: cairnv1.Attribute_TIMESTAMP}, "score": {Type: cairnv1.Attribute_FLOAT},
		},
	}
}

// View is one of the views that are asked.
type View struct {
	Name string
	// Filter is its filter in CEL and SQL the same in SQL; empty for all.
	Filter, SQL string
	// Sort is the attribute that it is in order of, with a minus in front for
	// descending.
	Sort string
}

// Views are the views, by their numbers.
var Views = []View{
	{"recent", fmt.Sprintf(`status == "s0" && balance < %d`, poor), fmt.Sprintf("status = 's0' AND balance < %d", poor), "-created"},
	{"rich", fmt.Sprintf("balance >= %d", rich), fmt.Sprintf("balance >= %d", rich), "-balance"},
	{"all", "", "", "score"},
}

// Recent is the number of the view of 12.9 percent, All that of the view of all.
const (
	Recent = 0
	All    = 2
)

func declared() []*cairnv1.View {
	out := make([]*cairnv1.View, len(Views))
	for i, v := range Views {
		out[i] = &cairnv1.View{Name: "views/" + v.Name, Filter: v.Filter, Sort: []string{v.Sort}, Fields: Fields}
	}
	return out
}

// Fields are the attributes that a page shows.
var Fields = []string{"country", "tier", "balance"}
