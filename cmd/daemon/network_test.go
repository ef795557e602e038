package daemon

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// network lies between the processes of a test: a proxy stands before each
// server, and its address is the one that the others know. What one process
// sends to another can be kept back, in one direction or in both, and arrives
// when the network heals.
type network struct {
	t       *testing.T
	running sync.WaitGroup

	mu      sync.Mutex // guards what follows
	changed *sync.Cond // when cut or closed have
	cut     map[way]bool
	closed  bool
	pids    map[string]int
	open    map[net.Conn]bool
	proxies []net.Listener
}

// way is from one process to another, by name.
type way struct{ from, to string }

func newNetwork(t *testing.T) *network {
	n := &network{t: t, cut: map[way]bool{}, pids: map[string]int{}, open: map[net.Conn]bool{}}
	n.changed = sync.NewCond(&n.mu)
	t.Cleanup(n.close)
	return n
}

// before stands a proxy before a server and returns where.
func (n *network) before(name, server string) (address string) {
	n.t.Helper()
	listener, err := net.Listen("tcp", anyPort)
	if err != nil {
		n.t.Fatal(err)
	}
	n.mu.Lock()
	n.proxies = append(n.proxies, listener)
	n.mu.Unlock()
	n.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			n.running.Go(func() { n.join(conn, name, server) })
		}
	})
	return listener.Addr().String()
}

// runs says in which process a server or client runs.
func (n *network) runs(name string, p *process) {
	n.mu.Lock()
	n.pids[name] = p.cmd.Process.Pid
	n.mu.Unlock()
}

// cutOff has nothing that one sends arrive at the other.
func (n *network) cutOff(from, to string) {
	n.mu.Lock()
	n.cut[way{from, to}] = true
	n.mu.Unlock()
}

// heal lets everything through. With reset, what was cut is broken instead of
// delivered late.
func (n *network) heal(reset bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if reset && len(n.cut) > 0 {
		for conn := range n.open {
			conn.Close()
		}
	}
	clear(n.cut)
	n.changed.Broadcast()
}

func (n *network) close() {
	n.mu.Lock()
	n.closed = true
	for _, proxy := range n.proxies {
		proxy.Close()
	}
	for conn := range n.open {
		conn.Close()
	}
	n.changed.Broadcast()
	n.mu.Unlock()
	n.running.Wait()
}

// join carries one connection.
func (n *network) join(client net.Conn, to, server string) {
	defer n.forget(client)
	if !n.keep(client) {
		return
	}
	from := n.whose(client)
	behind, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer n.forget(behind)
	if !n.keep(behind) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { n.carry(way{from, to}, behind, client) })
	both.Go(func() { n.carry(way{to, from}, client, behind) })
	both.Wait()
}

func (n *network) keep(conn net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open[conn] = true
	return !n.closed
}

func (n *network) forget(conn net.Conn) {
	conn.Close()
	n.mu.Lock()
	delete(n.open, conn)
	n.mu.Unlock()
}

// carry carries what comes from one side to the other, its end included.
func (n *network) carry(w way, to, from net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		read, err := from.Read(buffer)
		n.awaitWay(w)
		if _, failed := to.Write(buffer[:read]); err == nil {
			err = failed
		}
		if errors.Is(err, io.EOF) {
			to.(*net.TCPConn).CloseWrite()
			return
		}
		if err != nil {
			to.Close()
			from.Close()
			return
		}
	}
}

// awaitWay waits until a way is not cut.
func (n *network) awaitWay(w way) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.cut[w] && !n.closed {
		n.changed.Wait()
	}
}

// whose is the process that has made a connection to this one, "" if it is none
// that was named, or has ended.
func (n *network) whose(conn net.Conn) string {
	port := conn.RemoteAddr().(*net.TCPAddr).Port
	socket := socketOf(port)
	if socket == "" {
		return ""
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, pid := range n.pids {
		open, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, path := range open {
			if target, err := os.Readlink(path); err == nil && target == socket {
				return name
			}
		}
	}
	return ""
}

// socketOf is the socket of a local port of a loopback connection, as in
// "socket:[4711]".
func socketOf(port int) string {
	file, err := os.Open("/proc/net/tcp")
	if err != nil {
		return ""
	}
	defer file.Close()
	local := fmt.Sprintf("0100007F:%04X", port)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 9 && fields[1] == local {
			return "socket:[" + fields[9] + "]"
		}
	}
	return ""
}
