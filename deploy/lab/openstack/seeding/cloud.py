"""Connections of the lab's accounts, bounded waits, and the runner of the seed's steps."""
import concurrent.futures
import threading
import time

import openstack

PROJECTS = {'acme': 'lab-alice', 'globex': 'lab-bob', 'initech': 'lab-carol'}
STARTED = time.monotonic()
_local = threading.local()
# openstacksdk registers its counters with the process at the first connection, and looks whether they are there before
# without a lock of its own: two threads at once, and one fails with "Duplicated timeseries in CollectorRegistry".
_connecting = threading.Lock()


def say(text):
    print(f'[{time.monotonic() - STARTED:4.0f}s] {text}', flush=True)


def connect(cloud):
    """This thread's connection as one of the accounts of clouds.yaml."""
    connections = _local.__dict__.setdefault('connections', {})
    if cloud not in connections:
        with _connecting:
            connections[cloud] = openstack.connect(cloud=cloud)
        connections[cloud].compute.default_microversion = '2.96'
    return connections[cloud]


def admin():
    return connect('lab-admin')


def member(project):
    return connect(PROJECTS[project])


def by_name(objects):
    return {o.name: o for o in objects}


def wait(seconds, what, check):
    """Polls until check() is true and returns that; TimeoutError names what was waited for."""
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(f'{what}: not within {seconds} s')
        time.sleep(0.5)


def run_steps(*groups):
    """Runs groups of (name, function) one after the other, the steps of a group side by side.

    A step that fails is named and the rest go on; returns the names of the failed ones.
    """
    failed = []

    def timed(name, function):
        start = time.monotonic()
        try:
            function()
            say(f'{name}: {time.monotonic() - start:.1f} s')
        except Exception as error:  # the other steps are worth having; main() exits non-zero
            failed.append(name)
            say(f'{name}: FAILED, {type(error).__name__}: {str(error)[:500]}')

    for group in groups:
        with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(lambda step: timed(*step), group))
    return failed


def each_project(function):
    """The step that calls function(project, number) for every project, side by side."""
    def step():
        with concurrent.futures.ThreadPoolExecutor(max_workers=len(PROJECTS)) as pool:
            list(pool.map(function, PROJECTS, range(len(PROJECTS))))
    return step
