package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
)

// fleetOf are routers of one fleet over two indexes, each a process of its own.
type fleetOf struct {
	*caller // of the first
	callers []*caller
	routers []*process
	at      []Addresses
	indexes []*process
}

func startFleet(t *testing.T, routers int) *fleetOf {
	t.Helper()
	f := new(fleetOf)
	etcd, _ := etcdForTest(t, t.TempDir(), anyPort)
	resources := []*cairnv1.Resource{orders()}
	for _, name := range []string{"north", "south"} {
		index := child{Kind: "index", Cluster: name, Data: t.TempDir(), Etcd: []string{etcd}, Listen: freeAddress(t)}
		f.indexes = append(f.indexes, start(t, index))
		resources = append(resources, cluster(name, index.Listen))
	}
	for range routers {
		f.routers = append(f.routers, start(t, child{Kind: "router", Etcd: []string{etcd}, Fleet: anyPort}))
	}
	for _, router := range f.routers {
		at := router.ready()
		f.at, f.callers = append(f.at, at), append(f.callers, call(t, at.Listen))
	}
	f.caller = f.callers[0]
	f.apply(resources...)
	for _, index := range f.indexes {
		index.ready()
	}
	return f
}

// sum is a metric over some routers.
func (f *fleetOf) sum(metric *regexp.Regexp, routers ...int) (sum int) {
	f.t.Helper()
	for _, i := range routers {
		sum += sumOf(f.t, metric, f.at[i])
	}
	return sum
}

// sumOf is a metric over all that one router has of it.
func sumOf(t *testing.T, metric *regexp.Regexp, router Addresses) (sum int) {
	t.Helper()
	_, page := getPage(t, "http://"+router.HTTP+"/metrics")
	for _, line := range metric.FindAllStringSubmatch(page, -1) {
		n, err := strconv.Atoi(line[1])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

var (
	fleetRouters   = regexp.MustCompile(`(?m)^cairn_fleet_routers (\d+)$`)
	askedOfIndexes = regexp.MustCompile(`(?m)^cairn_view_questions_total\{.*source="index".*\} (\d+)$`)
	askedOfRouters = regexp.MustCompile(`(?m)^cairn_view_questions_total\{.*source="fleet".*\} (\d+)$`)
)

// TestAFleetAsksEachIndexOnce has a crowd ask the same of three routers at once, and
// goes on when one of them is killed.
func TestAFleetAsksEachIndexOnce(t *testing.T) {
	f := startFleet(t, 3)
	f.mustWrite(0, 1000)
	f.apply(ordersByAmount())
	f.expectView()
	for i := range f.routers {
		eventually(t, "all routers know each other", func() bool { return f.sum(fleetRouters, i) == 3 })
	}
	// ask counts what is at least an amount, of one state: what comes late is kept.
	var token string
	ask := func(ctx context.Context, router, amount int) error {
		request := &cairnv1.CountRequest{Selection: &cairnv1.Selection{View: "views/by-amount", Where: fmt.Sprintf("amount >= %d", amount), Pinned: true}}
		if token != "" {
			request.Selection.Freshness = &cairnv1.Freshness{Level: &cairnv1.Freshness_AtLeast{AtLeast: token}}
		}
		counted, err := f.callers[router].views.Count(ctx, request)
		if err != nil {
			return err
		}
		if want := uint64(1000 - amount); counted.Count != want {
			return fmt.Errorf("%d orders of at least %d; want %d", counted.Count, amount, want)
		}
		if token == "" {
			token = counted.Token // of all indexes; nobody writes any more
		}
		return nil
	}
	// Indexes may still have to note that the view serves, by which their logs go on: an
	// answer of then is not of the state that the token names, and is not kept for it.
	same := 0
	eventually(t, "the indexes' logs stay where they are", func() bool {
		last := token
		token = ""
		if err := ask(f.context(), 0, 0); err != nil {
			t.Fatal(err)
		}
		if same++; token != last {
			same = 0
		}
		return same == 20
	})
	for i := range f.routers {
		if err := ask(f.context(), i, i); err != nil {
			t.Fatal(err)
		}
	}

	crowd, whole := 100, os.Getenv("CAIRN_CROWD")
	if whole != "" {
		var err error
		if crowd, err = strconv.Atoi(whole); err != nil {
			t.Fatal(err)
		}
	}
	before, heard := f.sum(askedOfIndexes, 0, 1, 2), f.sum(askedOfRouters, 0, 1, 2)
	var all sync.WaitGroup
	ctx := f.context()
	for i := range crowd {
		all.Go(func() {
			if err := ask(ctx, i%3, 500); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if asked, heard := f.sum(askedOfIndexes, 0, 1, 2)-before, f.sum(askedOfRouters, 0, 1, 2)-heard; asked != 2 || heard == 0 {
		t.Errorf("%d questions put to two indexes, %d heard from other routers", asked, heard)
	}

	f.routers[2].kill()
	for amount := range 40 {
		if err := ask(f.context(), amount%2, 600+amount); err != nil {
			t.Error(err)
		}
	}
	if whole != "" { // it takes the lease's time
		for i := range 2 {
			eventually(t, "who has gone is no member", func() bool { return f.sum(fleetRouters, i) == 2 })
		}
	}
	f.routers[0].terminate(syscall.SIGTERM)
	f.routers[1].terminate(syscall.SIGTERM)
}

// TestFleetAddressesThatNobodyReachesAreRefused asks for listeners that would be of no use.
func TestFleetAddressesThatNobodyReachesAreRefused(t *testing.T) {
	for reason, config := range map[string]RouterConfig{
		"LISTENER_INSECURE": {Fleet: "0.0.0.0:0"},
		"FLEET_UNSPECIFIED": {Fleet: "0.0.0.0:0", Common: Common{Insecure: true}},
		"LISTEN_MALFORMED":  {Fleet: "nowhere"},
	} {
		config.Listen, config.Etcd = anyPort, []string{"http://127.0.0.1:1"}
		err := RunRouter(t.Context(), config)
		if failure := (*cairn.Error)(nil); !errors.As(err, &failure) || failure.Reason != reason || failure.Field != "fleet" {
			t.Errorf("%s: %v", reason, err)
		}
	}
}
