package nodeindex

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"cairn"
	"cairn/nodeindex/projection"

	"github.com/RoaringBitmap/roaring/v2"
)

// images checks the images of views that the file names, which stand beside it.
// One that is not there is no problem: a copy of the file need not have it, and
// the views are made of the entries then.
func (c *checker) images() error {
	for _, uid := range sortedUIDs(c.image.images) {
		image, k := c.image.images[uid], c.image.assignment.keyspaces[uid]
		if k == nil || image.Name == "" {
			continue
		}
		path := filepath.Join(filepath.Dir(c.Path), imagesFolder, filepath.Base(image.Name))
		entries, err := readImage(path, k)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			c.ImagesMissing++
			continue
		case cairn.ReasonOf(err) == "IMAGE_SCHEMA":
			continue // of other attributes than there are now: it is not used
		case cairn.KindOf(err) == cairn.KindCorrupt:
			c.imageProblem("%s: %v", path, err)
			continue
		case err != nil:
			return err
		}
		c.Images++
		// Who has not changed since was there then. Others may have left.
		if lost := roaring.AndNot(roaring.AndNot(k.ordinals(), image.Dirty), entries); !lost.IsEmpty() {
			c.imageProblem("%s: %d entries of keyspace %s are not in it, and have not changed since", path, lost.GetCardinality(), k.Name)
		}
	}
	return nil
}

// imageProblem notes what is wrong with an image.
func (c *checker) imageProblem(format string, args ...any) {
	c.problem(format, args...)
	c.imageProblems++
}

// readImage is the ordinals of the entries in an image, all of which is read.
func readImage(path string, k *keyspace) (entries *roaring.Bitmap, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return projection.ReadImage(file, k.Schema, k.views)
}

// ordinals are those of all of the keyspace's entries.
func (k *keyspace) ordinals() *roaring.Bitmap {
	var all []*roaring.Bitmap
	for _, p := range k.populations() {
		all = append(all, p.ordinals)
	}
	return roaring.FastOr(all...)
}
