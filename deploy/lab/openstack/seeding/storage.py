"""Volume types, one for each backend, and volumes, snapshots and attachments on all of them."""
import os

from .cloud import PROJECTS, admin, by_name, each_project, member, wait

BACKENDS = [line.split(':')[0] for line in os.environ['LAB_BACKENDS'].split()]


def volume_types():
    storage = admin().block_storage
    have = by_name(storage.types())
    for name in BACKENDS:
        if name not in have:
            storage.create_type(name=name, extra_specs={'volume_backend_name': name})
    for project in PROJECTS:
        storage.update_quota_set(admin().identity.find_project(project), volumes=200, gigabytes=200000, snapshots=100)


def _volumes_of(project, number):
    storage = member(project).block_storage
    have = by_name(storage.volumes(details=False))
    for i, backend in enumerate(BACKENDS * 2):
        name = f'{project}-{backend}-{i}'
        if name not in have:
            storage.create_volume(name=name, size=10 * (i + 1 + number), volume_type=backend, metadata={'tier': backend})


volumes = each_project(_volumes_of)


def _snapshots_of(project, number):
    storage = member(project).block_storage

    def ready():
        found = list(storage.volumes())
        return found if all(v.status not in ('creating', 'downloading') for v in found) else None
    found = by_name(wait(90, f'volumes of {project} created', ready))
    broken = [v for v in found.values() if v.status == 'error']
    if broken:
        for volume in broken:
            storage.delete_volume(volume)
        for volume in broken:
            storage.wait_for_delete(volume, wait=60)
        _volumes_of(project, number)
        raise RuntimeError(f'volumes in error, made anew: {[v.name for v in broken]}')
    have = by_name(storage.snapshots(details=False))
    for name in (f'{project}-{BACKENDS[0]}-0', f'{project}-{BACKENDS[1]}-1'):
        if f'{name}-snap' not in have:
            storage.create_snapshot(volume_id=found[name].id, name=f'{name}-snap', force=True)


snapshots = each_project(_snapshots_of)


def _attachments_of(project, number):
    cloud = member(project)
    volumes = by_name(cloud.block_storage.volumes())
    for server_name, volume_name in ((f'{project}-vm0', f'{project}-{BACKENDS[0]}-0'),
                                     (f'{project}-vm2', f'{project}-{BACKENDS[1]}-1')):
        volume = volumes[volume_name]
        if volume.status == 'available':
            server = cloud.compute.find_server(server_name, ignore_missing=False)
            cloud.compute.create_volume_attachment(server, volume_id=volume.id)
    wait(60, f'volumes of {project} attached', lambda: not [
        v for v in cloud.block_storage.volumes() if v.status in ('attaching', 'reserved')])


attachments = each_project(_attachments_of)
