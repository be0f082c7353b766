"""Fills the configuration templates of etc/ and writes them into /etc. Runs inside the chroot.

    render.py TEMPLATES DESTINATION     parameters come from the environment (LAB_*, see lab.conf)

A template may hold ${name} placeholders and lines '@include FRAGMENT key=value', which bring in a file of
_shared/ with further names. A file whose name holds {host} or {backend} is written once for each of them.
"""
import os
import pathlib
import string
import sys


def hosts():
    for number, line in enumerate(os.environ['LAB_HOSTS'].split(), start=11):
        name, az, vcpus, memory_mb, local_gb, model = line.split(':')
        yield {'host': name, 'az': az, 'vcpus': vcpus, 'memory_mb': memory_mb, 'local_gb': local_gb,
               'model': model, 'zone_trait': az.upper().replace('-', '_'), 'host_address': f'172.31.0.{number}'}


def backends():
    for line in os.environ['LAB_BACKENDS'].split():
        name, capacity_gb, thin, ratio, pools = line.split(':')
        yield {'backend': name, 'capacity_gb': capacity_gb, 'thin': thin, 'over_subscription': ratio, 'pools': pools}


def common():
    password = os.environ['LAB_PASSWORD']
    return {'password': password, 'region': os.environ['LAB_REGION'],
            'db': f'mysql+pymysql://lab:{password}@127.0.0.1',
            'rabbit_url': f'rabbit://openstack:{password}@127.0.0.1:5672/',
            'backends': ','.join(b['backend'] for b in backends()),
            **{k.lower().removeprefix('lab_'): v for k, v in os.environ.items() if k.startswith('LAB_PROJECT_')}}


def fill(path, names, shared):
    lines = []
    for line in path.read_text().splitlines():
        if line.startswith('@include '):
            fragment, *pairs = line.split()[1:]
            values = dict(pair.split('=', 1) for pair in pairs)
            values = {k: string.Template(v).substitute(names) for k, v in values.items()}
            line = fill(shared / fragment, {**names, **values}, shared).rstrip('\n')
        else:
            try:
                line = string.Template(line).substitute(names)
            except (KeyError, ValueError) as error:
                sys.exit(f'{path}: {line!r}: no value for {error}')
        lines.append(line)
    return '\n'.join(lines) + '\n'


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main(templates, destination):
    shared = templates / '_shared'
    names = common()
    for template in sorted(p for p in templates.rglob('*') if p.is_file() and shared not in p.parents):
        target = str(destination / template.relative_to(templates))
        if '{host}' in target:
            for host in hosts():
                write(pathlib.Path(target.format(**host)), fill(template, {**names, **host}, shared))
        elif '{backend}' in target:
            for backend in backends():
                write(pathlib.Path(target.format(**backend)), fill(template, {**names, **backend}, shared))
        else:
            write(pathlib.Path(target), fill(template, names, shared))


if __name__ == '__main__':
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
