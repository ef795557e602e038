package scrape

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"cairn"
)

// mostBytes bounds what is read of a server.
const mostBytes = 64 << 20

// Sample is what a server has counted by a time.
type Sample struct {
	At       time.Time
	families map[string]*dto.MetricFamily
}

// Get looks at a server's metrics, at an address as in
// http://127.0.0.1:2113/metrics. KindUnavailable (METRICS_UNREACHABLE): it does not answer.
// KindInvalid (METRICS_MALFORMED): what it answers are no metrics.
func Get(ctx context.Context, client *http.Client, address string) (Sample, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Sample{}, cairn.Invalid("address", "ADDRESS_MALFORMED", "%q is no address of metrics: %v", address, err)
	}
	response, err := client.Do(request)
	if err != nil {
		var outer *url.Error
		if errors.As(err, &outer) {
			err = outer.Err // what it was about is known
		}
		return Sample{}, cairn.Errorf(cairn.KindUnavailable, "METRICS_UNREACHABLE", "nothing answers at %s: %w", address, err)
	}
	defer func() { _ = response.Body.Close() }() // it was read
	if response.StatusCode != http.StatusOK {
		return Sample{}, cairn.Invalid("address", "METRICS_MALFORMED", "%s answers %s", address, response.Status)
	}
	sample := Sample{At: time.Now()}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	if sample.families, err = parser.TextToMetricFamilies(io.LimitReader(response.Body, mostBytes)); err != nil {
		return Sample{}, cairn.Invalid("address", "METRICS_MALFORMED", "what %s answers are no metrics: %v", address, err)
	}
	return sample, nil
}

// URL is where the metrics of a server are that serves a scheme, http or https, at an
// address, as in 127.0.0.1:2113. One that says more than that is taken as it is.
func URL(scheme, address string) string {
	if strings.Contains(address, "://") {
		return address
	}
	return fmt.Sprintf("%s://%s/metrics", scheme, address)
}
