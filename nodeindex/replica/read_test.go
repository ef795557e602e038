package replica

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cairn"
)

func TestAtLeastWaits(t *testing.T) {
	r := open(t, configure(t.TempDir()))
	applied, _ := r.index.Position()
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	request := &cairn.LocateRequest{Read: cairn.Read{Keyspace: keyspace, Level: cairn.AtLeast, Index: applied + 1}, Keys: []cairn.Key{cairn.Key("a")}}
	var reply cairn.LocateReply
	if err := r.Locate(short, request, &reply); cairn.KindOf(err) != cairn.KindNotYet {
		t.Errorf("before the write: %v", err)
	}
	time.AfterFunc(20*time.Millisecond, func() {
		if _, err := write(r, put(1, "a")); err != nil {
			t.Error(err)
		}
	})
	if err := r.Locate(t.Context(), request, &reply); err != nil {
		t.Fatal(err)
	}
	if reply.Results[0].State != cairn.Found || reply.Index <= applied {
		t.Errorf("the write is not seen: %+v", reply)
	}
}

func TestLinearizableReadsSeeEveryAcknowledgedWrite(t *testing.T) {
	r := open(t, configure(t.TempDir()))
	var acknowledged atomic.Int64
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		defer close(stop)
		for i := 1; i <= 200; i++ {
			if _, err := write(r, put(i, "a")); err != nil {
				t.Error(err)
			}
			acknowledged.Store(int64(i))
		}
	})
	for range 8 {
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				least := acknowledged.Load()
				if got, _ := find(t, r, cairn.Read{Level: cairn.Linearizable}, "a"); int64(got) < least {
					t.Errorf("read %d after %d was acknowledged", got, least)
				}
			}
		})
	}
	running.Wait()
}

func TestEpochIsFetchedOnceForAll(t *testing.T) {
	config := configure(t.TempDir())
	var calls atomic.Int64
	release := make(chan struct{})
	config.Refresh = func(ctx context.Context, revision uint64) (cairn.Assignment, error) {
		if calls.Add(1) == 1 {
			return cairn.Assignment{}, errors.New("etcd is away for a moment")
		}
		<-release
		return assignment(t, revision), nil
	}
	r := open(t, config)
	if got := calls.Load(); got != 0 {
		t.Errorf("%d refreshes before anybody asked", got)
	}
	var running sync.WaitGroup
	for range 50 {
		running.Go(func() {
			if _, found := find(t, r, cairn.Read{Epoch: 20}, "a"); found {
				t.Error("a was never written")
			}
			if _, revision := r.index.Position(); revision < 20 {
				t.Errorf("answered at revision %d", revision)
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	close(release)
	running.Wait()
	if got := calls.Load(); got > 4 {
		t.Errorf("%d refreshes for one revision", got)
	}
	// A write asks for its epoch too.
	req := put(1, "a")
	req.Epoch = 30
	if reply := mustWrite(t, r, req); reply.Revision < 30 {
		t.Errorf("written at revision %d", reply.Revision)
	}
}

func TestEpochThatNeverComes(t *testing.T) {
	r := open(t, configure(t.TempDir()))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := r.Status(ctx, 11); cairn.KindOf(err) != cairn.KindNotYet {
		t.Errorf("status: %v", err)
	}
	req := put(1, "a")
	req.Epoch = 11
	if _, err := r.Write(ctx, req); cairn.KindOf(err) != cairn.KindNotYet {
		t.Errorf("write: %v", err)
	}
}

func TestOlderAssignmentsAreIgnored(t *testing.T) {
	r := open(t, configure(t.TempDir()))
	older := assignment(t, 9)
	older.Shards = nil
	if err := r.Assign(t.Context(), older); err != nil {
		t.Fatal(err)
	}
	if _, revision := r.index.Position(); revision != 10 {
		t.Errorf("revision %d", revision)
	}
	mustWrite(t, r, put(1, "a"))
	newer := assignment(t, 12)
	newer.Shards = nil
	if err := r.Assign(t.Context(), newer); err != nil {
		t.Fatal(err)
	}
	reply, err := r.Write(t.Context(), put(1, "a"))
	if err != nil || reply.Results[0].Err == nil || reply.Results[0].Err.Kind != cairn.KindStale {
		t.Errorf("a write to a shard that left: %+v, %v", reply, err)
	}
}
