package daemon

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/proto/rpcerr"
	"cairn/proto/wire"
)

// load is what clients do to a number of keys, until it is stopped.
type load struct {
	t       *testing.T
	routers []*caller // each client asks one of them
	timeout time.Duration
	prefix  string
	// view, if there is one, has all keys; it is looked into as well.
	view string
	// heals has each call that found nobody repeated, by its request id, until there is
	// an answer; any other error fails the test.
	heals bool
	began time.Time
	history
	// answered counts the answers, so that a wait for progress has something to
	// look at.
	answered atomic.Int64
	// failed counts the calls that had an error other than a refusal.
	failed  atomic.Int64
	stop    context.CancelFunc
	clients sync.WaitGroup

	lastMu sync.Mutex   // guards latest
	latest map[int]seen // by key, what was seen there last
}

// lastValue is the last that any load has put: no two put the same.
var lastValue atomic.Int64

// seen is a value and the version that it has.
type seen struct {
	value   int64
	version cairn.Version
}

const (
	loadClients = 8
	// keysAtOnce are worked on at a time, and replaced by others one by one: a
	// key is done with after about deedsPerKey.
	keysAtOnce  = 6
	deedsPerKey = 120
	// deedTimeout is short, so that a fault leaves many writes unknown.
	deedTimeout = 1500 * time.Millisecond
)

func (b *besieged) load(name string, seed uint64) *load {
	return startLoad(b.t, name, seed, deedTimeout, "", b.caller)
}

// startLoad has clients work until the load is stopped, each through one of the
// routers. view may be empty.
func startLoad(t *testing.T, name string, seed uint64, timeout time.Duration, view string, routers ...*caller) *load {
	l := &load{t: t, routers: routers, timeout: timeout, prefix: name, view: view}
	l.start(seed)
	return l
}

// startHealing starts a load that repeats each call until it is answered.
func startHealing(t *testing.T, name string, seed uint64, routers ...*caller) *load {
	l := &load{t: t, routers: routers, timeout: deedTimeout, prefix: name, view: loadedView, heals: true}
	l.start(seed)
	return l
}

func (l *load) start(seed uint64) {
	ctx, cancel := context.WithCancel(l.t.Context())
	l.began, l.stop, l.latest = time.Now(), cancel, map[int]seen{}
	for client := range loadClients {
		l.clients.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(client)))
			var held cairn.Token
			for ctx.Err() == nil {
				l.act(client, random, &held)
			}
		})
	}
}

func (l *load) router(d *deed) *caller { return l.routers[d.client%len(l.routers)] }

func (l *load) keyOf(key int) []byte { return fmt.Appendf(nil, "%s-%05d", l.prefix, key) }

// act does one thing to one key.
func (l *load) act(client int, random *rand.Rand, held *cairn.Token) {
	d := deed{client: client, key: l.count()/deedsPerKey + random.IntN(keysAtOnce), expects: anything}
	last := l.lastSeen(d.key)
	switch chance := random.IntN(100); {
	case chance < 15 && l.view != "" && last.value != 0:
		d.verb, d.sought, d.floor = lookAtLeast, last.value, *held
		if chance < 5 {
			d.verb = lookLatest
		}
	case chance < 40:
		d.verb = readLatest
	case chance < 60:
		d.verb, d.floor = readAtLeast, *held
	case chance < 80:
		d.verb, d.expects = put, anything
	case chance < 88:
		d.verb, d.expects = put, 0
	case chance < 94:
		d.verb, d.expects, d.expectsVersion = put, last.value, last.version
	case chance < 97:
		d.verb = remove
	default:
		d.verb, d.expects, d.expectsVersion = remove, last.value, last.version
	}
	if d.verb == put {
		d.value = lastValue.Add(1)
	}
	if l.heals && d.writes() {
		d.request = wire.RequestID(cairn.NewRequestID(time.Now()))
	}
	if l.carryOut(&d) {
		*held = held.Merge(d.token)
		l.add(d)
		if !d.version.IsZero() {
			l.see(d.key, seen{max(d.found, d.value), d.version})
		}
	}
}

// lastSeen is the last value of a key that an answer had; the zero seen if there
// was none.
func (l *load) lastSeen(key int) seen {
	l.lastMu.Lock()
	defer l.lastMu.Unlock()
	return l.latest[key]
}

func (l *load) see(key int, value seen) {
	l.lastMu.Lock()
	l.latest[key] = value
	l.lastMu.Unlock()
}

// carryOut asks the router, and fills in what came of it. It is false for what
// surely changed nothing and told nothing.
func (l *load) carryOut(d *deed) bool {
	d.call = time.Since(l.began)
	inTime, err := l.ask(d)
	for tries := 1; err != nil && l.heals && l.nobody(d, err, tries); tries++ {
		_, err = l.ask(d)
	}
	d.end = time.Since(l.began)
	if err == nil {
		l.answered.Add(1)
		return true
	}
	failure := rpcerr.FromError(err)
	if l.heals && failure.Kind != cairn.KindPrecondition {
		if !l.t.Failed() { // what comes after the first is its consequence, mostly
			l.t.Errorf("%v: %v", d, err)
		}
		return false
	}
	if failure.Kind != cairn.KindPrecondition && l.failed.Add(1) <= 10 {
		l.t.Logf("%v: %v", d, err)
	}
	switch {
	case !d.writes():
		return false
	case failure.Kind == cairn.KindPrecondition:
		l.answered.Add(1)
		d.outcome = refused
		return true
	case failure.Kind == cairn.KindUnknown || !inTime || !rpcerr.IsAnswer(err):
		d.outcome, d.end = unknown, endless
		return true
	case failure.Kind == cairn.KindUnavailable, failure.Kind == cairn.KindExhausted, failure.Kind == cairn.KindNotYet, failure.Kind == cairn.KindDeadline:
		// Surely not done: whoever reads its value shows that this is not so.
		return false
	}
	l.t.Errorf("%v: %v", d, err)
	return false
}

// ask makes the call of a deed once; inTime is false if its time was over.
func (l *load) ask(d *deed) (inTime bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.timeout)
	defer cancel()
	switch d.verb {
	case readLatest, readAtLeast:
		err = l.read(ctx, d)
	case lookLatest, lookAtLeast:
		err = l.look(ctx, d)
	case put:
		err = l.put(ctx, d)
	case remove:
		err = l.remove(ctx, d)
	}
	return ctx.Err() == nil, err
}

// nobody tells whether a call that failed is to be repeated, after a moment: it found
// nobody who could answer in time, and that has not gone on for too long.
func (l *load) nobody(d *deed, err error, tries int) bool {
	if !mayHeal(err) || l.t.Failed() {
		return false
	}
	if tries == 1 {
		l.failed.Add(1)
	}
	if time.Since(l.began)-d.call > 2*patience {
		l.t.Errorf("after %d tries it is not healed: %v: %v", tries, d, err)
		return false
	}
	time.Sleep(50 * time.Millisecond)
	return true
}

func (l *load) read(ctx context.Context, d *deed) error {
	// A batch of one: an absent key is an answer with a token then.
	request := &cairnv1.BatchLocateRequest{
		Keyspace: keyspaceName, Keys: [][]byte{l.keyOf(d.key)}, View: cairnv1.LocationView_LOCATION_VIEW_FULL,
		Freshness: &cairnv1.Freshness{Level: &cairnv1.Freshness_Linearizable_{Linearizable: &cairnv1.Freshness_Linearizable{}}},
	}
	if d.verb == readAtLeast {
		request.Freshness.Level = &cairnv1.Freshness_AtLeast{AtLeast: d.floor.String()}
	}
	response, err := l.router(d).locator.BatchLocate(ctx, request)
	if err != nil {
		return err
	}
	location := response.Locations[0]
	if location.State == cairnv1.Location_ERROR {
		return rpcerr.FromProto(location.Error)
	}
	if location.State == cairnv1.Location_FOUND {
		d.found, d.version = location.Attributes["amount"].GetIntValue(), versionOf(location.Version)
	}
	d.token, err = cairn.ParseToken(response.Token)
	return err
}

// look asks the view for the entry of a value, which routers of a fleet may do as one.
func (l *load) look(ctx context.Context, d *deed) error {
	freshness := &cairnv1.Freshness{Level: &cairnv1.Freshness_Linearizable_{Linearizable: &cairnv1.Freshness_Linearizable{}}}
	if d.verb == lookAtLeast {
		freshness.Level = &cairnv1.Freshness_AtLeast{AtLeast: d.floor.String()}
	}
	response, err := l.router(d).views.Query(ctx, &cairnv1.QueryRequest{Selection: &cairnv1.Selection{
		View: l.view, Where: fmt.Sprintf("amount == %d", d.sought), Freshness: freshness,
	}})
	if err != nil {
		return err
	}
	for _, row := range response.Rows {
		if string(row.Key) != string(l.keyOf(d.key)) {
			return fmt.Errorf("value %d was put under key %s, and the view has it under %s", d.sought, l.keyOf(d.key), row.Key)
		}
		d.existed = true
	}
	d.token, err = cairn.ParseToken(response.Token)
	return err
}

func (l *load) put(ctx context.Context, d *deed) error {
	response, err := l.router(d).writer.Put(ctx, &cairnv1.PutRequest{
		Keyspace: keyspaceName, Condition: l.condition(d), RequestId: d.request,
		Put: &cairnv1.Put{Key: l.keyOf(d.key), Attributes: map[string]*cairnv1.Value{"amount": intValue(int(d.value))}},
	})
	if err != nil {
		return err
	}
	d.existed, d.version = !response.Created, versionOf(response.Version)
	d.token, err = cairn.ParseToken(response.Token)
	return err
}

func (l *load) remove(ctx context.Context, d *deed) error {
	response, err := l.router(d).writer.Delete(ctx, &cairnv1.DeleteRequest{Keyspace: keyspaceName, Key: l.keyOf(d.key), Condition: l.condition(d), RequestId: d.request})
	if err != nil {
		return err
	}
	d.existed = response.Found
	d.token, err = cairn.ParseToken(response.Token)
	return err
}

func (l *load) condition(d *deed) *cairnv1.Condition {
	switch d.expects {
	case anything:
		return nil
	case 0:
		return &cairnv1.Condition{Condition: &cairnv1.Condition_IfAbsent{IfAbsent: true}}
	}
	v := d.expectsVersion
	return &cairnv1.Condition{Condition: &cairnv1.Condition_IfVersion{IfVersion: &cairnv1.Version{Epoch: v.Epoch, Index: v.Index, Position: v.Position}}}
}

func versionOf(v *cairnv1.Version) cairn.Version {
	return cairn.Version{Epoch: v.GetEpoch(), Index: v.GetIndex(), Position: v.GetPosition()}
}

// end ends the load, of which nothing is judged if it was not finished.
func (l *load) end() {
	l.stop()
	l.clients.Wait()
}

// goesOn waits until so many calls have been answered.
func (l *load) goesOn(calls int) {
	l.t.Helper()
	before := l.answered.Load()
	eventually(l.t, "calls are answered", func() bool { return l.answered.Load() >= before+int64(calls) })
}

// finish ends the load, reads every key once more, and judges what was
// answered.
func (l *load) finish() {
	l.end()
	for key := range l.count()/deedsPerKey + keysAtOnce {
		d := deed{client: loadClients, key: key, verb: readLatest}
		eventually(l.t, "a key is read at the end", func() bool { return l.carryOut(&d) })
		l.add(d)
	}
	if err := l.check(); err != nil {
		l.t.Errorf("%v", err)
	}
	count := map[string]int{}
	for _, d := range l.deeds {
		count[[...]string{"linearizable reads", "reads at least", "linearizable looks", "looks at least", "puts", "deletes"}[d.verb]]++
		if d.writes() {
			count["writes "+[...]string{"done", "refused", "unknown"}[d.outcome]]++
		}
	}
	text := strconv.Itoa(len(l.deeds)) + " operations"
	for _, what := range slices.Sorted(maps.Keys(count)) {
		text += fmt.Sprintf(", %d %s", count[what], what)
	}
	l.t.Logf("%s; the longest time without a write: %v", text, l.longestPause().Round(time.Millisecond))
}

// longestPause is the longest time in which no write was done.
func (l *load) longestPause() (longest time.Duration) {
	var ends []time.Duration
	for _, d := range l.deeds {
		if d.writes() && d.outcome == done {
			ends = append(ends, d.end)
		}
	}
	slices.Sort(ends)
	for i := 1; i < len(ends); i++ {
		longest = max(longest, ends[i]-ends[i-1])
	}
	return longest
}
