package filter_test

import (
	"fmt"
	"time"

	"cairn"
	"cairn/views/filter"
)

func Example() {
	schema, err := cairn.NewSchema([]cairn.AttributeSpec{
		{ID: 1, Name: "surface", Type: cairn.TypeString},
		{ID: 2, Name: "length_ft", Type: cairn.TypeInt},
		{ID: 3, Name: "lighted", Type: cairn.TypeBool},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := filter.Parse(`!(length_ft < 8000) && lighted && length_ft < 9e3`, schema, filter.View, time.Time{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f)

	attributes, err := cairn.NewAttributes([]cairn.Attribute{{ID: 2, Value: cairn.Int(8100)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.Match(attributes))
	fmt.Print(f.Explain(attributes))

	_, err = filter.Parse("lighted &&\n  lngth_ft > 5", schema, filter.View, time.Time{})
	fmt.Println(err)
	// Output:
	// length_ft >= 8000 && length_ft < 9000 && lighted
	// false
	// unknown
	//   1:24: lighted is unknown: lighted is absent
	// filter: 2:3: the keyspace has no attribute lngth_ft; did you mean length_ft?
}
