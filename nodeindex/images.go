package nodeindex

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"cairn"
	"cairn/nodeindex/durable"
	"cairn/nodeindex/pace"
	"cairn/nodeindex/projection"

	"github.com/RoaringBitmap/roaring/v2"
	"go.etcd.io/bbolt"
)

// Views are kept over a restart as images beside the file: whole projections
// of one log index, written now and then, at the disk's speed. A checkpoint
// names the present image of each keyspace and has the ordinals of all entries
// that have changed since it was taken; so a restart reads the image and these
// entries, and both are as of the checkpoint's index. An image that is missing
// or damaged costs time, no more: the entries are all that it was made of.

// imagesFolder is in the index's directory.
const imagesFolder = "views"

const (
	imageSuffix   = ".image"
	unfinishedTag = ".new"
)

// SaveViews writes images of the views that have changed much since their
// last, and removes the files of images that nothing names any more. It may
// take seconds, in which everything else goes on. One goroutine calls it. An
// error (KindExhausted DISK_FULL, KindUnavailable STORAGE_FAILED) leaves
// everything as it was.
func (x *Index) SaveViews() error {
	for {
		uid, p, snapshot := x.beginImage()
		if p == nil {
			return x.removeImages()
		}
		name := fmt.Sprintf("%s-%d%s", uid, snapshot.Index, imageSuffix)
		err := x.writeImage(name, snapshot)
		x.mu.Lock()
		if err != nil {
			p.GiveUpImage()
		} else {
			p.EndImage(name)
		}
		x.mu.Unlock()
		if err != nil {
			return storageError("write image of views", err)
		}
	}
}

// beginImage is a snapshot that is due to be written.
func (x *Index) beginImage() (cairn.UID, *projection.Projection, *projection.Snapshot) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s := x.state.Load(); s != nil {
		for uid, p := range s.projections {
			if snapshot := p.BeginImage(); snapshot != nil {
				return uid, p, snapshot
			}
		}
	}
	return 0, nil, nil
}

// writeImage makes an image's file, whole or not at all: it gets its name last.
func (x *Index) writeImage(name string, snapshot *projection.Snapshot) (err error) {
	folder := filepath.Join(x.dir, imagesFolder)
	if err := x.options.Disk.MakeDir(durable.Directory, folder, 0o700); err != nil {
		return err
	}
	path := filepath.Join(folder, name)
	file, err := os.OpenFile(path+unfinishedTag, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(path+unfinishedTag))
		}
	}()
	out := bufio.NewWriterSize(paced{interruptible{file, x}, new(pace.Pacer)}, pacedBytes)
	err = snapshot.WriteImage(out)
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = x.options.Disk.Sync(durable.Image, file)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return x.options.Disk.Publish(durable.Image, path+unfinishedTag, path)
}

// interruptible is a file that is not gone on with after an Interrupt.
type interruptible struct {
	*os.File
	x *Index
}

func (f interruptible) Write(data []byte) (int, error) {
	if f.x.interrupted.Load() {
		return 0, errClosed
	}
	return f.File.Write(data)
}

// paced is a file that is written with rests.
type paced struct {
	interruptible
	*pace.Pacer
}

// pacedBytes is how much is written between looks whether a rest is due.
const pacedBytes = 64 << 10

func (f paced) Write(data []byte) (int, error) {
	f.Look()
	return f.interruptible.Write(data)
}

func (f interruptible) Read(data []byte) (int, error) {
	if f.x.interrupted.Load() {
		return 0, errClosed
	}
	return f.File.Read(data)
}

// removeImages removes every file that neither the last checkpoint names, nor
// one that is being written, nor the next one.
func (x *Index) removeImages() error {
	named := make(map[string]bool)
	x.mu.Lock()
	s := x.state.Load()
	for _, image := range x.savedImages {
		named[image.Name] = true
	}
	if x.running != nil {
		for _, image := range x.running.images {
			named[image.Name] = true
		}
	}
	if s != nil {
		for _, p := range s.projections {
			named[p.Image().Name] = true
		}
	}
	x.mu.Unlock()
	if s == nil {
		return nil
	}
	folder := filepath.Join(x.dir, imagesFolder)
	files, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, file := range files {
		ours := strings.HasSuffix(strings.TrimSuffix(file.Name(), unfinishedTag), imageSuffix)
		if ours && !named[file.Name()] {
			err = errors.Join(err, os.Remove(filepath.Join(folder, file.Name())))
		}
	}
	if err != nil {
		return storageError("remove old images of views", err)
	}
	return nil
}

// openImage is an image's file. It must be closed.
func (x *Index) openImage(name string) (io.ReadCloser, error) {
	file, err := os.Open(filepath.Join(x.dir, imagesFolder, filepath.Base(name)))
	if err != nil {
		return nil, corrupt("IMAGE_MISSING", "the image of the views: %w", err)
	}
	return interruptible{file, x}, nil
}

// images writes which images there are as of a checkpoint.
func (w *checkpointWriter) images(c *Checkpoint) error {
	if err := w.tx.DeleteBucket(bucketImages); err != nil {
		return err
	}
	bucket, err := w.tx.CreateBucket(bucketImages)
	if err != nil {
		return err
	}
	for _, uid := range sortedUIDs(c.images) {
		value, err := appendBitmap(appendBytes(nil, []byte(c.images[uid].Name)), c.images[uid].Dirty)
		if err != nil {
			return err
		}
		key := uidKey(uid)
		if err := bucket.Put(key[:], seal(value)); err != nil {
			return err
		}
	}
	return nil
}

// loadImages reads what images wrote.
func loadImages(tx *bbolt.Tx) (map[cairn.UID]projection.Image, error) {
	out := make(map[cairn.UID]projection.Image)
	return out, tx.Bucket(bucketImages).ForEach(func(key, sealed []byte) error {
		value, ok := unseal(sealed)
		d := decoder{rest: value}
		image := projection.Image{Name: string(d.bytes())}
		if ok && d.ok() {
			image.Dirty, ok = decodeBitmap(bytes.Clone(d.rest))
		}
		if !ok || !d.ok() || len(key) != 8 {
			return corrupt("IMAGES_DAMAGED", "which images of views there are, under %x, is not what was written", key)
		}
		out[cairn.UID(binary.BigEndian.Uint64(key))] = image
		return nil
	})
}

// imagesOf are the images of projections. x.mu is held.
func imagesOf(projections map[cairn.UID]*projection.Projection) map[cairn.UID]projection.Image {
	out := make(map[cairn.UID]projection.Image)
	for uid, p := range projections {
		if image := p.Image(); image.Name != "" {
			out[uid] = image
		}
	}
	return out
}

// dirtyOf are the ordinals whose entries are newer than an image. x.mu is not
// held.
func (x *Index) dirtyOf(p *projection.Projection) *roaring.Bitmap {
	x.mu.Lock()
	defer x.mu.Unlock()
	return p.Image().Dirty
}
