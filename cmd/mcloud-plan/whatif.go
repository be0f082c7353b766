package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"mcloud/planner/httpapi"
	"mcloud/planner/report"
	"mcloud/planner/scenario"
)

const (
	whatifPath      = "/api/v1/whatif"
	commitmentsPath = "/api/v1/commitments"
	scenariosPath   = "/api/v1/scenarios"
)

// changeFlags are the values of the flags that name changes, by action.
type changeFlags struct {
	texts map[scenario.Action]*[]string
	from  string
}

var changeHelp = map[scenario.Action]string{
	scenario.AddHosts:    "compute hosts more",
	scenario.RemoveHosts: "compute hosts less",
	scenario.AddOSDs:     "OSDs more",
	scenario.RemoveOSDs:  "OSDs less",
	scenario.Project:     "a new project's servers and volumes",
	scenario.Lose:        "the loss of a host, a rack, a datacentre or a zone",
	scenario.Ratio:       "another allocation ratio",
	scenario.Growth:      "growth by so many percent more or less",
	scenario.Delay:       "a commitment that comes later",
	scenario.Without:     "a commitment that does not come",
}

// add adds a flag for each of the actions.
func (f *changeFlags) add(c *cobra.Command, actions []scenario.Action) {
	f.texts = map[scenario.Action]*[]string{}
	for _, action := range actions {
		f.texts[action] = c.Flags().StringArray(string(action), nil, changeHelp[action]+": "+action.Example())
	}
	c.Flags().StringVar(&f.from, "from", "", "the day of changes that name none (default: at once)")
}

// changes reads the flags, in the order of the actions.
func (f *changeFlags) changes() ([]scenario.Change, error) {
	var all []scenario.Change
	for _, action := range scenario.Actions() {
		texts := f.texts[action]
		if texts == nil {
			continue
		}
		for _, text := range *texts {
			c, err := scenario.Parse(action, text)
			if err != nil {
				return nil, fmt.Errorf("--%w", err)
			}
			all = append(all, c)
		}
	}
	if f.from == "" {
		return all, nil
	}
	from, err := time.Parse(time.DateOnly, f.from)
	if err != nil {
		return nil, fmt.Errorf("--from %q: want a day such as 2027-03-01", f.from)
	}
	for i, c := range all {
		if c.From.IsZero() && c.Action != scenario.Growth && c.Action != scenario.Delay && c.Action != scenario.Without {
			all[i].From = from
		}
	}
	return all, nil
}

func whatifCommand(o *options) *cobra.Command {
	var f changeFlags
	var name, save, note string
	c := &cobra.Command{
		Use:   "whatif",
		Short: "Say which dates changes to the cloud would move, and by how many days",
		Long: `Put dates before and after changes side by side: more hosts or OSDs, or less of
them, a new project, the loss of a host or a datacentre, another allocation ratio,
more growth, a purchase that comes late. The cloud is not touched.

Each change is a list of key=value. With from=DAY it happens then, with
until=DAY too on any day between, else at once. What is promised (mcloud-plan
commitment) counts before and after.

  --add-host     az=, count=; like=HOST, or vcpus= and memory= (and disk=) of one;
                 else like most hosts of the zone
  --remove-host  host=, or az= and count=; what runs there must find another place
  --add-osd      tier=, count=; size= of one (else like most); host=, or hosts= for
                 so many new ones (else in turn in the hosts there are); cluster=
  --remove-osd   tier= and count=, or osd=, or host=
  --project      az=, flavors=NAME:COUNT+…, volumes=TIER:SIZE+… (a tier or a volume
                 type; 10x500GiB is ten of them); boot=volume for no root disks
  --lose         host=, rack=, datacenter= or az=, of compute and Ceph alike
  --ratio        class=, ratio=; az= or host=
  --growth       percent=; tier= or az= (else everywhere)
  --delay        name= of a commitment, by=90d
  --without      name= of a commitment

With --save the question is kept, and every report answers it anew.`,
		Example: `  mcloud-plan whatif --add-host az=az1,count=4,from=2027-03-01
  mcloud-plan whatif --project name=acme,az=az1,flavors=m1.large:20,volumes=nvme:10TiB,from=2027-02-01
  mcloud-plan whatif --lose datacenter=dc1 --output json
  mcloud-plan whatif --growth percent=20 --delay name=spring-nodes,by=90d --save bad-year
  mcloud-plan whatif --scenario bad-year`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			changes, err := f.changes()
			if err != nil {
				return err
			}
			if len(changes) == 0 && name == "" {
				return errors.New("what if what? name a change, such as --add-host az=az1,count=4, or --scenario NAME")
			}
			if save != "" {
				if name != "" {
					return errors.New("--save and --scenario: give one of both")
				}
				if err := store(cmd, o, scenariosPath, save, scenario.Scenario{Note: note, Changes: changes}); err != nil {
					return err
				}
			}
			return question[report.WhatIf]{
				method: http.MethodPost, path: whatifPath, body: httpapi.Question{Scenario: name, Changes: changes},
				choices: []string{"table", "json"},
				formats: map[string]func(io.Writer, report.WhatIf) error{"table": report.WriteWhatIfTable},
			}.ask(cmd, o)
		},
	}
	f.add(c, scenario.Actions())
	c.Flags().StringVar(&name, "scenario", "", "ask a stored question; changes come on top of it")
	c.Flags().StringVar(&save, "save", "", "keep the question under this name")
	c.Flags().StringVar(&note, "note", "", "with --save: what it is about")
	return c
}

func commitmentCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "commitment",
		Short: "Keep what is promised: projects that come, purchases on their way, hardware that goes",
		Long: `Keep what is promised, by name. Every date of every report counts with it until
its own dates have passed: then what came of it is in what is measured.`,
		Example: `  mcloud-plan commitment add acme --project az=az1,flavors=m1.large:20,volumes=nvme:10TiB --from 2027-02-01
  mcloud-plan commitment add spring-nodes --add-host az=az1,count=4,from=2027-03-01,until=2027-04-15 --note "order 4711"
  mcloud-plan commitment add old-rack --remove-host host=cmp-a1,from=2027-06-30
  mcloud-plan commitment list
  mcloud-plan commitment remove acme`,
	}
	c.AddCommand(addCommand(o), &cobra.Command{
		Use: "list", Short: "List the commitments", Example: "  mcloud-plan commitment list --output json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return question[[]scenario.Commitment]{path: commitmentsPath, choices: []string{"table", "json"},
				formats: map[string]func(io.Writer, []scenario.Commitment) error{"table": report.WriteCommitments}}.ask(cmd, o)
		},
	}, removeCommand(o, "commitment", commitmentsPath, "acme"))
	return c
}

func addCommand(o *options) *cobra.Command {
	var f changeFlags
	var note string
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "Keep a commitment, in the place of one of that name",
		Long: `Keep a commitment, in the place of one of that name. Each change needs a day: its
own from=, or --from for all. "mcloud-plan whatif --help" says how changes are
written.`,
		Example: `  mcloud-plan commitment add acme --project az=az1,flavors=m1.large:20,volumes=nvme:10TiB --from 2027-02-01
  mcloud-plan commitment add nvme-nodes --add-osd tier=nvme,count=30,hosts=3,from=2027-03-01,until=2027-04-15`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			changes, err := f.changes()
			if err != nil {
				return err
			}
			commitment := scenario.Commitment{Name: args[0], Note: note, Changes: changes}
			if err := commitment.Validate(); err != nil {
				return err
			}
			if err := store(cmd, o, commitmentsPath, args[0], commitment); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "commitment %s is kept: the next report counts with it\n", args[0])
			return nil
		},
	}
	f.add(c, []scenario.Action{scenario.Project, scenario.AddHosts, scenario.RemoveHosts, scenario.AddOSDs, scenario.RemoveOSDs, scenario.Ratio})
	c.Flags().StringVar(&note, "note", "", "what it is about: an order, a contract")
	return c
}

func scenarioCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "scenario",
		Short: "List and remove the questions that whatif --save keeps",
		Example: `  mcloud-plan scenario list
  mcloud-plan scenario remove bad-year`,
	}
	c.AddCommand(&cobra.Command{
		Use: "list", Short: "List the scenarios", Example: "  mcloud-plan scenario list", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return question[[]scenario.Scenario]{path: scenariosPath, choices: []string{"table", "json"},
				formats: map[string]func(io.Writer, []scenario.Scenario) error{"table": report.WriteScenarios}}.ask(cmd, o)
		},
	}, removeCommand(o, "scenario", scenariosPath, "bad-year"))
	return c
}

func removeCommand(o *options, what, path, example string) *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Remove a " + what, Example: "  mcloud-plan " + what + " remove " + example, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := change(cmd, o, http.MethodDelete, path, args[0], nil); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s is removed\n", what, args[0])
			return nil
		},
	}
}

func store(cmd *cobra.Command, o *options, path, name string, body any) error {
	return change(cmd, o, http.MethodPut, path, name, body)
}

func change(cmd *cobra.Command, o *options, method, path, name string, body any) error {
	client, err := o.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), o.timeout)
	defer cancel()
	var nothing struct{}
	_, err = client.call(ctx, method, path+"/"+url.PathEscape(name), nil, body, &nothing)
	return err
}
