package openstack

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/config/clouds"
	"gopkg.in/yaml.v2"
)

var errNoURL = errors.New("is not an http or https URL")

type credentials struct {
	file, cloud string
	auth        gophercloud.AuthOptions
	where       gophercloud.EndpointOpts
	tls         *tls.Config
}

// readClouds finds clouds.yaml, and secure.yaml beside it, and reads one entry.
func readClouds(opts Options) (credentials, error) {
	c := credentials{cloud: cmp.Or(opts.Cloud, os.Getenv("OS_CLOUD"))}
	file, text, err := findClouds(opts.CloudsFile)
	if err != nil {
		return c, err
	}
	c.file = file
	var listed clouds.Clouds
	if err := yaml.Unmarshal(text, &listed); err != nil {
		return c, fmt.Errorf("%s is not a clouds.yaml: %w", file, err)
	}
	entry, ok := listed.Clouds[c.cloud]
	if !ok {
		return c, fmt.Errorf("%s has no cloud %q; it has: %s", file, c.cloud, strings.Join(names(listed), ", "))
	}
	parse := []clouds.ParseOption{clouds.WithCloudName(c.cloud), clouds.WithCloudsYAML(bytes.NewReader(text))}
	if secure, err := os.ReadFile(filepath.Join(filepath.Dir(file), "secure.yaml")); err == nil {
		parse = append(parse, clouds.WithSecureYAML(bytes.NewReader(secure)))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("secure.yaml beside %s: %w", file, err)
	}
	if opts.Region != "" {
		parse = append(parse, clouds.WithRegion(opts.Region))
	}
	if opts.Interface != "" {
		parse = append(parse, clouds.WithEndpointType(opts.Interface))
	}
	if c.auth, c.where, c.tls, err = clouds.Parse(parse...); err != nil {
		return c, fmt.Errorf("cloud %q in %s: %w", c.cloud, file, err)
	}
	if c.auth.IdentityEndpoint == "" {
		return c, fmt.Errorf("cloud %q in %s has no auth.auth_url", c.cloud, file)
	}
	if c.auth.IdentityEndpoint, err = identityURL(c.auth.IdentityEndpoint); err != nil {
		return c, fmt.Errorf("cloud %q in %s: auth.auth_url %w", c.cloud, file, err)
	}
	c.auth.Scope = scope(opts, entry, c.auth)
	return c, nil
}

// scope is what the token is asked for. gophercloud takes the user's domain for
// the project's too, so the project's own is set here where the file names it.
func scope(opts Options, entry clouds.Cloud, auth gophercloud.AuthOptions) *gophercloud.AuthScope {
	info := entry.AuthInfo
	switch {
	case opts.SystemScope || info != nil && info.SystemScope != "":
		return &gophercloud.AuthScope{System: true}
	case auth.Scope != nil || info == nil:
		return auth.Scope
	case auth.TenantID != "":
		return &gophercloud.AuthScope{ProjectID: auth.TenantID}
	case auth.TenantName != "":
		s := &gophercloud.AuthScope{ProjectName: auth.TenantName, DomainID: info.ProjectDomainID}
		if s.DomainID == "" {
			s.DomainName = info.ProjectDomainName
		}
		if s.DomainID == "" && s.DomainName == "" {
			s.DomainID, s.DomainName = auth.DomainID, auth.DomainName
		}
		return s
	case info.DomainID != "" || info.DomainName != "":
		return &gophercloud.AuthScope{DomainID: info.DomainID, DomainName: info.DomainName}
	}
	return nil
}

func findClouds(named string) (string, []byte, error) {
	places := []string{cmp.Or(named, os.Getenv("OS_CLIENT_CONFIG_FILE"))}
	if places[0] == "" {
		config, err := os.UserConfigDir()
		places = []string{"clouds.yaml"}
		if err == nil {
			places = append(places, filepath.Join(config, "openstack", "clouds.yaml"))
		}
		places = append(places, "/etc/openstack/clouds.yaml")
	}
	for _, place := range places {
		text, err := os.ReadFile(place)
		if err == nil {
			return place, text, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", nil, err
		}
	}
	return "", nil, fmt.Errorf("no clouds.yaml found in %s: name one in the configuration or in OS_CLIENT_CONFIG_FILE", strings.Join(places, ", "))
}

func names(c clouds.Clouds) []string {
	all := make([]string, 0, len(c.Clouds))
	for name := range c.Clouds {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
