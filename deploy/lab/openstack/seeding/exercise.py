"""What customers and operators do on a working day, so that every service has something to tell.

Everything made here has PREFIX in its name and is deleted again; what a broken run left is deleted by the next.
"""
import os
import time

from .cloud import admin, by_name, member, run_steps, wait

PREFIX = 'exercise'
OWNERS = ('globex', 'initech')


def _server(project, identity, *states):
    def settled():
        server = admin().compute.get_server(identity)
        return server if server.status in states and not server.task_state else None
    return wait(150, f'server {identity} {"/".join(states)}', settled)


def _volume(storage, identity, state='available'):
    return wait(60, f'volume {identity} {state}',
                lambda: (lambda v: v if v.status == state else None)(storage.get_volume(identity)))


def _delete_server(project, identity):
    compute = member(project).compute
    compute.delete_server(identity, ignore_missing=True)
    wait(90, f'server {identity} deleted', lambda: compute.find_server(identity) is None)


def life_of_a_server(project):
    """Every action of Nova that a member or an operator may ask for."""
    def step():
        cloud, compute = member(project), member(project).compute
        image = cloud.image.find_image('cirros-lab').id
        net = cloud.network.find_network(f'{project}-net').id
        flavor = by_name(compute.flavors())
        s = compute.create_server(name=f'{PREFIX}-{project}', flavor_id=flavor['m1.small'].id, image_id=image,
                                  networks=[{'uuid': net}], availability_zone='az-b', user_data='IyEvYmluL3NoCg==',
                                  admin_password=f'{PREFIX}-Pa55word')
        try:
            _server(project, s.id, 'ACTIVE')
            for act, state in ((compute.stop_server, 'SHUTOFF'), (compute.start_server, 'ACTIVE'),
                               (compute.pause_server, 'PAUSED'), (compute.unpause_server, 'ACTIVE'),
                               (compute.suspend_server, 'SUSPENDED'), (compute.resume_server, 'ACTIVE'),
                               (compute.lock_server, 'ACTIVE'), (compute.unlock_server, 'ACTIVE'),
                               (lambda x: compute.reboot_server(x, 'HARD'), 'ACTIVE'),
                               (lambda x: compute.reboot_server(x, 'SOFT'), 'ACTIVE'),
                               (lambda x: compute.resize_server(x, flavor['m1.large'].id), 'VERIFY_RESIZE'),
                               (compute.confirm_server_resize, 'ACTIVE'),
                               (lambda x: admin().compute.live_migrate_server(x, block_migration='auto'), 'ACTIVE'),
                               (lambda x: admin().compute.migrate_server(x), 'VERIFY_RESIZE'),
                               (compute.revert_server_resize, 'ACTIVE'),
                               (compute.rescue_server, 'RESCUE'), (compute.unrescue_server, 'ACTIVE')):
                act(s)
                time.sleep(0.5)
                _server(project, s.id, state)
            compute.update_server(s, name=f'{PREFIX}-{project}-renamed')
            compute.set_server_metadata(s, role='test')
            compute.rebuild_server(s, image=image, admin_password=f'{PREFIX}-Pa55word')
            time.sleep(1)
            _server(project, s.id, 'ACTIVE')
            volume = cloud.block_storage.create_volume(name=f'{PREFIX}-{project}', size=1, volume_type='nvme')
            _volume(cloud.block_storage, volume.id)
            attachment = compute.create_volume_attachment(s, volume_id=volume.id)
            _volume(cloud.block_storage, volume.id, 'in-use')
            compute.delete_volume_attachment(s, attachment.volume_id or volume.id)
            _volume(cloud.block_storage, volume.id)
            cloud.block_storage.delete_volume(volume)
            port = compute.create_server_interface(s, net_id=net)
            time.sleep(1)
            compute.delete_server_interface(port.port_id, server=s)
            compute.create_server_image(s, f'{PREFIX}-{project}-snap')
            time.sleep(3)
            _server(project, s.id, 'ACTIVE')
            compute.shelve_server(s)
            _server(project, s.id, 'SHELVED', 'SHELVED_OFFLOADED')
            compute.unshelve_server(s)
            _server(project, s.id, 'ACTIVE')
        finally:
            _delete_server(project, s.id)
            for i in cloud.image.images(name=f'{PREFIX}-{project}-snap'):
                cloud.image.delete_image(i)
    return step


def no_valid_host():
    compute = admin().compute
    flavor = compute.find_flavor(f'{PREFIX}-huge') or compute.create_flavor(
        name=f'{PREFIX}-huge', vcpus=150, ram=4096, disk=1)
    cloud = member('globex')
    s = cloud.compute.create_server(
        name=f'{PREFIX}-toolarge', flavor_id=flavor.id, image_id=cloud.image.find_image('cirros-lab').id,
        networks=[{'uuid': cloud.network.find_network('globex-net').id}])
    try:
        _server('globex', s.id, 'ERROR')
    finally:
        _delete_server('globex', s.id)
        compute.delete_flavor(flavor)


def compute_operators():
    compute = admin().compute
    flavor = compute.create_flavor(name=f'{PREFIX}-flavor', vcpus=1, ram=512, disk=1, is_public=False)
    compute.create_flavor_extra_specs(flavor, {'trait:CUSTOM_EXERCISE': 'required'})
    compute.flavor_add_tenant_access(flavor, admin().identity.find_project('acme').id)
    compute.flavor_remove_tenant_access(flavor, admin().identity.find_project('acme').id)
    compute.delete_flavor(flavor)
    aggregate = compute.create_aggregate(name=f'{PREFIX}-aggregate')
    compute.set_aggregate_metadata(aggregate, {'tier': PREFIX})
    compute.add_host_to_aggregate(aggregate, 'cmp-c2')
    compute.update_aggregate(aggregate, name=f'{PREFIX}-aggregate-2')
    compute.remove_host_from_aggregate(aggregate, 'cmp-c2')
    compute.delete_aggregate(aggregate)
    key = member('globex').compute.create_keypair(name=f'{PREFIX}-key', public_key=_public_key())
    member('globex').compute.delete_keypair(key)
    group = member('globex').compute.create_server_group(name=f'{PREFIX}-group', policy='anti-affinity')
    member('globex').compute.delete_server_group(group)


def _public_key():
    from .compute import _public_key as made
    return made()


def volumes():
    storage = member('globex').block_storage
    v = storage.create_volume(name=f'{PREFIX}-v', size=1, volume_type='sas10k')
    _volume(storage, v.id)
    storage.extend_volume(v, 3)
    time.sleep(2)
    _volume(storage, v.id)
    storage.retype_volume(v, 'sas7k', 'on-demand')
    time.sleep(2)
    _volume(storage, v.id)
    snapshot = storage.create_snapshot(volume_id=v.id, name=f'{PREFIX}-snap')
    wait(60, 'snapshot', lambda: storage.get_snapshot(snapshot.id).status == 'available')
    clone = storage.create_volume(name=f'{PREFIX}-clone', size=3, snapshot_id=snapshot.id)
    _volume(storage, clone.id)
    transfer = storage.create_transfer(volume_id=v.id, name=f'{PREFIX}-transfer')
    storage.delete_transfer(transfer)
    storage.update_volume(v, name=f'{PREFIX}-v2')
    storage.delete_volume(clone)
    storage.delete_snapshot(snapshot)
    wait(60, 'snapshot gone', lambda: f'{PREFIX}-snap' not in by_name(storage.snapshots()))
    storage.delete_volume(v)
    kind = admin().block_storage.create_type(name=f'{PREFIX}-type')
    admin().block_storage.update_type_extra_specs(kind, volume_backend_name='nvme')
    admin().block_storage.delete_type(kind)
    try:
        storage.create_volume(name=f'{PREFIX}-over', size=10 ** 6)
    except Exception as error:  # over the quota: refused, and told by nobody
        print(f'  {type(error).__name__}: expected', flush=True)


def networks():
    network = member('initech').network
    net = network.create_network(name=f'{PREFIX}-net')
    subnet = network.create_subnet(name=f'{PREFIX}-sub', network_id=net.id, ip_version=4, cidr='10.99.0.0/24')
    router = network.create_router(name=f'{PREFIX}-router',
                                   external_gateway_info={'network_id': network.find_network('ext-net').id})
    network.add_interface_to_router(router, subnet_id=subnet.id)
    port = network.create_port(network_id=net.id, name=f'{PREFIX}-port')
    network.update_port(port, name=f'{PREFIX}-port-2')
    ip = network.create_ip(floating_network_id=network.find_network('ext-net').id)
    network.update_ip(ip, port_id=port.id)
    network.update_ip(ip, port_id=None)
    network.delete_ip(ip)
    group = network.create_security_group(name=f'{PREFIX}-sg')
    rule = network.create_security_group_rule(security_group_id=group.id, direction='ingress', ether_type='IPv4',
                                              protocol='tcp', port_range_min=22, port_range_max=22)
    network.delete_security_group_rule(rule)
    network.delete_security_group(group)
    policy = admin().network.create_qos_policy(name=f'{PREFIX}-qos')
    admin().network.delete_qos_policy(policy)
    pool = network.create_subnet_pool(name=f'{PREFIX}-pool', prefixes=['10.98.0.0/16'], default_prefix_length=24)
    network.delete_subnet_pool(pool)
    rbac = admin().network.create_rbac_policy(object_type='network', object_id=net.id, action='access_as_shared',
                                              target_project_id=admin().identity.find_project('acme').id)
    admin().network.delete_rbac_policy(rbac)
    network.delete_port(port)
    network.remove_interface_from_router(router, subnet_id=subnet.id)
    network.delete_router(router)
    network.delete_network(net)


def identities():
    identity = admin().identity
    domain = identity.create_domain(name=f'{PREFIX}-domain')
    project = identity.create_project(name=f'{PREFIX}-project', domain_id=domain.id)
    identity.update_project(project, description='of an exercise')
    user = identity.create_user(name=f'{PREFIX}-user', password=f'{PREFIX}-Pa55word', domain_id=domain.id)
    identity.update_user(user, password=f'{PREFIX}-Pa55word2')
    group = identity.create_group(name=f'{PREFIX}-group', domain_id=domain.id)
    identity.add_user_to_group(user, group)
    role = identity.create_role(name=f'{PREFIX}-role')
    identity.assign_project_role_to_user(project, user, role)
    identity.unassign_project_role_from_user(project, user, role)
    identity.delete_role(role)
    identity.remove_user_from_group(user, group)
    identity.delete_group(group)
    identity.delete_user(user)
    identity.delete_project(project)
    identity.update_domain(domain, is_enabled=False)
    identity.delete_domain(domain)
    me = member('globex')
    credential = me.identity.create_application_credential(user=me.current_user_id, name=f'{PREFIX}-app')
    me.identity.delete_application_credential(me.current_user_id, credential)
    try:
        import openstack
        openstack.connect(auth_url='http://127.0.0.1:5000/v3', username='bob', password='wrong', project_name='globex',
                          user_domain_name='Default', project_domain_name='Default').authorize()
    except Exception:
        pass  # a refused login is told too


def images():
    image = member('globex').image.create_image(
        f'{PREFIX}-image', container_format='bare', disk_format='raw', data=os.urandom(4096), wait=True,
        allow_duplicates=True)
    glance = member('globex').image
    glance.update_image(image, visibility='shared')
    acme = admin().identity.find_project('acme').id
    glance.add_member(image, member_id=acme)
    glance.remove_member(acme, image)
    admin().image.deactivate_image(image)
    admin().image.reactivate_image(image)
    glance.delete_image(image)


def _load_balancer(provider):
    cloud = member('globex')
    balancers = cloud.load_balancer
    lb = balancers.create_load_balancer(name=f'{PREFIX}-lb-{provider}', provider=provider,
                                        vip_subnet_id=cloud.network.find_subnet('globex-subnet').id)

    def settled():
        wait(120, f'load balancer of {provider}',
             lambda: not balancers.get_load_balancer(lb.id).provisioning_status.startswith('PENDING'))
    settled()
    balancers.update_load_balancer(lb, description=PREFIX)
    settled()
    balancers.delete_load_balancer(lb, cascade=True)


def platform():
    dns = member('globex').dns
    z = dns.create_zone(name=f'{PREFIX}.example.test.', email='dns@globex.example', ttl=300)
    r = dns.create_recordset(z, name=f'www.{PREFIX}.example.test.', type='A', records=['203.0.113.81'], ttl=60)
    time.sleep(2)
    dns.delete_recordset(r, z)
    dns.delete_zone(z)
    for provider in ('ovn', 'amphora'):
        _load_balancer(provider)
    ha = admin().instance_ha
    segment = ha.create_segment(name=f'{PREFIX}-segment', recovery_method='auto', service_type='COMPUTE')
    host = ha.create_host(segment.uuid, name='cmp-b2', type='COMPUTE', control_attributes='SSH')
    ha.update_host(host.uuid, segment_id=segment.uuid, is_on_maintenance=True)
    ha.update_host(host.uuid, segment_id=segment.uuid, is_on_maintenance=False)
    ha.delete_host(host.uuid, segment.uuid)
    ha.update_segment(segment.uuid, description=PREFIX)
    ha.delete_segment(segment.uuid)


TEMPLATE = """heat_template_version: 2018-08-31
resources:
  word: {type: OS::Heat::RandomString, properties: {length: 8}}
  net: {type: OS::Neutron::Net, properties: {name: exercise-stack-net}}
"""


def stack():
    heat = member('globex').orchestration
    s = heat.create_stack(name=f'{PREFIX}-stack', template=TEMPLATE)

    def done():
        wait(90, 'stack', lambda: not heat.get_stack(s.id).status.endswith('IN_PROGRESS'))
    done()
    for action in ('suspend', 'resume', 'check'):
        try:
            getattr(heat, f'{action}_stack')(s.id)
            done()
        except AttributeError:
            pass
    heat.delete_stack(s.id)


def main(servers=True):
    """All of it, or what needs no server: that is most of the time. Returns what failed, as {name: reason}."""
    lives = [(f'server of {p}', life_of_a_server(p)) for p in OWNERS] + [('no valid host', no_valid_host)]
    return run_steps(
        (lives if servers else []) + [('identities', identities), ('volumes', volumes)],
        [('networks', networks), ('operators', compute_operators), ('images', images)],
        [('platform', platform), ('stack', stack)],
    )
