package nodeindex

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"cairn"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testKeyspace cairn.UID = 0x1111

// testSchema has a string 1, an int 2 and a bool 3.
func testSchema(t testing.TB) *cairn.Schema {
	t.Helper()
	schema, err := cairn.NewSchema([]cairn.AttributeSpec{
		{ID: 1, Name: "name", Type: cairn.TypeString},
		{ID: 2, Name: "size", Type: cairn.TypeInt},
		{ID: 3, Name: "open", Type: cairn.TypeBool},
	})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// testAssignment is one keyspace of evenly divided shards on three nodes.
func testAssignment(t testing.TB, scheme cairn.Scheme, shards int) cairn.Assignment {
	t.Helper()
	a := cairn.Assignment{
		Revision:  10,
		Keyspaces: []cairn.Keyspace{{UID: testKeyspace, Name: "test", Placement: cairn.Placement{Scheme: scheme}, Replicas: 2, Schema: testSchema(t)}},
		Nodes: []cairn.Node{
			{ID: 1, Name: "a", Address: "a:1", Zone: "z1", Weight: 1, State: cairn.NodeActive},
			{ID: 2, Name: "b", Address: "b:1", Zone: "z2", Weight: 1, State: cairn.NodeActive},
			{ID: 3, Name: "c", Address: "c:1", Zone: "z3", Weight: 2, State: cairn.NodeActive},
		},
	}
	width := uint64(1<<63) / uint64(shards) * 2
	for i := range shards {
		s := cairn.Shard{Keyspace: testKeyspace, ID: cairn.ShardID(i + 1), Epoch: 10}
		if i > 0 {
			s.Start = binary.BigEndian.AppendUint64(nil, uint64(i)*width)
		}
		if i < shards-1 {
			s.End = binary.BigEndian.AppendUint64(nil, uint64(i+1)*width)
		}
		a.Shards = append(a.Shards, s)
	}
	return a
}

// replica applies commands to an index one after the other.
type replica struct {
	t     testing.TB
	dir   string
	x     *Index
	index uint64
}

func openReplica(t testing.TB, options Options) *replica {
	t.Helper()
	r := &replica{t: t, dir: t.TempDir()}
	r.open(options)
	t.Cleanup(func() { r.close() })
	return r
}

func (r *replica) open(options Options) {
	r.t.Helper()
	x, err := Open(r.dir, options)
	if err != nil {
		r.t.Fatal(err)
	}
	r.x = x
	r.index = x.Checkpointed().Index
}

// close closes the index and checks its file.
func (r *replica) close() {
	r.t.Helper()
	if r.x == nil {
		return
	}
	if err := r.x.Close(); err != nil {
		r.t.Error(err)
	}
	r.x = nil
	report, err := Check(r.dir)
	if err != nil {
		r.t.Errorf("check: %v\n%v", err, report)
	}
}

func (r *replica) apply(command []byte) Result {
	r.t.Helper()
	r.index++
	result := r.x.Apply(r.index, 1, command)
	if result.Index != r.index {
		r.t.Fatalf("applied %d, answered %d: %v", r.index, result.Index, result.Err)
	}
	return result
}

func (r *replica) assign(a cairn.Assignment) {
	r.t.Helper()
	command, changed := r.x.Diff(a)
	if !changed {
		r.t.Fatalf("the assignment at %d changes nothing", a.Revision)
	}
	if result := r.apply(command); result.Err != nil {
		r.t.Fatal(result.Err)
	}
}

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func (r *replica) write(mutations ...cairn.Mutation) []cairn.Written {
	r.t.Helper()
	command := r.x.Prepare(testTime, []*cairn.WriteRequest{{Keyspace: testKeyspace, Mutations: mutations}})
	result := r.apply(command)
	if result.Err != nil {
		r.t.Fatal(result.Err)
	}
	return result.Requests[0]
}

func (r *replica) checkpoint() {
	r.t.Helper()
	c, err := r.x.Freeze()
	if err != nil {
		r.t.Fatal(err)
	}
	index, term := c.Position()
	if err := c.Write(CheckpointMeta{Index: index, Term: term, Configuration: []byte("voters")}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *replica) locate(key string) cairn.Located {
	r.t.Helper()
	var reply cairn.LocateReply
	req := cairn.LocateRequest{Read: cairn.Read{Keyspace: testKeyspace}, WithAttributes: true, Keys: []cairn.Key{cairn.Key(key)}}
	if err := r.x.Locate(&req, &reply); err != nil {
		r.t.Fatal(err)
	}
	return reply.Results[0]
}

func (r *replica) list(start, end string, limit int) cairn.ListReply {
	r.t.Helper()
	var reply cairn.ListReply
	req := cairn.ListRequest{Read: cairn.Read{Keyspace: testKeyspace}, Start: cairn.Key(start), End: cairn.Key(end), Limit: limit}
	if err := r.x.List(&req, &reply); err != nil {
		r.t.Fatal(err)
	}
	return reply
}

func put(key string, values ...cairn.Attribute) cairn.Mutation {
	return cairn.Mutation{Operation: cairn.Put, Key: cairn.Key(key), Attributes: attributes(values...)}
}

func attributes(values ...cairn.Attribute) cairn.Attributes {
	encoded, err := cairn.NewAttributes(values)
	if err != nil {
		panic(err)
	}
	return encoded
}

func size(n int64) cairn.Attribute { return cairn.Attribute{ID: 2, Value: cairn.Int(n)} }

func name(s string) cairn.Attribute {
	v, err := cairn.String(s)
	if err != nil {
		panic(err)
	}
	return cairn.Attribute{ID: 1, Value: v}
}

func remove(key string) cairn.Mutation {
	return cairn.Mutation{Operation: cairn.Delete, Key: cairn.Key(key)}
}

// wantError fails unless err is an Error of a kind and a reason.
func wantError(t testing.TB, err error, kind cairn.Kind, reason string) {
	t.Helper()
	e, ok := errors.AsType[*cairn.Error](err)
	if !ok || e.Kind != kind || e.Reason != reason {
		t.Fatalf("got %v, want %v %s", err, kind, reason)
	}
}

func testKey(i int) string { return fmt.Sprintf("customer-%011d", i) }
