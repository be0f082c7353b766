# Sourced by up: makes the current cluster from nothing, by hand, the way Ceph's manual deployment does it.
#
# A cluster counts as made once $root/made exists (and as up while $root/up does); what an interrupted creation left behind is removed and made again.

create_cluster() {
  mkdir -p "$root"/{run,log,mon,mgr,osd,crash}
  write_conf
  create_keys
  create_mons
  start_daemons $(daemons | sed -n 's/^\(mon[^ ]*\).*/\1/p')
  start_daemons $(daemons | sed -n 's/^\(mgr[^ ]*\).*/\1/p')
  create_osds
  create_pools
  touch "$root/made"
}

# keyring FILE USER CAPABILITY...: a new key; ceph-authtool knows no quiet mode
keyring() {
  local file=$1 user=$2 words=()
  shift 2
  while [ $# -gt 0 ]; do
    words+=(--cap "$1" "$2")
    shift 2
  done
  mkdir -p "$(dirname "$file")"
  ceph-authtool --create-keyring "$file" --gen-key --name "$user" "${words[@]}" >/dev/null
}

# The first monitor learns every key but the OSDs' from one keyring; OSDs are registered later, with a key each.
create_keys() {
  local entry file seed_keyring=$root/mon/initial.keyring
  keyring "$seed_keyring" mon. mon 'allow *'
  keyring "$root/$cluster.client.admin.keyring" client.admin mon 'allow *' mgr 'allow *' osd 'allow *' mds 'allow *'
  # Read-only: all of the exporter's commands run with 'allow r', only listing RBD images needs the profile beside it.
  keyring "$root/$cluster.client.exporter.keyring" client.exporter mon 'allow r' mgr 'allow r' \
    osd 'allow r, profile rbd-read-only'
  for entry in "${mgrs[@]}"; do
    keyring "$root/mgr/${entry%%:*}/keyring" "mgr.${entry%%:*}" mon 'allow profile mgr' osd 'allow *' mds 'allow *'
  done
  for file in "$root"/*.keyring "$root"/mgr/*/keyring; do
    ceph-authtool "$seed_keyring" --import-keyring "$file" >/dev/null
  done
}

create_mons() {
  local name address words=()
  while read -r name address; do words+=(--addv "$name" "$address"); done < <(mon_addresses)
  monmaptool --create --clobber --fsid "$fsid" "${words[@]}" "$root/mon/initial.monmap" >/dev/null
  while read -r name address; do
    ceph-mon --conf "$conf" --cluster "$cluster" --mkfs --id "$name" \
      --monmap "$root/mon/initial.monmap" --keyring "$root/mon/initial.keyring" >"$root/log/mon.$name.mkfs" 2>&1 ||
      fail_with_log "$cluster: mon.$name could not make its store" "$root/log/mon.$name.mkfs"
  done < <(mon_addresses)
}

create_osds() {
  local id pid pids=() ids=() fsids=()
  for id in "${!osds[@]}"; do
    keyring "$root/osd/$id/keyring" "osd.$id" mon 'allow profile osd' mgr 'allow profile osd' osd 'allow *'
    fsids+=("$(cat /proc/sys/kernel/random/uuid)")
    ids+=("$id")
  done
  for id in "${ids[@]}"; do
    printf '{"prefix":"osd new","uuid":"%s","id":%d,"input":"{\\"cephx_secret\\":\\"%s\\"}"}\n' \
      "${fsids[id]}" "$id" "$(ceph-authtool "$root/osd/$id/keyring" --name "osd.$id" --print-key)"
  done | mon_commands || fail_with_log "$cluster: the monitors did not take the OSDs" "$root/log/$cluster.log"
  for id in "${ids[@]}"; do
    ceph-osd --conf "$conf" --cluster "$cluster" --mkfs --id "$id" --osd-uuid "${fsids[id]}" \
      >"$root/log/osd.$id.mkfs" 2>&1 </dev/null &
    pids+=($!)
  done
  for id in "${ids[@]}"; do
    wait "${pids[id]}" || fail_with_log "$cluster: osd.$id could not make its store" "$root/log/osd.$id.mkfs"
  done
  start_daemons "${ids[@]/#/osd.}"
  mon_commands --seconds 60 wait-osds ${#osds[@]} ||
    fail_with_log "$cluster: not every OSD came up" "$(newest "$root"/log/*osd.*.log)"
}

# Device classes first: the rules name them, and the pools the rules.
create_pools() {
  local id entry name groups copies least rule domain class
  {
    for id in "${!osds[@]}"; do
      printf '{"prefix":"osd crush set-device-class","class":"%s","ids":["%d"]}\n' "${osds[id]%%:*}" "$id"
    done
    for entry in "${rules[@]}"; do
      IFS=: read -r name domain class <<<"$entry"
      printf '{"prefix":"osd crush rule create-replicated","name":"%s","root":"default","type":"%s","class":"%s"}\n' \
        "$name" "$domain" "$class"
    done
    for entry in "${pools[@]}"; do
      IFS=: read -r name groups copies least rule <<<"$entry"
      printf '{"prefix":"osd pool create","pool":"%s","pg_num":%d,"pgp_num":%d,"pool_type":"replicated","rule":"%s","size":%d}\n' \
        "$name" "$groups" "$groups" "$rule" "$copies"
      printf '{"prefix":"osd pool set","pool":"%s","var":"min_size","val":"%d"}\n' "$name" "$least"
      printf '{"prefix":"osd pool application enable","pool":"%s","app":"rbd"}\n' "$name"
    done
    for entry in "${mons[@]}"; do
      printf '{"prefix":"mon set_location","name":"%s","args":["datacenter=%s"]}\n' \
        "${entry%%:*}" "$(cut -d: -f2 <<<"$entry")"
    done
  } | mon_commands || fail "$cluster: pools could not be made"
  place_mgr_pool
}

# The mgr makes its own small pool some seconds after its start, under the default rule, which mixes the device classes.
place_mgr_pool() {
  local pool
  wait_for 60 mgr_pool || fail_with_log "$cluster: the mgr made no pool of its own within 60 s" "$(newest "$root"/log/*mgr.*.log)"
  pool=$(mgr_pool)
  printf '{"prefix":"osd pool set","pool":"%s","var":"crush_rule","val":"%s"}\n' "$pool" "${rules[0]%%:*}" | mon_commands
}

# device_health_metrics until Ceph 16, .mgr since 17
mgr_pool() { ceph_client osd pool ls | grep -xE 'device_health_metrics|\.mgr'; }
