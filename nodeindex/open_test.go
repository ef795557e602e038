package nodeindex

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cairn"

	"go.etcd.io/bbolt"
)

// filled is the content of an index file with some entries.
func filled(t *testing.T) []byte {
	t.Helper()
	r := openReplica(t, Options{})
	r.assign(testAssignment(t, cairn.SchemeHash, 4))
	for i := range 300 {
		r.write(put(testKey(i), size(int64(i)), name(strings.Repeat("x", i))))
	}
	r.checkpoint()
	r.write(remove(testKey(5)))
	r.checkpoint()
	r.close()
	content, err := os.ReadFile(filepath.Join(r.dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// place makes a directory with an index file of some content.
func place(t *testing.T, content []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// wantRefused fails unless a file is refused as corrupt and left as it was.
func wantRefused(t *testing.T, content []byte, reason string) {
	t.Helper()
	dir := place(t, content)
	_, err := Open(dir, Options{})
	wantError(t, err, cairn.KindCorrupt, reason)
	after, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil || !bytes.Equal(content, after) {
		t.Fatalf("the file was changed (%v)", err)
	}
	if _, err := Check(dir); err == nil {
		t.Fatal("check found nothing")
	}
}

func TestOpenRefuses(t *testing.T) {
	content := filled(t)
	used := int(binary.NativeEndian.Uint64(content[16+40:])) * 4096
	t.Run("empty", func(t *testing.T) { wantRefused(t, nil, "FILE_TRUNCATED") })
	t.Run("text", func(t *testing.T) { wantRefused(t, bytes.Repeat([]byte("not a database "), 1000), "FILE_FOREIGN") })
	t.Run("truncated in the header", func(t *testing.T) { wantRefused(t, content[:4096], "FILE_TRUNCATED") })
	t.Run("truncated", func(t *testing.T) { wantRefused(t, content[:used/2], "FILE_TRUNCATED") })
	for _, at := range []int{16 + 10, 16 + 20, 16 + 50, 16 + 60, 4096 + 16 + 50} {
		flipped := bytes.Clone(content)
		flipped[at] ^= 4
		wantRefused(t, flipped, "FILE_DAMAGED")
	}
	t.Run("another program's", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "other.db")
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("users")); return err })
		if err != nil || db.Close() != nil {
			t.Fatal(err)
		}
		other, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		wantRefused(t, other, "FILE_FOREIGN")
	})
	t.Run("of a later version", func(t *testing.T) {
		dir := place(t, content)
		db, err := bbolt.Open(filepath.Join(dir, FileName), 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketMeta).Put(metaFormat, binary.AppendUvarint([]byte(formatName), formatVersion+1))
		})
		if err != nil || db.Close() != nil {
			t.Fatal(err)
		}
		_, err = Open(dir, Options{})
		wantError(t, err, cairn.KindCorrupt, "FILE_VERSION")
	})
}

func TestOpenInUse(t *testing.T) {
	r := openReplica(t, Options{})
	_, err := Open(r.dir, Options{LockTimeout: 10 * time.Millisecond})
	wantError(t, err, cairn.KindUnavailable, "DATA_DIR_IN_USE")
}

// TestDamage flips bits anywhere in the file: Check finds each that matters,
// and neither Check nor Open nor reading ends the process.
func TestDamage(t *testing.T) {
	content := filled(t)
	random := rand.New(rand.NewPCG(1, 2))
	used := int(binary.NativeEndian.Uint64(content[16+40:])) * 4096
	found := 0
	const rounds = 60
	for range rounds {
		damaged := bytes.Clone(content)
		for range 1 + random.IntN(20) {
			damaged[8192+random.IntN(used-8192)] ^= 1 << random.IntN(8)
		}
		dir := place(t, damaged)
		report, err := Check(dir)
		if err != nil {
			found++
			if cairn.KindOf(err) != cairn.KindCorrupt {
				t.Fatalf("%v %v", report, err)
			}
		} else if report.ProblemCount > 0 || !strings.Contains(report.String(), "no problems") {
			t.Fatalf("%v", report)
		}
	}
	if found < rounds/4 {
		t.Fatalf("%d of %d damaged files found", found, rounds)
	}
}

func TestFilesAreCheckedByContent(t *testing.T) {
	for name, damage := range map[string]func(tx *bbolt.Tx) error{
		"a record": func(tx *bbolt.Tx) error { return tx.Bucket(bucketBundles).Delete([]byte{0, 0, 0, 3}) },
		"an entry": func(tx *bbolt.Tx) error {
			key := uidKey(testKeyspace)
			return tx.Bucket(bucketEntries).Bucket(key[:]).Delete([]byte(testKey(9)))
		},
		"a shard": func(tx *bbolt.Tx) error { return tx.Bucket(bucketShards).Delete(shardKey(testKeyspace, 2)) },
		"an ordinal": func(tx *bbolt.Tx) error {
			s, _, ok := decodeShard(tx.Bucket(bucketShards).Get(shardKey(testKeyspace, 2)))
			if !ok {
				t.Fatal("no shard")
			}
			s.ordinals.Add(99999)
			value, err := encodeShard(&s.Shard, s.population, false)
			if err != nil {
				return err
			}
			return tx.Bucket(bucketShards).Put(shardKey(testKeyspace, 2), value)
		},
		"a node's count": func(tx *bbolt.Tx) error {
			s, _, _ := decodeShard(tx.Bucket(bucketShards).Get(shardKey(testKeyspace, 2)))
			s.nodes[0].entries++
			value, err := encodeShard(&s.Shard, s.population, false)
			if err != nil {
				return err
			}
			return tx.Bucket(bucketShards).Put(shardKey(testKeyspace, 2), value)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := place(t, filled(t))
			db, err := bbolt.Open(filepath.Join(dir, FileName), 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Update(damage); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			_, err = Check(dir)
			wantError(t, err, cairn.KindCorrupt, "CHECK_FAILED")
		})
	}
}
