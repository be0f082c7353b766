# Sourced by fault: the cluster-wide settings that a fault changes, and their values in a healthy lab.

RATIOS=(nearfull backfillfull full) # in the order Ceph wants them to rise
declare -A HEALTHY_RATIO=([nearfull]=0.85 [backfillfull]=0.9 [full]=0.95)
# What an operator can set; Ceph sets other flags for itself and those are not faults.
FLAGS=(pause noup nodown noout noin nobackfill norebalance norecover noscrub nodeep-scrub notieragent nosnaptrim)

# change_setting WORD...: ceph tells its news on stderr, which matters only when it fails
change_setting() {
  local news
  news=$(ceph_client "$@" 2>&1) || fail "$cluster refused '$*': $news"
}

# lower_ratio NAME RATIO: also lowers the ratios before it, for Ceph warns (OSD_OUT_OF_ORDER_FULL) when they do not rise
lower_ratio() {
  local ratio
  [[ ${2:-} =~ ^(0(\.[0-9]+)?|1(\.0+)?)$ ]] || fail "$1 needs a ratio from 0 to 1, such as 0.01, and not '${2:-}'"
  for ratio in "${RATIOS[@]}"; do
    awk -v wanted="$2" -v healthy="${HEALTHY_RATIO[$ratio]}" 'BEGIN { exit !(wanted < healthy) }' ||
      [ "$ratio" = "$1" ] || continue
    change_setting osd "set-$ratio-ratio" "$2"
    say "$cluster $ratio ratio is $2"
    [ "$ratio" != "$1" ] || break
  done
}

restore_ratios() {
  local ratio
  # From the highest down, so that they rise at every moment.
  for ratio in full backfillfull nearfull; do
    change_setting osd "set-$ratio-ratio" "${HEALTHY_RATIO[$ratio]}"
  done
  say "$cluster full ratios are restored"
}

known_flag() {
  local flag
  for flag in "${FLAGS[@]}"; do [ "$flag" != "$1" ] || return 0; done
  fail "'$1' is no flag of Ceph's; there are: ${FLAGS[*]}"
}

# change_flag set|unset FLAG
change_flag() {
  known_flag "$2"
  change_setting osd "$1" "$2"
  say "$cluster flag $2 is $1"
}

# changed_settings: 'ratio NAME VALUE' and 'flag NAME', one a line
changed_settings() {
  ceph_client osd dump --format json | /usr/bin/python3 -c '
import json, sys
osdmap = json.load(sys.stdin)
healthy = dict(word.split("=") for word in sys.argv[1].split())
for name, value in healthy.items():
    if abs(osdmap[name + "_ratio"] - float(value)) > 1e-4:
        print("ratio", name, round(osdmap[name + "_ratio"], 4))
flags = set(osdmap["flags"].replace("pauserd,pausewr", "pause").split(","))
for name in sys.argv[2].split():
    if name in flags:
        print("flag", name)
' "nearfull=${HEALTHY_RATIO[nearfull]} backfillfull=${HEALTHY_RATIO[backfillfull]} full=${HEALTHY_RATIO[full]}" "${FLAGS[*]}"
}

restore_settings() {
  local changed kind name value
  changed=$(changed_settings) || fail "$cluster: the monitors do not answer, so its ratios and flags could not be read"
  [[ $changed != *ratio* ]] || restore_ratios
  while read -r kind name value; do
    [ "$kind" != flag ] || change_flag unset "$name"
  done <<<"$changed"
}

list_changed_settings() {
  local changed kind name value
  if ! changed=$(changed_settings 2>/dev/null); then
    say "unreadable settings of $cluster (its monitors do not answer)"
    return
  fi
  while read -r kind name value; do
    case $kind in
      ratio) say "changed $name $cluster ($value instead of ${HEALTHY_RATIO[$name]})" ;;
      flag) say "set flag $cluster $name" ;;
    esac
  done <<<"$changed"
}
