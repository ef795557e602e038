package router_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cairn"
	"cairn/router/internal/bed"
	"cairn/shardmap/catalog"
)

// answered is an answer as it can be compared, and how fresh it is.
type answered struct {
	text  string
	token cairn.Token
}

// pinnable are questions about the view, of each kind.
var pinnable = map[string]func(c *crowd, t *testing.T, selection cairn.Selection) answered{
	"page": func(c *crowd, t *testing.T, selection cairn.Selection) answered {
		page, err := c.routers[0].QueryView(t.Context(), cairn.PageQuery{Selection: selection, Limit: 30, Offset: 5})
		must(t, err)
		text := ""
		for i, row := range page.Rows {
			text += fmt.Sprintf("%s %v ", row.Key, row.Attributes.Sorted())
			clear(page.Rows[i].Key) // it is the caller's own
		}
		return answered{text, page.Token}
	},
	"count": func(c *crowd, t *testing.T, selection cairn.Selection) answered {
		count, err := c.routers[0].CountView(t.Context(), selection)
		must(t, err)
		return answered{fmt.Sprint(count.Count), count.Token}
	},
	"groups": func(c *crowd, t *testing.T, selection cairn.Selection) answered {
		groups, err := c.routers[0].GroupView(t.Context(), cairn.GroupQuery{Selection: selection, By: []string{"size"}, Top: 7})
		must(t, err)
		text := fmt.Sprint(groups.Groups)
		for i := range groups.Groups {
			clear(groups.Groups[i].Values)
		}
		return answered{text, groups.Token}
	},
	"aggregate": func(c *crowd, t *testing.T, selection cairn.Selection) answered {
		aggregation, err := c.routers[0].AggregateView(t.Context(), selection, "size")
		must(t, err)
		return answered{fmt.Sprint(aggregation.Aggregation), aggregation.Token}
	},
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (c *crowd) put(t *testing.T, key string, size int64) {
	t.Helper()
	write := cairn.Write{Operation: cairn.Put, Key: cairn.Key(key), Attributes: cairn.NamedValues{{Name: "size", Value: cairn.Int(size)}}}
	_, _, err := c.routers[0].Put(t.Context(), bed.Things, write, cairn.RequestID{})
	must(t, err)
}

// questions is how many have reached the indexes.
func (c *crowd) questions() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, times := range c.asked {
		n += times
	}
	return n
}

// TestPinnedQuestionsHaveOneState asks questions of all kinds, writes, and asks them
// again as of the state they had first.
func TestPinnedQuestionsHaveOneState(t *testing.T) {
	c := newCrowd(t, 2, 1)
	pinned := cairn.Selection{View: theView, Where: "size >= 3", Pinned: true}
	first, token := map[string]answered{}, cairn.Token{}
	for name, ask := range pinnable {
		first[name] = ask(c, t, pinned)
		token = token.Merge(first[name].token)
	}
	for name := range first {
		if first[name].token.String() != token.String() {
			t.Fatalf("%s is of another state although nothing was written", name)
		}
	}
	for i := range 40 {
		c.put(t, fmt.Sprintf("k%03d", i), 1000)
	}
	pinned.Freshness = cairn.Freshness{Level: cairn.AtLeast, Token: token}
	before := c.questions()
	for range 2 {
		for name, ask := range pinnable {
			if again := ask(c, t, pinned); again.text != first[name].text || again.token.String() != token.String() {
				t.Errorf("%s: %s", name, cmp.Diff(first[name].text, again.text))
			}
		}
	}
	if asked := c.questions() - before; asked != 0 {
		t.Errorf("the indexes were asked %d times", asked)
	}

	// Who does not pin sees what is there, and a question that is new says that it
	// does by its token.
	free, other := pinned, pinned
	free.Pinned, other.Where = false, "size >= 4"
	for name, ask := range pinnable {
		for _, selection := range []cairn.Selection{free, other} {
			if now := ask(c, t, selection); now.text == first[name].text || now.token.String() == token.String() {
				t.Errorf("%s of %+v is still %s", name, selection, now.text)
			}
		}
	}
	// The latest is the latest.
	pinned.Freshness = cairn.Freshness{Level: cairn.Linearizable, Token: token}
	if now := pinnable["count"](c, t, pinned); now.token.String() == token.String() {
		t.Error("a linearizable question was answered from what was kept")
	}
}

// TestPinnedAnswersAreOfTheirViewAndShards changes both under a token.
func TestPinnedAnswersAreOfTheirViewAndShards(t *testing.T) {
	for name, change := range map[string]func(c *crowd, things cairn.UID){
		"another version": func(c *crowd, things cairn.UID) {
			must(t, c.SetView(catalog.View{UID: 77, Name: theView, Keyspace: things, Serving: &catalog.ViewVersion{Number: 2, Filter: "size >= 50"}}))
			c.NoteAll()
		},
		"another view of the name": func(c *crowd, things cairn.UID) {
			must(t, c.RemoveView(77))
			must(t, c.SetView(catalog.View{UID: 78, Name: theView, Keyspace: things, Serving: &catalog.ViewVersion{Number: 1, Filter: "size >= 50"}}))
			c.NoteAll()
		},
		"a shard that moves": func(c *crowd, things cairn.UID) {
			owners := c.Map().Owners(things)
			for shard := range c.Map().Shards(things) {
				if shard.Cluster == owners[0].Cluster {
					must(t, c.Move(things, shard.ID, owners[1].Cluster))
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCrowd(t, 2, 1)
			things, _ := c.Map().Catalog().KeyspaceByName(bed.Things)
			selection := cairn.Selection{View: theView, Pinned: true}
			selection.Freshness.Token = pinnable["count"](c, t, selection).token
			selection.Freshness.Level = cairn.AtLeast
			change(c, things.UID)
			c.topologies[0].CatchUp()
			before := c.questions()
			want := map[bool]string{true: "100", false: "50"}[name == "a shard that moves"]
			if got := pinnable["count"](c, t, selection); got.text != want || c.questions() == before {
				t.Errorf("%s entries, %d questions", got.text, c.questions()-before)
			}
		})
	}
}
