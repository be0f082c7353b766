"""Keystone's contents: catalogue, service users, roles, and the lab's projects and people. Idempotent.

    identity.py PASSWORD REGION            inside the chroot
"""
import sys

from keystoneauth1 import session
from keystoneauth1.identity import v3
from keystoneclient.v3 import client

URL = 'http://127.0.0.1:5000/v3'

CATALOGUE = [  # name, type, port, path
    ('placement', 'placement', 8778, ''),
    ('glance', 'image', 9292, ''),
    ('nova', 'compute', 8774, '/v2.1'),
    ('neutron', 'network', 9696, ''),
    ('cinderv3', 'volumev3', 8776, '/v3/%(tenant_id)s'),
    ('cinder', 'block-storage', 8776, '/v3/%(tenant_id)s'),
    ('heat', 'orchestration', 8004, '/v1/%(tenant_id)s'),
    ('barbican', 'key-manager', 9311, ''),
    ('designate', 'dns', 9001, ''),
    ('octavia', 'load-balancer', 9876, ''),
    ('masakari', 'instance-ha', 15868, '/v1/%(tenant_id)s'),
]
SERVICE_USERS = ['placement', 'glance', 'nova', 'neutron', 'cinder', 'heat', 'barbican', 'designate', 'octavia',
                 'masakari']
ROLES = ['service', 'heat_stack_owner', 'heat_stack_user', 'creator', 'observer', 'audit', 'load-balancer_member',
         'load-balancer_admin']
MEMBER_ROLES = ['member', 'reader', 'creator', 'heat_stack_owner', 'load-balancer_member']
ADMIN_ROLES = ['heat_stack_owner', 'creator', 'load-balancer_admin', 'service']
PEOPLE = {'acme': 'alice', 'globex': 'bob', 'initech': 'carol'}


class Identity:
    """Finds by name, creates what is missing."""

    def __init__(self, password, region):
        auth = v3.Password(auth_url=URL, username='admin', password=password, project_name='admin',
                           user_domain_id='default', project_domain_id='default')
        self.keystone = client.Client(session=session.Session(auth=auth), endpoint_override=URL)
        self.password, self.region = password, region
        self.default = self.keystone.domains.get('default')
        self.roles = {r.name: r for r in self.keystone.roles.list()}
        for name in ROLES:
            if name not in self.roles:
                self.roles[name] = self.keystone.roles.create(name)

    def project(self, name, **details):
        found = {p.name: p for p in self.keystone.projects.list(domain=self.default)}
        return found.get(name) or self.keystone.projects.create(name, domain=self.default, **details)

    def user(self, name, domain=None, **details):
        domain = domain or self.default
        found = {u.name: u for u in self.keystone.users.list(domain=domain)}
        return found.get(name) or self.keystone.users.create(name, domain=domain, password=self.password, **details)

    def grant(self, user, roles, **where):
        for role in roles:
            self.keystone.roles.grant(self.roles[role], user=user, **where)

    def catalogue(self):
        services = {s.name: s for s in self.keystone.services.list()}
        endpoints = {(e.service_id, e.interface) for e in self.keystone.endpoints.list()}
        for name, kind, port, path in CATALOGUE:
            service = services.get(name) or self.keystone.services.create(name, kind)
            for interface in ('public', 'internal', 'admin'):
                if (service.id, interface) not in endpoints:
                    self.keystone.endpoints.create(service, f'http://127.0.0.1:{port}{path}', interface=interface,
                                                   region=self.region)


def main(password, region):
    identity = Identity(password, region)
    identity.catalogue()
    service_project, admin_project = identity.project('service'), identity.project('admin')
    for name in SERVICE_USERS:
        identity.grant(identity.user(name), ['admin', 'service'], project=service_project)
    for project_name, person in PEOPLE.items():
        project = identity.project(project_name, description=f'customer {project_name}')
        user = identity.user(person, default_project=project, email=f'{person}@{project_name}.example')
        identity.grant(user, MEMBER_ROLES, project=project)
    admin = identity.user('admin')
    identity.grant(admin, ADMIN_ROLES, project=admin_project)
    identity.grant(admin, ['admin'], system='all')
    # the account a collector should have: it can read, and nothing else
    exporter = identity.user('exporter')
    identity.grant(exporter, ['reader'], system='all')
    identity.grant(exporter, ['reader'], project=admin_project)
    # Heat makes its stacks' own users in a domain of its own
    domains = {d.name: d for d in identity.keystone.domains.list()}
    heat = domains.get('heat') or identity.keystone.domains.create('heat')
    identity.grant(identity.user('heat_domain_admin', domain=heat), ['admin'], domain=heat)


if __name__ == '__main__':
    main(*sys.argv[1:])
