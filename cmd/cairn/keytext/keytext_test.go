package keytext_test

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cairn"
	"cairn/cmd/cairn/keytext"
)

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		encoding keytext.Encoding
		text     string
		reason   string
	}{
		{keytext.UTF8, "", "KEY_EMPTY"},
		{keytext.UTF8, strings.Repeat("k", 1025), "KEY_TOO_LONG"},
		{keytext.UTF8, "\xff", "KEY_NOT_UTF8"},
		{keytext.Hex, "abc", "KEY_MALFORMED"},
		{keytext.Hex, "zz", "KEY_MALFORMED"},
		{keytext.Hex, "", "KEY_EMPTY"},
		{keytext.Base64, "a", "KEY_MALFORMED"},
		{keytext.Base64, "YR==", "KEY_MALFORMED"},
	} {
		_, err := test.encoding.Key(test.text)
		if cairn.KindOf(err) != cairn.KindInvalid || cairn.ReasonOf(err) != test.reason {
			t.Errorf("%s %.20q: %v, want reason %s", test.encoding, test.text, err, test.reason)
		}
	}
	var e keytext.Encoding
	if err := e.Set("rot13"); cairn.ReasonOf(err) != "KEY_ENCODING" {
		t.Errorf("an encoding that does not exist: %v", err)
	}
}

// Whatever the encoding, what is printed for programs reads back as the same
// key, and what is printed for people differs for different keys.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 1, 64).Draw(t, "key")
		other := rapid.SliceOfN(rapid.Byte(), 1, 64).Draw(t, "other")
		e := keytext.Encoding(rapid.IntRange(0, len(keytext.Names())-1).Draw(t, "encoding"))
		text, encoding := e.JSON(key)
		back, err := keytext.ParseJSON(text, encoding)
		if err != nil || !bytes.Equal(back, key) {
			t.Fatalf("%q became %q (%s), which reads as %q, %v", key, text, encoding, back, err)
		}
		if same := e.Text(key) == e.Text(other); same != bytes.Equal(key, other) {
			t.Fatalf("%q and %q both print as %q", key, other, e.Text(key))
		}
	})
}

func FuzzKey(f *testing.F) {
	f.Add(uint8(0), "north:17")
	f.Add(uint8(1), "00ff")
	f.Add(uint8(2), "AP8=")
	f.Fuzz(func(t *testing.T, encoding uint8, text string) {
		e := keytext.Encoding(encoding % uint8(len(keytext.Names())))
		key, err := e.Key(text)
		if err != nil {
			if cairn.KindOf(err) != cairn.KindInvalid {
				t.Fatalf("%s %q: %v is not of kind invalid", e, text, err)
			}
			return
		}
		if again, err := e.Key(e.Text(key)); e != keytext.UTF8 && (err != nil || !bytes.Equal(again, key)) {
			t.Fatalf("%s %q reads as %q, which prints as %q", e, text, key, e.Text(key))
		}
	})
}
