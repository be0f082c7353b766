package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mcloud/cmd/config"
	"mcloud/cmd/parts"
	"mcloud/cmd/progress"
	"mcloud/cmd/settings"
	"mcloud/exporters/openstack"
)

// checkCommand tries every call that the exporter makes, once.
func checkCommand(s *settings.Settings) *cobra.Command {
	var o config.OpenStack
	var output string
	command := &cobra.Command{
		Use:   "check",
		Short: "Try every OpenStack call once and say which the account may make",
		Long: `Try every kind of call that the exporter makes to OpenStack, once, with the
account of a clouds.yaml entry, and say for each whether it is allowed, forbidden
or absent, and which policy rule and role would allow it. Nothing is changed.
Ready-made policy files that let a reader read are in deploy/policy.

The account is --cloud's, or the one that --config names. The exit code is 1 when
a call is forbidden, shows only the account's own project, or fails. A forbidden
call that the exporter does without is told and is not counted.`,
		Example: "  mcloud exporter check --cloud mycloud-reader\n  mcloud exporter check --config mcloud.yaml --output json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return fmt.Errorf("--output %q: want table or json", output)
			}
			logger, err := s.Logger(os.Stderr)
			if err != nil {
				return err
			}
			if o, err = account(s, o); err != nil {
				return err
			}
			cloud, err := parts.OpenStack(config.File{Cloud: o.Cloud}, o, logger)
			if err != nil {
				return err
			}
			defer cloud.Close()
			calls, tried := parts.Calls(), 0
			findings := openstack.Check(cmd.Context(), cloud, calls, func(f openstack.Finding) {
				tried++
				progress.Line(cmd.ErrOrStderr(), "%d of %d calls tried: %s %s", tried, len(calls), f.API, f.Call)
			})
			progress.Line(cmd.ErrOrStderr(), "")
			if err := writeFindings(cmd.OutOrStdout(), output, findings); err != nil {
				return err
			}
			return summary(findings)
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.Cloud, "cloud", settings.FromEnvironment("cloud", ""), "entry of clouds.yaml [$"+settings.Variable("cloud")+", $OS_CLOUD]")
	flags.StringVar(&o.CloudsFile, "clouds-file", "", "a clouds.yaml (default: where the openstack client looks)")
	flags.StringVar(&o.Region, "region", "", "region, when the cloud has several")
	flags.StringVar(&o.Interface, "interface", "", "public, internal or admin")
	flags.BoolVar(&o.SystemScope, "system-scope", false, "ask for a token scoped to the system")
	flags.StringVarP(&output, "output", "o", "table", "table, json")
	return command
}

// account is whom to try with: the flags', else the configuration file's.
func account(s *settings.Settings, flags config.OpenStack) (config.OpenStack, error) {
	if s.Config == "" {
		if flags.Cloud = cmp.Or(flags.Cloud, os.Getenv("OS_CLOUD")); flags.Cloud == "" {
			return flags, fmt.Errorf("no account: name an entry of clouds.yaml with --cloud, or a configuration with --config")
		}
		return flags, nil
	}
	f, err := s.Load()
	if err != nil {
		return flags, err
	}
	if f.OpenStack == nil {
		return flags, fmt.Errorf("%s has no section openstack", f.Path)
	}
	o := *f.OpenStack
	o.Cloud, o.CloudsFile = cmp.Or(flags.Cloud, o.Cloud), cmp.Or(flags.CloudsFile, o.CloudsFile)
	o.Region, o.Interface = cmp.Or(flags.Region, o.Region), cmp.Or(flags.Interface, o.Interface)
	o.SystemScope = o.SystemScope || flags.SystemScope
	return o, nil
}

func writeFindings(w io.Writer, output string, findings []openstack.Finding) error {
	if output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(findings)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "API\tCALL\tVERDICT\tMISSING WITHOUT IT\tWHAT ALLOWS IT")
	for _, f := range findings {
		missing, allows := "", ""
		switch f.Verdict {
		case openstack.Allowed:
		case openstack.Forbidden, openstack.Narrow:
			missing, allows = f.Gives, remedy(f)
			if spared(f) {
				allows += "; the exporter does without it"
			}
		default:
			missing, allows = f.Gives, f.Detail
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", f.API, f.Call, f.Verdict, missing, allows)
	}
	return t.Flush()
}

func remedy(f openstack.Finding) string {
	var ways []string
	if f.Rule != "" {
		ways = append(ways, "policy "+f.Rule)
	}
	if f.Role != "" {
		ways = append(ways, "role "+f.Role)
	}
	return strings.Join(ways, ", or ")
}

// spared says that the exporter does without a call that it may not make.
func spared(f openstack.Finding) bool { return f.Dispensable && f.Verdict == openstack.Forbidden }

// summary is an error when something that the exporter wants is not to be had.
func summary(findings []openstack.Finding) error {
	of := map[openstack.Verdict]int{}
	for _, f := range findings {
		if !spared(f) {
			of[f.Verdict]++
		}
	}
	var bad []string
	for _, v := range []openstack.Verdict{openstack.Forbidden, openstack.Narrow, openstack.Failed} {
		if of[v] > 0 {
			bad = append(bad, fmt.Sprintf("%d %s", of[v], v))
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("of %d calls: %d allowed, %s; what they give is missing until that changes", len(findings), of[openstack.Allowed], strings.Join(bad, ", "))
	}
	return nil
}
