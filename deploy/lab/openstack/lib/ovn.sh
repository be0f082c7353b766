# OVN's databases and northd, and for every host and gateway one real chassis: ovsdb-server, ovs-vswitchd
# and ovn-controller in a network namespace of its own. The kernel may lack openvswitch and geneve, so all
# bridges use the userspace datapath, and the tunnel endpoint is an address on a bridge port (br-phy): the
# userspace geneve sends through a bridge, not through the kernel's routing. The namespaces are joined by
# veths to a bridge in one more namespace; nothing reaches the machine's own network.

ovn_rundir=/srv/ovn # in the chroot, as $MCLOUD_LAB/ovn outside
ovs_rundir=/srv/ovs # <host>/run, as $MCLOUD_LAB/ovs/<host>/run outside

ovn_central() {
  local db port
  mkdir -p "$lab_root$ovn_rundir" "$lab_root$ovs_rundir" "$lab_root/var/lib/ovn"
  ln -sfn openstack/root/srv/ovn "$MCLOUD_LAB/ovn"
  ln -sfn openstack/root/srv/ovs "$MCLOUD_LAB/ovs"
  for db in nb:6641 sb:6642; do
    port=${db#*:} db=${db%:*}
    ovn_database "/var/lib/ovn/ovn$db.db" "/usr/share/ovn/ovn-$db.ovsschema"
    daemon "ovn-$db" chroot "$lab_root" env OVN_RUNDIR=$ovn_rundir ovsdb-server --remote="punix:$ovn_rundir/$db.sock" \
      --remote="ptcp:$port:127.0.0.1" --unixctl="$ovn_rundir/$db.ctl" "/var/lib/ovn/ovn$db.db"
    daemon_port "ovn-$db" "$port"
  done
  await ovn-nb 20 "listening on 6641" listening 6641
  await ovn-sb 20 "listening on 6642" listening 6642
  daemon ovn-northd chroot "$lab_root" ovn-northd --ovnnb-db="unix:$ovn_rundir/nb.sock" \
    --ovnsb-db="unix:$ovn_rundir/sb.sock" --unixctl="$ovn_rundir/northd.ctl"
}

# ovn_database FILE SCHEMA: an empty database, unless there is one.
ovn_database() {
  [ -e "$lab_root$1" ] || inside ovsdb-tool create "$1" "$2" || die "cannot create the database $1"
}

ovn_chassis_all() {
  local name number=10
  netns_add lab-fabric
  ip -n lab-fabric link show br-fabric >/dev/null 2>&1 || {
    ip -n lab-fabric link add br-fabric type bridge && ip -n lab-fabric link set br-fabric up
  } || die "bridge br-fabric in network namespace lab-fabric"
  for name in $(host_names); do ovn_chassis "$name" $((number += 1)) ""; done
  # gateways count from 200, so that a host added to a running lab finds its number free
  number=199
  for name in $LAB_GATEWAYS; do ovn_chassis "$name" $((number += 1)) enable-chassis-as-gw,availability-zones=az-gw; done
}

# ovn_chassis NAME NUMBER OPTIONS: NUMBER makes its addresses, OPTIONS are its ovn-cms-options.
ovn_chassis() {
  local name=$1 number=$2 options=$3 ns=lab-$1 run=$ovs_rundir/$1/run data=$ovs_rundir/$1/conf.db
  mkdir -p "$lab_root$run"
  netns_add "$ns"
  ip -n "$ns" link show fab0 >/dev/null 2>&1 || {
    ip -n "$ns" link add fab0 type veth peer name "f$number" netns lab-fabric &&
      ip -n "$ns" link set fab0 up && ip -n lab-fabric link set "f$number" master br-fabric up
  } || die "link of $ns to lab-fabric"
  ovn_database "$data" /usr/share/openvswitch/vswitch.ovsschema
  daemon "ovsdb-$name" chroot "$lab_root" env OVS_RUNDIR="$run" ovsdb-server --remote="punix:$run/db.sock" \
    --unixctl="$run/ovsdb-server.ctl" "$data"
  await "ovsdb-$name" 10 "answering" inside ovs-vsctl --timeout=1 --no-wait --db="unix:$run/db.sock" show
  once "ovs-$name-bridges" inside ovs-vsctl --timeout=10 --no-wait --db="unix:$run/db.sock" -- init \
    -- set Open_vSwitch . external_ids:system-id="$name" external_ids:hostname="$name" \
    external_ids:ovn-remote="unix:$ovn_rundir/sb.sock" external_ids:ovn-encap-type=geneve \
    external_ids:ovn-encap-ip="172.31.0.$number" external_ids:ovn-bridge-mappings=physnet1:br-ex \
    external_ids:ovn-monitor-all=true external_ids:ovn-cms-options="\"$options\"" \
    -- --may-exist add-br br-phy -- set bridge br-phy datapath_type=netdev \
    other-config:hwaddr="$(printf '"02:00:00:00:01:%02x"' "$number")" -- --may-exist add-port br-phy fab0 \
    -- --may-exist add-br br-ex -- set bridge br-ex datapath_type=netdev \
    -- --may-exist add-br br-int -- set bridge br-int datapath_type=netdev fail-mode=secure
  daemon "ovs-vswitchd-$name" "$here/lib/vswitchd-in-namespace" "$ns" "172.31.0.$number/24" \
    chroot "$lab_root" env OVS_RUNDIR="$run" OVS_SYSCONFDIR=/etc \
    ovs-vswitchd "unix:$run/db.sock" --unixctl="$run/ovs-vswitchd.ctl"
  daemon "ovn-controller-$name" ip netns exec "$ns" chroot "$lab_root" env OVS_RUNDIR="$run" OVN_RUNDIR="$run" \
    ovn-controller "unix:$run/db.sock" --unixctl="$run/ovn-controller.ctl"
}

# All chassis must have registered and answered northd's last change.
ovn_await() {
  local want
  want=$(($(host_names | wc -l) + $(wc -w <<<"$LAB_GATEWAYS")))
  registered() { [ "$(inside ovn-sbctl --timeout=5 --db="unix:$ovn_rundir/sb.sock" --bare --columns=name list Chassis | grep -c .)" -ge "$want" ]; }
  await ovn-sb 30 "holding all $want chassis" registered
}

# netns_add NAME: a network namespace of this lab. Names are the machine's, so each is noted down: a second
# lab must neither use nor delete the first one's.
netns_add() {
  if ip netns list | grep -qw "$1"; then
    [ -e "$lab_home/netns/$1" ] || die "network namespace $1 exists and is not this lab's; another lab runs on this machine"
    return 0
  fi
  mkdir -p "$lab_home/netns"
  ip netns add "$1" && ip -n "$1" link set lo up || die "cannot add network namespace $1"
  touch "$lab_home/netns/$1"
}

netns_delete_all() {
  local note
  for note in "$lab_home"/netns/*; do
    [ -e "$note" ] || continue
    ! ip netns list | grep -qw "${note##*/}" || ip netns del "${note##*/}"
    rm -f "$note"
  done
}
