package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cairn"
)

func TestLockDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on", "demand")
	unlock, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = lockDir(dir)
	if cairn.KindOf(err) != cairn.KindUnavailable || cairn.ReasonOf(err) != "DATA_DIR_IN_USE" || !strings.Contains(err.Error(), dir) {
		t.Errorf("the second lock: %v; want DATA_DIR_IN_USE and the directory's name", err)
	}
	unlock()
	unlock, err = lockDir(dir)
	if err != nil {
		t.Fatalf("after the lock was given back: %v", err)
	}
	unlock()
}

func TestLockDirThatIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("not ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := lockDir(path); cairn.ReasonOf(err) != "DATA_DIR_UNUSABLE" {
		t.Errorf("%v; want DATA_DIR_UNUSABLE", err)
	}
	if content, _ := os.ReadFile(path); string(content) != "not ours" {
		t.Errorf("the file was changed to %q", content)
	}
}
