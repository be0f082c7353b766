package nova

import (
	"slices"
	"strings"
	"time"
	"unique"

	json "github.com/go-json-experiment/json/v1"

	"mcloud"
	"mcloud/exporters/openstack"
)

// wireServer is what is read of Nova's answer. User data (10 kB of base64 in
// some), addresses, keys and passwords have no field here on purpose.
type wireServer struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Status     string         `json:"status"`
	Project    string         `json:"tenant_id"`
	User       string         `json:"user_id"`
	Created    openstack.Time `json:"created"`
	Updated    openstack.Time `json:"updated"`
	Launched   openstack.Time `json:"OS-SRV-USG:launched_at"`
	Terminated openstack.Time `json:"OS-SRV-USG:terminated_at"`
	TaskState  string         `json:"OS-EXT-STS:task_state"`
	PowerState int            `json:"OS-EXT-STS:power_state"`
	Host       string         `json:"OS-EXT-SRV-ATTR:host"`
	Hypervisor string         `json:"OS-EXT-SRV-ATTR:hypervisor_hostname"`
	Instance   string         `json:"OS-EXT-SRV-ATTR:instance_name"`
	Zone       string         `json:"OS-EXT-AZ:availability_zone"`
	PinnedZone string         `json:"pinned_availability_zone"`
	Locked     bool           `json:"locked"`
	Image      image          `json:"image"`
	Fault      *wireFault     `json:"fault"`
	Volumes    []struct {
		ID string `json:"id"`
	} `json:"os-extended-volumes:volumes_attached"`
	Flavor struct {
		Name       string            `json:"original_name"`
		VCPUs      int64             `json:"vcpus"`
		RAM        int64             `json:"ram"`
		Disk       int64             `json:"disk"`
		Ephemeral  int64             `json:"ephemeral"`
		Swap       openstack.Int     `json:"swap"`
		ExtraSpecs map[string]string `json:"extra_specs"`
	} `json:"flavor"`
}

type wireFault struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// image is present as an object, and "" for a server that boots from a volume.
type image bool

func (i *image) UnmarshalJSON(b []byte) error {
	*i = image(len(b) > 0 && b[0] == '{')
	return nil
}

// word is a text that many servers share: a status, a zone, a host, a project.
type word = unique.Handle[string]

// server is what is kept of a server from look to look. There are tens of
// thousands: texts that they share are held once, and what only the record needs
// is in its encoded attributes.
type server struct {
	object            mcloud.Object // as it is recorded, but for Parent
	status, task      word
	host, hypervisor  word
	zone, user        word
	project           word
	shape             unique.Handle[shape]
	power             int8
	fault             *fault // nil when there is none or it was not asked for
	instance          string
	groups            []string // in object's attributes
	hidden            bool     // nothing but its id, project and status is known
	created, launched int64    // Unix seconds; 0 when not known
	updated           int64
}

// shape is what a server has of its flavor.
type shape struct {
	flavor                                  string
	vcpus, memoryMiB, diskGiB, ephemeralGiB int64
	swapMiB                                 int64
}

// diskBytes has all disks that the flavor gives.
func (s shape) diskBytes() float64 {
	return float64(s.diskGiB+s.ephemeralGiB)*gib + float64(s.swapMiB)*mib
}

// fault is why a server is in ERROR. Code 0 says that Nova was asked and keeps none.
type fault struct {
	code    int
	message string
}

func (w *wireFault) kept() *fault {
	if w == nil {
		return nil
	}
	return &fault{w.Code, shortened(w.Message)}
}

// maxFault bounds what is kept of a fault's message, in bytes.
const maxFault = 120

// UnmarshalJSON reads Nova's answer.
func (v *server) UnmarshalJSON(b []byte) error {
	var w wireServer
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	f := w.Flavor
	*v = server{
		status: unique.Make(w.Status), task: unique.Make(w.TaskState), host: unique.Make(w.Host), hypervisor: unique.Make(w.Hypervisor),
		zone: unique.Make(w.Zone), user: unique.Make(w.User), project: unique.Make(w.Project),
		shape: unique.Make(shape{f.Name, f.VCPUs, f.RAM, f.Disk, f.Ephemeral, int64(f.Swap)}),
		power: int8(w.PowerState), instance: w.Instance,
		created: seconds(w.Created), launched: seconds(w.Launched), updated: seconds(w.Updated),
	}
	if w.Status == "ERROR" {
		v.fault = w.Fault.kept()
	}
	v.object = w.object()
	v.object.Project = v.project.Value()
	return nil
}

func seconds(t openstack.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// shortened cuts a message, not within a character.
func shortened(message string) string {
	if len(message) > maxFault {
		message = message[:maxFault]
	}
	return strings.TrimSpace(strings.ToValidUTF8(message, ""))
}

func (v *server) updatedAt() time.Time { return time.Unix(v.updated, 0).UTC() }

func (w *wireServer) object() mcloud.Object {
	var volumes []string
	for _, volume := range w.Volumes {
		volumes = append(volumes, volume.ID)
	}
	slices.Sort(volumes)
	return mcloud.NewObject(mcloud.KindServer, w.ID, w.Name, "", w.Project, mcloud.Server{
		Name: w.Name, Status: w.Status, TaskState: w.TaskState, PowerState: w.PowerState,
		Host: w.Host, Hypervisor: w.Hypervisor, Zone: w.Zone, PinnedZone: w.PinnedZone,
		Flavor: w.Flavor.Name, VCPUs: w.Flavor.VCPUs, MemoryMiB: w.Flavor.RAM, DiskGiB: w.Flavor.Disk,
		EphemeralGiB: w.Flavor.Ephemeral, SwapMiB: int64(w.Flavor.Swap), ExtraSpecs: w.Flavor.ExtraSpecs,
		Volumes: volumes, BootVolume: !bool(w.Image),
		Created: w.Created.Time, Launched: w.Launched.Time, Terminated: w.Terminated.Time, Locked: w.Locked,
	})
}

// setGroups encodes the attributes anew when the server's groups are others. The
// former encoding stays as it is: a recorder may still have it.
func (v *server) setGroups(ids []string) {
	if slices.Equal(v.groups, ids) {
		return
	}
	var attributes mcloud.Server
	if json.Unmarshal(v.object.Attributes, &attributes) != nil {
		return // they were encoded here
	}
	attributes.ServerGroups, v.groups = ids, ids
	v.object = mcloud.NewObject(v.object.Kind, v.object.ID, v.object.Name, "", v.object.Project, attributes)
}

// behind is a server of a cell that Nova cannot reach: of it the list says nothing
// but id, project and the status UNKNOWN (from microversion 2.69). What was known of
// it before stays on record, since it has not become a server without a flavor.
func (v *server) behind(before *server) *server {
	if before == nil {
		v.hidden = true
		return v
	}
	kept := *before
	kept.status = v.status
	return &kept
}

// differs says that something was asked of the server, or happened to it.
func (v *server) differs(now *server) bool {
	return v.updated != now.updated || v.task != now.task || v.status != now.status
}

// parked are the statuses in or out of which a server is paid for otherwise, or
// may be: planner/chargeback takes the times from the actions.
var parked = []string{"SHELVED", "SHELVED_OFFLOADED", "RESIZE", "VERIFY_RESIZE", "REVERT_RESIZE", "SOFT_DELETED"}

// billsOtherwise says that what changed may be more than a server that started,
// stopped or got a volume: another flavor, shelving or what follows it, a rebuild.
// Those launch the server anew, so that one which was shelved and unshelved between
// two looks is found too.
func (v *server) billsOtherwise(now *server) bool {
	return v.shape != now.shape || v.launched != now.launched ||
		v.status != now.status && (slices.Contains(parked, v.status.Value()) || slices.Contains(parked, now.status.Value()))
}
