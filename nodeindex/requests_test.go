package nodeindex

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"cairn"
)

// named is a request with an id, issued so long after testTime.
func named(id byte, issued time.Duration, mutations ...cairn.Mutation) *cairn.WriteRequest {
	for i := range mutations {
		mutations[i].Position = uint32(i)
	}
	return &cairn.WriteRequest{
		Keyspace: testKeyspace, Mutations: mutations,
		RequestID: cairn.RequestID{ID: [16]byte{id}, Issued: testTime.Add(issued)},
	}
}

// writeAt applies requests in one command, at so long after testTime.
func (r *replica) writeAt(after time.Duration, requests ...*cairn.WriteRequest) [][]cairn.Written {
	r.t.Helper()
	result := r.apply(r.x.Prepare(testTime.Add(after), requests))
	if result.Err != nil {
		r.t.Fatal(result.Err)
	}
	return result.Requests
}

// sameOutcome tells whether a retry was told what the first was.
func sameOutcome(a, b cairn.Written) bool {
	return cairn.ReasonOf(errorOf(a)) == cairn.ReasonOf(errorOf(b)) && a.Existed == b.Existed && a.Version == b.Version && slices.Equal(a.Nodes, b.Nodes)
}

func errorOf(w cairn.Written) error {
	if w.Err == nil {
		return nil
	}
	return w.Err
}

func TestRetryTakesEffectOnce(t *testing.T) {
	r := openReplica(t, Options{})
	r.assign(testAssignment(t, cairn.SchemeHash, 4))
	ifAbsent := put("b", size(2))
	ifAbsent.Condition.Present = true
	request := func() *cairn.WriteRequest {
		return named(1, 0, put("a", size(1)), ifAbsent, ifAbsent, remove("c"), put(""))
	}
	r.write(put("c"))
	first := r.writeAt(0, request())[0]
	wantError(t, first[2].Err, cairn.KindPrecondition, "KEY_EXISTS")
	if !first[3].Existed || first[0].Err != nil || first[1].Err != nil {
		t.Fatalf("%+v", first)
	}
	// Others come in between: an outcome is not what would become of it now.
	r.write(put("a", size(9)), remove("b"), put("c"))
	for range 2 {
		for i, again := range r.writeAt(time.Second, request())[0] {
			if !sameOutcome(again, first[i]) {
				t.Errorf("write %d: first %+v, then %+v", i, first[i], again)
			}
			if i < 4 && again.Stamp != (cairn.Stamp{Epoch: 10, Index: r.index}) {
				t.Errorf("write %d: the stamp %v, at index %d", i, again.Stamp, r.index)
			}
		}
		if got := r.locate("a"); got.Version == first[0].Version || r.locate("b").State != cairn.Absent || r.locate("c").State != cairn.Found {
			t.Errorf("a retry took effect: %+v", got)
		}
		r.checkpoint()
		r.close()
		r.open(Options{})
	}
	// Another id, another keyspace and another position are other writes.
	other := request()
	other.RequestID.ID[15] = 1
	if again := r.writeAt(time.Second, other)[0]; again[0].Version.Index != r.index {
		t.Errorf("another id: %+v", again[0])
	}
	other = request()
	other.Mutations = other.Mutations[:1]
	other.Mutations[0].Position = 7
	if again := r.writeAt(time.Second, other)[0]; again[0].Version.Index != r.index {
		t.Errorf("another position: %+v", again[0])
	}
}

// TestRetryInOneCommand has both copies of a request arrive together.
func TestRetryInOneCommand(t *testing.T) {
	r := openReplica(t, Options{})
	r.assign(testAssignment(t, cairn.SchemeHash, 4))
	request := named(1, 0, put("a", size(1)))
	results := r.writeAt(0, request, request, &cairn.WriteRequest{Keyspace: testKeyspace, Mutations: []cairn.Mutation{put("b")}})
	if results[0][0].Existed || !sameOutcome(results[0][0], results[1][0]) || results[2][0].Version.Index != r.index {
		t.Errorf("%+v", results)
	}
}

// TestRetryOfAPart has a router repeat what a cluster had refused.
func TestRetryOfAPart(t *testing.T) {
	r := openReplica(t, Options{})
	a := testAssignment(t, cairn.SchemeRange, 1)
	a.Shards[0].End = []byte("m")
	r.assign(a)
	first := r.writeAt(0, named(1, 0, put("z", size(1)), put("a", size(2)), put("y", size(3))))[0]
	wantError(t, first[0].Err, cairn.KindStale, "NOT_OWNED")
	wantError(t, first[2].Err, cairn.KindStale, "NOT_OWNED")
	a = testAssignment(t, cairn.SchemeRange, 1)
	a.Revision, a.Shards[0].Epoch = 11, 11
	r.assign(a)
	rest := named(1, 0, put("z", size(1)), put("a", size(2)), put("y", size(3)))
	rest.Mutations = slices.Delete(rest.Mutations, 1, 2)
	second := r.writeAt(time.Second, rest)[0]
	if second[0].Err != nil || second[1].Err != nil || second[0].Existed {
		t.Fatalf("%+v", second)
	}
	whole := r.writeAt(time.Second, named(1, 0, put("z", size(1)), put("a", size(2)), put("y", size(3))))[0]
	for i, want := range []cairn.Written{second[0], first[1], second[1]} {
		if !sameOutcome(whole[i], want) {
			t.Errorf("write %d: %+v, want %+v", i, whole[i], want)
		}
	}
}

// TestWritesOfAKeyStayInOrder has the first of two writes of a key be refused
// as stale: the second must not take effect before it.
func TestWritesOfAKeyStayInOrder(t *testing.T) {
	r := openReplica(t, Options{})
	a := testAssignment(t, cairn.SchemeHash, 4)
	r.assign(a)
	command := r.x.Prepare(testTime, []*cairn.WriteRequest{{Keyspace: testKeyspace, Mutations: []cairn.Mutation{put("a"), put("b"), remove("a")}}})
	a = testAssignment(t, cairn.SchemeHash, 4)
	a.Revision = 11
	for i := range a.Nodes {
		a.Nodes[i].State = cairn.NodeDraining
	}
	r.assign(a)
	results := r.apply(command).Requests[0]
	wantError(t, results[0].Err, cairn.KindStale, "NODES_CHANGED")
	wantError(t, results[1].Err, cairn.KindStale, "NODES_CHANGED")
	wantError(t, results[2].Err, cairn.KindStale, "EARLIER_WRITE_STALE")
}

func TestRequestHorizon(t *testing.T) {
	r := openReplica(t, Options{RequestWindow: 10 * time.Second})
	r.assign(testAssignment(t, cairn.SchemeHash, 4))
	write := func(now, issued time.Duration, id byte) cairn.Written {
		return r.writeAt(now, named(id, issued, put(fmt.Sprint("key", id))))[0][0]
	}
	first := write(0, 0, 1)
	// A late first copy is welcome as long as it can't be a second one.
	if late := write(10*time.Second, time.Second, 2); late.Err != nil {
		t.Fatal(late.Err)
	}
	if again := write(10*time.Second, 0, 1); !sameOutcome(again, first) {
		t.Errorf("%+v, then %+v", first, again)
	}
	write(11*time.Second, 11*time.Second, 3)
	wantError(t, write(11*time.Second, 0, 1).Err, cairn.KindPrecondition, "REQUEST_TOO_OLD")
	wantError(t, write(11*time.Second, 999*time.Millisecond, 4).Err, cairn.KindPrecondition, "REQUEST_TOO_OLD")
	if r.locate("key4").State != cairn.Absent {
		t.Error("a request that was too old took effect")
	}
	// A leader's clock that jumps ahead or back forgets nothing.
	before := r.x.requests.requestTimes
	r.writeAt(time.Hour, &cairn.WriteRequest{Keyspace: testKeyspace, Mutations: []cairn.Mutation{put("x")}})
	r.writeAt(-time.Hour, &cairn.WriteRequest{Keyspace: testKeyspace, Mutations: []cairn.Mutation{put("x")}})
	if after := r.x.requests.requestTimes; after.horizon != before.horizon || after.clock != testTime.Add(time.Hour).UnixMicro() {
		t.Errorf("%+v became %+v", before, after)
	}
	if again := write(-time.Hour, 11*time.Second, 3); again.Err != nil || again.Version.Index == r.index {
		t.Errorf("after the jumps: %+v", again)
	}
	// A client whose clock is ahead is refused, and forgets nothing either.
	wantError(t, write(time.Hour, time.Hour+61*time.Second, 5).Err, cairn.KindInvalid, "REQUEST_AHEAD")
	if after := r.x.requests.requestTimes; after.horizon != before.horizon {
		t.Errorf("the horizon moved to %v", after)
	}
	if in := write(time.Hour, time.Hour+time.Minute, 6); in.Err != nil {
		t.Error(in.Err)
	}
}

// TestRequestBound passes the bound on memory: the earliest second is forgotten
// first, whoever's it is.
func TestRequestBound(t *testing.T) {
	const limit = 20_000
	r := openReplica(t, Options{RequestBytes: limit})
	a := testAssignment(t, cairn.SchemeHash, 4)
	second := a.Keyspaces[0]
	second.UID = 0x2222
	a.Keyspaces = append(a.Keyspaces, second)
	r.assign(a)
	r.writeAt(0, named(1, 0, put("early")))
	for i := range 1000 {
		issued := time.Duration(i) * 10 * time.Millisecond
		request := named(byte(i), issued, put(testKey(i)))
		request.RequestID.ID[1] = byte(i >> 8)
		if i%2 == 0 {
			request.Keyspace = 0x2222 // without shards: every write is refused, and none remembered
		}
		r.writeAt(issued, request)
		if held := r.x.Status().RequestBytes; held > limit {
			t.Fatalf("%d bytes; the bound is %d", held, limit)
		}
		if counted, err := recount(r.x); err != nil {
			t.Fatal(counted, err)
		}
	}
	if reach := time.Duration(r.x.Status().RequestWindow); reach < time.Second || reach > 9*time.Second {
		t.Errorf("requests of the last %s are remembered", reach)
	}
	wantError(t, r.writeAt(10*time.Second, named(1, 0, put("early")))[0][0].Err, cairn.KindPrecondition, "REQUEST_TOO_OLD")
	last := named(999%256, 9990*time.Millisecond, put(testKey(999)))
	last.RequestID.ID[1] = 999 >> 8
	if again := r.writeAt(10*time.Second, last)[0][0]; again.Err != nil || again.Version.Index == r.index {
		t.Errorf("the last request's retry: %+v", again)
	}
}

// recount adds up what is remembered, and looks each record up.
func recount(x *Index) (bytes int64, err error) {
	for uid, all := range x.requests.keyspaces {
		for i, s := range all {
			bytes += s.size()
			if i > 0 && all[i-1].second >= s.second || s.end() <= x.requests.horizon {
				return bytes, fmt.Errorf("keyspace %s: second %d is out of place", uid, s.second)
			}
			for d := (decoder{rest: s.records}); len(d.rest) > 0; {
				id, _, outcomes := d.request()
				found := s.find(id, x.requests.hash(id))
				for _, o := range outcomes {
					if _, ok := found[o.position]; !ok || !d.ok() {
						return bytes, fmt.Errorf("request %x, position %d is not found", id, o.position)
					}
				}
			}
		}
	}
	if bytes != x.requests.bytes {
		return bytes, fmt.Errorf("%d bytes are held, %d counted", bytes, x.requests.bytes)
	}
	return bytes, nil
}

// TestRequestsDamaged flips bits of what is remembered, in the file.
func TestRequestsDamaged(t *testing.T) {
	r := openReplica(t, Options{})
	r.assign(testAssignment(t, cairn.SchemeHash, 4))
	r.writeAt(0, named(1, 0, put("a"), put("b")))
	r.checkpoint()
	r.close()
	path := r.dir + "/" + FileName
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(content, append([]byte{1}, make([]byte, 15)...)) // the id
	if at < 0 {
		t.Fatal("the record is not in the file")
	}
	content[at] ^= 4
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(r.dir, Options{})
	wantError(t, err, cairn.KindCorrupt, "REQUESTS_DAMAGED")
	if _, err := Check(r.dir); cairn.ReasonOf(err) != "REQUESTS_DAMAGED" {
		t.Errorf("check: %v", err)
	}
}

// TestRecordsOfManySizes fills slices so that tables grow and pieces end
// within records.
func TestRecordsOfManySizes(t *testing.T) {
	r := openReplica(t, Options{})
	r.x.db.NoSync = true
	r.assign(testAssignment(t, cairn.SchemeHash, 4))
	var want []outcome
	for i := range 300 {
		mutations := make([]cairn.Mutation, 1+i%400)
		for j := range mutations {
			mutations[j] = put(testKey(i*400+j), size(1))
		}
		r.writeAt(0, named(byte(i), 0, mutations...)) // the ids of some are those of others
		if i == 150 {
			r.checkpoint()
		}
	}
	for i := range 256 {
		id := [16]byte{byte(i)}
		for _, o := range r.x.requests.find(testKeyspace, requestName{id, testTime.UnixMicro()}) {
			want = append(want, o)
		}
	}
	r.checkpoint()
	pieces := 0
	_, reader, err := r.x.acquire()
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.tx.Bucket(bucketRequests).ForEach(func(_, _ []byte) error { pieces++; return nil }); err != nil || pieces < 3 {
		t.Errorf("%d pieces: %v", pieces, err)
	}
	reader.pool.release(reader)
	r.close()
	r.open(Options{})
	var got []outcome
	for i := range 256 {
		id := [16]byte{byte(i)}
		for _, o := range r.x.requests.find(testKeyspace, requestName{id, testTime.UnixMicro()}) {
			got = append(got, o)
		}
	}
	order := func(a, b outcome) int { return a.version.Compare(b.version) }
	slices.SortFunc(want, order)
	slices.SortFunc(got, order)
	if len(got) < 40_000 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d outcomes, want %d", len(got), len(want))
	}
}
