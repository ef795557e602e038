package daemon

import (
	"context"
	"sync"

	"cairn/cmd/secure"
	"cairn/router/admin"
	"cairn/router/datamover"
	"cairn/router/move"
	"cairn/shardmap"
)

// dataMovers are the connections to the data movers that keyspaces name. There are few:
// each is kept until all are closed.
type dataMovers struct {
	transport *secure.Transport

	mu   sync.Mutex
	open map[string]*datamover.Client
}

// dial is move.Config.DialData.
func (d *dataMovers) dial(address string) (move.Data, func(), error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	client := d.open[address]
	if client == nil {
		var err error
		if client, err = datamover.Dial(address, d.transport.DialOption()); err != nil { // connects when it is first asked
			return nil, nil, err
		}
		if d.open == nil {
			d.open = map[string]*datamover.Client{}
		}
		d.open[address] = client
	}
	return client, func() {}, nil
}

// progress is admin.Config.DataProgress.
func (d *dataMovers) progress(ctx context.Context, m *shardmap.Map, record shardmap.Move) (admin.DataProgress, bool) {
	moving, found := move.DataMoveOf(m, record)
	if !found {
		return admin.DataProgress{}, false
	}
	address, _ := moving.Keyspace.DataMover()
	data, release, err := d.dial(address)
	if err != nil {
		return admin.DataProgress{}, false
	}
	defer release()
	p, err := data.Progress(ctx, moving)
	return admin.DataProgress{Values: p.Values, Bytes: p.Bytes, Left: p.Left, Complete: p.Complete}, err == nil
}

func (d *dataMovers) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, client := range d.open {
		client.Close() // there is nothing to be done about an error
	}
	d.open = nil
}
