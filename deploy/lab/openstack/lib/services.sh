# The OpenStack services: which daemons, on which ports, and when they count as up.

# api NAME PORT WSGI_FILE [UWSGI_LINE...]: one HTTP service under uwsgi. It is configured by a file because
# the keys name and start-time, which neutron's hash ring needs, work in files only.
api() {
  local name=$1 port=$2 wsgi=$3
  shift 3
  mkdir -p "$lab_root/etc/lab-uwsgi"
  {
    cat <<INI
[uwsgi]
plugins = python3
http-socket = 127.0.0.1:$port
wsgi-file = $wsgi
procname-prefix-spaced = $name
master = true
processes = 1
threads = 1
enable-threads = true
lazy-apps = true
need-app = true
die-on-term = true
no-orphans = true
thunder-lock = true
buffer-size = 65535
wsgi-manage-chunked-input = true
http-raw-body = true
listen = 100
add-header = Connection: close
disable-logging = true
INI
    [ $# -eq 0 ] || printf '%s\n' "$@"
  } >"$lab_root/etc/lab-uwsgi/$name.ini"
  daemon_port "$name" "$port"
  daemon "$name" chroot "$lab_root" env LC_ALL=C.UTF-8 uwsgi_python3 --ini "/etc/lab-uwsgi/$name.ini"
}

# worker NAME COMMAND...: a service that listens on the message queue only.
worker() {
  local name=$1
  shift
  daemon "$name" chroot "$lab_root" env LC_ALL=C.UTF-8 "$@"
}

api_await() { await "$1" 120 "answering on $(cat "$lab_run/$1.port")" answers "http://127.0.0.1:$(cat "$lab_run/$1.port")/"; }

keystone_start() {
  api keystone 5000 /usr/bin/keystone-wsgi-public 'processes = 2'
  api_await keystone
  once identity inside env LC_ALL=C.UTF-8 python3 "$lab_lib/identity.py" "$LAB_PASSWORD" "$LAB_REGION"
}

services_start() {
  local neutron=(--config-file /etc/neutron/neutron.conf --config-file /etc/neutron/plugins/ml2/ml2_conf.ini)
  local octavia=(--config-file /etc/octavia/octavia.conf --config-file /etc/octavia/worker.conf)
  api placement 8778 /usr/bin/placement-api
  worker nova-conductor nova-conductor
  api nova-api 8774 /usr/bin/nova-api-wsgi
  computes_start
  # One process: two of them may take a port's "down" and "up" from OVN in the wrong order.
  api neutron-api 9696 /usr/bin/neutron-api 'start-time = %t' \
    'env = OS_NEUTRON_CONFIG_DIR=/etc/neutron' 'env = OS_NEUTRON_CONFIG_FILES=neutron.conf;plugins/ml2/ml2_conf.ini'
  worker neutron-rpc neutron-rpc-server "${neutron[@]}"
  worker neutron-periodic neutron-periodic-workers "${neutron[@]}"
  worker neutron-ovn-maintenance neutron-ovn-maintenance-worker "${neutron[@]}"
  worker nova-scheduler nova-scheduler
  api cinder-api 8776 /usr/bin/cinder-wsgi
  worker cinder-scheduler cinder-scheduler
  worker cinder-volume cinder-volume
  api glance 9292 /usr/bin/glance-wsgi-api
  named_start
  api designate-api 9001 /usr/bin/designate-api-wsgi
  worker designate-central designate-central
  api heat-api 8004 /usr/bin/heat-wsgi-api
  worker heat-engine heat-engine
  api barbican 9311 /usr/bin/barbican-wsgi-api
  api octavia-api 9876 /usr/bin/octavia-wsgi
  worker octavia-driver-agent octavia-driver-agent
  worker octavia-worker octavia-worker "${octavia[@]}"
  worker octavia-housekeeping octavia-housekeeping "${octavia[@]}"
  worker octavia-health-manager octavia-health-manager "${octavia[@]}"
  daemon_port octavia-health-manager 5555/udp
  api masakari-api 15868 /usr/bin/masakari-wsgi
  worker masakari-engine masakari-engine
  api horizon 8080 /usr/share/openstack-dashboard/wsgi.py 'static-map = /static=/var/lib/openstack-dashboard/static' \
    'pythonpath = /usr/share/openstack-dashboard'
}

services_await() {
  local name
  for name in placement nova-api neutron-api cinder-api glance barbican heat-api octavia-api masakari-api horizon designate-api; do
    api_await "$name"
  done
  designate_finish
  computes_await
}

computes_start() {
  local host
  for host in $(host_names); do
    worker "nova-compute-$host" "$lab_lib/nova-compute" "$host"
  done
}

# Nova itself must have heard from every compute within its service_down_time; an old row proves nothing.
computes_await() {
  local host
  reported() {
    [ "$(inside mariadb -N -e "select count(*) from nova.services s join nova.compute_nodes c on c.host = s.host
      where s.host = '$1' and s.\`binary\` = 'nova-compute' and s.deleted = 0 and c.deleted = 0
      and s.last_seen_up > utc_timestamp() - interval 20 second")" -ge 1 ]
  }
  for host in $(host_names); do await "nova-compute-$host" 120 "seen by Nova" reported "$host"; done
  once nova-discover-hosts inside nova-manage cell_v2 discover_hosts
}

named_start() {
  once bind-key inside sh -c 'mkdir -p /etc/lab-bind /var/cache/lab-bind
    rndc-confgen -a -A hmac-sha256 -k rndc-key -c /etc/lab-bind/rndc.key'
  daemon named chroot "$lab_root" named -f -c /etc/lab-bind/named.conf -n 1 -U 1
  daemon_port named 5300
}

# designate-manage sends the pool to designate-central over the queue, and waits a minute in vain when
# nobody listens there yet; RabbitMQ knows whether somebody does.
designate_finish() {
  central_listens() {
    curl -sf -m 5 -u "openstack:$LAB_PASSWORD" http://127.0.0.1:15672/api/queues/%2F/central | jq -e '.consumers > 0'
  }
  if [ ! -e "$lab_done/designate-pool" ]; then
    await designate-central 90 "listening on its queue" central_listens
    once designate-pool inside designate-manage pool update --file /etc/designate/pools.yaml
  fi
  worker designate-worker designate-worker
  worker designate-producer designate-producer
  worker designate-mdns designate-mdns
  daemon_port designate-mdns 5354
}
