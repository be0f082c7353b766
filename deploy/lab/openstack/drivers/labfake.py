"""A Nova hypervisor driver for the lab: no guests, everything around them real.

It stands on nova.virt.fake and adds what a lab that is watched needs:
- sizes, CPU model and traits of each host come from its configuration, [lab_hypervisor];
- the node's uuid follows from its name (the fake driver invents a new one at each start, and a restarted
  nova-compute would no longer own its compute node);
- servers survive a restart of nova-compute, with the power state that Nova remembers;
- a server's ports are plugged into the host's own Open vSwitch, so ovn-controller claims them, Neutron's
  ports become ACTIVE, and they move with the server.

It lies in nova/virt because compute_driver is always looked up there.
"""
import os
import uuid

from oslo_concurrency import processutils
from oslo_config import cfg
from oslo_serialization import jsonutils

import nova.conf
from nova.compute import power_state
from nova.compute import vm_states
from nova import exception
from nova.virt import fake

CONF = nova.conf.CONF
CONF.register_opts([
    cfg.IntOpt('vcpus', default=64, help='hardware threads'),
    cfg.IntOpt('memory_mb', default=524288),
    cfg.IntOpt('local_gb', default=1800),
    cfg.StrOpt('cpu_model', default='EPYC-Genoa'),
    cfg.ListOpt('traits', default=[]),
    cfg.StrOpt('ovs_database', default='/srv/ovs/%(host)s/run/db.sock'),
], group='lab_hypervisor')

NODES = uuid.UUID('3d7e2a54-93c1-4c55-9d1c-6a0f6f2b7c11')
POWER = {vm_states.ACTIVE: power_state.RUNNING, vm_states.PAUSED: power_state.PAUSED,
         vm_states.SUSPENDED: power_state.SUSPENDED, vm_states.STOPPED: power_state.SHUTDOWN}


def node_uuid(name):
    return str(uuid.uuid5(NODES, name))


class Chassis:
    """The host's Open vSwitch: one internal port on br-int for each virtual interface."""

    def __init__(self, database):
        self.database = database

    def _vsctl(self, *words):
        return processutils.execute('ovs-vsctl', '--timeout=10', '--no-wait', f'--db=unix:{self.database}', *words)[0]

    @staticmethod
    def _device(vif_id):
        return f'tap{vif_id[:11]}'

    def plug(self, vif_id, mac, server_id):
        device = self._device(vif_id)
        self._vsctl('--', '--may-exist', 'add-port', 'br-int', device,
                    '--', 'set', 'Interface', device, 'type=internal', f'mac="{mac}"',
                    f'external_ids:iface-id={vif_id}', f'external_ids:attached-mac="{mac}"',
                    f'external_ids:vm-uuid={server_id}', 'external_ids:iface-status=active')

    def unplug(self, vif_id):
        self._vsctl('--', '--if-exists', 'del-port', 'br-int', self._device(vif_id))

    def unplug_all(self, server_id):
        found = self._vsctl('--bare', '--columns=name', 'find', 'Interface', f'external_ids:vm-uuid={server_id}')
        for device in found.split():
            self._vsctl('--', '--if-exists', 'del-port', 'br-int', device)


class LabDriver(fake.FakeLiveMigrateDriver):

    def __init__(self, virtapi, read_only=False):
        hardware = CONF.lab_hypervisor
        self.vcpus, self.memory_mb, self.local_gb = hardware.vcpus, hardware.memory_mb, hardware.local_gb
        super().__init__(virtapi, read_only)
        self.chassis = Chassis(hardware.ovs_database % {'host': CONF.host})

    # the host

    def get_nodenames_by_uuid(self, refresh=False):
        return {node_uuid(name): name for name in self.get_available_nodes()}

    def get_available_resource(self, nodename):
        resource = super().get_available_resource(nodename)
        if not resource:
            return resource
        model = CONF.lab_hypervisor.cpu_model
        resource.update(
            uuid=node_uuid(nodename), hypervisor_type='QEMU', hypervisor_version=9002001,
            supported_instances=[('x86_64', 'qemu', 'hvm'), ('x86_64', 'kvm', 'hvm')],
            disk_available_least=self.local_gb - resource.get('local_gb_used', 0),
            cpu_info=jsonutils.dumps({
                'arch': 'x86_64', 'vendor': 'AMD' if model.startswith('EPYC') else 'Intel', 'model': model,
                'features': ['aes', 'avx', 'avx2', 'sse4.2'],
                'topology': {'cells': 2, 'sockets': 1, 'threads': 2, 'cores': max(1, self.vcpus // 4)}}))
        return resource

    def update_provider_tree(self, provider_tree, nodename, allocations=None):
        super().update_provider_tree(provider_tree, nodename, allocations)
        traits = set(provider_tree.data(nodename).traits) | set(CONF.lab_hypervisor.traits)
        provider_tree.update_traits(nodename, sorted(traits))

    def get_host_uptime(self):
        with open('/proc/uptime') as f:
            days = int(float(f.read().split()[0]) // 86400)
        return ' up %d days,  0:00,  0 users,  load average: %.2f, %.2f, %.2f' % (days, *os.getloadavg())

    # servers

    def get_info(self, instance, use_cache=True):
        if instance.uuid not in self.instances and instance.host == self._host and instance.vm_state in POWER:
            self.instances[instance.uuid] = fake.FakeInstance(
                instance.name, POWER[instance.vm_state], instance.uuid)
        return super().get_info(instance, use_cache)

    def destroy(self, context, instance, network_info, *args, **kwargs):
        super().destroy(context, instance, network_info, *args, **kwargs)
        self.unplug_vifs(instance, network_info)

    # their ports

    def plug_vifs(self, instance, network_info):
        for vif in network_info or []:
            try:
                self.chassis.plug(vif['id'], vif['address'], instance.uuid)
            except processutils.ProcessExecutionError as error:
                raise exception.VirtualInterfacePlugException(f'port {vif["id"]}: {error.stderr}')
            self._interfaces[vif['id']] = vif

    def unplug_vifs(self, instance, network_info):
        # all of the server's, whatever the caller still knows: after a migration it knows none
        self.chassis.unplug_all(instance.uuid)
        for vif in network_info or []:
            self._interfaces.pop(vif['id'], None)

    def spawn(self, context, instance, image_meta, injected_files, admin_password, allocations,
              network_info=None, **kwargs):
        super().spawn(context, instance, image_meta, injected_files, admin_password, allocations,
                      network_info=network_info, **kwargs)
        self.plug_vifs(instance, network_info)

    def power_on(self, context, instance, network_info, *args, **kwargs):
        super().power_on(context, instance, network_info, *args, **kwargs)
        self.plug_vifs(instance, network_info)

    def finish_migration(self, context, migration, instance, disk_info, network_info, *args, **kwargs):
        super().finish_migration(context, migration, instance, disk_info, network_info, *args, **kwargs)
        self.plug_vifs(instance, network_info)

    def migrate_disk_and_power_off(self, context, instance, dest, flavor, network_info, *args, **kwargs):
        self.unplug_vifs(instance, network_info)
        return super().migrate_disk_and_power_off(context, instance, dest, flavor, network_info, *args, **kwargs)

    def finish_revert_migration(self, context, instance, network_info, *args, **kwargs):
        super().finish_revert_migration(context, instance, network_info, *args, **kwargs)
        self.plug_vifs(instance, network_info)

    def post_live_migration_at_destination(self, context, instance, network_info, *args, **kwargs):
        super().post_live_migration_at_destination(context, instance, network_info, *args, **kwargs)
        self.plug_vifs(instance, network_info)

    def attach_interface(self, context, instance, image_meta, vif):
        self.plug_vifs(instance, [vif])

    def detach_interface(self, context, instance, vif):
        self.chassis.unplug(vif['id'])
        self._interfaces.pop(vif['id'], None)
