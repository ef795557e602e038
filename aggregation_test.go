package cairn

import (
	"math"
	"testing"
)

func TestSumsAsText(t *testing.T) {
	for text, want := range map[string]IntSum{
		"0":                    {},
		"-1":                   {High: -1, Low: math.MaxUint64},
		"18446744073709551616": {High: 1},
		"-170141183460469231731687303715884105728": {High: math.MinInt64},
		"170141183460469231731687303715884105727":  {High: math.MaxInt64, Low: math.MaxUint64},
	} {
		got, err := ParseIntSum(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: %+v, %v, as text %s", text, got, err, got)
		}
	}
	for _, text := range []string{"", "x", "1.5", "170141183460469231731687303715884105728", "-170141183460469231731687303715884105729", "00000000000000000000000000000000000000000000000001"} {
		if got, err := ParseIntSum(text); ReasonOf(err) != "SUM_MALFORMED" {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}
