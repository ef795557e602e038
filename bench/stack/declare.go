package stack

import (
	"context"
	"errors"
	"fmt"
	"time"

	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

// declare declares views over the keyspace at an administrator's address, and
// waits until they serve.
func declare(ctx context.Context, admin string, views []*cairnv1.View) (err error) {
	resources := make([]*cairnv1.Resource, len(views))
	for i, view := range views {
		view.Keyspace = "keyspaces/" + Keyspace
		resources[i] = &cairnv1.Resource{Resource: &cairnv1.Resource_View{View: view}}
	}
	if err := apply(ctx, admin, resources...); err != nil {
		return err
	}
	c, err := client.Dial(admin, client.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for _, view := range views {
		if err := serves(ctx, c, view.GetName()); err != nil {
			return err
		}
	}
	return nil
}

// serves waits until a view does.
func serves(ctx context.Context, c *client.Client, name string) error {
	for {
		view, err := c.Admin().GetView(ctx, &cairnv1.GetViewRequest{Name: name})
		if err != nil {
			return fmt.Errorf("wait for %s: %w", name, err)
		}
		if view.GetState() == cairnv1.View_SERVING {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
