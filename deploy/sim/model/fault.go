package model

import "time"

// How often each kind of thing breaks, and for how long.
const (
	hostFaultEvery    = 17 * day
	osdFaultEvery     = 12 * day
	chassisFaultEvery = 9 * day
	// downOut is how long an OSD is down before it is marked out
	// (mon_osd_down_out_interval).
	downOut = 10 * time.Minute
)

// scheduleFaults lets things break at random, and one of each kind within
// minutes of End, so that a demo shows what a fault looks like.
func (w *World) scheduleFaults() {
	w.again(hostFaultEvery, func() {
		w.breakHost(w.Hosts[w.rand.IntN(len(w.Hosts))], w.overByEnd(10*time.Minute+w.lifetime(2*time.Hour)))
	})
	w.again(osdFaultEvery, func() {
		c := w.Tiers[w.rand.IntN(len(w.Tiers))].Cluster
		w.breakOSD(c, c.OSDs[w.rand.IntN(len(c.OSDs))], w.overByEnd(3*time.Minute+w.lifetime(3*time.Hour)))
	})
	w.again(chassisFaultEvery, func() {
		w.freezeChassis(w.Hosts[w.rand.IntN(len(w.Hosts))].Chassis, w.overByEnd(5*time.Minute+w.lifetime(time.Hour)))
	})
	w.at(w.Config.End.Add(3*time.Minute), func() { w.breakHost(w.Hosts[len(w.Hosts)/2], 30*time.Minute) })
	w.at(w.Config.End.Add(4*time.Minute), func() { w.freezeChassis(w.Hosts[len(w.Hosts)/3].Chassis, 30*time.Minute) })
	w.at(w.Config.End.Add(5*time.Minute), func() {
		c := w.Tiers[0].Cluster
		w.breakOSD(c, c.OSDs[len(c.OSDs)/2], 30*time.Minute)
	})
}

// overByEnd shortens the repair of what breaks in the history, so that nothing is broken
// when people begin to look: what breaks then breaks before their eyes.
func (w *World) overByEnd(repair time.Duration) time.Duration {
	if left := w.Config.End.Sub(w.Now); left >= 0 {
		return min(repair, left)
	}
	return repair
}

func (w *World) again(mean time.Duration, do func()) {
	w.at(w.Now.Add(w.lifetime(mean)), func() {
		do()
		w.again(mean, do)
	})
}

func (w *World) breakHost(h *Host, repair time.Duration) {
	w.SetHostUp(h, false)
	w.at(w.Now.Add(repair), func() { w.SetHostUp(h, true) })
}

func (w *World) breakOSD(c *Cluster, o *OSD, repair time.Duration) {
	w.SetOSDUp(c, o, false)
	w.at(w.Now.Add(repair), func() { w.SetOSDUp(c, o, true) })
}

func (w *World) freezeChassis(c *Chassis, repair time.Duration) {
	w.SetFrozen(c, true)
	w.at(w.Now.Add(repair), func() { w.SetFrozen(c, false) })
}

// SetHostUp stops or starts a host's nova-compute service; its servers run on.
func (w *World) SetHostUp(h *Host, up bool) {
	if h.Up != up {
		h.Up, h.StateChanged = up, w.Now
		w.emit(ServiceUpdate, h)
	}
}

// SetHostEnabled disables or enables a host's compute service.
func (w *World) SetHostEnabled(h *Host, enabled bool, reason string) {
	h.Enabled, h.DisabledReason = enabled, reason
	w.emit(ServiceUpdate, h)
}

// SetOSDUp stops or starts an OSD; one that stays down is marked out.
func (w *World) SetOSDUp(c *Cluster, o *OSD, up bool) {
	if o.Up == up {
		return
	}
	o.Up, o.Changed = up, w.Now
	c.Epoch++
	if up {
		o.In, o.Booted = true, w.Now
		return
	}
	since := w.Now
	w.at(w.Now.Add(downOut), func() {
		if !o.Up && o.Changed.Equal(since) {
			o.In = false
			c.Epoch++
		}
	})
}

// SetFrozen stops or lets go on a chassis's ovn-controller.
func (w *World) SetFrozen(c *Chassis, frozen bool) {
	if c.Frozen != frozen {
		c.NBCfg, c.Since, c.Frozen = w.ConfigurationOf(c), w.Now, frozen
	}
}
