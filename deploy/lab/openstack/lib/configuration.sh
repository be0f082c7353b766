# Puts the lab's own files into the chroot: rendered configuration, drivers, policies, programs.

lab_lib=/usr/local/lib/mcloud-lab # in the chroot

configure() {
  local packages=$lab_root/usr/lib/python3/dist-packages host alembic
  mkdir -p "$lab_root$lab_lib" "$lab_root"/var/lock/lab "$lab_root"/var/lib/lab "$lab_root"/etc/openstack \
    "$lab_root"/var/lib/glance/{images,cold,staging,tasks} "$lab_root"/run/{mysqld,octavia}
  cp -r "$here"/etc "$here"/lib/render.py "$here"/lib/identity.py "$here"/drivers/nova-compute "$here"/seeding "$lab_root$lab_lib/"
  cp "$here/drivers/labfake.py" "$packages/nova/virt/"
  cp "$here/drivers/labcinder.py" "$packages/"
  cp "$here/../clouds.yaml" "$lab_root/etc/openstack/"
  alembic=$packages/taskflow/persistence/backends/sqlalchemy/alembic
  [ -e "$alembic/alembic.ini" ] || cp -r "$here/drivers/taskflow_alembic" "$alembic"
  export LAB_PASSWORD LAB_REGION LAB_HOSTS LAB_BACKENDS
  inside python3 "$lab_lib/render.py" "$lab_lib/etc" /etc || die "rendering the configuration"
  ln -sf plugins/ml2/ml2_conf.ini "$lab_root/etc/neutron/plugin.ini"
  for host in $(host_names); do mkdir -p "$lab_root/var/lib/nova/$host"; done
}

# The policies name the one project whose readers may see the whole cloud, so they can be written only
# when Keystone knows that project's id.
configure_policies() {
  local admin_project service policy
  admin_project=$(inside mariadb -N -e "select id from keystone.project where name = 'admin' and domain_id = 'default'")
  [ -n "$admin_project" ] || die "Keystone has no project 'admin'"
  for policy in "$here"/../../policy/*.yaml; do
    service=${policy##*/}
    service=${service%.yaml}
    mkdir -p "$lab_root/etc/$service/policy.d"
    sed "s/ADMIN_PROJECT_ID/$admin_project/g" "$policy" >"$lab_root/etc/$service/policy.d/mcloud-exporter.yaml"
  done
}

host_names() { local h; for h in $LAB_HOSTS; do echo "${h%%:*}"; done; }
