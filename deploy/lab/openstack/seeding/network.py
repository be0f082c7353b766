"""Networks: an external and a shared provider network, and one routed network for each project."""
from .cloud import PROJECTS, admin, each_project, member, wait


def provider():
    network = admin().network
    external = network.find_network('ext-net') or network.create_network(
        name='ext-net', is_router_external=True, provider_network_type='flat', provider_physical_network='physnet1')
    network.find_subnet('ext-subnet') or network.create_subnet(
        name='ext-subnet', network_id=external.id, ip_version=4, cidr='203.0.113.0/24', gateway_ip='203.0.113.1',
        is_dhcp_enabled=False)
    shared = network.find_network('prov-vlan120') or network.create_network(
        name='prov-vlan120', is_shared=True, provider_network_type='vlan', provider_physical_network='physnet1',
        provider_segmentation_id=120)
    network.find_subnet('prov-vlan120-subnet') or network.create_subnet(
        name='prov-vlan120-subnet', network_id=shared.id, ip_version=4, cidr='10.120.0.0/24')
    policy = network.find_qos_policy('limit-100m') or network.create_qos_policy(name='limit-100m', is_shared=True)
    if not list(network.qos_bandwidth_limit_rules(policy)):
        network.create_qos_bandwidth_limit_rule(policy, max_kbps=100000, max_burst_kbps=80000)


def _network_of(project, number):
    network = member(project).network
    net = network.find_network(f'{project}-net') or network.create_network(name=f'{project}-net')
    subnet = network.find_subnet(f'{project}-subnet') or network.create_subnet(
        name=f'{project}-subnet', network_id=net.id, ip_version=4, cidr=f'10.{10 + number}.0.0/24')
    external = network.find_network('ext-net', ignore_missing=False)
    router = network.find_router(f'{project}-router') or network.create_router(
        name=f'{project}-router', external_gateway_info={'network_id': external.id})
    if not list(network.ports(device_id=router.id, network_id=net.id)):
        network.add_interface_to_router(router, subnet_id=subnet.id)
    group = network.find_security_group(f'{project}-web') or network.create_security_group(name=f'{project}-web')
    open_ports = {rule.port_range_min for rule in network.security_group_rules(security_group_id=group.id)}
    for port in (22, 80, 443):
        if port not in open_ports:
            network.create_security_group_rule(
                security_group_id=group.id, direction='ingress', ether_type='IPv4', protocol='tcp',
                port_range_min=port, port_range_max=port)


projects = each_project(_network_of)


def _floating_ips_of(project, number):
    cloud = member(project)
    used_by = [ip.port_id for ip in cloud.network.ips()]
    external = cloud.network.find_network('ext-net').id
    for name in (f'{project}-vm0', f'{project}-vm2'):
        server = cloud.compute.find_server(name, ignore_missing=False)
        port = next(iter(cloud.network.ports(device_id=server.id)))
        if port.id not in used_by:
            cloud.network.create_ip(floating_network_id=external, port_id=port.id)
    if None not in used_by:
        cloud.network.create_ip(floating_network_id=external)  # allocated and not used: it is billed all the same


floating_ips = each_project(_floating_ips_of)


def ports_active():
    """Every server's port is bound by its host's ovn-controller and reported up through OVN."""
    def down():
        return [p for p in admin().network.ports() if (p.device_owner or '').startswith('compute:')
                and p.binding_host_id and p.status != 'ACTIVE']
    try:
        wait(30, 'server ports ACTIVE', lambda: not down())
        return
    except TimeoutError:
        # Neutron heard "down" after "up" and will not ask again: make OVN say both once more.
        for port in down():
            print(f'  port {port.id} on {port.binding_host_id} is DOWN in Neutron: turned off and on', flush=True)
            for up in (False, True):
                admin().network.update_port(port, is_admin_state_up=up)
    try:
        wait(60, 'server ports ACTIVE', lambda: not down())
    except TimeoutError as error:
        raise TimeoutError(f'{error}; DOWN: ' + ', '.join(f'{p.id} on {p.binding_host_id}' for p in down())) from None
