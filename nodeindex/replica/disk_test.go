package replica

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cairn"
)

// refused expects writes to be refused for a full disk, reads to go on, and
// the status to say so.
func refused(t *testing.T, r *Replica) {
	t.Helper()
	if _, err := r.Write(t.Context(), put(1, "x")); cairn.KindOf(err) != cairn.KindExhausted || cairn.ReasonOf(err) != "DISK_FULL" {
		t.Errorf("a write to a full disk: %v", err)
	}
	if _, found := find(t, r, cairn.Read{}, "a"); !found {
		t.Error("a read of a full disk finds nothing")
	}
	if status, err := r.Status(t.Context(), 0); err != nil || status.WriteRefusal == "" {
		t.Errorf("status %q, %v", status.WriteRefusal, err)
	}
}

func TestReserve(t *testing.T) {
	config := configure(t.TempDir())
	var free atomic.Uint64
	free.Store(1 << 40)
	config.DiskReserve = 100 << 20
	config.FreeSpace = func(string) (uint64, error) { return free.Load(), nil }
	r := open(t, config)
	mustWrite(t, r, put(1, "a"))
	free.Store(99 << 20)
	eventually(t, "the refusal", func() bool { return r.refusals.get() != nil })
	refused(t, r)
	if err := r.Assign(t.Context(), assignment(t, 11)); err != nil {
		t.Errorf("an assignment, which the reserve is for: %v", err)
	}
	free.Store(200 << 20)
	eventually(t, "the end of the refusal", func() bool { return r.refusals.get() == nil })
	mustWrite(t, r, put(2, "a"))
	if status, err := r.Status(t.Context(), 0); err != nil || status.WriteRefusal != "" {
		t.Errorf("status %q, %v", status.WriteRefusal, err)
	}
}

// mountSmall mounts a file system of so many bytes, or skips the test.
func mountSmall(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("SKIPPED: a really full disk is not tested, since no small file system can be mounted (%v); run the tests as root", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// fill leaves nothing free on the file system of dir, and returns how to give
// it back.
func fill(t *testing.T, dir string) (empty func()) {
	t.Helper()
	ballast, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	for _, chunk := range []int{1 << 20, 4 << 10} {
		for err = nil; err == nil; {
			_, err = ballast.Write(make([]byte, chunk))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	return func() {
		if err := errors.Join(ballast.Truncate(0), ballast.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestFullDisk lets log and checkpoints run into a disk that really is full,
// the guard looking away.
func TestFullDisk(t *testing.T) {
	for name, checkpointBytes := range map[string]int64{"log": 1 << 30, "checkpoint": 16 << 10} {
		t.Run(name, func(t *testing.T) {
			config := configure(mountSmall(t, 16<<20))
			config.SegmentBytes = 256 << 10
			config.CheckpointBytes = checkpointBytes
			config.CheckpointAge = time.Hour
			r := open(t, config)
			mustWrite(t, r, put(1, "a"))
			empty := fill(t, config.Dir)

			acknowledged := map[string]int{}
			var failure error
			for n := 0; failure == nil && n < 20_000; n++ {
				key := fmt.Sprintf("key %d", n)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				_, failure = r.Write(ctx, put(n, key))
				cancel()
				if failure == nil {
					acknowledged[key] = n
				}
			}
			if kind := cairn.KindOf(failure); failure == nil || kind != cairn.KindExhausted && kind != cairn.KindUnknown && kind != cairn.KindUnavailable {
				t.Errorf("after %d writes: %v", len(acknowledged), failure)
			}
			t.Logf("%d writes were acknowledged before: %v", len(acknowledged), failure)
			for key, n := range acknowledged {
				if got, found := find(t, r, cairn.Read{}, key); !found || got != n {
					t.Fatalf("%s is %d, %v", key, got, found)
				}
			}
			empty()
			eventually(t, "writes again", func() bool {
				_, err := r.Write(t.Context(), put(7, "after"))
				return err == nil
			})
			closeAndCheck(t, r)
			again, err := Open(config)
			if err != nil {
				t.Fatal(err)
			}
			defer closeAndCheck(t, again)
			acknowledged["after"] = 7
			for key, n := range acknowledged {
				if got, found := find(t, again, cairn.Read{}, key); !found || got != n {
					t.Fatalf("opened again, %s is %d, %v; want %d", key, got, found, n)
				}
			}
		})
	}
}

// TestFullDiskAtStart opens a replica on a disk that is full already.
func TestFullDiskAtStart(t *testing.T) {
	config := configure(mountSmall(t, 8<<20))
	config.SegmentBytes = 64 << 10
	config.FreeSpace = nil
	config.DiskReserve = 1 << 20
	r := open(t, config)
	mustWrite(t, r, put(1, "a"))
	closeAndCheck(t, r)
	empty := fill(t, config.Dir)
	r, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { closeAndCheck(t, r) }()
	refused(t, r)
	empty()
	eventually(t, "writes again", func() bool {
		_, err := r.Write(t.Context(), put(7, "after"))
		return err == nil
	})
}

// TestFailedAppend breaks the log under a running replica.
func TestFailedAppend(t *testing.T) {
	config := configure(t.TempDir())
	r := open(t, config)
	mustWrite(t, r, put(1, "a"))
	if err := r.log.Load().store.WAL.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := r.Write(t.Context(), put(2, "a"))
	if kind := cairn.KindOf(err); kind != cairn.KindUnknown {
		t.Errorf("the write whose append fails: %v", err)
	}
	eventually(t, "the refusal", func() bool { return r.refusals.get() != nil })
	for range 3 {
		if _, err := r.Write(t.Context(), put(3, "a")); cairn.KindOf(err) != cairn.KindUnavailable || cairn.ReasonOf(err) != "LOG_FAILED" {
			t.Errorf("a write after it: %v", err)
		}
		time.Sleep(diskInterval / 2)
	}
	if got, found := find(t, r, cairn.Read{}, "a"); !found || got != 1 {
		t.Errorf("a is %d, %v", got, found)
	}
	request := &cairn.LocateRequest{Read: cairn.Read{Keyspace: keyspace, Level: cairn.Linearizable}}
	if err := r.Locate(t.Context(), request, new(cairn.LocateReply)); cairn.ReasonOf(err) != "LOG_FAILED" {
		t.Errorf("a linearizable read: %v", err)
	}
	if status, err := r.Status(t.Context(), 0); err != nil || status.WriteRefusal == "" {
		t.Errorf("status %q, %v", status.WriteRefusal, err)
	}
	closeAndCheck(t, r)
	again, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAndCheck(t, again)
	mustWrite(t, again, put(4, "a"))
}

func TestWhatIsAFullDisk(t *testing.T) {
	if !isFull(fmt.Errorf("x: %w", &os.PathError{Op: "write", Err: syscall.ENOSPC})) {
		t.Error("a write without space")
	}
	if isFull(&os.PathError{Op: "sync", Err: syscall.ENOSPC}) || isFull(&os.PathError{Op: "write", Err: syscall.EIO}) {
		t.Error("a sync without space, or a broken disk")
	}
}
