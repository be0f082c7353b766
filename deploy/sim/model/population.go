package model

import (
	"fmt"
	"math"
	"slices"
	"time"
)

const day = 24 * time.Hour

// storyHours is how long the zones' stories are.
const storyHours = 180 * 24

// How long servers and volumes live and how often they change. Cattle come and
// go in days, pets stay.
const (
	cattleShare     = 0.25
	cattleLife      = 9 * day
	petLife         = 500 * day
	resizeEvery     = 260 * day
	powerCycleEvery = 120 * day
	volumeLife      = 400 * day
	scratchShare    = 0.15
	scratchLife     = 7 * day
	extendEvery     = 220 * day
)

// settle makes the population of Start: of all ages, as if it had always been.
func (w *World) settle() {
	start := w.Now
	for _, z := range w.Zones {
		for range w.targetServers(z) {
			w.bornServer(z, start.Add(-w.age(cattleShare, cattleLife, petLife)))
		}
	}
	for _, t := range w.Tiers {
		for float64(t.provisioned) < t.target(start, w.Config.End) {
			w.bornVolume(t, start.Add(-w.age(scratchShare, scratchLife, volumeLife)))
		}
	}
	w.Now = start
}

// age draws how old a member of a settled population is, at most 400 days.
func (w *World) age(shortShare float64, short, long time.Duration) time.Duration {
	life := long
	if w.rand.Float64() < shortShare {
		life = short
	}
	return min(w.lifetime(life), 400*day)
}

// targetServers is how many servers the zone should have at w.Now: linear
// growth to its share of Config.Servers at End and beyond, with a swing of 2 %
// over the week and 1 % over the day.
func (w *World) targetServers(z *Zone) int {
	total := w.Config.End.Sub(w.Config.Start).Hours()
	x := w.Now.Sub(w.Config.Start).Hours() / total
	level := z.atStart + (1-z.atStart)*x
	if total < storyHours { // a short history is the end of the long one
		level = 1 - (1-z.atStart)*(total-total*x)/storyHours
	}
	week := math.Sin(2 * math.Pi * (float64(w.Now.Weekday()) + float64(w.Now.Hour())/24 - 1) / 7)
	hour := math.Sin(2 * math.Pi * (float64(w.Now.Hour()) + float64(w.Now.Minute())/60 - 8) / 24)
	return int(math.Round(z.share * float64(w.Config.Servers) * level * (1 + 0.01*week + 0.005*hour)))
}

// populate decides what is born within the next Step. People create at work;
// what the target lacks at night waits for the morning.
func (w *World) populate() {
	now := w.Now
	eager := min(1, 0.4*working(now))
	for _, z := range w.Zones {
		for range w.catchUp(w.targetServers(z)-z.population, eager) {
			w.at(w.within(now, Step), func() { w.bornServer(z, w.Now) })
		}
	}
	for _, t := range w.Tiers {
		if float64(t.provisioned)*meanWritten*(1<<30)*t.Cluster.layout.copies > 0.93*float64(t.Cluster.Total()) {
			continue // Ceph would refuse
		}
		lack := (t.target(now, w.Config.End) - float64(t.provisioned)) / t.meanGiB
		for range w.catchUp(int(lack), eager) {
			w.at(w.within(now, Step), func() { w.bornVolume(t, w.Now) })
		}
	}
}

// catchUp draws how many of a lack are made within a Step.
func (w *World) catchUp(lack int, eager float64) int {
	if lack <= 0 {
		return 0
	}
	return min(lack, w.poisson(float64(lack)*0.25*eager))
}

// bornServer makes a server that is created at the time and has its life
// before it.
func (w *World) bornServer(z *Zone, created time.Time) {
	p := w.pickProject(func(*Project) bool { return true })
	weights := make([]float64, len(w.Flavors))
	for i, f := range w.Flavors {
		if !f.Private || p.database && w.hasDatabaseHosts(z) {
			weights[i] = f.weight
		}
	}
	f := w.Flavors[w.pick(weights)]
	now := w.Now
	w.Now = created
	r := Request{
		Name: fmt.Sprintf("%s-%s-%03d", p.Name, purposes[w.rand.IntN(len(purposes))], w.rand.IntN(1000)), Project: p,
		User: p.Users[w.rand.IntN(len(p.Users))], Flavor: f, Image: w.Images[w.rand.IntN(len(w.Images))], Zone: z.Name,
	}
	if created.Equal(now) {
		r.Building = time.Duration(6+w.rand.IntN(20)) * time.Second
	}
	if f.DiskGB == 0 {
		r.BootFromVolume = w.CreateVolume(r.Name+"-root", p, r.User, w.Tiers[0], 20)
		r.BootFromVolume.Bootable, r.BootFromVolume.Image = true, r.Image
	}
	s := w.CreateServer(r)
	w.Now = now
	if s.Host == nil { // its owner gives up some hours later
		w.at(now.Add(6*time.Hour), func() { w.DeleteServer(s) })
		return
	}
	life := petLife
	if w.rand.Float64() < cattleShare {
		life = cattleLife
	}
	w.at(w.workday(now.Add(w.lifetime(life))), func() { w.endServer(s) })
	w.later(resizeEvery, func() bool { return w.growServer(s) })
	w.later(powerCycleEvery, func() bool { return w.restServer(s) })
}

var purposes = []string{"web", "app", "db", "ci", "worker", "cache", "gw", "batch"}

func (w *World) hasDatabaseHosts(z *Zone) bool { return len(z.Hosts) > 3*databaseHosts }

// later calls do after an exponential time, again and again while it says true.
func (w *World) later(mean time.Duration, do func() bool) {
	var again func()
	again = func() {
		if do() {
			w.at(w.workday(w.Now.Add(w.lifetime(mean))), again)
		}
	}
	w.at(w.workday(w.Now.Add(w.lifetime(mean))), again)
}

// workday moves four of five times from the night and the weekend into the
// next working hours.
func (w *World) workday(t time.Time) time.Time {
	if w.rand.IntN(5) == 0 {
		return t
	}
	for t.Weekday() == time.Saturday || t.Weekday() == time.Sunday {
		t = t.Add(day)
	}
	if hour := t.Hour(); hour < 7 || hour > 17 {
		t = t.Truncate(day).Add(7*time.Hour + time.Duration(w.rand.IntN(10*3600))*time.Second)
	}
	return t
}

func (w *World) endServer(s *Server) {
	if s.Status == "DELETED" {
		return
	}
	for _, v := range slices.Clone(s.Volumes) {
		if !v.Bootable && w.rand.Float64() < 0.7 {
			w.DeleteVolume(v)
		}
	}
	w.DeleteServer(s)
}

func (w *World) growServer(s *Server) bool {
	if s.Status == "DELETED" || s.Flavor.larger == "" {
		return false
	}
	w.ResizeServer(s, w.mustFlavor(s.Flavor.larger))
	return true
}

// restServer stops a server for a while.
func (w *World) restServer(s *Server) bool {
	if s.Status == "DELETED" {
		return false
	}
	w.PowerServer(s, false)
	w.at(w.Now.Add(w.lifetime(3*day)), func() { w.PowerServer(s, true) })
	return true
}

// bornVolume makes a volume with its life before it; four of five are attached
// to a server of their project.
func (w *World) bornVolume(t *Tier, created time.Time) {
	p := w.pickProject(func(*Project) bool { return true })
	now := w.Now
	w.Now = created
	v := w.CreateVolume(fmt.Sprintf("%s-data-%04d", p.Name, w.rand.IntN(10000)), p, p.Users[w.rand.IntN(len(p.Users))], t, w.volumeSize(t))
	w.Now = now
	if len(p.servers) > 0 && w.rand.IntN(5) > 0 {
		if s := p.servers[w.rand.IntN(len(p.servers))]; s.Status == "ACTIVE" {
			w.attach(v, s)
		}
	}
	life := volumeLife
	if w.rand.Float64() < scratchShare {
		life = scratchLife
	}
	w.at(w.workday(now.Add(w.lifetime(life))), func() { w.DeleteVolume(v) })
	w.later(extendEvery, func() bool {
		if v.Status == "deleted" {
			return false
		}
		w.ExtendVolume(v, v.SizeGiB+max(1, v.SizeGiB/2))
		return true
	})
	if w.rand.IntN(6) == 0 {
		v.Snapshots = append(v.Snapshots, &Snapshot{ID: w.uuid(), Name: v.Name + "-snap", Volume: v, Created: v.Created})
	}
}
