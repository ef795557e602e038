package daemon

import (
	"context"
	"errors"
	"testing"

	"cairn"
)

func TestRunRefusesAnIncompleteConfig(t *testing.T) {
	common := Common{Listen: anyPort}
	etcd := []string{"http://127.0.0.1:2379"}
	for field, run := range map[string]func(context.Context) error{
		"listen": func(ctx context.Context) error { return RunRouter(ctx, RouterConfig{Etcd: etcd}) },
		"etcd":   func(ctx context.Context) error { return RunRouter(ctx, RouterConfig{Common: common}) },
		"cluster": func(ctx context.Context) error {
			return RunIndex(ctx, IndexConfig{Common: common, Etcd: etcd, Data: "x"})
		},
		"data": func(ctx context.Context) error { return RunDev(ctx, DevConfig{Common: common}) },
	} {
		err := run(t.Context())
		e, ok := errors.AsType[*cairn.Error](err)
		if !ok || e.Kind != cairn.KindInvalid || e.Field != field {
			t.Errorf("without %s: %v; want it refused by that field", field, err)
		}
	}
}

func TestRunIndexRefusesAnEmptyDataAndEtcd(t *testing.T) {
	common := Common{Listen: anyPort}
	for _, config := range []IndexConfig{
		{Common: common, Cluster: "north", Etcd: []string{"http://127.0.0.1:2379"}},
		{Common: common, Cluster: "north", Data: t.TempDir()},
		{Common: common, Cluster: "north", Data: t.TempDir(), Etcd: []string{" "}},
	} {
		if err := RunIndex(t.Context(), config); cairn.KindOf(err) != cairn.KindInvalid {
			t.Errorf("%+v: %v; want it refused", config, err)
		}
	}
}
