package filter

import (
	"os"
	"strings"
	"testing"

	"cairn"
)

// FuzzParse gives Parse anything: it accepts or refuses as documented, and
// what it accepts has a canonical form that stays, and one truth.
func FuzzParse(f *testing.F) {
	for _, path := range []string{"testdata/refused.txt", "testdata/canonical.txt", "testdata/explained.txt"} {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(data), "\n-- ")
		for _, each := range strings.Split(rest, "\n-- ") {
			_, body, _ := strings.Cut(each, "\n")
			input, _, _ := strings.Cut(body, "\n>>")
			f.Add(input, strings.HasPrefix(each, "where"))
		}
	}
	schema := testSchema(f)
	attributes := entry{"length": cairn.Int(12), "lighted": cairn.Bool(true)}.encode(f, schema)
	f.Fuzz(func(t *testing.T, text string, where bool) {
		mode := View
		if where {
			mode = Where
		}
		parsed, err := Parse(text, schema, mode, noon)
		if err != nil {
			if cairn.KindOf(err) != cairn.KindInvalid || !messageForm.MatchString(err.Error()) || cairn.ReasonOf(err) == "" {
				t.Fatalf("refused with reason %q: %q", cairn.ReasonOf(err), err)
			}
			return
		}
		if parsed.Match(attributes) != (parsed.Truth(attributes) == True) {
			t.Fatalf("%s (%s) is %s", text, parsed, parsed.Truth(attributes))
		}
		if len(parsed.String()) > MaxLength {
			return // the canonical form of many strings can be longer
		}
		again, err := Parse(parsed.String(), schema, mode, noon)
		if err != nil || again.String() != parsed.String() {
			t.Fatalf("the canonical form of\n%s\nis\n%s\nand of that\n%s: %v", text, parsed, again, err)
		}
	})
}
