package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"cairn"
	cairnv1 "cairn/proto/cairn/v1"
	"cairn/router/client"
)

func newReplicasAdd(o *options) *cobra.Command {
	var replaced string
	var wait bool
	cmd := &cobra.Command{
		Use:   "add CLUSTER ADDRESS",
		Short: "Make a server another replica of a cluster's index",
		Long: `Name ADDRESS among the replicas of a cluster's index, and watch until the server
there has a copy and a vote. The server is started with 'cairn index --join',
before or after.

With --replace the list loses the address of a dead replica in the same step; it
goes when the new one counts. Ending this command ends the watching only.`,
		Example: `  cairn cluster replicas add north 10.0.0.4:7711
  cairn cluster replicas add north 10.0.0.4:7711 --replace 10.0.0.2:7711`,
		Args: arguments(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			address := args[1]
			return o.changingReplicas(cmd, args[0], wait, func(replicas []string) ([]string, error) {
				if replaced != "" {
					at := slices.Index(replicas, replaced)
					if at < 0 {
						return nil, undeclared(args[0], replaced)
					}
					replicas = slices.Delete(replicas, at, at+1)
				}
				if slices.Contains(replicas, address) {
					return replicas, nil
				}
				return append(replicas, address), nil
			})
		},
	}
	clientFlags(cmd, o)
	cmd.Flags().StringVar(&replaced, "replace", "", "`ADDRESS` of the replica whose place it takes")
	waitFlag(cmd, &wait)
	return cmd
}

func newReplicasRemove(o *options) *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use:   "remove CLUSTER ADDRESS",
		Short: "Take a replica out of a cluster's index",
		Long: `Take ADDRESS from the replicas of a cluster's index, and watch until the index
goes on without it. Its server can be stopped then.`,
		Example: "  cairn cluster replicas remove north 10.0.0.2:7711",
		Args:    arguments(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.changingReplicas(cmd, args[0], wait, func(replicas []string) ([]string, error) {
				at := slices.Index(replicas, args[1])
				switch {
				case at < 0:
					return nil, undeclared(args[0], args[1])
				case len(replicas) == 1:
					return nil, cairn.Errorf(cairn.KindPrecondition, "LAST_REPLICA", "%s is the only replica of the index of %s", args[1], args[0])
				}
				return slices.Delete(replicas, at, at+1), nil
			})
		},
	}
	clientFlags(cmd, o)
	waitFlag(cmd, &wait)
	return cmd
}

func waitFlag(cmd *cobra.Command, wait *bool) {
	cmd.Flags().BoolVar(wait, "wait", true, "watch until the index is as declared")
}

func undeclared(cluster, address string) error {
	return cairn.Errorf(cairn.KindNotFound, "REPLICA_NOT_FOUND",
		"%s is not among the index.replicas of %s; 'cairn cluster replicas list %s' shows them", address, cluster, cluster)
}

// changingReplicas changes the list of a cluster's index replicas, and nothing
// else of it, and watches what becomes of that.
func (o *options) changingReplicas(cmd *cobra.Command, cluster string, wait bool, change func([]string) ([]string, error)) error {
	c, err := o.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := o.within(cmd.Context())
	defer cancel()
	declared, err := c.Admin().GetCluster(ctx, &cairnv1.GetClusterRequest{Name: clusterName(cluster)})
	if err != nil {
		return err
	}
	if declared.IndexReplicas, err = change(declared.GetIndexReplicas()); err != nil {
		return err
	}
	request := &cairnv1.ApplyRequest{Resources: []*cairnv1.Resource{fromManifest(clusterSpec(declared))}, ValidateOnly: true}
	plan, err := c.Admin().Apply(ctx, request)
	if err != nil {
		return err
	}
	for _, field := range plan.GetChanges()[0].GetFields() {
		if field.GetField() != "index.replicas" {
			return cairn.Errorf(cairn.KindConflict, "CLUSTER_CHANGED", "cluster %s was changed meanwhile; try again", cluster)
		}
	}
	request.ValidateOnly, request.Plan = false, plan.GetPlan()
	if _, err := c.Admin().Apply(ctx, request); err != nil {
		return err
	}
	if wait {
		return o.awaitReplicas(cmd, c, cluster)
	}
	return nil
}

// replicasPause is how often the replicas are looked at while they change.
const replicasPause = 500 * time.Millisecond

// awaitReplicas watches until a cluster's index has exactly the replicas that
// are declared, all with a vote.
func (o *options) awaitReplicas(cmd *cobra.Command, c *client.Client, cluster string) error {
	said := ""
	for {
		ctx, cancel := o.within(cmd.Context())
		response, err := c.Admin().ListReplicas(ctx, &cairnv1.ListReplicasRequest{Parent: clusterName(cluster)})
		cancel()
		if err != nil {
			return err
		}
		waits := unsettled(response.GetReplicas())
		if waits == "" {
			return o.printReplicas(cmd, response.GetReplicas())
		}
		if waits != said {
			note(cmd, "%s", waits)
			said = waits
		}
		select {
		case <-time.After(replicasPause):
		case <-cmd.Context().Done():
			return errors.New("not watched any longer; the change goes on")
		}
	}
}

// unsettled says what is not as declared yet, nothing if all is.
func unsettled(replicas []*cairnv1.Replica) string {
	leads := false
	for _, r := range replicas {
		switch {
		case r.GetRole() == cairnv1.Replica_LEADER:
			leads = leads || r.GetDeclared()
		case r.GetDeclared() && r.GetRole() == cairnv1.Replica_WAITING && r.GetTrouble() != "":
			return fmt.Sprintf("nothing answers at %s; start it with 'cairn index --join'", r.GetAddress())
		case r.GetDeclared() && r.GetRole() == cairnv1.Replica_WAITING:
			return fmt.Sprintf("%s waits to be made part of the index", r.GetAddress())
		case r.GetDeclared() && r.GetRole() == cairnv1.Replica_LEARNER:
			return fmt.Sprintf("%s is catching up", r.GetAddress())
		}
	}
	for _, r := range replicas {
		if !r.GetDeclared() {
			return fmt.Sprintf("%s is still part of the index", r.GetAddress())
		}
	}
	if !leads {
		return "no replica leads at present"
	}
	return ""
}
