package projection

import (
	"bufio"
	"encoding/binary"
	"hash/crc32"
	"io"
	"sync"
	"time"

	"cairn"

	"github.com/RoaringBitmap/roaring/v2"
)

// Image is what a restart can begin with: an image that was written, by its
// name, and the ordinals of entries that have changed since.
type Image struct {
	Name  string
	Dirty *roaring.Bitmap
}

// imageState is the present image, and the one being written.
type imageState struct {
	Image
	// since are the ordinals that have changed since the one being written,
	// nil while none is.
	since *roaring.Bitmap
}

func (i *imageState) changed(ordinal uint32) {
	if i.Dirty != nil {
		i.Dirty.Add(ordinal)
	}
	if i.since != nil {
		i.since.Add(ordinal)
	}
}

// Restored tells which image there is at a start, before anything else is
// called.
func (p *Projection) Restored(image Image) { p.image.Image = image }

// Image is a copy of the present image; its Name is empty if there is none.
func (p *Projection) Image() Image {
	out := p.image.Image
	if out.Dirty != nil {
		out.Dirty = out.Dirty.Clone()
	}
	return out
}

// imageShare is which part of all entries must have changed for another image,
// so that what is written stays a multiple of what changes, and arrivalShare is that
// while a shard brings more all the time.
const (
	imageShare   = 8
	arrivalShare = 2
)

// BeginImage is a snapshot to write an image of, nil if none is due. EndImage
// or GiveUpImage must follow.
func (p *Projection) BeginImage() *Snapshot {
	if p.built == nil || p.fill != nil || p.image.since != nil || len(p.leaving) > 0 {
		return nil
	}
	s := p.snapshotLocked()
	entries, share := s.Held(), imageShare
	changed := entries
	if p.image.Dirty != nil {
		changed = int(p.image.Dirty.GetCardinality())
	}
	for _, gathers := range p.arriving {
		if gathers {
			share = arrivalShare
		}
	}
	if changed < p.config.ImageEntries || changed < entries/share {
		return nil
	}
	p.image.since = roaring.New()
	return s
}

// EndImage notes that the image is written, under a name. It is false if the
// image is of no use any more.
func (p *Projection) EndImage(name string) bool {
	if p.image.since == nil {
		return false
	}
	p.image = imageState{Image: Image{Name: name, Dirty: p.image.since}}
	return true
}

// GiveUpImage notes that the image could not be written.
func (p *Projection) GiveUpImage() { p.image.since = nil }

// forgetImage is for projections made out of entries, and for an image that
// can't be read: there is none now.
func (p *Projection) forgetImage() { p.image = imageState{} }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// WriteImage writes an image of the snapshot.
func (s *Snapshot) WriteImage(w io.Writer) error {
	out := binary.AppendUvarint(nil, uint64(len(s.lists)))
	for _, list := range s.lists {
		out = binary.AppendUvarint(out, uint64(len(list)))
		for _, node := range list {
			out = binary.AppendUvarint(out, uint64(node))
		}
	}
	head := binary.BigEndian.AppendUint64(nil, uint64(len(out)))
	head = binary.BigEndian.AppendUint32(head, crc32.Checksum(out, castagnoli))
	for _, part := range [][]byte{head, out} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return s.Save(w)
}

// ReadImage is the ordinals of the entries that an image has, which is read as a
// Fill would for a keyspace's schema and its versions of views, with errors as
// of views.Load.
func ReadImage(image io.Reader, schema *cairn.Schema, wanted []cairn.View) (*roaring.Bitmap, error) {
	p := New(Config{Lock: new(sync.Mutex), At: func() At { return At{} }, Now: time.Now})
	p.Define(schema, wanted)
	_, restored, err := p.fill.load(image)
	if err != nil {
		return nil, err
	}
	return restored.Entries(), nil
}

func imageBroken() error {
	return cairn.Errorf(cairn.KindCorrupt, "IMAGE_CORRUPT", "the lists of nodes are not what was written")
}

// maxImageLists bounds what is read before its checksum can be.
const maxImageLists = 1 << 30

// readLists reads what WriteImage writes before the projections.
func readLists(r *bufio.Reader) (*nodeLists, error) {
	var head [12]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, imageBroken()
	}
	size := binary.BigEndian.Uint64(head[:])
	if size > maxImageLists {
		return nil, imageBroken()
	}
	// Read as it comes: a size that is not true takes no memory.
	encoded, err := io.ReadAll(io.LimitReader(r, int64(size)))
	if err != nil || uint64(len(encoded)) != size || crc32.Checksum(encoded, castagnoli) != binary.BigEndian.Uint32(head[8:]) {
		return nil, imageBroken()
	}
	next := func() uint64 {
		value, n := binary.Uvarint(encoded)
		if n <= 0 {
			encoded, err = nil, imageBroken()
			return 0
		}
		encoded = encoded[n:]
		return value
	}
	lists := newNodeLists()
	for range next() {
		nodes := make([]cairn.NodeID, 0, 4)
		for range next() {
			nodes = append(nodes, cairn.NodeID(next()))
		}
		if err != nil {
			return nil, err
		}
		lists.code(nodes)
	}
	return lists, err
}
