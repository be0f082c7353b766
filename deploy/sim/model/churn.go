package model

// Churned counts what a round of Churn changed.
type Churned struct {
	ServersCreated, ServersDeleted, ServersChanged int
	VolumesCreated, VolumesDeleted, VolumesChanged int
	PortsChanged                                   int // besides those of servers that came and went
}

// Churn changes a part of all servers, volumes and ports at w.Now, always the
// same in the same state: of each three servers one is made, one deleted and one
// stopped, started or moved; of each four volumes one is made, one deleted and
// two extended; ports are switched off and on. What a server takes or gives back
// moves its provider's generation.
func (w *World) Churn(part float64) Churned {
	w.churned++
	var c Churned
	servers := w.some(w.Servers.Len(), part)
	all := append([]*Server(nil), w.Servers.All()...)
	for i, at := range servers {
		s := all[at]
		switch i % 3 {
		case 0:
			if s.Status != "ACTIVE" && s.Status != "SHUTOFF" || s.BootVolume {
				continue
			}
			w.CreateServer(Request{Name: s.Name + "-new", Project: s.Project, User: s.User, Flavor: s.Flavor, Image: s.Image, Zone: s.Pinned})
			c.ServersCreated++
		case 1:
			w.DeleteServer(s)
			c.ServersDeleted++
		default:
			switch {
			case s.Status == "SHUTOFF":
				w.PowerServer(s, true)
			case i%2 == 0 && w.MigrateServer(s):
			default:
				w.PowerServer(s, false)
			}
			c.ServersChanged++
		}
	}
	volumes := w.some(w.Volumes.Len(), part)
	has := append([]*Volume(nil), w.Volumes.All()...)
	for i, at := range volumes {
		v := has[at]
		switch i % 4 {
		case 0:
			w.CreateVolume(v.Name+"-new", v.Project, v.User, v.Tier, v.SizeGiB)
			c.VolumesCreated++
		case 1:
			if v.Status != "deleted" && !v.Bootable {
				w.DeleteVolume(v)
				c.VolumesDeleted++
			}
		default:
			w.ExtendVolume(v, v.SizeGiB+1)
			c.VolumesChanged++
		}
	}
	owners := w.Ports()
	for _, at := range w.some(len(owners), part) {
		p := owners[at].Port
		if owners[at].Second != nil {
			p = owners[at].Second
		}
		p.Down, p.Updated = !p.Down, w.Now
		c.PortsChanged++
	}
	return c
}

// some are part of n indexes, spread evenly, others in each round.
func (w *World) some(n int, part float64) []int {
	count := min(n, int(float64(n)*part+0.5))
	list := make([]int, 0, count)
	for i := range count {
		list = append(list, (i*n/count+w.churned*7)%n)
	}
	return list
}
