package openstack

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"mcloud/deploy/sim/model"
)

var volume = &service{
	name: "volume", low: version{3, 0}, high: version{3, 71}, fallback: version{3, 0}, fault: namedFault,
}

func (s *Server) volumeRoutes() {
	const v = "/volume/v3/{project}"
	s.route(volume, "GET /volume", true, s.volumeVersions)
	s.route(volume, "GET /volume/{$}", true, s.volumeVersions)
	s.route(volume, "GET /volume/v3", true, s.volumeVersions)
	s.route(volume, "GET /volume/v3/{$}", true, s.volumeVersions)
	s.route(volume, "GET "+v+"/volumes/detail", false, s.listVolumes)
	s.route(volume, "GET "+v+"/volumes/{id}", false, s.volume)
	s.route(volume, "POST "+v+"/volumes", false, s.createVolume)
	s.route(volume, "DELETE "+v+"/volumes/{id}", false, s.deleteVolume)
	s.route(volume, "GET "+v+"/types", false, s.volumeTypes)
	s.route(volume, "GET "+v+"/snapshots/detail", false, s.snapshots)
	s.shelf(volume, v+"/backups/detail", "backups", byLinks, s.backups)
	s.shelf(volume, v+"/groups/detail", "groups", byLinks, none)
	s.shelf(volume, v+"/os-volume-transfer", "transfers", byNothing, none)
	s.shelf(volume, v+"/os-volume-transfer/detail", "transfers", byNothing, none)
	s.shelf(volume, v+"/qos-specs", "qos_specs", byNothing, none)
	s.route(volume, "GET "+v+"/volumes", false, s.listVolumes)
	s.route(volume, "GET "+v+"/scheduler-stats/get_pools", false, s.pools)
	s.route(volume, "GET "+v+"/os-services", false, s.volumeServices)
	s.route(volume, "GET "+v+"/os-quota-sets/{of}", false, s.volumeQuota)
	s.route(volume, "GET "+v+"/limits", false, s.volumeLimits)
	s.route(volume, "/volume/v3/", false, func(c *call) answer {
		return volume.fail(c, http.StatusNotFound, "The resource could not be found.")
	})
}

func (s *Server) volumeVersions(c *call) answer {
	status := http.StatusMultipleChoices
	if strings.Contains(c.URL.Path, "v3") {
		status = http.StatusOK
	}
	return answer{status, object{"versions": []object{{
		"id": "v3.0", "status": "CURRENT", "version": "3.71", "min_version": "3.0", "updated": "2023-08-31T00:00:00Z",
		"links": []object{
			{"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
			{"rel": "self", "href": s.root + "/volume/v3/"},
		},
		"media-types": []object{{"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}},
	}}}}
}

func (s *Server) volumeLinks(c *call, id string) []object {
	return []object{
		{"rel": "self", "href": s.root + "/volume/v3/" + c.PathValue("project") + "/volumes/" + id},
		{"rel": "bookmark", "href": s.root + "/volume/" + c.PathValue("project") + "/volumes/" + id},
	}
}

const volumeServiceUUID = "d0000000-0000-4000-8000-00000000000"

func (s *Server) volumeDocument(c *call, w *model.World, v *model.Volume) object {
	attachments := []object{}
	if v.Server != nil {
		host := any(nil)
		if v.Server.Host != nil {
			host = v.Server.Host.Name
		}
		attachments = append(attachments, object{
			"id": v.ID, "volume_id": v.ID, "attachment_id": v.AttachmentID, "server_id": v.Server.ID, "host_name": host,
			"device": v.Device, "attached_at": when(v.AttachedAt, microsecond),
		})
	}
	bootable := "false" // a string in this API
	if v.Bootable {
		bootable = "true"
	}
	doc := object{
		"id": v.ID, "name": v.Name, "description": nil, "status": v.Status, "size": v.SizeGiB, "availability_zone": "nova",
		"bootable": bootable, "encrypted": false, "multiattach": false, "metadata": object{}, "links": s.volumeLinks(c, v.ID),
		"created_at": when(v.Created, microsecond), "updated_at": when(v.Updated, microsecond), "user_id": v.User.ID,
		"volume_type": v.Tier.VolumeType, "snapshot_id": nil, "source_volid": nil, "consistencygroup_id": nil,
		"replication_status": nil, "migration_status": nil, "attachments": attachments,
		"os-vol-host-attr:host": v.Tier.PoolFullName(), "os-vol-tenant-attr:tenant_id": v.Project.ID,
		"os-vol-mig-status-attr:migstat": nil, "os-vol-mig-status-attr:name_id": nil,
	}
	if v.Image != nil {
		doc["volume_image_metadata"] = object{"image_id": v.Image.ID, "image_name": v.Image.Name, "min_disk": "0", "min_ram": "0"}
	}
	if c.since(13) {
		doc["group_id"] = nil
	}
	if c.since(21) {
		doc["provider_id"] = nil
	}
	if c.since(48) {
		doc["service_uuid"] = volumeServiceUUID + string(rune('1'+slices.Index(w.Tiers, v.Tier)))
		doc["shared_targets"] = false
	}
	if c.since(61) {
		doc["cluster_name"] = nil
	}
	if c.since(63) {
		doc["volume_type_id"] = v.Tier.TypeID
	}
	if c.since(65) {
		doc["consumes_quota"] = true
	}
	return doc
}

func (s *Server) listVolumes(c *call) (a answer) {
	query := c.URL.Query()
	s.cloud.With(func(w *model.World) {
		var selected func(*model.Volume) bool
		if status := query.Get("status"); status != "" || query.Has("updated_at") || query.Has("created_at") {
			updated, created := timeFilter(query["updated_at"]), timeFilter(query["created_at"])
			selected = func(v *model.Volume) bool {
				return (status == "" || status == v.Status) && updated(v.Updated) && created(v.Created)
			}
		}
		order := s.volumes.of(&w.Volumes, func(x, y *model.Volume) int { return y.Created.Compare(x.Created) })
		if query.Get("sort") == "id:asc" {
			order = s.volumesByID.of(&w.Volumes, func(x, y *model.Volume) int { return strings.Compare(x.ID, y.ID) })
		}
		list := kept(order, selected, visible(c, query), func(v *model.Volume) *model.Project { return v.Project })
		part, next, known := page(c, list, func(v *model.Volume) string { return v.ID }, 1000)
		if !known {
			a = volume.fail(c, http.StatusNotFound, "Volume %s could not be found.", query.Get("marker"))
			return
		}
		docs := []object{}
		for _, v := range part {
			if strings.HasSuffix(c.URL.Path, "/detail") {
				docs = append(docs, s.volumeDocument(c, w, v))
			} else {
				docs = append(docs, object{"id": v.ID, "name": v.Name, "links": s.volumeLinks(c, v.ID)})
			}
		}
		doc := object{"volumes": docs}
		if c.since(45) && strings.EqualFold(query.Get("with_count"), "true") {
			doc["count"] = len(list)
		}
		s.nextLink(doc, "volumes", c.URL.Path, next)
		a = ok(doc)
	})
	return a
}

// timeFilter reads Cinder's filter by a time, "gte:2026-11-25T12:00:00,lt:…"
// (3.60; cinder/db/sqlalchemy/api.py, _process_model_like_filter and
// cinder/api/v3/volumes.py, _process_time_comparison_filter).
func timeFilter(clauses []string) func(time.Time) bool {
	all := []func(time.Time) bool{}
	for _, clause := range strings.Split(strings.Join(clauses, ","), ",") {
		operator, text, _ := strings.Cut(clause, ":")
		at, err := time.Parse("2006-01-02T15:04:05", strings.TrimSuffix(text, "Z"))
		if err != nil {
			continue
		}
		all = append(all, func(t time.Time) bool {
			switch order := t.Compare(at); operator {
			case "gt":
				return order > 0
			case "gte":
				return order >= 0
			case "lt":
				return order < 0
			case "lte":
				return order <= 0
			case "neq":
				return order != 0
			default:
				return order == 0
			}
		})
	}
	return func(t time.Time) bool {
		for _, passes := range all {
			if !passes(t) {
				return false
			}
		}
		return true
	}
}

func (s *Server) volume(c *call) (a answer) {
	s.cloud.With(func(w *model.World) {
		v := w.Volumes.Get(c.PathValue("id"))
		if v == nil || !c.who.admin() && v.Project.ID != c.who.project {
			a = volume.fail(c, http.StatusNotFound, "Volume %s could not be found.", c.PathValue("id"))
			return
		}
		a = ok(object{"volume": s.volumeDocument(c, w, v)})
	})
	return a
}

func (s *Server) createVolume(c *call) (a answer) {
	var body struct {
		Volume struct {
			Name string `json:"name"`
			Size int64  `json:"size"`
			Type string `json:"volume_type"`
		} `json:"volume"`
	}
	if err := c.decode(&body); err != nil || body.Volume.Size < 1 {
		return volume.fail(c, http.StatusBadRequest, "Invalid input received: size must be a positive whole number of GiB")
	}
	s.cloud.With(func(w *model.World) {
		t, p := w.Tier(body.Volume.Type), w.Project(c.who.project)
		if body.Volume.Type == "" {
			t = w.Tiers[0]
		}
		if t == nil {
			a = volume.fail(c, http.StatusNotFound, "Volume type with name %s could not be found.", body.Volume.Type)
			return
		}
		v := w.CreateVolume(body.Volume.Name, p, c.who.user, t, body.Volume.Size)
		a = answer{http.StatusAccepted, object{"volume": s.volumeDocument(c, w, v)}}
	})
	return a
}

func (s *Server) deleteVolume(c *call) (a answer) {
	s.cloud.With(func(w *model.World) {
		v := w.Volumes.Get(c.PathValue("id"))
		switch {
		case v == nil:
			a = volume.fail(c, http.StatusNotFound, "Volume %s could not be found.", c.PathValue("id"))
		case v.Status != "available":
			a = volume.fail(c, http.StatusBadRequest, "Invalid volume: Volume status must be available or error or error_restoring or error_extending or error_managing and must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer.")
		default:
			w.DeleteVolume(v)
			a = answer{http.StatusAccepted, nil}
		}
	})
	return a
}

func (s *Server) volumeTypes(*call) (a answer) {
	s.cloud.With(func(w *model.World) {
		list := []object{}
		for _, t := range w.Tiers {
			list = append(list, object{
				"id": t.TypeID, "name": t.VolumeType, "description": t.Description, "is_public": true, "qos_specs_id": nil,
				"extra_specs": object{"volume_backend_name": t.VolumeType}, "os-volume-type-access:is_public": true,
			})
		}
		a = ok(object{"volume_types": list})
	})
	return a
}

func (s *Server) snapshots(c *call) (a answer) {
	s.cloud.With(func(w *model.World) {
		var list []*model.Snapshot
		seen := visible(c, c.URL.Query())
		for _, v := range w.Volumes.All() {
			if seen == nil || seen(v.Project) {
				list = append(list, v.Snapshots...)
			}
		}
		part, next, known := page(c, list, func(x *model.Snapshot) string { return x.ID }, 1000)
		if !known {
			a = volume.fail(c, http.StatusNotFound, "Snapshot %s could not be found.", c.URL.Query().Get("marker"))
			return
		}
		docs := []object{}
		for _, x := range part {
			doc := object{
				"id": x.ID, "name": x.Name, "description": nil, "status": "available", "size": x.Volume.SizeGiB, "volume_id": x.Volume.ID,
				"created_at": when(x.Created, microsecond), "updated_at": when(x.Created, microsecond), "metadata": object{},
				"os-extended-snapshot-attributes:progress": "100%", "os-extended-snapshot-attributes:project_id": x.Volume.Project.ID,
			}
			if c.since(14) {
				doc["group_snapshot_id"] = nil
			}
			if c.since(41) {
				doc["user_id"] = x.Volume.User.ID
			}
			if c.since(65) {
				doc["consumes_quota"] = true
			}
			docs = append(docs, doc)
		}
		doc := object{"snapshots": docs}
		s.nextLink(doc, "snapshots", c.URL.Path, next)
		a = ok(doc)
	})
	return a
}

// backups are one of each of the oldest volumes.
func (s *Server) backups(c *call, w *model.World) []object {
	docs := []object{}
	for _, v := range few(w.Volumes.All(), 25) {
		id := madeID("backup", v.ID)
		docs = append(docs, recorded("backup", object{
			"id": id, "name": v.Name + "-backup", "status": "available", "size": v.SizeGiB, "volume_id": v.ID, "fail_reason": nil, "container": "backups",
			"created_at": when(v.Created, microsecond), "updated_at": when(v.Created, microsecond), "data_timestamp": when(v.Created, microsecond),
			"os-backup-project-attr:project_id": v.Project.ID, "user_id": v.User.ID, "is_incremental": false, "has_dependent_backups": false,
			"links": []object{{"rel": "self", "href": s.root + "/volume/v3/" + c.PathValue("project") + "/backups/" + id}},
		}))
	}
	return docs
}

const gib = 1 << 30

func (s *Server) pools(c *call) (a answer) {
	if refusal := requireAdmin(c, volume, "scheduler_extension:scheduler_stats:get_pools"); refusal != nil {
		return *refusal
	}
	detail := strings.EqualFold(c.URL.Query().Get("detail"), "true")
	s.cloud.With(func(w *model.World) {
		list := []object{}
		for _, t := range w.Tiers {
			doc := object{"name": t.PoolFullName()}
			if detail {
				doc["capabilities"] = poolCapabilities(w, t)
			}
			list = append(list, doc)
		}
		a = ok(object{"pools": list})
	})
	return a
}

// PoolGiB is what the RBD driver reports of a pool, in GiB: the total is what is
// stored and what still fits, so it moves with the fill of the cluster
// (cinder/volume/drivers/rbd.py, _get_pool_stats).
func PoolGiB(u model.Usage) (total, free float64) {
	free = float64(u.MaxAvail[2]) / gib
	return round2(free + float64(u.Stored[2])/gib), round2(free)
}

func poolCapabilities(w *model.World, t *model.Tier) object {
	total, free := PoolGiB(w.Usage(t.Cluster))
	return object{
		"pool_name": t.PoolName, "volume_backend_name": t.VolumeType, "vendor_name": "Open Source", "driver_version": "1.3.0",
		"storage_protocol": "ceph", "total_capacity_gb": total, "free_capacity_gb": free,
		"provisioned_capacity_gb": t.ProvisionedGiB(), "allocated_capacity_gb": t.ProvisionedGiB(),
		"max_over_subscription_ratio": ratioText(t.MaxOverSubscription), "reserved_percentage": 0,
		"thin_provisioning_support": true, "thick_provisioning_support": false, "multiattach": true, "backend_state": "up",
		"total_volumes": t.Count, "location_info": "ceph:/etc/ceph/" + t.Cluster.Name + ".conf:" + t.Cluster.FSID + ":cinder:" + t.PoolName,
		"replication_enabled": false, "online_extend_support": true, "filter_function": nil, "goodness_function": nil,
		"timestamp": when(w.Now, microsecond),
	}
}

func round2(x float64) float64 { return float64(int64(x*100+0.5)) / 100 }

// ratioText writes a ratio as Cinder does: a string, with a decimal.
func ratioText(x float64) string {
	if x == float64(int64(x)) {
		return string(rune('0'+int(x)%10)) + ".0"
	}
	return strings.TrimRight(strings.TrimRight(formatFloat(x), "0"), ".")
}

func (s *Server) volumeServices(c *call) (a answer) {
	if refusal := requireAdmin(c, volume, "volume_extension:services:index"); refusal != nil {
		return *refusal
	}
	s.cloud.With(func(w *model.World) {
		list := []object{}
		add := func(binary, host string) object {
			doc := object{
				"binary": binary, "host": host, "zone": "nova", "status": "enabled", "state": "up", "updated_at": when(w.Now, microsecond),
				"disabled_reason": nil,
			}
			if c.since(7) {
				doc["cluster"] = nil
			}
			list = append(list, doc)
			return doc
		}
		add("cinder-scheduler", "ctl-1")
		for _, t := range w.Tiers {
			doc := add("cinder-volume", t.Backend)
			doc["replication_status"], doc["active_backend_id"], doc["frozen"] = "disabled", nil, false
			if c.since(49) {
				doc["backend_state"] = "up"
			}
		}
		a = ok(object{"services": list})
	})
	return a
}

// volumeTotals are what a project's volumes take of its quota, and those of each
// type.
func volumeTotals(w *model.World, project string) (count, gigabytes, snapshots int64, byTier map[*model.Tier][3]int64) {
	byTier = map[*model.Tier][3]int64{}
	for _, v := range w.Volumes.All() {
		if v.Project.ID == project {
			n := int64(len(v.Snapshots))
			count, gigabytes, snapshots = count+1, gigabytes+v.SizeGiB, snapshots+n
			t := byTier[v.Tier]
			byTier[v.Tier] = [3]int64{t[0] + 1, t[1] + v.SizeGiB, t[2] + n}
		}
	}
	return count, gigabytes, snapshots, byTier
}

func (s *Server) volumeQuota(c *call) (a answer) {
	usage := strings.EqualFold(c.URL.Query().Get("usage"), "true")
	s.cloud.With(func(w *model.World) {
		count, gigabytes, snapshots, byTier := volumeTotals(w, c.PathValue("of"))
		doc := object{"id": c.PathValue("of")}
		add := func(name string, limit, used int64) {
			doc[name] = limit
			if usage {
				doc[name] = object{"limit": limit, "in_use": used, "reserved": 0}
			}
		}
		add("volumes", 2000, count)
		add("gigabytes", 1<<20, gigabytes)
		add("snapshots", 1000, snapshots)
		add("backups", 10, 0)
		add("backup_gigabytes", 1000, 0)
		add("groups", 10, 0)
		add("per_volume_gigabytes", -1, 0)
		for _, t := range w.Tiers {
			add("volumes_"+t.VolumeType, -1, byTier[t][0])
			add("gigabytes_"+t.VolumeType, -1, byTier[t][1])
			add("snapshots_"+t.VolumeType, -1, byTier[t][2])
		}
		a = ok(object{"quota_set": doc})
	})
	return a
}

func (s *Server) volumeLimits(c *call) (a answer) {
	s.cloud.With(func(w *model.World) {
		count, gigabytes, _, _ := volumeTotals(w, c.PathValue("project"))
		a = ok(object{"limits": object{"rate": []any{}, "absolute": object{
			"maxTotalVolumes": 2000, "totalVolumesUsed": count, "maxTotalVolumeGigabytes": 1 << 20, "totalGigabytesUsed": gigabytes,
			"maxTotalSnapshots": 1000, "totalSnapshotsUsed": 0, "maxTotalBackups": 10, "totalBackupsUsed": 0,
			"maxTotalBackupGigabytes": 1000, "totalBackupGigabytesUsed": 0,
		}}})
	})
	return a
}
