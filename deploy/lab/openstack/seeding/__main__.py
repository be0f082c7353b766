"""Seeds the lab: `python3 -m seeding` inside the chroot. Finds everything by name and makes what is missing."""
import sys

from . import compute, network, platform, storage
from .cloud import run_steps, say


def main():
    failed = run_steps(
        [('provider networks', network.provider), ('aggregates', compute.aggregates), ('flavors', compute.flavors),
         ('volume types', storage.volume_types)],
        [('project networks', network.projects), ('images', compute.images), ('volumes', storage.volumes),
         ('quotas', compute.quotas)],
        [('servers', compute.servers), ('zone', platform.zone), ('load balancers', platform.load_balancers),
         ('secret', platform.secret), ('segment', platform.segment), ('snapshots', storage.snapshots)],
        [('servers built', compute.settled), ('stack', platform.stack)],
        [('floating IPs', network.floating_ips), ('attachments', storage.attachments),
         ('one server stopped', compute.stop_one), ('notification', platform.notification),
         ('ports', network.ports_active)],
        attempts=4,  # a service that has just started may answer its first callers with a 500; the SDK does not ask again
    )
    if failed:
        for name, reason in failed.items():
            say(f'seed FAILED in {name}: {reason}')
        sys.exit(1)
    say('seeded')


if __name__ == '__main__':
    main()
