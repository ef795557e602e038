package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"cairn"
	"cairn/cmd/cairn/render"
	"cairn/cmd/cairn/scrape"
	"cairn/cmd/daemon"
)

// top shows what servers do.
type top struct {
	*options
	every  time.Duration
	count  int
	client *http.Client
	scheme string // of the servers' metrics
	// servers are in the order in which they were named.
	servers []*topServer
}

// topServer is one server, and what it said at the last look.
type topServer struct {
	address string
	last    scrape.Sample
	looked  bool
	err     error // of the last look
}

func newTop(o *options) *cobra.Command {
	t := &top{options: o}
	cmd := &cobra.Command{
		Use:   "top [ADDRESS...]",
		Short: "Watch what routers and indexes do",
		Long: `Watch what routers and indexes do: how many requests they answer, of which
keyspaces, how fast, and how many fail; how many locates caches answered, where routers
have one; how often indexes had to be asked again;
what each index holds, and how much of it is in no checkpoint yet.

ADDRESSes are those that servers serve metrics at (their --http); of several routers
the figures are added up. A server that does not answer is said to, and asked again.
Quantiles are estimated from the buckets of the metrics.`,
		Example: `  cairn top
  cairn top router-1:7601 router-2:7601 north-1:7712 --every 10s
  cairn top --count 1 -o json`,
		Args: arguments(0, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if t.every < 100*time.Millisecond {
				return cairn.Invalid("--every", "EVERY_TOO_SHORT", "%s; look at most every 100ms", t.every)
			}
			if t.count < 0 {
				return cairn.Invalid("--count", "COUNT_NEGATIVE", "%d; 0 goes on until it is interrupted", t.count)
			}
			if len(args) == 0 {
				args = []string{daemon.DefaultHTTP}
			}
			if err := t.secure(); err != nil {
				return err
			}
			for _, address := range args {
				t.servers = append(t.servers, &topServer{address: address})
			}
			return t.run(cmd)
		},
	}
	tlsFlags(cmd, &t.tls)
	cmd.Flags().DurationVar(&t.every, "every", 2*time.Second, "how often to look")
	cmd.Flags().IntVar(&t.count, "count", 0, "end after so many looks; 0 goes on until it is interrupted")
	return cmd
}

// secure makes the client that looks.
func (t *top) secure() error {
	transport, err := openTLS(t.tls)
	t.client, t.scheme = http.DefaultClient, "http"
	if config := transport.Client(); config != nil {
		t.client, t.scheme = &http.Client{Transport: &http.Transport{TLSClientConfig: config}}, "https"
	}
	return err
}

func (t *top) run(cmd *cobra.Command) error {
	ctx := cmd.Context()
	if t.look(ctx); t.silent() {
		return t.servers[0].err
	}
	for n := 1; ; n++ {
		sleep(ctx, t.every)
		a := t.look(ctx)
		select {
		case <-ctx.Done():
			return nil // by who watches
		default:
		}
		if err := t.show(cmd, a); err != nil || n == t.count {
			return err
		}
	}
}

// silent tells that no server answers.
func (t *top) silent() bool {
	for _, s := range t.servers {
		if s.err == nil {
			return false
		}
	}
	return true
}

// look looks at every server, and returns what has happened since the last time.
func (t *top) look(ctx context.Context) activity {
	// A server that hangs is not waited for longer than the others' figures are new.
	ctx, cancel := context.WithTimeout(ctx, max(t.every, time.Second))
	defer cancel()
	samples := make([]scrape.Sample, len(t.servers))
	var group errgroup.Group
	for i, s := range t.servers {
		group.Go(func() error {
			samples[i], s.err = scrape.Get(ctx, t.client, scrape.URL(t.scheme, s.address))
			return nil // each server's is its own
		})
	}
	_ = group.Wait() // see above
	a := activity{at: time.Now(), span: make(map[string]scrape.Span)}
	for i, s := range t.servers {
		if s.err != nil {
			a.silent = append(a.silent, s)
			continue
		}
		if s.looked {
			a.servers = append(a.servers, s.address)
			a.span[s.address] = scrape.Span{{Before: s.last, After: samples[i]}}
		}
		s.last, s.looked = samples[i], true
	}
	return a
}

func (t *top) show(cmd *cobra.Command, a activity) error {
	out := cmd.OutOrStdout()
	document := a.document()
	if t.output != render.Table {
		for _, s := range a.silent {
			note(cmd, "%s: %v", s.address, s.err)
		}
		return render.Line(out, t.output, document)
	}
	var screen bytes.Buffer
	if err := document.table(&screen); err != nil {
		return err
	}
	return redraw(out, screen.String())
}

// reason is an error without what is said of every one of its kind.
func reason(err error) string {
	var e *cairn.Error
	if errors.As(err, &e) && e.Err != nil {
		return e.Err.Error()
	}
	return fmt.Sprint(err)
}
