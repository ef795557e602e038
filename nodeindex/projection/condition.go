package projection

import (
	"sync"
	"time"

	"cairn"
	"cairn/views/filter"
)

// conditions are the last conditions that were asked for, compiled: parsing
// one costs more than most answers.
type conditions struct {
	mu     sync.Mutex
	schema *cairn.Schema // that they are of
	parsed map[string]*filter.Filter
}

// maxConditions is how many are kept. Beyond, all are dropped: whoever asks
// with ever new constants gains nothing from the old ones.
const maxConditions = 1024

func (c *conditions) get(schema *cairn.Schema, text string) *filter.Filter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.schema != schema {
		return nil
	}
	return c.parsed[text]
}

func (c *conditions) keep(schema *cairn.Schema, text string, f *filter.Filter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.schema != schema || len(c.parsed) >= maxConditions {
		c.schema, c.parsed = schema, map[string]*filter.Filter{}
	}
	c.parsed[text] = f
}

// condition is the request's condition, nil if it has none.
func (p *Projection) condition(schema *cairn.Schema, req *cairn.ViewRequest) (*filter.Filter, error) {
	if req.Where == "" {
		return nil, nil
	}
	if f := p.conditions.get(schema, req.Where); f != nil {
		return f, nil
	}
	f, err := filter.Parse(req.Where, schema, filter.Where, time.UnixMicro(req.Now))
	if err != nil {
		return nil, err
	}
	if !f.UsesNow() {
		p.conditions.keep(schema, req.Where, f)
	}
	return f, nil
}
