package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mcloud/cmd/config"
)

// account is who changes the cloud.
type account struct {
	file, cloud string
	yes         bool
}

func (a *account) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&a.cloud, "os-cloud", os.Getenv("OS_CLOUD"), "entry of clouds.yaml with the role admin (default: openstack.apply_cloud of the configuration) [$OS_CLOUD]")
	c.Flags().StringVar(&a.file, "clouds-file", os.Getenv("OS_CLIENT_CONFIG_FILE"), "the clouds.yaml (default: openstack.clouds_file of the configuration, else the usual places) [$OS_CLIENT_CONFIG_FILE]")
	c.Flags().BoolVarP(&a.yes, "yes", "y", false, "do not ask")
}

// complete fills in what the configuration says: the file given, or the one the
// planner runs with when it can be read here.
func (a *account) complete(ctx context.Context, o *options, client *client) error {
	path := o.config
	if path == "" && a.cloud == "" {
		var answer struct {
			Path string `json:"path"`
		}
		if _, err := client.get(ctx, "/api/v1/configuration", nil, &answer); err == nil && filepath.IsAbs(answer.Path) {
			if _, err := os.Stat(answer.Path); err == nil {
				path = answer.Path
			}
		}
	}
	if path != "" && a.cloud == "" {
		f, err := config.Load(path)
		if err != nil {
			return err
		}
		if f.OpenStack != nil && f.OpenStack.ApplyCloud != "" {
			a.cloud = f.OpenStack.ApplyCloud
			a.file = cmp.Or(a.file, f.OpenStack.CloudsFile)
		}
	}
	if a.cloud == "" {
		return errors.New("no account to change the cloud with: name an entry of clouds.yaml with --os-cloud, or give --config with openstack.apply_cloud")
	}
	return nil
}

func (a *account) confirm(cmd *cobra.Command, question string) error {
	if a.yes {
		return nil
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s as %q? [y/N] ", question, a.cloud)
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil && line == "" {
		return errors.New("nobody answered; --yes does it without asking")
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return errors.New("not done")
	}
	return nil
}
