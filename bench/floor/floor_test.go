package floor_test

import (
	"context"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"cairn/bench/floor"
	"cairn/bench/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// chain runs echo servers, one before the other, while use runs.
func chain(t *testing.T, hops int, next string, use func(address string) error) error {
	t.Helper()
	return floor.Serve(next, func(address string) error {
		if hops == 1 {
			return use(address)
		}
		return chain(t, hops-1, address, use)
	})
}

// patiently measures for longer where a busy machine got nothing done.
func patiently(measure func(length time.Duration) (load.Result, error)) (load.Result, error) {
	for length := 50 * time.Millisecond; ; length *= 4 {
		result, err := measure(length)
		if err != nil || result.Items > 0 || length > 10*time.Second {
			return result, err
		}
	}
}

func TestEchoes(t *testing.T) {
	const entries, batch, window = 1000, 16, 4
	for hops := 1; hops <= 3; hops++ {
		err := chain(t, hops, "", func(address string) error {
			conn, err := floor.Dial(address)
			if err != nil {
				return err
			}
			defer conn.Close()
			result, err := patiently(func(length time.Duration) (load.Result, error) {
				return load.Closed(t.Context(), floor.UnaryCalls(conn, 4, "keyspaces/any", entries), 0, length)
			})
			if err != nil || result.Items == 0 {
				t.Errorf("%d hops, unary: %d items, %v", hops, result.Items, err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			streams, err := floor.Streams(ctx, conn, 2, batch, "keyspaces/any", entries)
			if err != nil {
				return err
			}
			result, err = patiently(func(length time.Duration) (load.Result, error) {
				return load.Pipelined(ctx, streams, window, 0, length)
			})
			if err != nil || result.Items == 0 || result.Items != batch*result.Calls {
				t.Errorf("%d hops, stream: %d items in %d batches, %v; want %d each", hops, result.Items, result.Calls, err, batch)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%d hops: %v", hops, err)
		}
	}
}

func TestScattered(t *testing.T) {
	err := floor.Serve("", func(address string) error {
		var conns []*grpc.ClientConn
		for range 2 {
			conn, err := floor.Dial(address)
			if err != nil {
				return err
			}
			defer conn.Close()
			conns = append(conns, conn)
		}
		result, err := patiently(func(length time.Duration) (load.Result, error) {
			return load.Closed(t.Context(), floor.Scattered(conns, 4, 2000), 0, length)
		})
		if err != nil || result.Items == 0 {
			t.Errorf("%d items, %v", result.Items, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestEchoOfNobody(t *testing.T) {
	err := floor.Serve("127.0.0.1:1", func(address string) error {
		conn, err := floor.Dial(address)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := load.Closed(t.Context(), floor.UnaryCalls(conn, 1, "keyspaces/any", 10), 0, time.Second); err == nil {
			t.Error("a proxy before nothing answered")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestBoltReadsEveryKey(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	b, err := floor.OpenBolt(500)
	if err != nil {
		t.Fatal(err)
	}
	read, done, err := b.Read(1)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if items, err := read(t.Context()); err != nil || items == 0 {
			t.Errorf("%d items, %v", items, err)
		}
	}
	if err := done(); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("%v, %v; want nothing left", left, err)
	}
}

func TestMemory(t *testing.T) {
	for name, call := range map[string]load.Call{"map": floor.MapReads(1000, 1), "bitmaps": floor.Intersections(1000, 1)} {
		if items, err := call(t.Context()); items == 0 || err != nil {
			t.Errorf("%s: %d items, %v", name, items, err)
		}
	}
}
