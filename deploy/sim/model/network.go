package model

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Network is a Neutron network with one subnet; a customer's has a router to
// the external one.
type Network struct {
	ID, Name, SubnetID, RouterID, CIDR, GatewayIP string
	RouterPortID, GatewayPortID, DistributedID    string
	Datapath, RouterDatapath                      string // OVN uuids
	Project                                       *Project
	External                                      bool
	TunnelKey                                     int
	Created                                       time.Time

	prefix  netip.Prefix
	used    map[netip.Addr]bool
	next    netip.Addr
	tunnels int // last tunnel key given to a port
}

// Capacity is the number of addresses of the allocation pool: all but the
// network's, the broadcast's and the gateway's.
func (n *Network) Capacity() int { return 1<<(32-n.prefix.Bits()) - 3 }

// Used is the number of addresses given to ports, as Neutron counts them: the
// DHCP port's and the router's own too.
func (n *Network) Used() int { return len(n.used) + 2 }

// FloatingIP is a Neutron floating IP.
type FloatingIP struct {
	ID, Address, PortID string
	Project             *Project
	Server              *Server // nil when it is not associated
	Created             time.Time
}

func (w *World) buildNetworks() {
	external := w.network("public", "203.0.113.0/24", w.Projects[0], 0)
	switch {
	case w.Config.Servers > 10_000:
		external = w.network("public", "198.18.0.0/15", w.Projects[0], 0)
	case w.Config.Servers > 800:
		external = w.network("public", "198.18.0.0/20", w.Projects[0], 0)
	}
	external.External, external.RouterID = true, ""
	w.Networks = append(w.Networks, external)
	for i, p := range w.Customers() {
		p.CIDR = fmt.Sprintf("10.%d.%d.0/20", 10+i/16, i%16*16)
		if w.Config.Servers > 10_000 {
			p.CIDR = fmt.Sprintf("10.%d.%d.0/18", (10+i/4)%256, i%4*64)
		}
		p.Network = w.network(p.Name+"-net", p.CIDR, p, i+1)
		w.Networks = append(w.Networks, p.Network)
	}
}

func (w *World) network(name, cidr string, p *Project, number int) *Network {
	prefix := netip.MustParsePrefix(cidr)
	gateway := prefix.Addr().Next()
	return &Network{
		ID: w.uuid(), Name: name, SubnetID: w.uuid(), RouterID: w.uuid(), CIDR: cidr, GatewayIP: gateway.String(),
		RouterPortID: w.uuid(), GatewayPortID: w.uuid(), DistributedID: w.uuid(), Datapath: w.uuid(), RouterDatapath: w.uuid(),
		Project: p, TunnelKey: number*2 + 1, Created: w.Config.Start.Add(-400 * 24 * time.Hour),
		prefix: prefix, used: map[netip.Addr]bool{}, next: gateway.Next().Next(), tunnels: 5,
	}
}

// take gives a free address; the zero Addr when all are taken.
func (n *Network) take() netip.Addr {
	for range n.Capacity() {
		addr := n.next
		n.next = n.next.Next()
		if !n.prefix.Contains(n.next.Next()) { // the last one is for broadcasts
			n.next = n.prefix.Addr().Next().Next().Next()
		}
		if !n.used[addr] {
			n.used[addr] = true
			return addr
		}
	}
	return netip.Addr{}
}

// plug gives a server its port, and one in five a floating IP.
func (w *World) plug(s *Server) {
	n := s.Project.Network
	if n == nil {
		n = w.Networks[0]
	}
	addr := n.take()
	if !addr.IsValid() {
		return
	}
	n.tunnels++
	s.Port = &Port{ID: w.uuid(), MAC: w.mac(), IP: addr.String(), Network: n, BindingUUID: w.uuid(), TunnelKey: n.tunnels, Created: w.Now, Updated: w.Now}
	w.NBCfg += 2
	w.plugSecond(s)
	if w.rand.IntN(5) > 0 {
		return
	}
	outside := w.Networks[0]
	if addr := outside.take(); addr.IsValid() {
		f := &FloatingIP{ID: w.uuid(), Address: addr.String(), PortID: w.uuid(), Project: s.Project, Server: s, Created: w.Now}
		s.Port.FloatingIP = f
		w.FloatingIP.add(f.ID, f)
		w.NBCfg++
	}
}

// plugSecond gives a server a second port while the cloud has too few: so many
// of each hundred servers as Config.Ports asks for.
func (w *World) plugSecond(s *Server) {
	fixed := 3*len(w.Customers()) + w.Config.Servers + w.Config.Servers/5
	if w.Config.Ports <= fixed {
		return
	}
	share := float64(w.Config.Ports-fixed) / float64(w.Config.Servers)
	if float64(s.Number%100) >= 100*share {
		return
	}
	n := s.Port.Network
	addr := n.take()
	if !addr.IsValid() {
		return
	}
	n.tunnels++
	s.Second = &Port{ID: w.uuid(), MAC: w.mac(), IP: addr.String(), Network: n, BindingUUID: w.uuid(), TunnelKey: n.tunnels, Created: w.Now, Updated: w.Now}
	w.NBCfg += 2
}

func (w *World) unplug(s *Server) {
	if s.Port == nil {
		return
	}
	if s.Second != nil {
		delete(s.Second.Network.used, netip.MustParseAddr(s.Second.IP))
		s.Second = nil
		w.NBCfg++
	}
	delete(s.Port.Network.used, netip.MustParseAddr(s.Port.IP))
	w.NBCfg++
	f := s.Port.FloatingIP
	s.Port.FloatingIP = nil
	if f == nil {
		return
	}
	f.Server = nil
	if w.rand.IntN(4) == 0 && w.FloatingIP.Len() < w.Networks[0].Capacity()/2 {
		return // forgotten by its owner
	}
	delete(w.Networks[0].used, netip.MustParseAddr(f.Address))
	w.FloatingIP.remove(f.ID)
}

// Ports returns the servers that have a port, in the order of their creation.
func (w *World) Ports() []*Server {
	return slices.DeleteFunc(slices.Clone(w.Servers.All()), func(s *Server) bool { return s.Port == nil })
}
