"""Host aggregates, flavors, the image, and the servers of the three projects."""
import os

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from .cloud import PROJECTS, admin, by_name, each_project, member, say, wait

HOSTS = {line.split(':')[0]: line.split(':')[1] for line in os.environ['LAB_HOSTS'].split()}  # host: zone
ZONES = sorted(set(HOSTS.values()))

# name: vcpus, MiB, GiB, extra specs, project that alone may use it
FLAVORS = {
    'm1.tiny': (1, 512, 1, {}, None),
    'm1.small': (2, 4096, 20, {}, None),
    'm1.large': (8, 16384, 80, {}, None),
    'c1.xlarge': (16, 32768, 40, {'trait:HW_CPU_X86_AVX2': 'required'}, None),
    'r1.2xlarge': (16, 131072, 100, {'quota:vif_outbound_average': '10240'}, None),
    'p1.large': (8, 32768, 80, {'aggregate_instance_extra_specs:tier': 'premium'}, None),
    'x1.globex': (4, 8192, 40, {}, 'globex'),
}

# In every project, server i lies in zone i modulo 3.
SERVER_FLAVORS = ['m1.tiny', 'm1.small', 'm1.large', 'm1.small', 'c1.xlarge', 'r1.2xlarge']
PREMIUM = 'acme-vm6'      # p1.large: only where the aggregate premium is
STOPPED = 'globex-vm3'    # somebody always forgets one
FROM_VOLUME = 1           # the number of the server that boots from a volume


def aggregates():
    have = by_name(admin().compute.aggregates())

    def ensure(name, hosts, metadata, **details):
        aggregate = have.get(name) or admin().compute.create_aggregate(name=name, **details)
        if metadata and any((aggregate.metadata or {}).get(k) != v for k, v in metadata.items()):
            admin().compute.set_aggregate_metadata(aggregate, metadata)
        for host in hosts:
            if host in HOSTS and host not in (aggregate.hosts or []):
                admin().compute.add_host_to_aggregate(aggregate, host)

    for zone in ZONES:
        ensure(zone, [h for h, z in HOSTS.items() if z == zone], {}, availability_zone=zone)
    ensure('dense', ['cmp-a1', 'cmp-a2', 'cmp-b1'], {'tier': 'dense', 'cpu_allocation_ratio': '4.0'})
    ensure('premium', ['cmp-c1'], {'tier': 'premium', 'ssd': 'true'})


def flavors():
    have = by_name(admin().compute.flavors(is_public=None))
    for name, (vcpus, ram, disk, specs, project) in FLAVORS.items():
        flavor = have.get(name) or admin().compute.create_flavor(
            name=name, vcpus=vcpus, ram=ram, disk=disk, is_public=project is None)
        if specs and not flavor.extra_specs:
            admin().compute.create_flavor_extra_specs(flavor, specs)
        if project and not admin().compute.get_flavor_access(flavor):
            admin().compute.flavor_add_tenant_access(flavor, admin().identity.find_project(project).id)


def images():
    # raw: Glance inspects other formats, and the lab has no real disk to show it
    if not admin().image.find_image('cirros-lab'):
        admin().image.create_image('cirros-lab', container_format='bare', disk_format='raw', data=os.urandom(1 << 20),
                                   visibility='public', wait=True, allow_duplicates=True, os_distro='cirros')
    if not member('acme').image.find_image('acme-golden'):
        member('acme').image.create_image('acme-golden', container_format='bare', disk_format='raw',
                                          data=os.urandom(4096), wait=True, allow_duplicates=True)


def quotas():
    for project in PROJECTS:
        admin().compute.update_quota_set(admin().identity.find_project(project), cores=400, ram=2048 * 1024,
                                         instances=200, key_pairs=50)


def _public_key():
    """A new SSH public key whose private half is thrown away: no guest here would ask for it."""
    return ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def _servers_of(project, number):
    cloud = member(project)
    have = by_name(cloud.compute.servers(details=False))
    flavor = by_name(cloud.compute.flavors())
    image = cloud.image.find_image('cirros-lab').id
    network = cloud.network.find_network(f'{project}-net').id
    if not cloud.compute.find_keypair(f'{project}-key'):
        cloud.compute.create_keypair(name=f'{project}-key', public_key=_public_key())
    group = by_name(cloud.compute.server_groups()).get(f'{project}-spread') or \
        cloud.compute.create_server_group(name=f'{project}-spread', policy='soft-anti-affinity')
    wanted = [(f'{project}-vm{i}', f, ZONES[i % len(ZONES)]) for i, f in enumerate(SERVER_FLAVORS)]
    if PREMIUM.startswith(project):
        wanted.append((PREMIUM, 'p1.large', None))
    for i, (name, flavor_name, zone) in enumerate(wanted):
        if name in have:
            continue
        boot = {'image_id': image}
        if i == FROM_VOLUME:
            boot = {'block_device_mapping': [{
                'uuid': image, 'source_type': 'image', 'destination_type': 'volume', 'boot_index': 0,
                'volume_size': 20, 'volume_type': 'nvme', 'delete_on_termination': True}]}
        if zone:
            boot['availability_zone'] = zone
        cloud.compute.create_server(
            name=name, flavor_id=flavor[flavor_name].id, networks=[{'uuid': network}], key_name=f'{project}-key',
            security_groups=[{'name': f'{project}-web'}], scheduler_hints={'group': group.id},
            metadata={'role': 'web' if i < 3 else 'db'}, **boot)


servers = each_project(_servers_of)


def settled():
    """Waits until no server is being built; one of ours that failed is made anew, and complained of."""
    def built():
        found = list(admin().compute.servers(all_projects=True))
        return found if all(s.status != 'BUILD' for s in found) else None
    found = wait(240, 'servers leaving BUILD', built)
    broken = [s for s in found if s.status == 'ERROR']
    if broken:
        ours = [s for s in broken if s.name.rsplit('-vm', 1)[0] in PROJECTS]
        for server in ours:
            admin().compute.delete_server(server)
        for server in ours:
            admin().compute.wait_for_delete(server, wait=60)
        servers()
        raise RuntimeError('; '.join(f'{s.name}: {(s.fault or {}).get("message")}' for s in broken))
    say(f'  {len(found)} servers, none in ERROR')


def stop_one():
    cloud = member(STOPPED.split('-')[0])
    server = cloud.compute.find_server(STOPPED, ignore_missing=False)
    if cloud.compute.get_server(server).status == 'ACTIVE':
        cloud.compute.stop_server(server)
