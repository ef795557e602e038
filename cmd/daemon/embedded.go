package daemon

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"

	"cairn"
)

// etcdCloseTimeout bounds how long an embedded etcd waits for others' streams
// (someone's etcdctl watch) when it ends. Its data needs no farewell: every
// acknowledged write is on disk.
const etcdCloseTimeout = time.Second

// etcdStartTimeout is how long an embedded etcd may take to lead itself: an
// election takes a second, replaying a large log more.
const etcdStartTimeout = 30 * time.Second

// etcdLogLimit is the size above which a log is set aside at the next start.
const etcdLogLimit = 16 << 20

// embeddedEtcd is a whole etcd in this process.
type embeddedEtcd struct {
	server *embed.Etcd
	calls  <-chan *grpc.Server // gets the server that answers clients
	log    *os.File
	// URL is where clients reach it: loopback, a port of its own.
	URL string
}

// startEtcd starts an etcd whose data is under dir and whose log goes to
// dir/etcd.log, and waits until it serves at address, which is to be on the
// loopback interface; port 0 takes a free one. Being the only member it opens
// no peer port.
//
// It returns KindUnavailable, with the log's name, when etcd does not come
// up, and ctx's error when that ends first.
func startEtcd(ctx context.Context, dir, address string) (*embeddedEtcd, error) {
	logPath := filepath.Join(dir, "etcd.log")
	logFile, err := openEtcdLog(logPath)
	if err != nil {
		return nil, err
	}
	failed := func(err error) error {
		logFile.Close()
		return &cairn.Error{Op: "start etcd", Kind: cairn.KindUnavailable, Reason: "ETCD_NOT_STARTED", Err: fmt.Errorf("%w; %s says more", err, logPath)}
	}
	config := etcdConfig(filepath.Join(dir, "etcd"), address, logFile)
	calls := make(chan *grpc.Server, 1) // there is one client URL
	config.ServiceRegister = func(server *grpc.Server) { calls <- server }
	server, err := embed.StartEtcd(config)
	if err != nil {
		return nil, failed(err)
	}
	e := &embeddedEtcd{server: server, log: logFile, URL: "http://" + server.Clients[0].Addr().String(), calls: calls}
	select {
	case <-server.Server.ReadyNotify():
		return e, nil
	case <-ctx.Done():
		e.close()
		return nil, context.Cause(ctx)
	case err := <-server.Err():
		e.close()
		return nil, failed(err)
	case <-time.After(etcdStartTimeout):
		e.close()
		return nil, failed(fmt.Errorf("it did not serve within %v", etcdStartTimeout))
	}
}

func etcdConfig(dir, address string, log *os.File) *embed.Config {
	config := embed.NewConfig()
	config.Name = "cairn"
	config.Dir = dir

	// Names are checked because a web page could otherwise reach the port
	// through a name of its own that resolves to loopback.
	config.ListenClientUrls = []url.URL{{Scheme: "http", Host: address}}
	config.AdvertiseClientUrls = config.ListenClientUrls
	config.HostWhitelist = map[string]struct{}{"127.0.0.1": {}, "localhost": {}}
	// A single member has nobody to listen to; the address is its name in the
	// member list.
	config.ListenPeerUrls = nil
	config.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:2380"}}
	config.InitialCluster = config.InitialClusterFromName(config.Name)

	// Watchers reload after a compaction, so little history is needed.
	config.AutoCompactionMode = embed.CompactorModeRevision
	config.AutoCompactionRetention = "10000"
	config.EnablePprof = false
	config.EnableGRPCGateway = false
	// The default of a hundred suits networks between members; a slow disk
	// is reason enough to be patient with oneself.
	config.WarningApplyDuration = time.Second

	encoder := zap.NewProductionEncoderConfig()
	encoder.EncodeTime = zapcore.ISO8601TimeEncoder
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.New(zapcore.NewCore(
		zapcore.NewJSONEncoder(encoder), zapcore.AddSync(log), zapcore.InfoLevel)))
	return config
}

func openEtcdLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > etcdLogLimit {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("set the log of etcd aside: %w", err)
		}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of etcd: %w", err)
	}
	return file, nil
}

// Failed delivers an error if etcd ends by itself.
func (e *embeddedEtcd) Failed() <-chan error { return e.server.Err() }

// close ends etcd, and with it the streams of clients that did not go away
// in time: left alone, etcd would wait for them for seven seconds.
func (e *embeddedEtcd) close() {
	cut := time.AfterFunc(etcdCloseTimeout, func() {
		select {
		case server := <-e.calls:
			server.Stop()
		default: // it never came to serve
		}
	})
	defer cut.Stop()
	e.server.Close()
	e.log.Close()
}
