package cairn

import (
	"bytes"
	"slices"
	"testing"
)

func TestPiecesOfAnExport(t *testing.T) {
	bitmap := bytes.Repeat([]byte("0123456789abcde"), 50_000) // 750,000 bytes
	var keys []Key
	for i := range 25_000 {
		keys = append(keys, bytes.Repeat([]byte{byte(i)}, 1+i%30))
	}
	for i := range 600 {
		keys = append(keys, bytes.Repeat([]byte{byte(i)}, MaxKeyLength))
	}
	answer := Answer{Revision: 3, Index: 9}
	for name, whole := range map[string]ExportPiece{
		"bitmap and keys": {Answer: answer, Bitmap: bitmap, Keys: keys},
		"keys alone":      {Answer: answer, Keys: keys},
		"bitmap alone":    {Answer: answer, Bitmap: bitmap},
		"nothing":         {Answer: answer},
		"small":           {Answer: answer, Bitmap: bitmap[:10], Keys: keys[:3]},
	} {
		var gotBitmap []byte
		var gotKeys []Key
		pieces := 0
		for piece := range whole.Split() {
			pieces++
			if len(piece.Bitmap) > 0 && len(gotKeys) > 0 {
				t.Errorf("%s: a bitmap after keys", name)
			}
			gotBitmap, gotKeys = append(gotBitmap, piece.Bitmap...), append(gotKeys, piece.Keys...)
			size := len(piece.Bitmap)
			for _, key := range piece.Keys {
				size += len(key)
			}
			if size > MaxPieceBytes || len(piece.Keys) > MaxBatch || piece.Answer != answer {
				t.Errorf("%s: a piece of %d bytes and %d keys, of %+v", name, size, len(piece.Keys), piece.Answer)
			}
		}
		if !bytes.Equal(gotBitmap, whole.Bitmap) || !slices.EqualFunc(gotKeys, whole.Keys, func(a, b Key) bool { return a.Compare(b) == 0 }) {
			t.Errorf("%s: %d bytes and %d keys came in pieces", name, len(gotBitmap), len(gotKeys))
		}
		if (name == "nothing" || name == "small") && pieces != 1 {
			t.Errorf("%s: %d pieces", name, pieces)
		}
	}
	for range (ExportPiece{Keys: keys}).Split() {
		break // it may be left early
	}
}
