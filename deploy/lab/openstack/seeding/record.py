"""Records the lab's notifications while an exercise runs: `python3 -m seeding.record [ROUNDS] > FILE.jsonl`.

The first round has all of the exercise, a further one (2 rounds if not said) what needs no servers.

A queue of its own is bound to every exchange, so whoever reads notifications.* goes on getting all of them. A line is
{"exchange", "routing_key", "body"}: the body is the message as it came, an oslo envelope as text. Live tokens and the
service's passwords never reach the file: a token is replaced by one of the same shape that nobody issued, the same one
each time, and the last line, {"tokens": […]}, names all of those that were put in.
"""
import hashlib
import json
import re
import sys
import threading
import time

import kombu

from . import exercise
from .cloud import say

EXCHANGES = ('nova', 'neutron', 'glance', 'keystone', 'heat', 'designate', 'masakari', 'octavia', 'openstack')
URL = 'amqp://openstack:lab@127.0.0.1:5672//'
FERNET = re.compile(r'gAAAA[A-Za-z0-9_\-]{60,}=*')


class Tokens:
    """Fernet tokens and their doubles."""

    def __init__(self):
        self.doubles = {}

    def replace(self, text):
        return FERNET.sub(lambda found: self.double(found.group()), text)

    def double(self, token):
        if token not in self.doubles:
            body, filler = token[len('gAAAAA'):].rstrip('='), '='
            made = ''
            while len(made) < len(body):
                digest = hashlib.sha512(f'{token}{len(made)}'.encode()).digest()
                made += ''.join('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'[b % 64] for b in digest)
            self.doubles[token] = 'gAAAAA' + made[:len(body)] + filler * (len(token) - len('gAAAAA') - len(body))
        return self.doubles[token]


def record(out, until, tokens):
    counts = {}
    with kombu.Connection(URL) as connection:
        channel = connection.channel()
        name = channel.queue_declare(queue='', exclusive=True, auto_delete=True).queue
        for exchange in EXCHANGES:
            for topic in ('notifications', 'versioned_notifications'):
                channel.queue_bind(queue=name, exchange=exchange, routing_key=f'{topic}.*')

        def on(message):
            body = message.body if isinstance(message.body, str) else bytes(message.body).decode()
            line = {'exchange': message.delivery_info['exchange'], 'routing_key': message.delivery_info['routing_key'],
                    'body': tokens.replace(body)}
            print(json.dumps(line), file=out, flush=True)
            inner = json.loads(json.loads(body)['oslo.message'])
            counts[inner['event_type']] = counts.get(inner['event_type'], 0) + 1
            channel.basic_ack(message.delivery_tag)

        channel.basic_consume(queue=name, callback=on)
        while not until.is_set():
            try:
                connection.drain_events(timeout=1)
            except TimeoutError:
                pass
    return counts


def main():
    # The lines go to standard output, what happens to standard error.
    out, sys.stdout = sys.stdout, sys.stderr
    tokens, until, counts = Tokens(), threading.Event(), {}
    reader = threading.Thread(target=lambda: counts.update(record(out, until, tokens)))
    reader.start()
    failed = {}
    for n in range(int(sys.argv[1]) if len(sys.argv) > 1 else 2):
        failed |= exercise.main(servers=n == 0)
    time.sleep(10)  # what is still on its way
    until.set()
    reader.join()
    print(json.dumps({'tokens': sorted(tokens.doubles.values())}), file=out, flush=True)
    say(f'{sum(counts.values())} messages of {len(counts)} event types, {len(tokens.doubles)} tokens')
    if failed:
        say(f'FAILED: {", ".join(failed)}')
        sys.exit(1)


if __name__ == '__main__':
    main()
