package etcdstore

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"cairn"
)

// requestTimeout bounds one request to etcd that has no caller's deadline.
const requestTimeout = 5 * time.Second

// pageSize is how many records a load reads at a time.
const pageSize = 2_000

// errCompacted says that the watch fell behind what etcd keeps: load anew.
var errCompacted = errors.New("the watched revision was compacted")

// follow is the goroutine that publishes: it loads everything, watches from
// there, and loads anew when the watch can't go on.
func (s *Store) follow(ctx context.Context) {
	pause := newBackoff(s.config.RetryEvery)
	for ctx.Err() == nil {
		state, err := s.load(ctx)
		if err == nil {
			s.recovered()
			pause.reset()
			err = s.watch(ctx, state)
		}
		if ctx.Err() != nil || errors.Is(err, errCompacted) {
			continue
		}
		s.failed(err)
		pause.wait(ctx)
	}
}

// load reads all records at one revision and publishes their Map.
func (s *Store) load(ctx context.Context) (*state, error) {
	began := s.config.Now()
	end := clientv3.GetPrefixRangeEnd(s.config.Prefix)
	var l *loader
	for from := s.config.Prefix; ; {
		options := []clientv3.OpOption{clientv3.WithRange(end), clientv3.WithLimit(pageSize)}
		if l != nil {
			options = append(options, clientv3.WithRev(int64(l.revision)))
		}
		page, cancel := context.WithTimeout(ctx, requestTimeout)
		response, err := s.client.Get(page, from, options...)
		cancel()
		if err != nil {
			return nil, s.etcdError("load the shard map", err)
		}
		if l == nil {
			l = newLoader(uint64(response.Header.Revision))
		}
		for _, kv := range response.Kvs {
			if err := l.add(s.record(kv.Key, kv.Value, kv.ModRevision)); err != nil {
				return nil, err
			}
		}
		if !response.More {
			break
		}
		from = string(response.Kvs[len(response.Kvs)-1].Key) + "\x00"
	}
	state, err := l.finish()
	if err != nil {
		return nil, err
	}
	if err := s.publish(state); err != nil {
		return nil, err
	}
	s.journalRewrite(state)
	s.live.Store(true)
	s.proven(began)
	if s.config.Events.Loaded != nil {
		s.config.Events.Loaded(l.revision, l.shards, s.config.Now().Sub(began))
	}
	return state, nil
}

func (s *Store) record(key, value []byte, modRevision int64) record {
	if value == nil {
		value = []byte{}
	}
	return record{strings.TrimPrefix(string(key), s.config.Prefix), value, uint64(modRevision)}
}

// watch follows changes until the state can't be continued: after a compaction
// (errCompacted), a record that can't be read, or the end of ctx. What breaks
// the connection only is waited out.
func (s *Store) watch(ctx context.Context, state *state) error {
	pause := newBackoff(s.config.RetryEvery)
	for ctx.Err() == nil {
		err := s.watchOnce(ctx, state, pause)
		if err != nil && !isConnection(err) {
			return err
		}
		if ctx.Err() == nil {
			s.failed(s.etcdError("watch the shard map", err))
			pause.wait(ctx)
		}
	}
	return ctx.Err()
}

func (s *Store) watchOnce(ctx context.Context, state *state, pause *backoff) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	responses := s.client.Watch(clientv3.WithRequireLeader(ctx), s.config.Prefix,
		clientv3.WithPrefix(), clientv3.WithRev(int64(state.current.Revision())+1),
		clientv3.WithProgressNotify(), clientv3.WithFragment())
	for response := range responses {
		if response.CompactRevision != 0 {
			return errCompacted
		}
		if err := response.Err(); err != nil {
			return err
		}
		pause.reset()
		if err := s.receive(state, response); err != nil {
			return err
		}
	}
	return rpctypes.ErrStopped // the channel closes without a reason when the connection goes
}

// receive follows one response of the watch.
func (s *Store) receive(state *state, response clientv3.WatchResponse) error {
	revision := uint64(response.Header.Revision)
	records := make([]record, 0, len(response.Events))
	var learnt []time.Time
	for _, event := range response.Events {
		r := s.record(event.Kv.Key, event.Kv.Value, event.Kv.ModRevision)
		if event.Type == clientv3.EventTypeDelete {
			r.value = nil
		}
		if isOfMap(r.key) {
			records = append(records, r)
		}
		if strings.HasPrefix(r.key, foundersFolder) {
			state.noteFounding(r)
		}
		if sent, is := sentAt(r); is {
			learnt = append(learnt, sent)
		}
		// The header's revision may be ahead of the events that came.
		revision = r.modRevision
	}
	if revision <= state.current.Revision() {
		return nil
	}
	if err := state.apply(revision, records); err != nil {
		return err
	}
	// In this order: the journal never claims to be as new as what it lacks.
	s.journalAppend(state, records)
	if err := s.publish(state); err != nil {
		return err
	}
	if s.config.Events.Learnt != nil {
		for _, sent := range learnt {
			s.config.Events.Learnt(max(0, s.config.Now().Sub(sent)))
		}
	}
	return nil
}

// sentAt is when a transaction was sent that put a record, if it was a committer's
// and took effect.
func sentAt(r record) (time.Time, bool) {
	if !strings.HasPrefix(r.key, committersFolder) || r.value == nil {
		return time.Time{}, false
	}
	var last committed
	if json.Unmarshal(r.value, &last) != nil || last.Sent == 0 {
		return time.Time{}, false
	}
	return time.UnixMicro(last.Sent), true
}

// prove keeps proving that the Map is current.
func (s *Store) prove(ctx context.Context) {
	ticker := time.NewTicker(s.config.ProveEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !s.live.Load() {
			continue // follow is trying to load, and reports what fails
		}
		began := s.config.Now()
		// Short, so that an outage is noticed soon.
		attempt, cancel := context.WithTimeout(ctx, max(time.Second, 2*s.config.ProveEvery))
		_, err := s.Refresh(attempt)
		cancel()
		switch {
		case err == nil:
			s.recovered()
			s.proven(began)
		case ctx.Err() == nil:
			s.failed(err)
		}
	}
}

func (s *Store) requestProgress(ctx context.Context) error {
	// The same metadata as in watch, or the client would ask on another stream.
	return s.client.RequestProgress(clientv3.WithRequireLeader(ctx))
}

// isConnection tells what breaks a watch, but not the state followed so far.
func isConnection(err error) bool {
	_, ours := errors.AsType[*cairn.Error](err)
	return !ours && !errors.Is(err, errCompacted)
}

// backoff is the pause between attempts: it doubles up to a limit, with jitter
// so that routers do not come back all at once.
type backoff struct{ next, limit time.Duration }

const firstPause = 50 * time.Millisecond

func newBackoff(limit time.Duration) *backoff { return &backoff{min(firstPause, limit), limit} }

func (b *backoff) reset() { b.next = min(firstPause, b.limit) }

func (b *backoff) wait(ctx context.Context) {
	timer := time.NewTimer(b.next/2 + rand.N(b.next/2+1))
	defer timer.Stop()
	b.next = min(2*b.next, b.limit)
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
