package plan_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"cairn"
	"cairn/shardmap/plan"

	gocmp "github.com/google/go-cmp/cmp"
)

// written is a plan with a step of each kind as its file has it.
const written = `{"version":1,"revision":100,"made":"2026-11-27T12:00:00Z","by":"load","before":{"imbalance":2.3576,"least":0,"shards":8},"after":{"imbalance":1.4424,"least":0.6473,"shards":8},
"keyspaces": [
  {"name":"hash","uid":"0000000000000011","revision":5,"shards":8,"moved":0.1014}
],
"clusters": [
  {"name":"c0","uid":"0000000000001000","revision":1,"capacity":1,"before":0,"after":0}
],
"steps": [
  {"do":"move","keyspace":"hash","shard":2,"revision":11,"from":"c0","to":"c1","entries":100,"before":1.6,"after":1.5,"reason":"c0 is > c1"},
  {"do":"split","keyspace":"hash","shard":1,"revision":10,"at":"1000000000000000","entries":400,"before":1.5,"after":1.5,"reason":"hot"},
  {"do":"merge","keyspace":"hash","shard":5,"revision":14,"with":6,"with_revision":10,"entries":1,"before":1.5,"after":1.5,"reason":"cold"}
],
"held": [
  {"cluster":"c0","why":"pinned","shards":2,"entries":12}
]}
`

// TestFile holds the form of the file: read and written again it is the same,
// byte for byte, with a line for each step.
func TestFile(t *testing.T) {
	p, err := plan.Read(strings.NewReader(written))
	if err != nil {
		t.Fatal(err)
	}
	var again strings.Builder
	if err := plan.Write(&again, p); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(written, again.String()); diff != "" {
		t.Error(diff)
	}
	want := "1 moves, 1 splits, 1 merges; imbalance by load 2.36 to 1.44; 100 keys change nodes"
	if got := p.String(); got != want {
		t.Errorf("%q; want %q", got, want)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, test := range []struct {
		name, old, new string
		field, reason  string
	}{
		{"a file cut short", `"held": [`, "", "", "PLAN_MALFORMED"},
		{"more than a plan", "]}\n", "]} {}", "", "PLAN_MALFORMED"},
		{"another version", `"version":1`, `"version":2`, "version", "PLAN_VERSION"},
		{"what this version does not know", `"by":"load"`, `"by":"load","force":true`, "", "PLAN_MALFORMED"},
		{"a step of no kind", `"do":"split"`, `"do":"spit"`, "steps[1].do", "PLAN_MALFORMED"},
		{"a step of no keyspace", `"do":"split","keyspace":"hash"`, `"do":"split","keyspace":""`, "steps[1].keyspace", "PLAN_MALFORMED"},
		{"a step of no shard", `"shard":1,`, ``, "steps[1].shard", "PLAN_MALFORMED"},
		{"a step of no revision", `"revision":11,`, ``, "steps[0].shard", "PLAN_MALFORMED"},
		{"a split nowhere", `"at":"1000000000000000",`, ``, "steps[1].at", "PLAN_MALFORMED"},
		{"a split at what is no key", `"at":"1000000000000000"`, `"at":"x"`, "", "PLAN_MALFORMED"},
		{"a merge with nothing", `"with":6,`, ``, "steps[2].with", "PLAN_MALFORMED"},
		{"a merge with a shard of another step", `"with":6,`, `"with":2,`, "steps[2].shard", "PLAN_MALFORMED"},
		{"two steps of one shard", `"shard":1,`, `"shard":2,`, "steps[1].shard", "PLAN_MALFORMED"},
		{"a move to where it is", `"to":"c1"`, `"to":"c0"`, "steps[0].to", "PLAN_MALFORMED"},
		{"a move to nowhere", `"to":"c1",`, ``, "steps[0].to", "PLAN_MALFORMED"},
		{"no obstacle", `"why":"pinned"`, `"why":"tired"`, "held[0].why", "PLAN_MALFORMED"},
	} {
		if !strings.Contains(written, test.old) {
			t.Fatalf("%s: the file has no %s", test.name, test.old)
		}
		p, err := plan.Read(strings.NewReader(strings.Replace(written, test.old, test.new, 1)))
		e, ok := errors.AsType[*cairn.Error](err)
		if !ok || p != nil || e.Kind != cairn.KindInvalid || e.Field != test.field || e.Reason != test.reason {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// FuzzRead holds that whatever is read as a plan is read the same again from
// what is written of it.
func FuzzRead(f *testing.F) {
	f.Add([]byte(written))
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":1,"steps":[{"do":"split","keyspace":"\ud800","shard":1,"revision":1,"at":"00"}]}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := plan.Read(bytes.NewReader(file))
		if err != nil {
			return
		}
		var first, second bytes.Buffer
		if err := plan.Write(&first, p); err != nil {
			t.Fatal(err)
		}
		again, err := plan.Read(bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatalf("%v\n%s", err, first.Bytes())
		}
		if err := plan.Write(&second, again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatalf("written once:\n%s\ntwice:\n%s", first.Bytes(), second.Bytes())
		}
	})
}
