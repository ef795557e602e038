package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cairn"
)

// mountSmall mounts a file system of 512 MiB, or skips the test: the logs of
// etcd and of one index take almost half of that, allocated ahead.
func mountSmall(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := tryMount(t, dir); err != nil {
		t.Skipf("SKIPPED: a full disk under a whole stack is not tested, since no small file system can be mounted (%v); run the tests as root", err)
	}
	return dir
}

// tryMount mounts a file system of 512 MiB for as long as the test lasts.
func tryMount(t *testing.T, dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512m"); err != nil {
		return err
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return nil
}

// fillDisk writes to a file until so many bytes are left.
func fillDisk(t *testing.T, ballast *os.File, left uint64) {
	t.Helper()
	for chunk := make([]byte, 64<<10); ; {
		var stat syscall.Statfs_t
		if err := syscall.Fstatfs(int(ballast.Fd()), &stat); err != nil {
			t.Fatal(err)
		}
		free := stat.Bavail * uint64(stat.Bsize)
		if free <= left {
			return
		}
		if _, err := ballast.Write(chunk[:min(uint64(len(chunk)), free-left)]); err != nil {
			if errors.Is(err, syscall.ENOSPC) {
				return
			}
			t.Fatal(err)
		}
	}
}

// TestFullDisk fills the disk under a development stack, first below the
// reserve, then to its last byte: writes are refused with what to do, reads go
// on, nothing acknowledged is lost, and writes go on by themselves when there
// is space again, twice, and after a kill.
func TestFullDisk(t *testing.T) {
	disk := mountSmall(t)
	config := child{Kind: "dev", Data: filepath.Join(disk, "stack"), CheckpointBytes: 64 << 10}
	p := start(t, config)
	c := call(t, p.ready().Listen)
	c.apply(orders(), cluster("north"))
	ballast, err := os.Create(filepath.Join(disk, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer ballast.Close()
	var acknowledged []int
	next := 0
	write := func(n int) error {
		numbers, err := c.writeRange(short(t), next, next+n)
		acknowledged, next = append(acknowledged, numbers...), next+n
		return err
	}
	for _, left := range []uint64{100 << 20, 0} {
		if err := write(2000); err != nil {
			t.Fatal(err)
		}
		fillDisk(t, ballast, left)
		var refusal error
		eventually(t, "the refusal of writes", func() bool {
			refusal = write(20)
			return refusal != nil
		})
		begun := time.Now()
		refusal = write(20)
		if cairn.KindOf(refusal) != cairn.KindExhausted || cairn.ReasonOf(refusal) != "DISK_FULL" || !strings.Contains(refusal.Error(), "make room") {
			t.Errorf("with %d bytes free a write is answered with %v", left, refusal)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("the refusal took %v", took)
		}
		c.expect(acknowledged)
		time.Sleep(time.Second) // in which checkpoints may fail
		c.expect(acknowledged)
		if err := ballast.Truncate(0); err != nil {
			t.Fatal(err)
		}
		if _, err := ballast.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		eventually(t, "writes again", func() bool { return write(20) == nil })
	}
	p.kill()
	p = start(t, config)
	c = call(t, p.ready().Listen)
	c.expect(acknowledged)
	if err := write(20); err != nil {
		t.Error(err)
	}
	p.terminate(syscall.SIGTERM)
}
