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
	"sync"

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

// credentialFile is a cloud's entry in clouds.yaml as read last.
type credentialFile struct {
	opts Options // for reading it again

	mu    sync.Mutex // guards the fields below
	creds credentials
	stamp string // of the files when they were read last
	bad   string // what is wrong with them now, as it was logged
}

func newCredentialFile(opts Options, creds credentials) *credentialFile {
	opts.CloudsFile = creds.file // the one that was found stays the one
	return &credentialFile{opts: opts, creds: creds, stamp: stamp(creds.file)}
}

// stamp changes when clouds.yaml or secure.yaml do.
func stamp(file string) string {
	var b strings.Builder
	for _, path := range []string{file, secureFile(file)} {
		if info, err := os.Stat(path); err == nil {
			fmt.Fprintf(&b, "%s %d;", info.ModTime(), info.Size())
		}
	}
	return b.String()
}

func secureFile(file string) string { return filepath.Join(filepath.Dir(file), "secure.yaml") }

// current is the entry as it was read last.
func (f *credentialFile) current() credentials {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.creds
}

// changed says that the files are others than those read last.
func (f *credentialFile) changed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return stamp(f.creds.file) != f.stamp
}

// read returns the entry as it is now. When the files cannot be read, because
// someone is writing them or they are gone, the former entry serves on and the
// log says once why. TLS settings are those of the start.
func (f *credentialFile) read() credentials {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := stamp(f.creds.file)
	if now == f.stamp {
		return f.creds
	}
	fresh, err := readClouds(f.opts)
	if err != nil {
		if f.bad != err.Error() {
			f.bad = err.Error()
			f.opts.Logger.Warn("clouds.yaml has changed and cannot be used: its former content serves on", "error", err)
		}
		return f.creds
	}
	f.creds, f.stamp, f.bad = fresh, now, ""
	f.opts.Logger.Info("clouds.yaml has changed and was read again", "file", fresh.file, "cloud", fresh.cloud)
	return f.creds
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
	if entry.AuthInfo == nil { // gophercloud would panic
		return c, fmt.Errorf("cloud %q in %s has no auth section", c.cloud, file)
	}
	parse := []clouds.ParseOption{clouds.WithCloudName(c.cloud), clouds.WithCloudsYAML(bytes.NewReader(text))}
	if secure, err := os.ReadFile(secureFile(file)); err == nil {
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
	case auth.ApplicationCredentialID != "" || auth.ApplicationCredentialName != "":
		return nil // it has a scope of its own and takes no other
	case opts.SystemScope || info.SystemScope != "":
		return &gophercloud.AuthScope{System: true}
	case auth.Scope != nil:
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
