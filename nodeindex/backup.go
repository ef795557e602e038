package nodeindex

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.etcd.io/bbolt"

	"cairn"
	"cairn/nodeindex/durable"
)

// A backup is a snapshot with a label behind it, JSON, and behind that a
// footer: a name with a version, the length of the label, and the xxHash64 of
// the snapshot's trailer and all that follows it. So every byte is under a
// checksum. bbolt and Check read a backup as it is.

const (
	footerName = "cairn backup 1"
	footerSize = len(footerName) + 8 + 8
	// maxLabel bounds the length of a label.
	maxLabel = 4096
)

// BackupLabel says what a backup is of.
type BackupLabel struct {
	// Cluster and UID are of the cluster whose index it is.
	Cluster string    `json:"cluster"`
	UID     cairn.UID `json:"uid"`
	// Time is when it was made.
	Time time.Time `json:"time"`
}

// Backup is what a backup file says of itself.
type Backup struct {
	BackupLabel
	CheckpointMeta
	// Bytes is the size of the file.
	Bytes int64
	pages int64 // bytes of them
}

// WriteBackup is WriteSnapshot for a file that knows what it is of.
func (x *Index) WriteBackup(path string, label BackupLabel) (Backup, error) {
	snapshot, err := x.WriteSnapshot(path)
	if err != nil {
		return Backup{}, err
	}
	out := Backup{BackupLabel: label, CheckpointMeta: snapshot.CheckpointMeta, pages: snapshot.Bytes - int64(trailerSize)}
	out.Bytes, err = appendLabel(x.options.Disk, path, label)
	if err != nil {
		_ = os.Remove(path) // the error before matters more
		return Backup{}, storageError("write backup", err)
	}
	return out, nil
}

// appendLabel labels a snapshot, and returns the size of the file.
func appendLabel(disk durable.Disk, path string, label BackupLabel) (size int64, err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	trailer := make([]byte, trailerSize)
	if _, err := file.ReadAt(trailer, info.Size()-int64(trailerSize)); err != nil {
		return 0, err
	}
	tail, err := sealLabel(trailer, label)
	if err != nil {
		return 0, err
	}
	if _, err := file.WriteAt(tail, info.Size()); err != nil {
		return 0, err
	}
	return info.Size() + int64(len(tail)), disk.Sync(durable.Backup, file)
}

// sealLabel is what stands behind a snapshot's trailer.
func sealLabel(trailer []byte, label BackupLabel) ([]byte, error) {
	encoded, err := json.Marshal(label)
	if err != nil {
		return nil, err
	}
	if len(encoded) > maxLabel {
		return nil, cairn.Invalid("cluster", "NAME_TOO_LONG", "a backup's label of %d bytes; it has at most %d", len(encoded), maxLabel)
	}
	tail := slices.Concat(encoded, []byte(footerName))
	tail = binary.BigEndian.AppendUint64(tail, uint64(len(encoded)))
	return binary.BigEndian.AppendUint64(tail, labelSum(trailer, tail)), nil
}

func labelSum(trailer, tail []byte) uint64 {
	hash := xxhash.New()
	_, _ = hash.Write(trailer) // never fails
	_, _ = hash.Write(tail)
	return hash.Sum64()
}

// ReadBackup reads a whole backup and makes sure that it is what was written.
// KindCorrupt: it is not (BACKUP_DAMAGED), or it is no backup (BACKUP_FOREIGN).
// KindNotFound (FILE_NOT_FOUND): there is none.
func ReadBackup(path string) (Backup, error) {
	backup, err := readBackup(path, nil)
	if err != nil {
		return Backup{}, inFile(path, err)
	}
	err = withReadOnly(path, Options{}.withDefaults(), func(tx *bbolt.Tx) (err error) {
		backup.CheckpointMeta, err = loadCheckpoint(tx)
		return err
	})
	return backup, err
}

// readBackup reads a backup, and writes its pages to another file if there is
// one.
func readBackup(path string, to io.Writer) (Backup, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return Backup{}, cairn.Errorf(cairn.KindNotFound, "FILE_NOT_FOUND", "there is no such file: %w", err)
	}
	if err != nil {
		return Backup{}, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	info, err := file.Stat()
	if err != nil {
		return Backup{}, err
	}
	backup, trailer, err := readLabel(file, info.Size())
	if err != nil {
		return Backup{}, err
	}
	hash := xxhash.New()
	var into io.Writer = hash
	if to != nil {
		into = io.MultiWriter(hash, to)
	}
	if _, err := io.Copy(into, bufio.NewReaderSize(io.NewSectionReader(file, 0, backup.pages), 1<<20)); err != nil {
		return Backup{}, err
	}
	if !bytes.Equal(trailer, sealTrailer(backup.pages, hash)) {
		return Backup{}, corrupt("BACKUP_DAMAGED", "the backup is not what was written: its checksum does not fit")
	}
	return backup, nil
}

// readLabel reads what stands behind the pages of a backup of a size.
func readLabel(file io.ReaderAt, size int64) (backup Backup, trailer []byte, err error) {
	footer, err := readTail(file, size, footerSize)
	if err != nil {
		return Backup{}, nil, err
	}
	if !bytes.HasPrefix(footer, []byte(footerName)) {
		return Backup{}, nil, corrupt("BACKUP_FOREIGN", "not a backup of Cairn, or one that was not written to its end")
	}
	length := binary.BigEndian.Uint64(footer[len(footerName):])
	if length > maxLabel {
		return Backup{}, nil, corrupt("BACKUP_DAMAGED", "the backup's label can't have %d bytes", length)
	}
	tail, err := readTail(file, size, trailerSize+int(length)+footerSize)
	if err != nil {
		return Backup{}, nil, err
	}
	trailer, tail = tail[:trailerSize], tail[trailerSize:]
	sealed := len(tail) - 8
	if labelSum(trailer, tail[:sealed]) != binary.BigEndian.Uint64(tail[sealed:]) {
		return Backup{}, nil, corrupt("BACKUP_DAMAGED", "the backup's label is not what was written: its checksum does not fit")
	}
	if err := json.Unmarshal(tail[:length], &backup.BackupLabel); err != nil {
		return Backup{}, nil, corrupt("BACKUP_DAMAGED", "the backup's label: %w", err)
	}
	backup.Bytes, backup.pages = size, size-int64(trailerSize+len(tail))
	return backup, trailer, nil
}

func readTail(file io.ReaderAt, size int64, length int) ([]byte, error) {
	if size < int64(length) {
		return nil, corrupt("BACKUP_FOREIGN", "not a backup of Cairn, or one that was not written to its end: %d bytes", size)
	}
	tail := make([]byte, length)
	_, err := file.ReadAt(tail, size-int64(length))
	return tail, err
}

// ExtractBackup makes the index file of a directory out of a backup, if that is
// whole and Check finds nothing wrong with it. The file has its name last, so
// that there is a whole one or none. It is not to be opened by a replica yet:
// its log begins nowhere; see Index.Rebase. Errors are those of ReadBackup and
// Check, and KindPrecondition (INDEX_PRESENT) if the directory has an index.
func ExtractBackup(disk durable.Disk, path, dir string) (Backup, *Report, error) {
	final := filepath.Join(dir, FileName)
	if _, err := os.Stat(final); err == nil {
		return Backup{}, nil, cairn.Errorf(cairn.KindPrecondition, "INDEX_PRESENT", "%s has an index already", dir)
	}
	extracted := final + unfinishedTag
	backup, report, err := extract(disk, path, extracted)
	if err == nil {
		err = disk.Publish(durable.Extract, extracted, final)
	}
	if err != nil {
		_ = os.Remove(extracted) // the error before matters more
		return Backup{}, nil, storageError("restore "+path, err)
	}
	report.Path = final
	return backup, report, nil
}

func extract(disk durable.Disk, path, to string) (Backup, *Report, error) {
	file, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return Backup{}, nil, err
	}
	backup, err := readBackup(path, file)
	if err == nil {
		err = disk.Sync(durable.Extract, file)
	} else if cairn.KindOf(err) == cairn.KindCorrupt {
		err = inFile(path, err)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return Backup{}, nil, err
	}
	report, err := Check(to)
	if err != nil {
		return Backup{}, nil, err
	}
	backup.Index, backup.Term = report.Index, report.Term
	return backup, report, nil
}

// String is the backup as people read it.
func (b Backup) String() string {
	return fmt.Sprintf("a backup of cluster %s (%s), made %s, up to log index %d", b.Cluster, b.UID, b.Time.UTC().Format(time.RFC3339), b.Index)
}
