package nodeindex

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"cairn"
)

// The entries of BenchmarkRestart: three attributes of few values, two wide
// ints, of which one is a time, and a float.
func restartSchema(b *testing.B) *cairn.Schema {
	b.Helper()
	schema, err := cairn.NewSchema([]cairn.AttributeSpec{
		{ID: 1, Name: "region", Type: cairn.TypeString}, {ID: 2, Name: "plan", Type: cairn.TypeString},
		{ID: 3, Name: "state", Type: cairn.TypeString}, {ID: 4, Name: "seen", Type: cairn.TypeTimestamp},
		{ID: 5, Name: "points", Type: cairn.TypeInt}, {ID: 6, Name: "balance", Type: cairn.TypeFloat},
	})
	if err != nil {
		b.Fatal(err)
	}
	return schema
}

// restartViews have about 12.9%, 0.34% and all of the entries.
var restartViews = []cairn.View{
	{UID: 1, Version: 1, Name: "active", Keyspace: testKeyspace, Filter: `region == "eu" && plan == "team"`, Sort: []cairn.SortField{{Attribute: 4, Descending: true}}},
	{UID: 2, Version: 1, Name: "rich", Keyspace: testKeyspace, Filter: `balance > 9966.0`, Sort: []cairn.SortField{{Attribute: 6, Descending: true}}},
	{UID: 3, Version: 1, Name: "all", Keyspace: testKeyspace, Sort: []cairn.SortField{{Attribute: 4}}},
}

func restartEntry(random *rand.Rand, i int) cairn.Mutation {
	text := func(id cairn.AttributeID, of ...string) cairn.Attribute {
		v, _ := cairn.String(of[random.IntN(len(of))])
		return cairn.Attribute{ID: id, Value: v}
	}
	at, _ := cairn.Timestamp(time.UnixMicro(1_600_000_000_000_000 + random.Int64N(1e14)))
	balance, _ := cairn.Float(random.Float64() * 10_000)
	return put(fmt.Sprintf("customer-%011d", i),
		text(1, "eu", "us", "asia"), text(2, "free", "team", "team", "pro", "enterprise"), text(3, "active", "trial", "closed", "new"),
		cairn.Attribute{ID: 4, Value: at}, cairn.Attribute{ID: 5, Value: cairn.Int(random.Int64N(1e12))}, cairn.Attribute{ID: 6, Value: balance})
}

// BenchmarkRestart measures from Open to the first page of each view, of one
// index with 1,000,000 entries, with CAIRN_BENCH_LARGE=1 of 10,000,000 too:
// with an image of the views, and without, when they are made of the entries.
func BenchmarkRestart(b *testing.B) {
	sizes := []int{1_000_000}
	if os.Getenv("CAIRN_BENCH_LARGE") != "" {
		sizes = append(sizes, 10_000_000)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprintf("entries=%dM", n/1_000_000), func(b *testing.B) {
			dir := b.TempDir()
			fillForRestart(b, dir, n)
			b.Run("image", func(b *testing.B) {
				for b.Loop() {
					restart(b, dir)
				}
			})
			b.Run("entries", func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					if err := os.RemoveAll(dir + "/" + imagesFolder); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
					restart(b, dir)
				}
			})
		})
	}
}

func fillForRestart(b *testing.B, dir string, n int) {
	b.Helper()
	x, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	a := testAssignment(b, cairn.SchemeHash, 64)
	a.Keyspaces[0].Schema, a.Views = restartSchema(b), restartViews
	command, _ := x.Diff(a)
	r := replica{t: b, dir: dir, x: x}
	r.apply(command)
	random := rand.New(rand.NewPCG(1, 2))
	for done := 0; done < n; {
		mutations := make([]cairn.Mutation, 0, 10_000)
		for range 10_000 {
			mutations = append(mutations, restartEntry(random, done))
			done++
		}
		r.write(mutations...)
		if done%500_000 == 0 {
			r.checkpoint()
		}
	}
	if err := x.FillViews(b.Context()); err != nil {
		b.Fatal(err)
	}
	for x.Work() {
	}
	if err := x.SaveViews(); err != nil {
		b.Fatal(err)
	}
	r.checkpoint()
	if err := x.Close(); err != nil {
		b.Fatal(err)
	}
}

// restart opens the index and asks each view for its first page.
func restart(b *testing.B, dir string) {
	b.Helper()
	x, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	for err = x.FillViews(b.Context()); err != nil; err = x.FillViews(b.Context()) {
		if cairn.ReasonOf(err) != "IMAGE_MISSING" {
			b.Fatal(err)
		}
	}
	for i := range restartViews {
		var reply cairn.ViewReply
		req := cairn.ViewRequest{
			Read: cairn.Read{Keyspace: testKeyspace, Level: cairn.Linearizable}, View: restartViews[i].UID, Version: 1,
			Asked: cairn.AskPage, Limit: 50, Fields: []cairn.AttributeID{1, 2, 6},
		}
		if err := x.AskView(&req, &reply); err != nil || len(reply.Rows) != 50 {
			b.Fatal(len(reply.Rows), err)
		}
	}
	b.StopTimer()
	if err := x.Close(); err != nil {
		b.Fatal(err)
	}
	b.StartTimer()
}
