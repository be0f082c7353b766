# The Debian chroot that OpenStack lives in: made from the machine's own apt mirrors, mounted, and
# filled in one package transaction. OpenStack 2025.1 is packaged in Debian 13; the machine runs 12.

inside() { chroot "$lab_root" "$@"; }

# apt_mirror SUITE: the first archive that this machine's own apt uses for SUITE. No mirror is ever
# written in the lab's files: a machine behind a proxy or a private mirror keeps using it.
apt_mirror() {
  {
    sed -n 's/^deb  *\(\[[^]]*\] *\)\{0,1\}//p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
      awk '{print $1, $2}'
    awk '/^#/{next} /^URIs:/{uri=$2} /^Suites:/{for (i = 2; i <= NF; i++) print uri, $i}' \
      /etc/apt/sources.list.d/*.sources 2>/dev/null
  } | awk -v suite="$1" '$2 == suite {print $1; exit}'
}

# host_needs COMMAND=PACKAGE...: install what the machine itself lacks.
host_needs() {
  local want=() need
  for need in "$@"; do command -v "${need%%=*}" >/dev/null || want+=("${need#*=}"); done
  [ ${#want[@]} -eq 0 ] && return 0
  say "installing on this machine: ${want[*]}"
  # The lab's other parts install packages meanwhile: one at a time, as packages.sh has it.
  (
    flock -w 900 8 || { echo "$MCLOUD_LAB/packages.lock was held for 15 minutes"; exit 1; }
    install=(apt-get -o DPkg::Lock::Timeout=600 install -y -q --no-install-recommends "${want[@]}")
    "${install[@]}" || { apt-get update -q && "${install[@]}"; }
  ) 8>"$MCLOUD_LAB/packages.lock" >"$lab_log/step-host-packages.log" 2>&1 </dev/null ||
    die "apt-get install ${want[*]}" "$lab_log/step-host-packages.log"
}

# apt_transport: how this machine's apt reaches its archives (proxies, certificates, checks of dates).
apt_transport() {
  apt-config dump Acquire | grep -E '^Acquire::(https?::[^ ]*(Proxy|Verify|CaInfo|SslCert|SslKey)|Check-|Retries)' || true
}

chroot_bootstrap() {
  [ -e "$lab_done/bootstrap" ] && return 0
  host_needs mmdebstrap=mmdebstrap ip=iproute2 ps=procps curl=curl jq=jq
  local release main security sources
  release=$(. /etc/os-release && echo "$VERSION_CODENAME")
  main=$(apt_mirror "$release")
  security=$(apt_mirror "$release-security")
  [ -n "$main" ] || die "no archive for '$release' in /etc/apt/sources.list(.d); the lab uses this machine's own mirror"
  sources="deb $main $LAB_SUITE main
deb $main $LAB_SUITE-updates main"
  [ -z "$security" ] || sources="$sources
deb $security $LAB_SUITE-security main"
  # an interrupted bootstrap is thrown away; with nothing mounted yet there is nothing else to lose
  ! grep -q " $lab_root/" /proc/mounts || die "$lab_root is half made and mounted; run 'down --wipe' first"
  rm -rf --one-file-system "$lab_root"
  apt_transport >"$lab_home/apt-transport"
  once bootstrap mmdebstrap --variant=apt --include=ca-certificates,eatmydata --skip=cleanup/apt/lists \
    --aptopt="$lab_home/apt-transport" --dpkgopt=force-unsafe-io "$LAB_SUITE" "$lab_root" - <<<"$sources"
}

# Mounts live in the chroot; `down` takes them away again.
chroot_mounts() {
  local m
  for m in proc sys dev; do
    mountpoint -q "$lab_root/$m" && continue
    mount --rbind "/$m" "$lab_root/$m" && mount --make-rslave "$lab_root/$m" || die "cannot mount /$m in $lab_root"
  done
  cp /etc/resolv.conf "$lab_root/etc/resolv.conf"
  echo "127.0.0.1 localhost $(hostname)" >"$lab_root/etc/hosts"
}

# What makes 700 packages install in a third of the time: no byte-compiling (Python does it at the first
# import, for the modules that are really used), no syncs, no documentation, no units enabled, no daemon started.
chroot_thrift() {
  [ -e "$lab_done/thrift" ] && return 0
  local tool
  printf '#!/bin/sh\nexit 101\n' | install -m 755 /dev/stdin "$lab_root/usr/sbin/policy-rc.d"
  for tool in py3compile py3clean deb-systemd-helper deb-systemd-invoke; do
    inside dpkg-divert --quiet --local --no-rename --divert "/usr/bin/$tool.packaged" --add "/usr/bin/$tool"
    printf '#!/bin/sh\nexit 0\n' | install -m 755 /dev/stdin "$lab_root/usr/bin/$tool"
  done
  cat >"$lab_root/etc/apt/apt.conf.d/90lab" <<'APT'
APT::Install-Recommends "false";
Acquire::Languages "none";
DPkg::Options { "--force-confdef"; "--force-confold"; };
DPkg::Use-Pty "false";
APT
  {
    printf 'path-exclude=/usr/share/%s/*\n' doc man locale info
    echo force-unsafe-io
  } >"$lab_root/etc/dpkg/dpkg.cfg.d/90lab"
  touch "$lab_done/thrift"
}

lab_packages=(
  mariadb-server mariadb-client rabbitmq-server memcached bind9 bind9-utils
  uwsgi-core uwsgi-plugin-python3 python3-pymysql python3-memcache python3-pymemcache
  openvswitch-switch ovn-central ovn-host
  keystone placement-api glance-api
  nova-api nova-conductor nova-scheduler
  neutron-server neutron-ovn-maintenance-worker
  cinder-api cinder-scheduler cinder-volume
  heat-api heat-engine barbican-api
  octavia-api octavia-worker octavia-housekeeping octavia-health-manager octavia-driver-agent python3-ovn-octavia-provider
  designate-api designate-central designate-worker designate-producer designate-mdns
  masakari-api masakari-engine openstack-dashboard
  python3-openstackclient python3-osc-placement python3-heatclient python3-barbicanclient
  python3-designateclient python3-octaviaclient python3-masakariclient
)

chroot_packages() {
  local want
  want=$(printf '%s\n' "${lab_packages[@]}")
  [ "$want" = "$(cat "$lab_done/packages" 2>/dev/null)" ] && return 0
  local log=$lab_log/step-packages.log
  # an interrupted run may have left packages half configured
  { inside eatmydata dpkg --configure -a && inside apt-get update -q && inside eatmydata apt-get install -y -q "${lab_packages[@]}"; } >"$log" 2>&1 </dev/null ||
    die "installing packages in the chroot" "$log"
  inside apt-get clean
  echo "$want" >"$lab_done/packages"
}
