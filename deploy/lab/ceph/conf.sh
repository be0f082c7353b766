# Sourced by up: writes the current cluster's ceph.conf.
#
# Everything is on 127.0.0.1 and under the cluster's folder, and made small: the lab shares two cores and a few GiB with a
# whole OpenStack. Clients need only this file and a keyring, which [client] finds by the user's name.

# mon_addresses: name and address vector of each mon, msgr v2 before v1, one a line
mon_addresses() {
  local entry port=$port_base
  for entry in "${mons[@]}"; do
    echo "${entry%%:*} [v2:127.0.0.1:$port,v1:127.0.0.1:$((port + 1))]"
    port=$((port + 2))
  done
}

write_conf() {
  local id class size bytes datacentre host
  {
    cat <<EOF
[global]
fsid = $fsid
mon_host = $(mon_addresses | cut -d' ' -f2 | paste -sd,)
mon_initial_members = $(mon_addresses | cut -d' ' -f1 | paste -sd,)
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
auth_allow_insecure_global_id_reclaim = false
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_port_min = $((port_base + 100))
ms_bind_port_max = $((port_base + 399))
ms_async_op_threads = 1
run_dir = $root/run
pid_file = $root/run/\$cluster-\$name.pid
log_file = $root/log/\$cluster-\$name.log
log_to_stderr = false
log_max_recent = 500
crash_dir = $root/crash
# Each change of a map otherwise waits a second for others to join it: 50 s instead of 16 s to make a cluster.
paxos_propose_interval = 0.1
osd_pool_default_pg_autoscale_mode = off
# The mgr's own pool takes the default, and is never made when it asks for more copies than there are OSDs.
osd_pool_default_size = $(cut -d: -f3 <<<"${pools[0]}")

[client]
keyring = $root/$cluster.\$name.keyring
log_file =

[mon]
mon_data = $root/mon/\$id
mon_cluster_log_file = $root/log/$cluster.log
mon_data_avail_warn = 5
mon_data_avail_crit = 1
mon_election_timeout = 2
mon_memory_target = 268435456
mon_osd_cache_size_min = 33554432
rocksdb_cache_size = 16777216
# The default adds 'restful', which nothing here uses.
mgr_initial_modules = iostat

[mgr]
mgr_data = $root/mgr/\$id
# How late usage and IO rates are; Ceph's own default is 5 s.
mgr_stats_period = 1
mgr_tick_period = 1

[osd]
osd_data = $root/osd/\$id
osd_objectstore = bluestore
bluestore_cache_autotune = false
bluestore_cache_size = 33554432
osd_op_num_shards = 2
osd_op_num_threads_per_shard = 1
osd_max_pg_log_entries = 500
osd_min_pg_log_entries = 100
# A frozen OSD is called down after the grace; the default heartbeat of 6 s would add to it.
osd_heartbeat_interval = 3
osd_heartbeat_grace = 20
# A file-backed OSD would call itself hdd; the device classes are set by hand.
osd_class_update_on_start = false
EOF
    for id in "${!osds[@]}"; do
      IFS=: read -r class size datacentre host <<<"${osds[id]}"
      bytes=$(numfmt --from=iec "$size")
      cat <<EOF

[osd.$id]
bluestore_block_size = $bytes
crush_location = root=default datacenter=$datacentre host=$host
EOF
    done
  } >"$conf"
}
