"""A Cinder driver for the lab: no data, the whole control path.

Each backend's section gives its capacity, pools, thin or thick and over-subscription; what is provisioned
on a pool is what Cinder's own database says lies there, so the numbers move as volumes come and go.
"""
from oslo_config import cfg

from cinder import context as cinder_context
from cinder import interface
from cinder import objects
from cinder.volume import configuration
from cinder.volume import driver
from cinder.volume import volume_utils

OPTIONS = [
    cfg.IntOpt('lab_capacity_gb', default=10000, help='of the whole backend, shared evenly by its pools'),
    cfg.ListOpt('lab_pools', default=['pool']),
    cfg.BoolOpt('lab_thin', default=True),
    cfg.FloatOpt('lab_written_ratio', default=0.35, help='share of a thin volume that counts as written'),
    cfg.StrOpt('lab_media', default='ssd'),
]
cfg.CONF.register_opts(OPTIONS, group=configuration.SHARED_CONF_GROUP)


@interface.volumedriver
class LabDriver(driver.VolumeDriver):
    VERSION = '1.0'
    CI_WIKI_NAME = 'lab'

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values(OPTIONS)

    def do_setup(self, context):
        pass

    def check_for_setup_error(self):
        pass

    # what the scheduler sees

    def _pool(self, name):
        conf = self.configuration
        total = conf.lab_capacity_gb / len(conf.lab_pools)
        volumes = objects.VolumeList.get_all(
            cinder_context.get_admin_context(), filters={'host': f'{self.host}#{name}'})
        provisioned = float(sum(volume.size for volume in volumes))
        written = provisioned * conf.lab_written_ratio if conf.lab_thin else provisioned
        return {
            'pool_name': name, 'total_capacity_gb': total, 'free_capacity_gb': round(max(0.0, total - written), 2),
            'provisioned_capacity_gb': provisioned, 'allocated_capacity_gb': provisioned,
            'max_over_subscription_ratio': conf.safe_get('max_over_subscription_ratio'),
            'reserved_percentage': conf.safe_get('reserved_percentage'),
            'thin_provisioning_support': conf.lab_thin, 'thick_provisioning_support': not conf.lab_thin,
            'total_volumes': len(volumes), 'disk_type': conf.lab_media, 'location_info': f'lab:{name}',
            'multiattach': True, 'QoS_support': True, 'consistencygroup_support': False, 'backend_state': 'up'}

    def _update_volume_stats(self):
        self._stats = {
            'volume_backend_name': self.configuration.safe_get('volume_backend_name'), 'vendor_name': 'Lab',
            'driver_version': self.VERSION, 'storage_protocol': 'iSCSI', 'sparse_copy_volume': False,
            'pools': [self._pool(name) for name in self.configuration.lab_pools]}

    def get_pool(self, volume):
        return volume_utils.extract_host(volume.host, level='pool')

    # volumes: every operation succeeds and moves no byte

    def create_volume(self, volume):
        return {'provider_location': f'lab:{volume.id}'}

    def delete_volume(self, volume):
        pass

    def create_snapshot(self, snapshot):
        pass

    def delete_snapshot(self, snapshot):
        pass

    def create_volume_from_snapshot(self, volume, snapshot):
        pass

    def create_cloned_volume(self, volume, src_vref):
        pass

    def extend_volume(self, volume, new_size):
        pass

    def retype(self, context, volume, new_type, diff, host):
        return True, None

    def update_migrated_volume(self, ctxt, volume, new_volume, original_volume_status):
        return {'_name_id': None}

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        return {'provider_location': f'lab:{volume.id}'}, True

    def copy_image_to_volume(self, context, volume, image_service, image_id, disable_sparse=False):
        pass

    # attachments

    def ensure_export(self, context, volume):
        pass

    def create_export(self, context, volume, connector):
        return {}

    def remove_export(self, context, volume):
        pass

    def initialize_connection(self, volume, connector, **kwargs):
        return {'driver_volume_type': 'iscsi', 'data': {
            'target_discovered': False, 'target_portal': '127.0.0.1:3260', 'target_lun': 1,
            'target_iqn': f'iqn.2010-10.org.openstack:{volume.name}', 'volume_id': volume.id, 'access_mode': 'rw'}}

    def terminate_connection(self, volume, connector, **kwargs):
        pass
