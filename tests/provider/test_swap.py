"""Swaps under load: no request fails, no answer is of a version that has gone."""

from __future__ import annotations

import http.client
import threading
import time

import pytest

NAMES = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"]


class Client(threading.Thread):
    """Asks without a pause, over one connection that it keeps or over a new one each time."""

    def __init__(self, port, key, *, keep, stop):
        super().__init__(daemon=True)
        self.port, self.key, self.keep, self.stop = port, key, keep, stop
        self.seen, self.failures = [], []

    def run(self):
        connection = None
        while not self.stop.is_set():
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
                headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
                asked = time.monotonic()
                connection.request("POST", "/score", b'{"data": 1}', headers)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200:
                    self.failures.append((answer.status, body))
                self.seen.append((asked, body))
                if answer.will_close or not self.keep:
                    connection.close()
                    connection = None
            except Exception as error:
                self.failures.append(repr(error))
                connection = None
            time.sleep(0.002)


def swap_under_load(stack, project, names):
    stack.up()
    stop = threading.Event()
    key = stack.key()
    clients = [Client(stack.port, key, keep=number % 2 == 0, stop=stop) for number in range(8)]
    [client.start() for client in clients]
    switched = [0.0]
    try:
        for name in names:
            stack.swap(name, project)
            switched.append(time.monotonic())
            time.sleep(0.2)
    finally:
        stop.set()
        [client.join() for client in clients]
    for client in clients:
        assert client.failures == []
        for asked, body in client.seen:
            version = next(i for i, name in enumerate(NAMES) if b'"%s"' % name.encode() in body)
            # While the socket changes hands both accept; afterwards only the new one does.
            assert version >= sum(asked > moment for moment in switched) - 1
        assert b'"%s"' % names[-1].encode() in client.seen[-1][1]
    return sum(len(client.seen) for client in clients)


def test_swaps_drop_no_request(stack, project):
    assert swap_under_load(stack, project, NAMES[1:3]) > 100


def test_swaps_of_the_real_server_drop_no_request(real_stack, project):
    assert swap_under_load(real_stack, project, NAMES[1:3]) > 100


@pytest.mark.reliability
def test_ten_swaps_of_the_real_server_with_several_workers_drop_no_request(real_stack, project, monkeypatch):
    plain = real_stack.replica_inputs
    monkeypatch.setattr(real_stack, "replica_inputs", lambda **changed: plain(num_replicas=2, **changed))
    assert swap_under_load(real_stack, project, NAMES[1:]) > 1000
