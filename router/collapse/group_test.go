package collapse_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"cairn/router/collapse"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// asked is one request as it was carried out.
type asked struct {
	need  collapse.Need
	clock uint64 // what had been acknowledged when it was sent
}

// caller is one who waits.
type caller struct {
	key    int
	need   collapse.Need
	clock  uint64 // what had been acknowledged when he came
	cancel context.CancelFunc
	left   bool
	done   bool
	got    asked
	joined bool
	err    error
}

// world is callers of one Group over time, which stands still between the steps.
type world struct {
	group   collapse.Group[int, asked]
	clock   uint64
	callers []*caller
	flights []*inFlight
}

// inFlight is a request that is carried out and not answered.
type inFlight struct {
	key    int
	asked  asked
	ctx    context.Context
	answer chan error
}

var errRefused = errors.New("refused")

func (w *world) come(t *rapid.T) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &caller{
		key: rapid.IntRange(0, 1).Draw(t, "key"), clock: w.clock, cancel: cancel,
		need: collapse.Need{
			Epoch: rapid.Uint64Range(0, 1).Draw(t, "epoch"), Index: rapid.Uint64Range(0, 2).Draw(t, "index"), Latest: rapid.Bool().Draw(t, "latest"),
		},
	}
	w.callers = append(w.callers, c)
	go func() {
		c.got, c.joined, c.err = w.group.Do(ctx, c.key, c.need, func(ctx context.Context) (asked, error) {
			f := &inFlight{key: c.key, asked: asked{c.need, w.clock}, ctx: ctx, answer: make(chan error)}
			w.flights = append(w.flights, f)
			select {
			case err := <-f.answer:
				return f.asked, err
			case <-ctx.Done():
				return asked{}, ctx.Err()
			}
		})
		c.done = true
	}()
}

// untimed is a test without a deadline, which a bubble has none of.
type untimed struct{ *testing.T }

func (untimed) Deadline() (time.Time, bool) { return time.Time{}, false }

// TestEveryCallerIsAnsweredAsFreshlyAsHeAsks has callers come, leave and be answered
// in any order, with time for everything to settle between the steps.
func TestEveryCallerIsAnsweredAsFreshlyAsHeAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(untimed{t}, func(t *rapid.T) {
			w := &world{}
			defer func() {
				for _, c := range w.callers {
					c.cancel()
				}
				synctest.Wait()
			}()
			for range rapid.IntRange(1, 40).Draw(t, "steps") {
				w.step(t)
				synctest.Wait()
				w.check(t)
				w.clock++
			}
			// Who is left is answered.
			for len(w.flights) > 0 {
				w.answer(0, nil)
				synctest.Wait()
			}
			w.check(t)
			for i, c := range w.callers {
				if !c.done {
					t.Fatalf("caller %d waits for ever", i)
				}
			}
		})
	})
}

func (w *world) step(t *rapid.T) {
	switch step := rapid.IntRange(0, 5).Draw(t, "step"); {
	case step <= 2:
		w.come(t)
	case step == 3 && len(w.callers) > 0:
		c := w.callers[rapid.IntRange(0, len(w.callers)-1).Draw(t, "who")]
		c.left = c.left || !c.done
		c.cancel()
	case len(w.flights) > 0:
		err := rapid.SampledFrom([]error{nil, errRefused}).Draw(t, "outcome")
		w.answer(rapid.IntRange(0, len(w.flights)-1).Draw(t, "flight"), err)
	}
}

// answer ends a flight.
func (w *world) answer(at int, err error) {
	f := w.flights[at]
	w.flights = append(w.flights[:at], w.flights[at+1:]...)
	select {
	case f.answer <- err:
	case <-f.ctx.Done():
	}
}

func (w *world) check(t *rapid.T) {
	waiting := map[int]int{}
	for i, c := range w.callers {
		switch {
		case !c.done:
			waiting[c.key]++
		case c.left && errors.Is(c.err, context.Canceled):
		case c.err != nil && !errors.Is(c.err, errRefused):
			t.Fatalf("caller %d: %v", i, c.err)
		case c.err == nil && (c.got.need.Epoch < c.need.Epoch || c.got.need.Index < c.need.Index):
			t.Fatalf("caller %d asked for %+v and was answered what was asked for %+v", i, c.need, c.got.need)
		case c.err == nil && c.need.Latest && (c.got.clock < c.clock || !c.got.need.Latest):
			t.Fatalf("caller %d came at %d and was answered what was sent at %d", i, c.clock, c.got.clock)
		}
	}
	for _, f := range w.flights {
		if waiting[f.key] == 0 && f.ctx.Err() == nil {
			t.Fatal("a flight that nobody waits for")
		}
	}
}

// TestIdenticalRequestsAreOne has very many come while one is under way.
func TestIdenticalRequestsAreOne(t *testing.T) {
	const callers = 2_000
	synctest.Test(t, func(t *testing.T) {
		var group collapse.Group[string, int]
		var asked, joined, wrong atomic.Int64
		answer := make(chan struct{})
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				value, others, err := group.Do(t.Context(), "k", collapse.Need{Index: 3}, func(context.Context) (int, error) {
					asked.Add(1)
					<-answer
					return 7, nil
				})
				if others {
					joined.Add(1)
				}
				if value != 7 || err != nil {
					wrong.Add(1)
				}
			})
		}
		synctest.Wait()
		close(answer)
		all.Wait()
		if asked.Load() != 1 || joined.Load() != callers-1 || wrong.Load() != 0 {
			t.Errorf("%d asked, %d joined, %d wrong", asked.Load(), joined.Load(), wrong.Load())
		}
	})
}

// TestTheFirstOnesTroubleIsNobodyElses has the first caller panic, leave, or have no
// time: all others are answered, by one request more at most.
func TestTheFirstOnesTroubleIsNobodyElses(t *testing.T) {
	const others = 1_999
	for name, trouble := range map[string]func(ctx context.Context, leave func()) error{
		"panics": func(context.Context, func()) error { panic("a defect") },
		"leaves": func(_ context.Context, leave func()) error {
			leave()
			time.Sleep(time.Second)
			return nil
		},
		"has no time": func(ctx context.Context, _ func()) error {
			deadline, _ := ctx.Deadline()
			time.Sleep(time.Until(deadline))
			return context.DeadlineExceeded
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var group collapse.Group[string, int]
				var asked, right atomic.Int64
				begin, again := make(chan struct{}), make(chan struct{})
				first, leave := context.WithTimeout(t.Context(), time.Minute)
				defer leave()
				ask := func(ctx context.Context) (int, error) {
					if asked.Add(1) == 1 {
						<-begin
						return 7, trouble(ctx, leave)
					}
					<-again
					return 7, nil
				}
				var all sync.WaitGroup
				all.Go(func() {
					defer func() {
						if p := recover(); (p != nil) != (name == "panics") {
							t.Errorf("panicked with %v", p)
						}
					}()
					if _, _, err := group.Do(first, "k", collapse.Need{}, ask); err == nil {
						t.Error("the first one has an answer")
					}
				})
				synctest.Wait()
				for range others {
					all.Go(func() {
						if value, _, err := group.Do(t.Context(), "k", collapse.Need{}, ask); value == 7 && err == nil {
							right.Add(1)
						}
					})
				}
				synctest.Wait()
				close(begin)
				time.Sleep(time.Hour) // no time at all in here
				close(again)
				all.Wait()
				if right.Load() != others || asked.Load() > 2 {
					t.Errorf("%d of %d right, %d asked", right.Load(), others, asked.Load())
				}
			})
		})
	}
}

// TestWhoBoardsIsRungFor has callers who wait elsewhere: each is rung for once, when there
// is an answer, and has it even if his time is up by then.
func TestWhoBoardsIsRungFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var group collapse.Group[string, int]
		answer := make(chan struct{})
		ask := func(context.Context) (int, error) {
			<-answer
			return 7, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		var rings [2]atomic.Int64
		var seats [2]collapse.Seat[string, int]
		for i := range seats {
			seats[i] = group.Board(ctx, "k", collapse.Need{}, ask, func() { rings[i].Add(1) })
		}
		synctest.Wait()
		if rings[0].Load() != 0 || rings[1].Load() != 0 {
			t.Error("rung for before there is an answer")
		}
		close(answer)
		synctest.Wait()
		cancel()
		for i := range seats {
			value, joined, again, err := seats[i].Land(ctx)
			if value != 7 || joined != (i == 1) || again || err != nil || rings[i].Load() != 1 {
				t.Errorf("caller %d: %d, joined %v, again %v, %v, rung for %d times", i, value, joined, again, err, rings[i].Load())
			}
		}
	})
}

// TestBeyondTheLimitsRequestsGoAlone fills a Group with flights and with callers.
func TestBeyondTheLimitsRequestsGoAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := collapse.Group[int, int]{Flights: 2, Waiting: 3}
		var asked, right atomic.Int64
		answer := make(chan struct{})
		var all sync.WaitGroup
		for i := range 30 {
			all.Go(func() {
				value, _, err := group.Do(t.Context(), i%3, collapse.Need{}, func(context.Context) (int, error) {
					asked.Add(1)
					<-answer
					return i % 3, nil
				})
				if value == i%3 && err == nil {
					right.Add(1)
				}
			})
		}
		synctest.Wait()
		// Of two keys three wait for one, and seven go alone; of the third all do.
		if n := asked.Load(); n != 2*(1+7)+10 {
			t.Errorf("%d asked", n)
		}
		close(answer)
		all.Wait()
		if right.Load() != 30 {
			t.Errorf("%d right", right.Load())
		}
	})
}
