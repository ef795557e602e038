package cairn_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"cairn"
)

func TestKeyLength(t *testing.T) {
	for _, test := range []struct {
		length int
		reason string
	}{
		{0, "KEY_EMPTY"}, {1, ""}, {1024, ""}, {1025, "KEY_TOO_LONG"},
	} {
		err := cairn.Key(bytes.Repeat([]byte("k"), test.length)).Validate()
		if got := cairn.ReasonOf(err); got != test.reason {
			t.Errorf("a key of %d bytes: reason %q, want %q (%v)", test.length, got, test.reason, err)
		}
	}
}

func TestKeyAsText(t *testing.T) {
	for key, want := range map[string]string{
		"plain":         "plain",
		"Zürich 東京":     "Zürich 東京",
		`back\slash`:    `back\\slash`,
		"tab\tnul\x00":  `tab\x09nul\x00`,
		"\xff\xfe":      `\xff\xfe`,
		"no\u00a0break": `no\xc2\xa0break`,
		"\ufffd":        "\ufffd",
	} {
		if got := cairn.Key(key).String(); got != want {
			t.Errorf("%q is printed %s, want %s", key, got, want)
		}
	}
}

func TestKeyTextIsUnambiguous(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := cairn.Key(rapid.SliceOfN(rapid.SampledFrom([]byte("a\\x0f\xff\xc3\xa9")), 1, 8).Draw(t, "a"))
		b := cairn.Key(rapid.SliceOfN(rapid.SampledFrom([]byte("a\\x0f\xff\xc3\xa9")), 1, 8).Draw(t, "b"))
		if (a.String() == b.String()) != bytes.Equal(a, b) {
			t.Fatalf("%x and %x are printed %s and %s", []byte(a), []byte(b), a, b)
		}
	})
}
