# Sourced by the scripts here: where a cluster's things lie, which daemons it has and how one is started.
#
# A cluster is described by clusters/NAME.sh and lives in $MCLOUD_LAB/ceph/NAME: NAME.conf, keyrings, run/ (admin sockets
# and pid files), log/, and the daemons' data. load_cluster NAME makes it the current one.

# Ceph's mgr embeds the system's Python and must not meet another one first; sbin holds no daemon a user's PATH would find.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
unset PYTHONHOME PYTHONPATH

export MCLOUD_LAB=${MCLOUD_LAB:-/var/lib/mcloud-lab}
ceph_part=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$ceph_part/../process.sh"

ALL_CLUSTERS=(fast geo)

load_cluster() {
  local description=$ceph_part/clusters/$1.sh
  [ -r "$description" ] || fail "there is no cluster '$1'; the lab has: ${ALL_CLUSTERS[*]}"
  cluster=$1
  root=$MCLOUD_LAB/ceph/$cluster
  conf=$root/$cluster.conf
  . "$description"
}

# ceph_client COMMAND...: the ceph client as admin, bounded, for librados itself would wait for ever on a dead monitor
ceph_client() { timeout 30 ceph --conf "$conf" --cluster "$cluster" --connect-timeout 10 "$@"; }
rbd_client() { timeout 120 rbd --conf "$conf" --cluster "$cluster" "$@"; }
mon_commands() { /usr/bin/python3 "$ceph_part/mon_commands.py" --conf "$conf" --cluster "$cluster" "$@"; }

# daemons [DATACENTRE]: one line a daemon, in the order in which they start: TYPE.ID DATACENTRE HOST
daemons() {
  local entry id=0
  {
    for entry in "${mons[@]}"; do echo "mon.${entry//:/ }"; done
    for entry in "${mgrs[@]}"; do echo "mgr.${entry//:/ }"; done
    for entry in "${osds[@]}"; do
      echo "osd.$((id++)) $(cut -d: -f3,4 --output-delimiter=' ' <<<"$entry")"
    done
  } | awk -v datacentre="${1:-}" 'datacentre == "" || $2 == datacentre'
}

host_of() { daemons | awk -v daemon="$1" '$1 == daemon { print $3 }'; }
pid_file() { echo "$root/run/$cluster-$1.pid"; }
log_file() { echo "$root/log/$cluster-$1.log"; }
daemon_pid() { pid_of "$(pid_file "$1")" "$conf"; }
daemon_state() { process_state "$(pid_file "$1")" "$conf"; }

# start_daemon TYPE.ID: leaves one that runs alone and thaws a frozen one. It runs on its own host name, as on a real cluster, where each storage host says its name in the daemon's
# metadata; here a UTS namespace gives it. The daemon goes to the background by itself once it has read its store.
start_daemon() {
  local daemon=$1
  case $(daemon_state "$daemon") in
    running) return 0 ;;
    frozen) signal_process CONT "$(pid_file "$daemon")" "$conf" && return 0 ;;
  esac
  unshare --uts sh -c 'hostname "$1" && shift && exec "$@"' - "$(host_of "$daemon")" \
    "ceph-${daemon%%.*}" --conf "$conf" --cluster "$cluster" --id "${daemon#*.}" \
    </dev/null >"$root/log/$daemon.start" 2>&1 ||
    fail_with_log "$cluster: $daemon does not start" "$(newest "$root/log/$daemon.start" "$(log_file "$daemon")")"
  wait_for 10 daemon_pid "$daemon" || fail_with_log "$cluster: $daemon ended at once" "$(log_file "$daemon")"
}

# start_daemons DAEMON...: side by side, for each spends its start waiting
start_daemons() {
  local daemon pid pids=() failed=0
  for daemon in "$@"; do
    start_daemon "$daemon" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  return $failed
}

stop_daemon() { stop_process "$(pid_file "$1")" "$conf"; }

# newest FILE...: the one that was written to last and is not empty
newest() { find "$@" -maxdepth 0 -size +0 -printf '%T@ %p\n' 2>/dev/null | sort -rn | sed -n '1s/^[^ ]* //p'; }
