package progress_test

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cairn/cmd/cairn/progress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLine(t *testing.T) {
	half := progress.State{Done: 50, Total: 100, Count: 24_092, Noun: "rows"}
	for _, test := range []struct {
		state   progress.State
		columns int
		want    string
	}{
		{half, 80, "[####################....................]  50%  24,092 rows, 12,046/s, 2s left"},
		{half, 48, "[####....]  50%  24,092 rows, 12,046/s, 2s left"},
		{half, 30, " 50%  24,092 rows, 12,046/s, 2"},
		{progress.State{Done: 100, Total: 100, Count: 3, Noun: "rows"}, 40, "[###################] 100%  3 rows, 1/s"},
		{progress.State{Count: 1000, Noun: "rows"}, 80, "1,000 rows, 500/s"},
		{progress.State{Total: 100, Noun: "rows"}, 40, "[...................]   0%  0 rows, 0/s"},
	} {
		if got := progress.Line(test.state, 2*time.Second, test.columns); got != test.want || len(got) > test.columns {
			t.Errorf("%d columns: %q", test.columns, got)
		}
	}
}

func TestShow(t *testing.T) {
	var out strings.Builder
	progress.Show(&out, 80, func() progress.State { return progress.State{} })()
	if got := out.String(); got != "\r\x1b[K" {
		t.Errorf("a bar that ends at once leaves %q", got)
	}
}
