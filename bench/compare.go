package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"cairn/bench/report"
)

// compare says what has become of the findings of one report in another, and
// fails if one of them regressed.
func compare(out io.Writer, args []string) error {
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	ratios := flags.Bool("ratios", false, "compare ratios only: the two were made on different machines")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() != 2 {
		return errors.New("usage: bench compare [-ratios] BEFORE.json AFTER.json")
	}
	var records [2]*report.Record
	for i := range records {
		var err error
		if records[i], err = report.Load(flags.Arg(i)); err != nil {
			return err
		}
	}
	changes := report.Changes(records[0], records[1], *ratios)
	if len(changes) == 0 {
		return errors.New("the two have nothing in common")
	}
	regressed, err := report.WriteChanges(out, changes)
	if err == nil && regressed > 0 {
		err = fmt.Errorf("%d of %d findings are surely more than 5%% worse", regressed, len(changes))
	}
	return err
}
