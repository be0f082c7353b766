package openstack

import (
	"context"
	"net"
	"net/http"
)

// Through makes all connections of the cloud with dial: tests in a bubble of
// testing/synctest have no sockets.
func (c *Cloud) Through(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	c.http.Transport.(*transport).base.(*http.Transport).DialContext = dial
}
