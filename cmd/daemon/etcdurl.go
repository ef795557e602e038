package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"cairn"
)

// reachTimeout bounds how long it takes to find out that an etcd can't be
// reached where nothing refuses the connection.
const reachTimeout = 2 * time.Second

// etcdAddress is where an etcd listens: http://host:port, https://host:port,
// unix:///path, or host:port alone. KindInvalid, ETCD_MALFORMED, for what is
// none of these.
func etcdAddress(endpoint string) (network, address string, err error) {
	scheme, rest, found := strings.Cut(endpoint, "://")
	switch {
	case !found:
		address = endpoint
	case scheme == "http", scheme == "https":
		var parsed *url.URL
		if parsed, err = url.Parse(endpoint); err == nil {
			address = parsed.Host
		}
	case (scheme == "unix" || scheme == "unixs") && rest != "":
		return "unix", rest, nil
	default:
		err = errors.New("the schemes are http, https and unix")
	}
	var port string
	if err == nil {
		_, port, err = net.SplitHostPort(address)
	}
	if err == nil {
		var number uint64
		if number, err = strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
			err = fmt.Errorf("%q is not a port", port)
		}
	}
	if err != nil {
		return "", "", cairn.Invalid("etcd", "ETCD_MALFORMED", "%q is not a URL of etcd (%w); one looks like http://127.0.0.1:2379", endpoint, err)
	}
	return "tcp", address, nil
}

func validateEtcd(urls []string) error {
	if len(urls) == 0 {
		return cairn.Invalid("etcd", "ETCD_MISSING", "no etcd named; one looks like http://127.0.0.1:2379")
	}
	for _, each := range urls {
		if _, _, err := etcdAddress(each); err != nil {
			return err
		}
	}
	return nil
}

// reachEtcd is why none of the URLs can be connected to; nil as soon as one
// can. What answers there need not be an etcd.
func reachEtcd(ctx context.Context, urls []string) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	failures := make([]error, len(urls))
	var group sync.WaitGroup
	for i, each := range urls {
		group.Go(func() {
			network, address, err := etcdAddress(each)
			var conn net.Conn
			if err == nil {
				conn, err = new(net.Dialer).DialContext(ctx, network, address)
			}
			if err != nil {
				failures[i] = err
				return
			}
			conn.Close()
			cancel() // one is enough
		})
	}
	group.Wait()
	for _, failure := range failures {
		if failure == nil {
			return nil
		}
	}
	return errors.Join(failures...)
}
