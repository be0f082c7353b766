"""Proves what lab-exporter may do: it reads as much as the administrator, changes nothing; others read nothing new.

Every read is made as lab-exporter and as lab-admin, and must give as many objects; every change is one that
would alter nothing if it were allowed, and must be refused. Run by `reader-check` inside the chroot.
"""
import sys

from .cloud import connect

NOVA, PLACEMENT, CINDER = '2.96', '1.39', '3.71'


def json_of(answer):
    return answer.json() if 'json' in answer.headers.get('content-type', '') and answer.content else {}


def size(body):
    """How many objects an answer holds: the length of its longest list or map, looking one level down."""
    if isinstance(body, list):
        return len(body)
    return max([len(v) for v in body.values() if isinstance(v, (list, dict))] or [0])


def objects():
    """One of each object that the calls below name, found by the administrator."""
    admin = connect('lab-admin')
    server = next(s for s in admin.compute.servers(all_projects=True) if s.name == 'acme-vm0')
    action = next(iter(admin.compute.get(f'/servers/{server.id}/os-instance-actions', microversion=NOVA).json()['instanceActions']))
    volume = next(v for v in admin.block_storage.volumes(all_projects=True) if v.name == 'globex-nvme-0')
    network = admin.network.find_network('acme-net')
    host = server.compute_host
    provider = admin.placement.get(f'/resource_providers?name={host}', microversion=PLACEMENT).json()['resource_providers'][0]
    return {
        'server': server.id, 'request': action['request_id'], 'volume': volume.id, 'network': network.id,
        'project': admin.identity.find_project('acme').id, 'provider': provider['uuid'],
        'compute': next(s for s in admin.compute.services() if s.binary == 'nova-compute').id,
        'aggregate': next(a for a in admin.compute.aggregates() if a.name == 'dense').id,
        'flavor': admin.compute.find_flavor('x1.globex').id,
        'port': next(p for p in admin.network.ports(device_id=server.id)).id,
        'balancer': next(b for b in admin.load_balancer.load_balancers()).id,
        'segment': next(s for s in admin.instance_ha.segments()).uuid,
        'image': admin.image.find_image('acme-golden', ignore_missing=False).id,
        'own': admin.current_project_id,
    }


READS = [  # service, path, microversion, further headers
    ('compute', '/os-services', NOVA), ('compute', '/os-hypervisors/detail', NOVA),
    ('compute', '/os-hypervisors/detail', '2.53'), ('compute', '/os-hypervisors/statistics', '2.53'),
    ('compute', '/os-hypervisors?with_servers=true', NOVA),
    ('compute', '/os-aggregates', NOVA), ('compute', '/os-availability-zone/detail', NOVA),
    ('compute', '/servers/detail?all_tenants=1', NOVA), ('compute', '/servers?all_tenants=1&host=cmp-a2', NOVA),
    ('compute', '/servers/detail?all_tenants=1&deleted=true', NOVA),
    ('compute', '/servers/detail?all_tenants=1&changes-since=2020-01-01T00:00:00Z', NOVA),
    ('compute', '/servers/{server}', NOVA), ('compute', '/servers/{server}/os-instance-actions', NOVA),
    ('compute', '/servers/{server}/os-instance-actions/{request}', NOVA),
    ('compute', '/servers/{server}/os-volume_attachments', NOVA), ('compute', '/servers/{server}/os-interface', NOVA),
    ('compute', '/flavors/detail?is_public=None', NOVA), ('compute', '/flavors/{flavor}/os-extra_specs', NOVA),
    ('compute', '/flavors/{flavor}/os-flavor-access', NOVA), ('compute', '/os-migrations', NOVA),
    ('compute', '/os-server-groups?all_projects=true', NOVA), ('compute', '/os-simple-tenant-usage?detailed=1', NOVA),
    ('compute', '/os-quota-sets/{project}/detail', NOVA), ('compute', '/limits?tenant_id={project}', NOVA),
    ('placement', '/resource_providers', PLACEMENT), ('placement', '/resource_providers/{provider}/inventories', PLACEMENT),
    ('placement', '/resource_providers/{provider}/usages', PLACEMENT),
    ('placement', '/resource_providers/{provider}/traits', PLACEMENT),
    ('placement', '/resource_providers/{provider}/aggregates', PLACEMENT),
    ('placement', '/resource_providers/{provider}/allocations', PLACEMENT),
    ('placement', '/allocations/{server}', PLACEMENT), ('placement', '/traits', PLACEMENT),
    ('placement', '/resource_classes', PLACEMENT), ('placement', '/usages?project_id={project}', PLACEMENT),
    ('placement', '/allocation_candidates?resources=VCPU:1,MEMORY_MB:512&limit=100', PLACEMENT),
    ('block_storage', '/os-services', CINDER), ('block_storage', '/scheduler-stats/get_pools?detail=true', CINDER),
    ('block_storage', '/volumes/detail?all_tenants=1', CINDER), ('block_storage', '/volumes/{volume}', CINDER),
    ('block_storage', '/snapshots/detail?all_tenants=1', CINDER), ('block_storage', '/backups/detail?all_tenants=1', CINDER),
    ('block_storage', '/attachments/detail?all_tenants=1', CINDER), ('block_storage', '/types?is_public=None', CINDER),
    ('block_storage', '/volumes?all_tenants=1&limit=1&with_count=true', CINDER), ('block_storage', '/groups/detail?all_tenants=1', CINDER),
    ('block_storage', '/os-volume-transfer?all_tenants=1', CINDER),
    ('block_storage', '/volumes/detail?all_tenants=1&updated_at=gt:2020-01-01T00:00:00', CINDER),
    ('block_storage', '/qos-specs', CINDER), ('block_storage', '/os-quota-sets/{project}?usage=true', CINDER),
    ('network', '/agents', None), ('network', '/networks', None), ('network', '/networks/{network}', None),
    ('network', '/subnets', None), ('network', '/ports', None), ('network', '/ports/{port}', None),
    ('network', '/routers', None), ('network', '/floatingips', None), ('network', '/security-groups', None),
    ('network', '/security-group-rules?direction=ingress&direction=egress', None), ('network', '/rbac-policies', None),
    ('network', '/quotas/{project}/default', None), ('network', '/network-ip-availabilities', None),
    ('network', '/quotas/{project}', None), ('network', '/trunks', None),
    ('network', '/qos/policies', None), ('network', '/segments', None),
    ('identity', '/projects', None), ('identity', '/domains', None), ('identity', '/users', None),
    ('identity', '/roles', None), ('identity', '/role_assignments', None), ('identity', '/services', None),
    ('identity', '/endpoints', None), ('identity', '/groups', None), ('identity', '/regions', None),
    ('image', '/images?visibility=all&os_hidden=false', None), ('image', '/images?visibility=all&os_hidden=true', None),
    ('image', '/info/stores/detail', None),
    ('load_balancer', '/lbaas/loadbalancers', None), ('load_balancer', '/lbaas/listeners', None),
    ('load_balancer', '/lbaas/pools', None), ('load_balancer', '/lbaas/loadbalancers/{balancer}/status', None),
    ('load_balancer', '/lbaas/loadbalancers/{balancer}/stats', None),
    ('load_balancer', '/octavia/amphorae', None),
    ('orchestration', '/services', None), ('orchestration', '/stacks?global_tenant=true', None),
    ('load_balancer', '/lbaas/quotas', None), ('load_balancer', '/lbaas/quotas/defaults', None),
    ('load_balancer', '/lbaas/providers', None),
    ('dns', '/zones', None, {'X-Auth-All-Projects': 'true'}), ('dns', '/service_statuses', None),
    ('dns', '/recordsets', None, {'X-Auth-All-Projects': 'true'}), ('dns', '/pools', None),
    ('key_manager', '/secrets', None), ('key_manager', '/containers', None), ('key_manager', '/orders', None),
    ('key_manager', '/quotas', None), ('key_manager', '/project-quotas', None),
    ('instance_ha', '/segments', None), ('instance_ha', '/segments/{segment}/hosts', None), ('instance_ha', '/notifications', None),
]

# Nothing of these need exist in a seeded lab; every other read must show something.
MAY_BE_EMPTY = ['/os-migrations', '/backups', '/qos-specs', '/groups', '/os-volume-transfer', 'os_hidden=true', '/trunks', 'deleted=true',
                '/os-extra_specs', '/amphorae', '/project-quotas']

CHANGES = [  # service, method, path, body, microversion
    ('compute', 'PUT', '/os-services/{compute}', {'status': 'enabled'}, NOVA),
    ('compute', 'POST', '/os-aggregates/{aggregate}/action', {'set_metadata': {'metadata': {'tier': 'dense'}}}, NOVA),
    ('compute', 'POST', '/servers/{server}/metadata', {'metadata': {'role': 'web'}}, NOVA),
    ('compute', 'POST', '/servers/{server}/action', {'unlock': None}, NOVA),
    ('compute', 'POST', '/servers/{server}/action', {'os-resetState': {'state': 'active'}}, NOVA),
    ('compute', 'POST', '/flavors/{flavor}/os-extra_specs', {'extra_specs': {'quota:cpu_shares': '1'}}, NOVA),
    ('compute', 'PUT', '/os-quota-sets/{project}', {'quota_set': {'cores': 400}}, NOVA),
    ('placement', 'PUT', '/traits/CUSTOM_RACK_AZ_A', None, PLACEMENT),
    ('block_storage', 'POST', '/volumes/{volume}/metadata', {'metadata': {'tier': 'nvme'}}, CINDER),
    ('block_storage', 'POST', '/volumes/{volume}/action', {'os-set_bootable': {'bootable': False}}, CINDER),
    ('block_storage', 'POST', '/volumes/{volume}/action', {'os-reset_status': {'attach_status': 'detached'}}, CINDER),
    ('block_storage', 'PUT', '/os-quota-sets/{project}', {'quota_set': {'volumes': 200}}, CINDER),
    ('network', 'PUT', '/networks/{network}', {'network': {'description': ''}}, None),
    ('network', 'PUT', '/ports/{port}', {'port': {'description': ''}}, None),
    ('network', 'POST', '/networks', {'network': {'name': 'reader-check', 'project_id': '{project}'}}, None),
    ('identity', 'PATCH', '/projects/{project}', {'project': {'description': 'customer acme'}}, None),
    ('load_balancer', 'PUT', '/lbaas/loadbalancers/{balancer}', {'loadbalancer': {'description': ''}}, None),
    ('image', 'POST', '/images/{image}/actions/reactivate', None, None),
    ('instance_ha', 'PUT', '/segments/{segment}', {'segment': {'description': 'az-a'}}, None),
]

ADMINISTRATIVE = ['/os-services', '/os-hypervisors/detail', '/servers/detail?all_tenants=1', '/os-aggregates']


def call(cloud, service, method, path, microversion, headers=None, body=None):
    adapter = getattr(connect(cloud), service)
    return adapter.request(path, method, microversion=microversion, headers=headers or {}, json=body, raise_exc=False)


def main():
    ids, wrong = objects(), 0

    def judge(ok, text):
        nonlocal wrong
        wrong += not ok
        print(('ok    ' if ok else 'WRONG ') + text, flush=True)

    def fill(value):
        return {k: fill(v) for k, v in value.items()} if isinstance(value, dict) else \
            value.format(**ids) if isinstance(value, str) else value

    for service, path, microversion, *more in READS:
        path = path.format(**ids)
        reader = call('lab-exporter', service, 'GET', path, microversion, *more)
        admin = call('lab-admin', service, 'GET', path, microversion, *more)
        seen, there = size(json_of(reader)), size(json_of(admin))
        judge(reader.status_code == admin.status_code == 200 and seen == there
              and (seen > 0 or any(part in path for part in MAY_BE_EMPTY)),
              f'{service} GET {path}: {reader.status_code} with {seen}, administrator {admin.status_code} with {there}')
    for service, method, path, body, microversion in CHANGES:
        answer = call('lab-exporter', service, method, path.format(**ids), microversion, body=fill(body) if body else None)
        judge(answer.status_code == 403, f'{service} {method} {path}: answered with {answer.status_code}')
    for path in ADMINISTRATIVE:
        answer = call('lab-alice', 'compute', 'GET', path, NOVA)
        judge(answer.status_code == 403, f'lab-alice GET {path}: answered with {answer.status_code}')
    print(f'{len(READS)} reads, {len(CHANGES)} changes, {wrong} wrong')
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
