package load_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"cairn"
	"cairn/cmd/cairn/load"
	"cairn/cmd/cairn/records"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rows is a file of rows that was read already; a row without a key is a bad
// one.
type rows []records.Row

func (r *rows) Next() (records.Row, error) {
	if len(*r) == 0 {
		return records.Row{}, io.EOF
	}
	row := (*r)[0]
	*r = (*r)[1:]
	if row.Key == nil {
		return records.Row{}, &records.BadRow{File: "f", Line: row.Line, Column: 1, Err: row.Key.Validate()}
	}
	return row, nil
}

// keyspace is a keyspace of one cluster with the nodes a and b, which fails
// now and then.
type keyspace struct {
	fail func() int // 0 for most batches, then what goes wrong
	big  int        // how many writes a message may have, 0 for any

	mu      sync.Mutex // guards entries
	entries map[string]cairn.Write
}

func (k *keyspace) write(_ context.Context, writes []cairn.Write) ([]cairn.WriteOutcome, cairn.Token, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	failure := k.fail()
	switch {
	case k.big > 0 && len(writes) > k.big:
		return nil, cairn.Token{}, cairn.Errorf(cairn.KindExhausted, "MESSAGE_TOO_LARGE", "too big")
	case failure == 1:
		return nil, cairn.Token{}, cairn.Errorf(cairn.KindUnavailable, "UNREACHABLE", "not there")
	}
	outcomes := make([]cairn.WriteOutcome, len(writes))
	for i, w := range writes {
		switch {
		case w.Node != "" && w.Node != "a" && w.Node != "b":
			outcomes[i].Err = cairn.Invalid("node", "NODE_UNKNOWN", "no node %q", w.Node)
		case failure == 2 && i%3 == 1:
			outcomes[i].Err = cairn.Errorf(cairn.KindUnavailable, "CLUSTER_DOWN", "one cluster is down")
		case w.Key[0] == '!':
			outcomes[i].Err = cairn.Invalid("key", "REFUSED", "refused")
		default:
			_, outcomes[i].Existed = k.entries[string(w.Key)]
			k.entries[string(w.Key)] = w
		}
	}
	if failure == 3 {
		return nil, cairn.Token{}, cairn.Errorf(cairn.KindUnknown, "OUTCOME_UNKNOWN", "the answer was lost")
	}
	return outcomes, cairn.Token{}.With(7, cairn.Stamp{Epoch: 1, Index: uint64(len(k.entries))}), nil
}

func config(k *keyspace) load.Config {
	return load.Config{
		Write: k.write, Lanes: 3, Rows: 5, Bytes: 400, Timeout: time.Second, Patience: 5 * time.Second, File: "f",
	}
}

func none() int { return 0 }

// Whatever fails on the way, each key ends as its last row says, and every
// row is counted once.
func TestEndsAsTheFileSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		k := &keyspace{entries: map[string]cairn.Write{}, big: rapid.SampledFrom([]int{0, 1, 3}).Draw(t, "big")}
		failures := rapid.IntRange(0, 2).Draw(t, "failures")
		k.fail = func() int {
			if failures == 0 || random.IntN(4) > 0 {
				return 0
			}
			failures--
			return 1 + random.IntN(3)
		}
		var file rows
		want := map[string]int64{}
		var bad, placed int64
		for line := range rapid.IntRange(0, 120).Draw(t, "rows") {
			row := records.Row{Line: line + 1}
			if random.IntN(10) == 0 {
				bad++
			} else {
				row.Key = fmt.Appendf(nil, "%d", random.IntN(30))
				row.Node = []string{"", "a", "elsewhere"}[random.IntN(3)]
				row.Attributes = cairn.NamedValues{{Name: "line", Value: cairn.Int(int64(line))}}
				want[string(row.Key)] = int64(line)
				if row.Node == "elsewhere" {
					placed++
				}
			}
			file = append(file, row)
		}
		total := int64(len(file))
		c := config(k)
		c.SkipBad = len(file)
		l := load.New(c)
		if err := l.Run(context.Background(), &file); err != nil {
			t.Fatal(err)
		}
		got := l.Counts()
		if got.Written != total-bad || got.Bad != bad || got.Placed != placed || got.Created+got.Replaced != got.Written {
			t.Fatalf("of %d rows, %d bad, %d to be placed: %+v", total, bad, placed, got)
		}
		if len(k.entries) != len(want) {
			t.Fatalf("%d keys, want %d", len(k.entries), len(want))
		}
		for key, line := range want {
			if v, _ := k.entries[key].Attributes.Get("line"); v.Int() != line {
				t.Fatalf("key %s is of line %d, want the last one, %d", key, v.Int(), line)
			}
		}
	})
}

func TestStopsAtABadRow(t *testing.T) {
	k := &keyspace{entries: map[string]cairn.Write{}, fail: none}
	var file rows
	for line := 1; line <= 20; line++ {
		row := records.Row{Line: line, Key: fmt.Appendf(nil, "%d", line)}
		if line == 8 || line == 12 {
			row.Key = nil
		}
		file = append(file, row)
	}
	c := config(k)
	c.SkipBad = 1
	var told []int
	c.OnBad = func(b *records.BadRow) { told = append(told, b.Line) }
	l := load.New(c)
	err := l.Run(t.Context(), &file)
	bad, ok := errors.AsType[*records.BadRow](err)
	if !ok || bad.Line != 12 || !slices.Equal(told, []int{8}) {
		t.Errorf("%v, told %v", err, told)
	}
	if got := l.Counts(); got.Written != 10 || got.Created != 10 || len(k.entries) != 10 {
		t.Errorf("%d entries, counted %+v; all before the bad row are to be kept", len(k.entries), got)
	}
}

func TestRefusedRowIsABadRow(t *testing.T) {
	for nodes, want := range map[load.Nodes]int64{load.Require: 0, load.Prefer: 1, load.Ignore: 0} {
		k := &keyspace{entries: map[string]cairn.Write{}, fail: none}
		file := rows{{Line: 2, Key: cairn.Key("!1")}, {Line: 3, Key: cairn.Key("2"), Node: "c", Replicas: []string{"a"}}, {Line: 4, Key: cairn.Key("3"), Node: "a", Replicas: []string{"b"}}}
		c := config(k)
		c.Nodes, c.SkipBad = nodes, 5
		l := load.New(c)
		if err := l.Run(t.Context(), &file); err != nil {
			t.Fatal(err)
		}
		got := l.Counts()
		refused := int64(1)
		if nodes == load.Require {
			refused = 2
		}
		if got.Bad != refused || got.Written != 3-refused || got.Placed != want {
			t.Errorf("policy %d: %+v", nodes, got)
		}
		if kept := k.entries["3"]; (kept.Node == "a" && len(kept.Replicas) == 1) != (nodes != load.Ignore) {
			t.Errorf("policy %d: nodes %q %q", nodes, kept.Node, kept.Replicas)
		}
	}
}

func TestPatience(t *testing.T) {
	k := &keyspace{entries: map[string]cairn.Write{}, fail: func() int { return 1 }}
	file := rows{{Line: 1, Key: cairn.Key("1")}}
	c := config(k)
	c.Patience = 120 * time.Millisecond
	if err := load.New(c).Run(t.Context(), &file); cairn.KindOf(err) != cairn.KindUnavailable {
		t.Errorf("%v, want unavailable", err)
	}
	k.fail = none
	failing := errors.New("the disk is gone")
	if err := load.New(c).Run(t.Context(), failingReader{failing}); !errors.Is(err, failing) {
		t.Errorf("%v, want the reader's own", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	file = rows{{Line: 1, Key: cairn.Key("1")}}
	if err := load.New(c).Run(ended, &file); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's", err)
	}
}

type failingReader struct{ err error }

func (f failingReader) Next() (records.Row, error) { return records.Row{}, f.err }
