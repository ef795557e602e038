package nodeindex

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"cairn"

	"pgregory.net/rapid"
)

// requestModel drives an index with requests that are sent once or again, and
// knows what became of each of their writes at first.
type requestModel struct {
	dir     string
	options Options
	x       *Index
	log     [][]byte
	now     time.Duration // of the leader, after testTime
	clock   time.Duration // the highest so far
	latest  time.Duration
	sent    []*cairn.WriteRequest
	first   map[requestName]map[uint32]cairn.Written
	entries map[string]cairn.Version
	nextID  cairn.ShardID
	a       cairn.Assignment
}

func (m *requestModel) apply(command []byte) Result {
	m.log = append(m.log, command)
	return m.x.Apply(uint64(len(m.log)), 1, command)
}

func (m *requestModel) open(t *rapid.T) {
	x, err := Open(m.dir, m.options)
	expect(t, err == nil, "open: %v", err)
	x.db.NoSync = true
	m.x = x
	for i := x.Checkpointed().Index; i < uint64(len(m.log)); i++ {
		x.Apply(i+1, 1, m.log[i])
	}
}

// dump is all that is remembered.
func (m *requestModel) dump() (times requestTimes, records map[requestSliceName]string) {
	records = make(map[requestSliceName]string)
	for uid, all := range m.x.requests.keyspaces {
		for _, s := range all {
			records[requestSliceName{uid, s.second}] = string(s.records)
		}
	}
	return m.x.requests.requestTimes, records
}

// Restart goes on from the last checkpoint and the log after it.
func (m *requestModel) Restart(t *rapid.T) {
	times, records := m.dump()
	expect(t, m.x.Close() == nil, "close")
	report, err := Check(m.dir)
	expect(t, err == nil, "check: %v\n%v", err, report)
	m.open(t)
	again, reread := m.dump()
	expect(t, times == again && maps.Equal(records, reread), "before the restart %+v, afterwards %+v", times, again)
}

func (m *requestModel) Checkpoint(t *rapid.T) {
	c, err := m.x.Freeze()
	expect(t, err == nil, "freeze: %v", err)
	index, term := c.Position()
	if rapid.IntRange(0, 3).Draw(t, "fails") == 0 {
		m.x.db.MaxSize = 1
	}
	_ = c.Write(CheckpointMeta{Index: index, Term: term}) // the next one covers it
	m.x.db.MaxSize = 0
}

// Assign splits and merges.
func (m *requestModel) Assign(t *rapid.T) {
	m.a.Revision++
	cuts := slices.Sorted(maps.Keys(rapid.MapOfN(rapid.IntRange(1, 7), rapid.Just(true), 0, 4).Draw(t, "cuts")))
	m.a.Shards = nil
	var start []byte
	for i := range len(cuts) + 1 {
		s := cairn.Shard{Keyspace: testKeyspace, ID: m.nextID, Epoch: m.a.Revision, Start: start}
		if i < len(cuts) {
			s.End = fmt.Appendf(nil, "k%d", cuts[i])
		}
		start = s.End
		m.nextID++
		m.a.Shards = append(m.a.Shards, s)
	}
	command, changed := m.x.Diff(m.a)
	expect(t, changed, "no change")
	result := m.apply(command)
	expect(t, result.Err == nil, "assign: %v", result.Err)
}

func (m *requestModel) Time(t *rapid.T) {
	m.now += time.Duration(rapid.SampledFrom([]int64{1, 500, 1000, 4000, -5000, 40_000, -40_000}).Draw(t, "milliseconds")) * time.Millisecond
}

// Send makes a new request.
func (m *requestModel) Send(t *rapid.T) {
	off := rapid.SampledFrom([]int64{0, 0, 0, -300, -3000, 2000, 59_000, 70_000}).Draw(t, "the client's clock is off by")
	var mutations []cairn.Mutation
	for range rapid.IntRange(1, 5).Draw(t, "writes") {
		mutation := put(fmt.Sprintf("k%d", rapid.IntRange(0, 7).Draw(t, "key")), size(int64(len(m.log))))
		if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
			mutation = remove(string(mutation.Key))
		}
		if rapid.IntRange(0, 2).Draw(t, "conditional") == 0 {
			mutation.Condition.Present = true
		}
		if rapid.IntRange(0, 5).Draw(t, "node unknown") == 0 && mutation.Operation == cairn.Put {
			mutation.Nodes = []cairn.NodeID{99}
		}
		mutations = append(mutations, mutation)
	}
	request := named(0, m.now+time.Duration(off)*time.Millisecond, mutations...)
	request.RequestID.ID = [16]byte{1, byte(len(m.sent)), byte(len(m.sent) >> 8)}
	m.sent = append(m.sent, request)
	m.carry(t, request)
}

// Retry sends an earlier request again, or some of it.
func (m *requestModel) Retry(t *rapid.T) {
	if len(m.sent) == 0 {
		t.Skip("nothing sent")
	}
	back := rapid.IntRange(1, min(len(m.sent), 6)).Draw(t, "which, from the last")
	request := *m.sent[len(m.sent)-back]
	if rapid.Bool().Draw(t, "a part") {
		keep := rapid.IntRange(0, len(request.Mutations)-1).Draw(t, "from")
		request.Mutations = request.Mutations[keep:]
	}
	m.carry(t, &request)
}

// carry has a request applied, and holds its results against what they must be.
func (m *requestModel) carry(t *rapid.T, request *cairn.WriteRequest) {
	m.clock = max(m.clock, m.now)
	issued := request.RequestID.Issued.Sub(testTime)
	ahead := issued > m.clock+time.Minute
	if !ahead {
		m.latest = max(m.latest, issued)
	}
	old := issued < m.latest-m.options.RequestWindow
	bounded := m.options.RequestBytes > 0
	forgotten := testTime.Add(issued).UnixMicro() < m.x.requests.horizon // by now or before
	result := m.apply(m.x.Prepare(testTime.Add(m.now), []*cairn.WriteRequest{request}))
	expect(t, result.Err == nil, "apply: %v", result.Err)
	name := nameOf(request.RequestID)
	for i, got := range result.Requests[0] {
		mutation := &request.Mutations[i]
		first, known := m.first[name][mutation.Position]
		switch reason := cairn.ReasonOf(errorOf(got)); {
		case known && sameOutcome(got, first):
			continue
		case reason == "REQUEST_AHEAD":
			expect(t, ahead, "issued at %s, refused at %s as ahead", issued, m.clock)
			continue
		case reason == "REQUEST_TOO_OLD":
			expect(t, old || bounded && forgotten, "issued at %s, refused as too old; the latest was of %s", issued, m.latest)
			continue
		}
		expect(t, !known, "%+v at first, then %+v", first, got)
		expect(t, !ahead && !old && !forgotten, "a request of %s took effect; the latest was of %s", issued, m.latest)
		present := m.entries[string(mutation.Key)]
		switch {
		case mutation.Condition.Present && !present.IsZero():
			wantReason(t, got, "KEY_EXISTS")
		case len(mutation.Nodes) > 0:
			wantReason(t, got, "NODE_UNKNOWN")
		default:
			expect(t, got.Err == nil && got.Existed == !present.IsZero(), "%+v", got)
			m.entries[string(mutation.Key)] = got.Version
		}
		if m.first[name] == nil {
			m.first[name] = make(map[uint32]cairn.Written)
		}
		m.first[name][mutation.Position] = got
	}
}

func wantReason(t *rapid.T, got cairn.Written, reason string) {
	expect(t, cairn.ReasonOf(errorOf(got)) == reason, "got %+v, want %s", got, reason)
}

// compare looks at every entry: whatever took effect did so once.
func (m *requestModel) compare(t *rapid.T) {
	counted, err := recount(m.x)
	expect(t, err == nil, "%v", err)
	expect(t, m.options.RequestBytes == 0 || counted <= m.options.RequestBytes, "%d bytes", counted)
	for i := range 8 {
		key := fmt.Sprintf("k%d", i)
		var reply cairn.LocateReply
		err := m.x.Locate(&cairn.LocateRequest{Read: cairn.Read{Keyspace: testKeyspace}, WithAttributes: true, Keys: []cairn.Key{cairn.Key(key)}}, &reply)
		expect(t, err == nil && reply.Results[0].Version == m.entries[key], "%s: %+v, %v; want version %s", key, reply.Results[0], err, m.entries[key])
	}
}

func TestRequestModel(t *testing.T) {
	schema := testAssignment(t, cairn.SchemeRange, 1)
	parent := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(parent, "index-")
		expect(t, err == nil, "make a directory: %v", err)
		m := &requestModel{
			dir:     dir,
			options: Options{KeyBytes: -1, RequestWindow: 10 * time.Second, RequestBytes: rapid.SampledFrom([]int64{0, 0, 200, 900}).Draw(t, "bound")},
			first:   make(map[requestName]map[uint32]cairn.Written), entries: make(map[string]cairn.Version),
			nextID: 2, a: schema, clock: -24 * time.Hour, latest: -24 * time.Hour,
		}
		m.open(t)
		defer func() { _ = m.x.Close() }() // what a failure leaves open
		command, _ := m.x.Diff(m.a)
		m.apply(command)
		t.Repeat(map[string]func(*rapid.T){
			"send": m.Send, "send too": m.Send, "retry": m.Retry, "retry too": m.Retry, "time": m.Time,
			"assign": m.Assign, "checkpoint": m.Checkpoint, "restart": m.Restart, "": m.compare,
		})
		m.Restart(t)
		expect(t, m.x.Close() == nil, "close")
		_ = os.RemoveAll(dir)
	})
}
