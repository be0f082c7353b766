"""Connections of the lab's accounts, bounded waits, and the runner of the seed's steps."""
import concurrent.futures
import threading
import time

import openstack

PROJECTS = {'acme': 'lab-alice', 'globex': 'lab-bob', 'initech': 'lab-carol'}
STARTED = time.monotonic()
_local = threading.local()
# openstacksdk registers its counters with the process when the first service of a connection is used, and looks whether
# they are there before without a lock of its own: two threads at once, and one fails with "Duplicated timeseries".
_connecting = threading.Lock()


def say(text):
    print(f'[{time.monotonic() - STARTED:4.0f}s] {text}', flush=True)


def connect(cloud):
    """This thread's connection as one of the accounts of clouds.yaml."""
    connections = _local.__dict__.setdefault('connections', {})
    if cloud not in connections:
        with _connecting:
            made = openstack.connect(cloud=cloud)
            made.compute.default_microversion = '2.96'
        connections[cloud] = made
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


def run_steps(*groups, attempts=1):
    """Runs groups of (name, function) one after the other, the steps of a group side by side.

    A step that fails is run again while attempts are left (it must only make what is missing), but not one that waited in
    vain. Then it is named and the rest go on. Returns what failed for good as {name: reason}.
    """
    failed = {}

    def attempted(name, function):
        start = time.monotonic()
        for attempt in range(1, attempts + 1):
            try:
                function()
                say(f'{name}: {time.monotonic() - start:.1f} s' + (f' in {attempt} attempts' if attempt > 1 else ''))
                return
            except Exception as error:  # the other steps are worth having; main() exits non-zero
                reason = f'{type(error).__name__}: {str(error)[:500]}'
                say(f'{name}: attempt {attempt} of {attempts} FAILED, {reason}')
                if attempt == attempts or isinstance(error, TimeoutError):
                    failed[name] = reason
                    return
                time.sleep(2 * attempt)

    for group in groups:
        with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(lambda step: attempted(*step), group))
    return failed


def each_project(function):
    """The step that calls function(project, number) for every project, side by side."""
    def step():
        with concurrent.futures.ThreadPoolExecutor(max_workers=len(PROJECTS)) as pool:
            list(pool.map(function, PROJECTS, range(len(PROJECTS))))
    return step
