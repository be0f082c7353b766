package keystone

import (
	"context"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// collectToken tells how the logins of this cloud's Sources went. It logs in
// itself when there is no token yet, or none that is good any more.
func collectToken(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	_, err := cloud.Admin(ctx)
	logins := cloud.Logins()
	s := &exporters.Snapshot{Seen: 1}
	s.Add(tokensIssued, float64(logins.Done))
	s.Add(tokenFailures, float64(logins.Failed))
	if logins.Done > 0 {
		s.Add(tokenSeconds, logins.Took.Seconds())
		s.Add(tokenExpires, float64(logins.Expires.Unix()))
	}
	return s, err
}
