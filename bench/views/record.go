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
	return cairn.Write{Operation: cairn.Put, Key: r.Key, Attributes: cairn.NamedValues{
		{Name: "balance", Value: cairn.Int(r.Balance)}, {Name: "country", Value: text(r.Country)}, {Name: "created", Value: valueOf(cairn.Timestamp(r.Created))},
		{Name: "score", Value: valueOf(cairn.Float(r.Score))}, {Name: "status", Value: text(r.Status)}, {Name: "tier", Value: text(r.Tier)},
	}}
}

func text(s string) cairn.Value { return valueOf(cairn.String(s)) }

// valueOf is a value of a record's: RecordOf makes none that can't be.
func valueOf(v cairn.Value, err error) cairn.Value {
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
	// Filter is its filter in CEL, SQL the same in SQL and Has as a function; empty or
	// true for all.
	Filter, SQL string
	Has         func(r *Record) bool
	// Sort is the attribute that it is in order of, with a minus in front for
	// descending, Of a record's value of it.
	Sort string
	Of   func(r *Record) cairn.Value
}

// Views are the views, by their numbers.
var Views = []View{
	{
		Name: "recent", Filter: fmt.Sprintf(`status == "s0" && balance < %d`, poor), SQL: fmt.Sprintf("status = 's0' AND balance < %d", poor),
		Has:  func(r *Record) bool { return r.Status == "s0" && r.Balance < poor },
		Sort: "-created", Of: func(r *Record) cairn.Value { return valueOf(cairn.Timestamp(r.Created)) },
	},
	{
		Name: "rich", Filter: fmt.Sprintf("balance >= %d", rich), SQL: fmt.Sprintf("balance >= %d", rich),
		Has:  func(r *Record) bool { return r.Balance >= rich },
		Sort: "-balance", Of: func(r *Record) cairn.Value { return cairn.Int(r.Balance) },
	},
	{
		Name: "all", Has: func(*Record) bool { return true },
		Sort: "score", Of: func(r *Record) cairn.Value { return valueOf(cairn.Float(r.Score)) },
	},
}

// Recent is the number of the view of 12.9 percent, All that of the view of all.
const (
	Recent = 0
	All    = 2
)

// declared are the views that are asked, and one that nobody asks: its order tells what
// conditions on a tier and a score leave of "recent", as an index made for it does elsewhere.
func declared() []*cairnv1.View {
	var out []*cairnv1.View
	for _, v := range Views {
		out = append(out, &cairnv1.View{Name: "views/" + v.Name, Filter: v.Filter, Sort: []string{v.Sort}, Fields: Fields})
	}
	return append(out, &cairnv1.View{Name: "views/recent-by-tier", Filter: Views[Recent].Filter, Sort: []string{"tier", "score"}})
}

// Fields are the attributes that a page shows.
var Fields = []string{"country", "tier", "balance"}
