package daemon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"cairn"
	"cairn/proto/rpcerr"
)

func dialEdge(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func getPage(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// silent is a service without methods' bodies: enough to be listed.
type silent struct {
	grpc_health_v1.UnimplementedHealthServer
}

func silentServices() (*grpc.Server, error) {
	server := newGRPCServer()
	description := grpc_health_v1.Health_ServiceDesc
	description.ServiceName = "cairn.test.Silent"
	server.RegisterService(&description, silent{})
	return server, nil
}

func openTestEdge(t *testing.T) (*edge, *bytes.Buffer) {
	t.Helper()
	var stdout bytes.Buffer
	common := Common{Listen: "127.0.0.1:0", HTTP: "127.0.0.1:0", Stdout: &stdout}
	common.prepare()
	e, err := openEdge(common, newMetrics(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return e, &stdout
}

func TestEdgeSaysWhatItWaitsFor(t *testing.T) {
	e, stdout := openTestEdge(t)
	defer e.close()
	e.refuse()
	e.waitFor("etcd at http://127.0.0.1:1")
	public, admin := e.address(), e.adminAt.Addr().String()

	for _, address := range []string{public, admin} {
		err := dialEdge(t, address).Invoke(t.Context(), "/cairn.v1.Locator/Locate", &grpc_health_v1.HealthCheckRequest{}, &grpc_health_v1.HealthCheckResponse{})
		got := rpcerr.FromError(err)
		if status.Code(err) != codes.Unavailable || got.Reason != "NOT_READY" || !strings.Contains(got.Error(), "etcd at http://127.0.0.1:1") {
			t.Errorf("a call: %v; want UNAVAILABLE, NOT_READY and what it waits for", err)
		}
		health, err := grpc_health_v1.NewHealthClient(dialEdge(t, address)).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		if err != nil || health.Status != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
			t.Errorf("health: %v, %v; want NOT_SERVING", health, err)
		}
	}
	if code, body := getPage(t, "http://"+admin+"/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "etcd at") {
		t.Errorf("/readyz: %d %q; want 503 and what it waits for", code, body)
	}
	if code, _ := getPage(t, "http://"+admin+"/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d; want 200", code)
	}
	if stdout.Len() > 0 {
		t.Errorf("it printed %q before it serves", stdout)
	}
}

func TestEdgeServes(t *testing.T) {
	e, stdout := openTestEdge(t)
	public, admin := e.address(), e.adminAt.Addr().String()
	// A client that called before has its connection ended and comes back.
	e.refuse()
	early := grpc_health_v1.NewHealthClient(dialEdge(t, public))
	if _, err := early.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := e.serve(silentServices, nil, "http://127.0.0.1:9"); err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"", "cairn.test.Silent"} {
		health, err := early.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service}, grpc.WaitForReady(true))
		if err != nil || health.Status != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("health of %q: %v, %v; want SERVING", service, health, err)
		}
	}
	if want := "ready listen=" + public + " http=" + admin + " etcd=http://127.0.0.1:9\n"; stdout.String() != want {
		t.Errorf("it printed %q; want %q", stdout, want)
	}
	for page, want := range map[string]string{
		"/readyz": "ok", "/healthz": "ok", "/metrics": "go_goroutines", "/debug/pprof/": "goroutine", "/": "/metrics",
	} {
		if code, body := getPage(t, "http://"+admin+page); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, %.100q; want 200 and %q", page, code, body, want)
		}
	}
	begin := time.Now()
	e.close()
	if took := time.Since(begin); took > 2*farewell {
		t.Errorf("it took %v to close", took)
	}
	if _, err := early.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("after the end: %v; want UNAVAILABLE", err)
	}
}

func TestEdgeHoldsConnectionsUntilItServes(t *testing.T) {
	e, _ := openTestEdge(t)
	defer e.close()
	answer := make(chan error, 1)
	client := grpc_health_v1.NewHealthClient(dialEdge(t, e.address()))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		_, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		answer <- err
	}()
	select {
	case err := <-answer:
		t.Fatalf("a call was answered (%v) before the edge served", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := e.serve(silentServices, nil, ""); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; err != nil {
		t.Errorf("a call from before: %v", err)
	}
}

func TestReflectionIsOnTheAdminListenerOnly(t *testing.T) {
	e, _ := openTestEdge(t)
	defer e.close()
	if err := e.serve(silentServices, nil, ""); err != nil {
		t.Fatal(err)
	}
	list := func(address string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		stream, err := grpc_reflection_v1.NewServerReflectionClient(dialEdge(t, address)).ServerReflectionInfo(ctx)
		if err != nil {
			return "", err
		}
		err = stream.Send(&grpc_reflection_v1.ServerReflectionRequest{
			MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{ListServices: "*"},
		})
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		answer, err := stream.Recv()
		return answer.String(), err
	}
	services, err := list(e.adminAt.Addr().String())
	if err != nil || !strings.Contains(services, "cairn.test.Silent") {
		t.Errorf("on the admin listener: %s, %v; want the service listed", services, err)
	}
	if services, err := list(e.address()); status.Code(err) != codes.Unimplemented {
		t.Errorf("on the public listener: %s, %v; want UNIMPLEMENTED", services, err)
	}
}

func TestEdgeCutsStreamsThatStay(t *testing.T) {
	e, _ := openTestEdge(t)
	if err := e.serve(silentServices, nil, ""); err != nil {
		t.Fatal(err)
	}
	stream, err := grpc_health_v1.NewHealthClient(dialEdge(t, e.address())).Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	e.close()
	if took := time.Since(begin); took > 2*farewell {
		t.Errorf("it took %v to close", took)
	}
}

func TestOpenEdgeGivesTheListenerBack(t *testing.T) {
	taken, err := listen("listen", "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	common := Common{Listen: "127.0.0.1:0", HTTP: taken.Addr().String()}
	common.prepare()
	if _, err := openEdge(common, newMetrics(), nil); cairn.ReasonOf(err) != "ADDRESS_IN_USE" {
		t.Errorf("%v; want ADDRESS_IN_USE", err)
	}
}
