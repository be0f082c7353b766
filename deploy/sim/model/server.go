package model

import (
	"fmt"
	"slices"
	"time"
)

// Server is a Nova server.
type Server struct {
	ID, Name    string
	Number      uint64 // instance-%08x
	Project     *Project
	User        User
	Flavor      *Flavor
	Image       *Image // nil when it boots from a volume
	Host        *Host  // nil when no host was found
	Zone        *Zone  // of the host
	Pinned      string // the zone its owner asked for
	Status      string // ACTIVE, SHUTOFF, BUILD, ERROR, DELETED
	TaskState   string
	PowerState  int // 1 running, 4 shut down, 0 none
	Fault       string
	Created     time.Time
	Launched    time.Time
	Updated     time.Time
	Terminated  time.Time
	Volumes     []*Volume
	Port        *Port
	Second      *Port // on the same network; most servers have none
	Actions     []Action
	Metadata    map[string]string
	BootVolume  bool
	Reservation string
}

// keepDeleted is how long a deleted server and its actions can be read.
const keepDeleted = 40 * day

// Action is one entry of os-instance-actions.
type Action struct {
	RequestID, Action, UserID string
	Start, Updated            time.Time
	Failed                    bool
	Event                     string // the compute event behind it
}

// Port is a server's Neutron port.
type Port struct {
	ID, MAC, IP string
	Network     *Network
	BindingUUID string // of OVN's Port_Binding
	TunnelKey   int
	FloatingIP  *FloatingIP
	Down        bool // switched off by its owner
	Created     time.Time
	Updated     time.Time
}

// Request is what POST /servers asks for.
type Request struct {
	Name           string
	Project        *Project
	User           User
	Flavor         *Flavor
	Image          *Image
	Zone           string // "" for any
	Host           string // forced by an admin, "" for none
	BootFromVolume *Volume
	Metadata       map[string]string
	// Building is the time until it is ACTIVE; 0 for at once.
	Building time.Duration
}

// CreateServer asks for a server at w.Now. It always returns one: with status
// ERROR when no host takes it, as Nova does.
func (w *World) CreateServer(r Request) *Server {
	w.nextID++
	s := &Server{
		ID: w.uuid(), Name: r.Name, Number: w.nextID, Project: r.Project, User: r.User, Flavor: r.Flavor, Image: r.Image,
		Pinned: r.Zone, Status: "BUILD", TaskState: "scheduling", Created: w.Now, Updated: w.Now,
		Metadata: r.Metadata, Reservation: fmt.Sprintf("r-%08x", w.rand.Uint32()),
	}
	if r.BootFromVolume != nil {
		s.BootVolume, s.Image = true, nil
	}
	w.Servers.add(s.ID, s)
	s.Project.servers = append(s.Project.servers, s)
	w.act(s, "create", "compute__do_build_and_run_instance", r.Building, false)
	w.emit(ServerCreateStart, s)
	host := w.Schedule(r.Flavor, r.BootFromVolume != nil, r.Zone, r.Host, nil)
	if host == nil {
		s.Status, s.TaskState, s.Fault = "ERROR", "", "No valid host was found. There are not enough hosts available."
		s.Actions[len(s.Actions)-1].Failed = true
		w.emit(ServerCreateError, s)
		return s
	}
	w.claim(s, host)
	w.plug(s)
	if r.BootFromVolume != nil {
		w.attach(r.BootFromVolume, s)
	}
	s.TaskState = "spawning"
	if r.Building == 0 {
		w.launch(s)
	} else {
		w.at(w.Now.Add(r.Building), func() { w.launch(s) })
	}
	return s
}

func (w *World) launch(s *Server) {
	if s.Status != "BUILD" {
		return
	}
	s.Status, s.TaskState, s.PowerState = "ACTIVE", "", 1
	s.Launched, s.Updated = w.Now, w.Now
	w.emit(ServerCreateEnd, s)
}

// claim allocates the server's resources on a host.
func (w *World) claim(s *Server, h *Host) {
	s.Host, s.Zone = h, h.Zone
	h.Used = h.Used.plus(s.Flavor.Needs(s.BootVolume))
	h.Servers[s.ID] = s
	h.Generation++
	h.Zone.population++
}

func (w *World) release(s *Server) {
	h := s.Host
	if h == nil {
		return
	}
	h.Used = h.Used.minus(s.Flavor.Needs(s.BootVolume))
	delete(h.Servers, s.ID)
	h.Generation++
	h.Zone.population--
}

// DeleteServer removes a server at w.Now with its port; volumes are detached,
// a boot volume goes with it.
func (w *World) DeleteServer(s *Server) {
	if s.Status == "DELETED" {
		return
	}
	w.act(s, "delete", "compute_terminate_instance", 2*time.Second, false)
	w.unplug(s)
	for _, v := range slices.Clone(s.Volumes) {
		boot := v.Bootable
		w.detach(v)
		if boot {
			w.DeleteVolume(v)
		}
	}
	w.release(s)
	s.Status, s.TaskState, s.PowerState = "DELETED", "", 0
	s.Terminated, s.Updated = w.Now, w.Now
	w.Servers.remove(s.ID)
	w.Deleted.add(s.ID, s)
	w.at(w.Now.Add(keepDeleted), func() { w.Deleted.remove(s.ID) })
	s.Project.servers = slices.DeleteFunc(s.Project.servers, func(x *Server) bool { return x == s })
	w.emit(ServerDeleteEnd, s)
}

// ResizeServer gives the server another flavor at w.Now, on another host where
// there is one, and confirms it. It reports whether a host had room.
func (w *World) ResizeServer(s *Server, f *Flavor) bool {
	if s.Status != "ACTIVE" && s.Status != "SHUTOFF" || f == s.Flavor {
		return false
	}
	host := w.Schedule(f, s.BootVolume, s.Pinned, "", s.Host)
	if host == nil {
		w.act(s, "resize", "conductor_migrate_server", time.Second, true)
		return false
	}
	w.act(s, "resize", "compute_finish_resize", 40*time.Second, false)
	w.release(s)
	s.Flavor = f
	w.claim(s, host)
	s.Updated, s.Launched = w.Now, w.Now
	w.NBCfg++
	w.emit(ServerResizeEnd, s)
	w.act(s, "confirmResize", "compute_confirm_resize", 3*time.Second, false)
	w.emit(ServerConfirmEnd, s)
	return true
}

// PowerServer stops or starts a server at w.Now.
func (w *World) PowerServer(s *Server, on bool) {
	switch {
	case on && s.Status == "SHUTOFF":
		s.Status, s.PowerState, s.Updated = "ACTIVE", 1, w.Now
		w.act(s, "start", "compute_start_instance", time.Second, false)
		w.emit(ServerPowerOn, s)
	case !on && s.Status == "ACTIVE":
		s.Status, s.PowerState, s.Updated = "SHUTOFF", 4, w.Now
		w.act(s, "stop", "compute_stop_instance", 4*time.Second, false)
		w.emit(ServerPowerOff, s)
	}
}

// MigrateServer moves a server to another host at w.Now, live; it reports
// whether one had room.
func (w *World) MigrateServer(s *Server) bool {
	if s.Host == nil {
		return false
	}
	host := w.Schedule(s.Flavor, s.BootVolume, s.Pinned, "", s.Host)
	if host == nil {
		return false
	}
	w.act(s, "live-migration", "compute_live_migration", 30*time.Second, false)
	w.release(s)
	w.claim(s, host)
	s.Updated = w.Now
	w.NBCfg++
	w.emit(ServerMigrated, s)
	return true
}

func (w *World) act(s *Server, action, event string, took time.Duration, failed bool) {
	s.Actions = append(s.Actions, Action{
		RequestID: "req-" + w.uuid(), Action: action, UserID: s.User.ID, Event: event,
		Start: w.Now.Truncate(time.Second), Updated: w.Now.Add(took).Truncate(time.Second), Failed: failed,
	})
}
