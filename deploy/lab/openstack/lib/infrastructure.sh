# What every OpenStack service stands on: MariaDB, RabbitMQ, memcached, and each service's schema.

infrastructure_start() {
  once mariadb-install inside eatmydata mariadb-install-db --user=mysql --skip-test-db
  inside chown mysql:mysql /run/mysqld
  inside chown -R rabbitmq:rabbitmq /var/lib/rabbitmq /var/log/rabbitmq
  daemon memcached chroot "$lab_root" memcached -u nobody -l 127.0.0.1 -m 64
  daemon mariadb chroot "$lab_root" eatmydata mariadbd --user=mysql
  daemon rabbitmq chroot "$lab_root" env HOME=/var/lib/rabbitmq ERL_EPMD_ADDRESS=127.0.0.1 \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none" \
    setpriv --reuid rabbitmq --regid rabbitmq --init-groups /usr/lib/rabbitmq/bin/rabbitmq-server
  daemon_port memcached 11211
  daemon_port mariadb 3306
  daemon_port rabbitmq 5672
}

infrastructure_await() {
  await memcached 20 "listening on 11211" listening 11211
  await mariadb 60 "answering" inside mariadb -e 'select 1'
  once databases create_databases
  await rabbitmq 90 "listening on 5672" listening 5672
}

create_databases() {
  local d
  {
    for d in keystone placement glance nova nova_api nova_cell0 neutron cinder heat barbican designate octavia masakari; do
      echo "CREATE DATABASE IF NOT EXISTS $d CHARACTER SET utf8mb3;"
    done
    for d in localhost 127.0.0.1; do
      echo "CREATE USER IF NOT EXISTS lab@$d IDENTIFIED BY '$LAB_PASSWORD'; GRANT ALL ON *.* TO lab@$d;"
    done
  } | inside mariadb
}

# The schemas, as independent jobs: two run at a time, the longest are begun first.
schemas() {
  local job running=()
  for job in keystone nova neutron cinder_glance heat_barbican placement_masakari designate octavia; do
    if [ ${#running[@]} -ge 2 ]; then one_of_running_ended; fi
    "schema_$job" &
    running+=($!)
  done
  while [ ${#running[@]} -gt 0 ]; do one_of_running_ended; done
}

# one_of_running_ended: wait for any job of the caller's list `running` and take it off the list.
one_of_running_ended() {
  local ended rest=() p
  wait -n -p ended "${running[@]}" || exit 1 # the job itself has said what failed
  for p in "${running[@]}"; do [ "$p" = "$ended" ] || rest+=("$p"); done
  running=("${rest[@]}")
}

schema_keystone() {
  once keystone-schema inside keystone-manage db_sync
  once keystone-keys inside sh -c 'mkdir -p /etc/keystone/fernet-keys /etc/keystone/credential-keys
    keystone-manage fernet_setup --keystone-user root --keystone-group root
    keystone-manage credential_setup --keystone-user root --keystone-group root'
  once keystone-bootstrap inside keystone-manage bootstrap --bootstrap-password "$LAB_PASSWORD" \
    --bootstrap-region-id "$LAB_REGION" --bootstrap-admin-url http://127.0.0.1:5000/v3 \
    --bootstrap-internal-url http://127.0.0.1:5000/v3 --bootstrap-public-url http://127.0.0.1:5000/v3
  configure_policies
}

# cell0 has the schema of cell1: copying it is quicker than running the migrations twice.
schema_nova() {
  once nova-api-schema inside nova-manage api_db sync
  once nova-schema inside nova-manage db sync --local_cell
  once nova-cell0-schema inside sh -c 'mariadb-dump nova | mariadb nova_cell0'
  once nova-cell0 inside nova-manage cell_v2 map_cell0 \
    --database_connection "mysql+pymysql://lab:$LAB_PASSWORD@127.0.0.1/nova_cell0"
  once nova-cell1 inside sh -c 'nova-manage cell_v2 list_cells | grep -qw cell1 || nova-manage cell_v2 create_cell --name cell1'
}

schema_neutron() {
  once neutron-schema inside neutron-db-manage --config-file /etc/neutron/neutron.conf \
    --config-file /etc/neutron/plugins/ml2/ml2_conf.ini upgrade heads
}

schema_cinder_glance() {
  once cinder-schema inside cinder-manage db sync
  once glance-schema inside glance-manage db_sync
}

schema_heat_barbican() {
  once heat-schema inside heat-manage db_sync
  once barbican-schema inside barbican-manage db upgrade
}

schema_placement_masakari() {
  once placement-schema inside placement-manage db sync
  once masakari-schema inside masakari-manage db sync
}

schema_designate() { once designate-schema inside designate-manage database sync; }

schema_octavia() {
  once octavia-ca inside openssl req -x509 -newkey rsa:2048 -passout "pass:$LAB_PASSWORD" -days 3650 \
    -subj /CN=lab-octavia -keyout /etc/octavia/ca.key -out /etc/octavia/ca.pem
  once octavia-schema inside octavia-db-manage upgrade head
}
