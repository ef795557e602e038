package load_test

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"cairn/bench/load"
)

func TestOpenDoesAsManyAsAreDue(t *testing.T) {
	const rate, length = 2_000, 200 * time.Millisecond
	var done atomic.Int64
	call := func(context.Context) (int, error) {
		done.Add(1)
		return 1, nil
	}
	result, err := load.Open(t.Context(), []load.Call{call, call}, rate, 1, length/4, length)
	if err != nil {
		t.Fatal(err)
	}
	want := rate * length.Seconds()
	if math.Abs(float64(result.Calls)-want) > want/4 || result.Calls >= int(done.Load()) {
		t.Errorf("%d calls counted of %d; want about %.0f, and others in the warm-up", result.Calls, done.Load(), want)
	}
}

// TestOpenCountsFromWhenACallIsDue has one caller stand still in the first call:
// those that became due meanwhile waited for it.
func TestOpenCountsFromWhenACallIsDue(t *testing.T) {
	const stall = 100 * time.Millisecond
	calls := 0
	stalling := func(context.Context) (int, error) {
		if calls++; calls == 1 {
			time.Sleep(stall)
		}
		return 1, nil
	}
	result, err := load.Open(t.Context(), []load.Call{stalling}, 1_000, 1, 0, stall)
	if err != nil {
		t.Fatal(err)
	}
	// They became due evenly over the time that the first took.
	if p50 := result.Quantile(0.5); p50 < stall/4 {
		t.Errorf("half of %d calls took %v or less; want about %v", result.Calls, p50, stall/2)
	}
	if most := result.Quantile(1); most < stall*99/100 {
		t.Errorf("the longest took %v; want at least %v", most, stall)
	}
}

func TestOpenTellsTheRateThatWasReached(t *testing.T) {
	slow := func(context.Context) (int, error) {
		time.Sleep(2 * time.Millisecond)
		return 1, nil
	}
	result, err := load.Open(t.Context(), []load.Call{slow}, 5_000, 1, 0, 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if result.Calls < 50 || result.Rate() > 500 {
		t.Errorf("%d calls, %.0f/s; want all of about 100, at 500/s or less", result.Calls, result.Rate())
	}
}

func TestOpenEndsWithTheFirstFailure(t *testing.T) {
	failure := errors.New("no")
	failing := func(context.Context) (int, error) { return 0, failure }
	if _, err := load.Open(t.Context(), []load.Call{failing}, 100, 1, 0, time.Minute); !errors.Is(err, failure) {
		t.Errorf("%v; want %v", err, failure)
	}
}
