package projection

import (
	"testing"

	"cairn"
)

// TestDefineAgain parses a filter again only where the definitions or the schema
// are others, and tells of changed shards in any case.
func TestDefineAgain(t *testing.T) {
	o := newOwner(t, view(2, "size > 500"), view(1, ""))
	parsed := o.projection.wanted[1].filter
	if parsed == nil {
		t.Fatal("no filter")
	}
	fill := o.projection.fill
	o.projection.current.Store(true)
	same, err := cairn.NewSchema(o.schema.Attributes())
	if err != nil {
		t.Fatal(err)
	}
	o.projection.Define(same, []cairn.View{view(1, ""), view(2, "size > 500")})
	if o.projection.wanted[1].filter != parsed || o.projection.fill != fill {
		t.Error("the same definitions are parsed again")
	}
	if o.projection.current.Load() {
		t.Error("a snapshot from before a change of the map is taken for current")
	}
	o.projection.Define(same, []cairn.View{view(1, ""), view(2, "size > 501")})
	if o.projection.wanted[1].filter == parsed || o.projection.wanted[1].Filter != "size > 501" {
		t.Error("another filter is not taken")
	}
	parsed = o.projection.wanted[1].filter
	more, err := cairn.NewSchema(append([]cairn.AttributeSpec{{ID: 2, Name: "name", Type: cairn.TypeString}}, o.schema.Attributes()...))
	if err != nil {
		t.Fatal(err)
	}
	o.projection.Define(more, []cairn.View{view(1, ""), view(2, "size > 501")})
	if o.projection.wanted[1].filter == parsed || o.projection.fill == fill {
		t.Error("another schema is not taken")
	}
}
