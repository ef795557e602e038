package load_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cairn/bench/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestKeysAscendAndAreEquallyLong(t *testing.T) {
	before := load.Key(0)
	for _, n := range []int{1, 9, 10, 99_999, 100_000, 1_000_000, 9_999_999_999, 10_000_000_000} {
		key := load.Key(n)
		if len(key) != 20 || bytes.Compare(before, key) >= 0 {
			t.Errorf("key %d is %q after %q; want 20 bytes, ascending", n, key, before)
		}
		before = key
	}
}

func TestBatchesAreTheSameForTheSameSeed(t *testing.T) {
	first, second, other := load.Batches(1, 3, 4, 1000), load.Batches(1, 3, 4, 1000), load.Batches(2, 3, 4, 1000)
	if !reflect.DeepEqual(first, second) || reflect.DeepEqual(first, other) {
		t.Errorf("seed 1 gives %s and %s, seed 2 %s", first, second, other)
	}
}

func TestClosedLeavesTheWarmUpOut(t *testing.T) {
	call := func(context.Context) (int, error) {
		time.Sleep(time.Millisecond)
		return 2, nil
	}
	result, err := load.Closed(t.Context(), []load.Call{call, call}, 50*time.Millisecond, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if result.Calls == 0 || result.Calls > 200 || result.Items != 2*result.Calls {
		t.Errorf("%d calls of %d items; want at most 200 calls of 2", result.Calls, result.Items)
	}
	// A histogram tells latencies to three digits.
	if p50, most := result.Quantile(0.5), result.Quantile(1); p50 < 999*time.Microsecond || most < p50 {
		t.Errorf("p50 %v, p100 %v; want a millisecond or more, ascending", p50, most)
	}
}

func TestClosedEndsWithTheFirstFailure(t *testing.T) {
	failure := errors.New("no")
	endless := func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	failing := func(context.Context) (int, error) { return 0, failure }
	if _, err := load.Closed(t.Context(), []load.Call{endless, failing}, 0, time.Minute); !errors.Is(err, failure) {
		t.Errorf("%v; want %v", err, failure)
	}
}

// pipe is a stream that answers each batch with its number.
type pipe struct {
	sent     chan int
	next     int
	inFlight int
	failAt   int
}

func (p *pipe) Send() error {
	p.next++
	p.inFlight = max(p.inFlight, len(p.sent)+1)
	p.sent <- p.next
	return nil
}

func (p *pipe) Recv() (int, error) {
	n, open := <-p.sent
	switch {
	case !open:
		return 0, io.EOF
	case n == p.failAt:
		return 0, errors.New("no")
	}
	time.Sleep(100 * time.Microsecond)
	return 10, nil
}

func (p *pipe) CloseSend() error {
	close(p.sent)
	return nil
}

func TestPipelinedKeepsTheWindow(t *testing.T) {
	stream := &pipe{sent: make(chan int, 100)}
	result, err := load.Pipelined(t.Context(), []load.Stream{stream}, 8, 0, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if result.Calls == 0 || result.Items != 10*result.Calls || stream.inFlight > 9 {
		t.Errorf("%d calls, %d items, %d in flight; want 10 a call and at most 8 waiting and one under way",
			result.Calls, result.Items, stream.inFlight)
	}
}

func TestPipelinedEndsWithAFailure(t *testing.T) {
	stream := &pipe{sent: make(chan int, 100), failAt: 3}
	if _, err := load.Pipelined(t.Context(), []load.Stream{stream}, 8, 0, time.Minute); err == nil {
		t.Error("no error; want the stream's")
	}
}

func TestTook(t *testing.T) {
	result := load.Took([]time.Duration{time.Second, 3 * time.Second})
	if result.Calls != 2 || result.Rate() != 0.5 || result.Quantile(1) < 2990*time.Millisecond || result.Quantile(0.5) > 1010*time.Millisecond {
		t.Errorf("%d calls, %v/s, %v to %v; want 2 at 0.5/s, 1s to 3s", result.Calls, result.Rate(), result.Quantile(0.5), result.Quantile(1))
	}
}

func TestExactly(t *testing.T) {
	call := func(context.Context) (int, error) { return 3, nil }
	result, err := load.Exactly(t.Context(), []load.Call{call, call}, 100)
	if err != nil {
		t.Fatal(err)
	}
	if result.Items < 100 || result.Items > 100+2*3 || result.Items != 3*result.Calls {
		t.Errorf("%d items in %d calls; want 100, and what was under way", result.Items, result.Calls)
	}
	failing := func(context.Context) (int, error) { return 0, errors.New("no") }
	if _, err := load.Exactly(t.Context(), []load.Call{call, failing}, 1<<40); err == nil {
		t.Error("no error; want the call's")
	}
}

func TestPacedGoesNoFaster(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var done atomic.Int64
	call := func(context.Context) (int, error) {
		done.Add(1)
		return 10, nil
	}
	began := time.Now()
	if err := load.Paced(ctx, []load.Call{call, call}, 1000); err != nil {
		t.Fatal(err)
	}
	// Each caller may be one call ahead.
	if most := int64(time.Since(began).Seconds()*1000/10) + 2; done.Load() == 0 || done.Load() > most {
		t.Errorf("%d calls of 10 items; want some, and at most %d", done.Load(), most)
	}
	failing := func(context.Context) (int, error) { return 0, errors.New("no") }
	if err := load.Paced(t.Context(), []load.Call{failing}, 1000); err == nil {
		t.Error("no error; want the call's")
	}
}
