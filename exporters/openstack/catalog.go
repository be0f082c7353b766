package openstack

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	v3 "github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"mcloud/exporters"
)

// endpoint finds where the catalogue says that one of types is. When it has no
// such service the error wraps exporters.ErrAbsent; when it has several regions
// to choose from, the error names them.
func (c *Cloud) endpoint(catalog []v3.CatalogEntry, types []string) (string, error) {
	creds := c.creds.current()
	var regions []string
	found := map[string]string{} // URL by region
	for _, kind := range types {
		for _, entry := range catalog {
			if entry.Type != kind {
				continue
			}
			for _, e := range entry.Endpoints {
				region := cmp.Or(e.RegionID, e.Region)
				if e.Interface != string(creds.where.Availability) || creds.where.Region != "" && region != creds.where.Region {
					continue
				}
				if _, again := found[region]; !again {
					found[region] = e.URL
					regions = append(regions, region)
				}
			}
		}
		if len(found) > 0 {
			break
		}
	}
	switch len(regions) {
	case 1:
		return found[regions[0]], nil
	case 0:
		return "", fmt.Errorf("%w: no %s endpoint of type %s in region %s of the catalogue of cloud %q",
			exporters.ErrAbsent, creds.where.Availability, types[0], cmp.Or(creds.where.Region, "(any)"), c.name)
	}
	slices.Sort(regions)
	return "", fmt.Errorf("cloud %q has %s in regions %s: set region_name in %s", c.name, types[0], strings.Join(regions, ", "), creds.file)
}

var versionSegment = regexp.MustCompile(`^v\d+(\.\d+)?$`)

// withVersion puts the version's segment at the end of the path of u, or in the
// place of the one that it has: "http://api/compute/v2/ID" and "v2.1" make
// "http://api/compute/v2.1/ID".
func withVersion(u *url.URL, version string) *url.URL {
	copied := *u
	copied.RawQuery, copied.Fragment = "", ""
	if version == "" {
		copied.Path = strings.TrimRight(u.Path, "/")
		return &copied
	}
	segments := strings.Split(strings.Trim(u.Path, "/"), "/")
	if at := slices.IndexFunc(segments, versionSegment.MatchString); at >= 0 {
		segments[at] = version
	} else {
		segments = append(segments, version)
	}
	copied.Path = strings.TrimSuffix("/"+strings.Trim(strings.Join(segments, "/"), "/"), "/")
	return &copied
}

// versionRoot cuts the path of u behind its version segment; root cuts before it.
// Both end in a slash.
func versionRoot(u *url.URL) string { return cut(u, 1) }
func root(u *url.URL) string        { return cut(u, 0) }

func cut(u *url.URL, keep int) string {
	copied := *u
	copied.RawQuery, copied.Fragment = "", ""
	segments := strings.Split(strings.Trim(u.Path, "/"), "/")
	if at := slices.IndexFunc(segments, versionSegment.MatchString); at >= 0 {
		segments = segments[:at+keep]
	}
	copied.Path = strings.TrimSuffix("/"+strings.Join(segments, "/"), "/") + "/"
	return copied.String()
}
