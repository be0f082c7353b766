"""One of each of the services above the basics: a stack, a secret, a zone, load balancers, an HA segment."""
import pathlib
import time

from .cloud import admin, by_name, member, say, wait
from .compute import HOSTS

TEMPLATE = pathlib.Path(__file__).with_name('stack.yaml')


def stack():
    cloud = member('acme')
    if not cloud.orchestration.find_stack('acme-stack'):
        cloud.create_stack('acme-stack', template_file=str(TEMPLATE), wait=False)

    def finished():
        found = cloud.orchestration.find_stack('acme-stack')
        return found if found and not found.status.endswith('IN_PROGRESS') else None
    found = wait(180, 'stack acme-stack', finished)
    if found.status != 'CREATE_COMPLETE':
        raise RuntimeError(f'acme-stack is {found.status}: {found.status_reason}')


def secret():
    keys = member('acme').key_manager
    if 'acme-key' not in by_name(keys.secrets()):
        keys.create_secret(name='acme-key', payload='not a secret', payload_content_type='text/plain',
                           secret_type='passphrase')
    operators_secrets()


def operators_secrets():
    """What a collector can see of Barbican: it lists the secrets of the collector's own project only."""
    keys = admin().key_manager
    have = by_name(keys.secrets())
    wanted = {'lab-tls': {'secret_type': 'certificate', 'expiration': '2098-01-01T00:00:00'}, 'lab-token': {'secret_type': 'opaque'}}
    for name, more in wanted.items():
        if name not in have:
            have[name] = keys.create_secret(name=name, payload='bm90IGEgc2VjcmV0', payload_content_encoding='base64',
                                            payload_content_type='application/octet-stream', **more)
    if 'lab-bundle' not in by_name(keys.containers()):
        keys.create_container(name='lab-bundle', type='generic',
                              secret_refs=[{'name': 'tls', 'secret_ref': have['lab-tls'].secret_ref}])
    if not list(keys.orders()):
        keys.create_order(type='key', meta={'name': 'lab-order', 'algorithm': 'aes', 'bit_length': 256, 'mode': 'cbc',
                                            'payload_content_type': 'application/octet-stream'})


def zone():
    dns = member('acme').dns
    name = 'acme.example.test.'
    if name not in by_name(dns.zones()):
        created = dns.create_zone(name=name, email='dns@acme.example', ttl=300)
        dns.create_recordset(created, name=f'www.{name}', type='A', records=['203.0.113.80'], ttl=60)
    wait(60, f'zone {name} ACTIVE', lambda: by_name(dns.zones())[name].status == 'ACTIVE')


def _load_balancer(provider, algorithm):
    balancers = member('acme').load_balancer
    subnet = member('acme').network.find_subnet('acme-subnet').id
    name = f'acme-lb-{provider}'

    def settled():
        def check():
            found = by_name(balancers.load_balancers())[name]
            return found if not found.provisioning_status.startswith('PENDING') else None
        found = wait(90, f'load balancer {name}', check)
        if found.provisioning_status != 'ACTIVE':
            raise RuntimeError(f'{name} is {found.provisioning_status}')

    found = by_name(balancers.load_balancers()).get(name) or balancers.create_load_balancer(
        name=name, vip_subnet_id=subnet, provider=provider)
    settled()
    listener = by_name(balancers.listeners()).get(f'{name}-http') or balancers.create_listener(
        name=f'{name}-http', protocol='TCP', protocol_port=80, load_balancer_id=found.id)
    settled()
    pool = by_name(balancers.pools()).get(f'{name}-pool') or balancers.create_pool(
        name=f'{name}-pool', protocol='TCP', lb_algorithm=algorithm, listener_id=listener.id)
    settled()
    have = {m.address for m in balancers.members(pool)}
    for address in ('10.10.0.50', '10.10.0.51'):
        if address not in have:
            balancers.create_member(pool, address=address, protocol_port=80, subnet_id=subnet)
            settled()


def load_balancers():
    _load_balancer('ovn', 'SOURCE_IP_PORT')
    _load_balancer('amphora', 'ROUND_ROBIN')


def segment():
    ha = admin().instance_ha
    found = by_name(ha.segments()).get('seg-a') or ha.create_segment(
        name='seg-a', recovery_method='auto', service_type='COMPUTE')
    # the API's key of a segment is its uuid; the SDK's id is the row number
    have = by_name(ha.hosts(found.uuid))
    for host, zone_name in HOSTS.items():
        if zone_name == 'az-a' and host not in have:
            ha.create_host(found.uuid, name=host, type='COMPUTE', control_attributes='SSH')


def notification():
    """What Masakari's monitor would send when a guest of the segment's first host stops by itself."""
    ha = admin().instance_ha
    if list(ha.notifications()):
        return
    host = next(h for h, z in HOSTS.items() if z == 'az-a')
    server = next((s for s in admin().compute.servers(all_projects=True) if s.compute_host == host), None)
    if server is None:
        say(f'  no server on {host}: no notification sent')
        return
    ha.create_notification(type='VM', hostname=host, generated_time=time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime()),
                           payload={'instance_uuid': server.id, 'vir_domain_event': 'STOPPED_FAILED',
                                    'event': 'LIFECYCLE'})
