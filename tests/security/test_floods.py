"""Clients at work while others flood the broker: with handshakes, with connections, with jobs."""
import contextlib
import os
import re
import subprocess
import sys
import time

import pytest
import zmq

from millrace_wire import STATUS, Client
from secure_bed import KeyClient, p99_ms

FLOOD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "flood.py")
SAMPLES = 300


@contextlib.contextmanager
def flood(*arguments):
    """A process that floods; its stdout is readable when it is done, and it stays until the end."""
    process = subprocess.Popen([sys.executable, FLOOD, *map(str, arguments)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


def worked(client, times):
    """One job, stored, and the time that it took."""
    began = time.monotonic()
    assert client.enqueue()["count"] == 1
    times.append(time.monotonic() - began)


def at_work_during(client, process):
    """The times of a client that works until the flood says that it is done; and what it says."""
    times, poller = [], zmq.Poller()
    poller.register(process.stdout, zmq.POLLIN)
    while not poller.poll(0):
        worked(client, times)
    return times, process.stdout.readline().strip()


def rested(client):
    times = []
    for _ in range(SAMPLES):
        worked(client, times)
    return times


@pytest.mark.parametrize("what, count", [("garbage", 2_000), ("connections", 10_000)])
def test_a_client_at_work_does_not_suffer_from_a_flood(broker, what, count):
    client = KeyClient(broker.tcp, broker.key("a-1", "produce,look"), "producer")
    before = rested(client)
    with flood(what, broker.port, count) as process:
        during, said = at_work_during(client, process)
        during += rested(client)
        print(f"{said}: {len(before)} jobs before with p99 {p99_ms(before):.2f} ms, {len(during)} "
              f"during with p99 {p99_ms(during):.2f} ms")
        # Over the connection that it had: another would have to say HELLO.
        assert client.ask(STATUS)["accepting"]
        assert client.topic()["enqueued"] == len(before) + len(during)
        assert broker.get("/healthz")[0] == 200
    later = KeyClient(broker.tcp, broker.key("a-2", "produce"), "producer")
    assert later.enqueue()["count"] == 1
    assert broker.stop() == 0


def test_a_flood_of_one_key_is_bounded_by_its_quota_and_no_job_of_another_is_lost(broker):
    flooding = broker.key("x-1", "produce,look", "t")
    broker.edit("x-1", lambda text: text + "[quota]\nenqueues_per_second = 500\n")
    client = KeyClient(broker.tcp, broker.key("a-1", "produce,look", "u"), "producer")

    def work(times):
        began = time.monotonic()
        assert client.enqueue(topic="u")["count"] == 1
        times.append(time.monotonic() - began)
    before, during, began = [], [], time.monotonic()
    for _ in range(SAMPLES):
        work(before)
    with flood("enqueue", broker.port, 50_000, flooding) as process:
        poller = zmq.Poller()
        poller.register(process.stdout, zmq.POLLIN)
        while not poller.poll(0):
            work(during)
        said = process.stdout.readline().strip()
    took = time.monotonic() - began
    stored, refused = map(int, re.fullmatch(r"(\d+) batches stored, (\d+) refused", said).groups())
    print(f"{said} at a quota of 500 jobs a second: the other key's p99 was {p99_ms(before):.2f} ms "
          f"before ({len(before)} jobs) and {p99_ms(during):.2f} ms during ({len(during)} jobs)")
    local = Client(broker.endpoint)
    assert stored + refused == 5_000 and local.topic("t")["enqueued"] == stored * 10
    assert stored * 10 <= 500 * (took + 1) + 10  # a second's worth at once, and one batch more
    assert local.topic("u")["enqueued"] == len(before) + len(during)


def test_a_client_of_ours_waits_for_its_quota_and_stores_everything(broker):
    path = broker.key("a-1", "produce,look", "t")
    broker.edit("a-1", lambda text: text + "[quota]\nenqueues_per_second = 300\n")
    jobs = f"{broker.folder}/jobs.jsonl"
    with open(jobs, "w") as file:
        file.writelines('{"payload": "p"}\n' for _ in range(500))
    for _ in range(2):
        broker.millrace("--key-file", path, "--timeout", "30s", "enqueue", "t", "--jsonl", jobs)
    assert Client(broker.endpoint).topic()["enqueued"] == 1_000


def test_a_key_has_as_many_connections_as_its_quota_allows(broker):
    path = broker.key("a-1", "look")
    broker.edit("a-1", lambda text: text + "[quota]\nconnections = 2\n")
    first, second = KeyClient(broker.tcp, path), KeyClient(broker.tcp, path)
    with pytest.raises(AssertionError) as refused:
        KeyClient(broker.tcp, path)
    assert "has 2 connections already, as many as its quota allows" in str(refused.value)
    assert first.ask(STATUS)["accepting"] and second.ask(STATUS)["accepting"]
    other = broker.key("a-2", "look")
    assert KeyClient(broker.tcp, other).ask(STATUS)["accepting"]
    second.socket.close(0)
    third = None
    while third is None:  # the broker is not told at once of the end of a connection
        try:
            third = KeyClient(broker.tcp, path)
        except AssertionError as still:
            assert "has 2 connections already" in str(still)
    assert third.ask(STATUS)["accepting"]
