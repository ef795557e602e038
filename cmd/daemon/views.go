package daemon

import (
	"context"
	"log/slog"
	"time"

	"cairn"
	"cairn/router/admin"
	"cairn/views/filter"
)

// checkFilter is admin.Config's: the router and its edges do not link CEL.
func checkFilter(expression string, schema *cairn.Schema) (attributes []cairn.AttributeID, canonical string, err error) {
	f, err := filter.Parse(expression, schema, filter.View, time.Time{})
	if err != nil {
		return nil, "", err
	}
	for _, a := range f.Attributes() {
		attributes = append(attributes, a.ID)
	}
	return attributes, f.String(), nil
}

// startFlipper has the versions of views serve that the indexes have built,
// until stop is called.
func startFlipper(store *mapStore, status admin.Status, log *slog.Logger) (stop func()) {
	flipper := admin.NewFlipper(admin.FlipperConfig{Store: store, Status: status, Events: flipEvents(log)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		flipper.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

func flipEvents(log *slog.Logger) admin.FlipEvents {
	return admin.FlipEvents{
		Flipped: func(view string, version, revision uint64) {
			log.Info("every cluster has built the view; it serves", "view", view, "version", version, "revision", revision)
		},
		Refused: func(view string, version uint64, cluster, reason string) {
			log.Warn("a cluster can't build the view", "view", view, "version", version, "cluster", cluster, "reason", reason)
		},
	}
}
