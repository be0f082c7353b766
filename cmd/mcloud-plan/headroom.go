package main

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mcloud/planner/capacity"
	"mcloud/planner/report"
)

func headroomCommand(o *options) *cobra.Command {
	var flavor, zone, policy string
	var maxPerHost int64
	var order bool
	c := &cobra.Command{
		Use:   "headroom",
		Short: "Say how many more servers of each flavor fit",
		Long: `Count the further servers of a flavor that Placement and Nova would accept one
after another, zone by zone: with allocation ratios, units, traits, aggregates,
and without disabled and down hosts. No reserve is kept back.

With --group all of them are members of one server group of that policy; --order
lists the hosts in the order in which Nova's default weighers fill them.`,
		Example: `  mcloud-plan headroom
  mcloud-plan headroom --flavor m1.large
  mcloud-plan headroom --flavor m1.large --zone az-a --output json
  mcloud-plan headroom --flavor m1.large --group anti-affinity
  mcloud-plan headroom --flavor m1.large --zone az-a --order`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if policy != "" || order {
				return placing(cmd, o, flavor, zone, policy, maxPerHost)
			}
			return question[[]capacity.Headroom]{
				path: "/api/v1/headroom", query: map[string]string{"flavor": flavor, "zone": zone},
				choices: []string{"table", "json", "csv"},
				formats: map[string]func(io.Writer, []capacity.Headroom) error{
					"csv":   report.WriteHeadroomCSV,
					"table": report.WriteHeadroomTable,
				},
			}.ask(cmd, o)
		},
	}
	c.Flags().StringVar(&flavor, "flavor", "", "name or id of a flavor (default: all)")
	c.Flags().StringVar(&zone, "zone", "", "only this availability zone (default: all)")
	c.Flags().StringVar(&policy, "group", "", "policy of a server group that all are in: "+strings.Join(capacity.Policies, ", "))
	c.Flags().Int64Var(&maxPerHost, "max-per-host", 1, "the group's rule max_server_per_host, of anti-affinity")
	c.Flags().BoolVar(&order, "order", false, "list the hosts in the order in which they fill")
	return c
}

// placing asks about one flavor, server after server.
func placing(cmd *cobra.Command, o *options, flavor, zone, policy string, maxPerHost int64) error {
	if flavor == "" {
		return errors.New("--group and --order are about one flavor: name it with --flavor")
	}
	return question[capacity.Headroom]{
		path: "/api/v1/headroom/order", query: map[string]string{"flavor": flavor, "zone": zone, "policy": policy, "max_per_host": strconv.FormatInt(maxPerHost, 10)},
		choices: []string{"table", "json"},
		formats: map[string]func(io.Writer, capacity.Headroom) error{"table": report.WriteOrderTable},
	}.ask(cmd, o)
}

func capacityCommand(o *options) *cobra.Command {
	var by string
	c := &cobra.Command{
		Use:   "capacity",
		Short: "List what hosts, aggregates, zones, cells, the cloud or storage tiers have, give and use",
		Long: `List for each resource class what there is (physical), what is kept for the host
itself (reserved), the allocation ratio, what Placement gives (allocatable), what is
allocated, free and stranded, what a plan keeps back for a failure (N+1), and what is
really used half and 95 % of the time.

Cells are told by a key of host aggregates' metadata: planner.compute.cell_key.

By tier it is storage: what there is raw, what can be used after copies and
reserves, what is stored and promised, what uneven filling costs, and what is left
when a host, a rack or a datacentre dies now, in bytes and as a date.`,
		Example: `  mcloud-plan capacity
  mcloud-plan capacity --by host --output csv
  mcloud-plan capacity --by aggregate
  mcloud-plan capacity --by tier`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if by == "tier" {
				return question[[]report.Tier]{
					path: "/api/v1/tiers", choices: []string{"table", "json"},
					formats: map[string]func(io.Writer, []report.Tier) error{"table": report.WriteStorageTable},
				}.ask(cmd, o)
			}
			return question[[]report.CapacityRow]{
				path: "/api/v1/capacity", query: map[string]string{"by": by}, choices: []string{"table", "json", "csv"},
				formats: map[string]func(io.Writer, []report.CapacityRow) error{"table": report.WriteCapacityTable, "csv": report.WriteCapacityCSV},
			}.ask(cmd, o)
		},
	}
	c.Flags().StringVar(&by, "by", "zone", "host, aggregate, zone, cell, cloud or tier")
	return c
}
