# Sourced by the scripts here: where the lab's Alertmanager keeps its things, and whether it answers.
export MCLOUD_LAB=${MCLOUD_LAB:-/var/lib/mcloud-lab}
part=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$part/../process.sh"

address=127.0.0.1:9093
root=$MCLOUD_LAB/alertmanager
pid_file=$root/alertmanager.pid
log_file=$root/alertmanager.log
mark=--storage.path=$root/data # on the command line of ours and of no other

state() { process_state "$pid_file" "$mark"; }
ready() {
  [ "$(state)" = running ] || return 1
  (
    exec 3<>"/dev/tcp/${address/://}"
    printf 'GET /-/ready HTTP/1.0\r\n\r\n' >&3
    timeout 2 head -n 1 <&3 | grep -q ' 200 '
  ) 2>/dev/null
}
