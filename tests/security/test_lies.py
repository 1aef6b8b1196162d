"""Clients with a key that claim to be another: its sessions, its batches, its routing id."""
import os

import pytest

from millrace_wire import ENQUEUE, HELLO, SUBSCRIBE, TOPOLOGY, Client
from secure_bed import JOBS, SESSIONS, KeyClient


@pytest.fixture(name="worker")
def worker_with_a_job(broker):
    worker = KeyClient(broker.tcp, broker.key("w-1", "work", "t"), "worker")
    worker.ask(SUBSCRIBE, topics=["t"], credit=1)
    Client(broker.endpoint, "producer").enqueue()
    worker.job = worker.deliveries(1)[0]
    return worker


def test_a_session_that_sessions_shows_cannot_be_taken_over(broker, worker):
    liar = KeyClient(broker.tcp, broker.key("x-1", "admin"))
    seen = [one["session"] for one in liar.ask(SESSIONS)["sessions"]]
    assert len(seen) == 1 and seen[0] != worker.session
    for session in (seen[0], worker.session):
        told = liar.ask(HELLO, role="worker", session=session, name="w-1",
                        held=[[f"t/0/{worker.job['seq']}", worker.job["token"]]])
        assert told["lost"] == [worker.job["token"]]
        liar.ask(SUBSCRIBE, topics=["t"], credit=5)
        assert liar.settle(worker.job) == [worker.job["token"]]
    assert liar.ask(JOBS, topic="t")["jobs"][0]["state"] == "running"
    assert worker.settle(worker.job) == []


def test_a_claim_after_a_restart_gets_no_job_of_another_topic(broker):
    """A worker that the broker knew before may claim what it held: of its own topics alone."""
    path = broker.key("x-1", "work", "u")
    liar = KeyClient(broker.tcp, path, "worker")
    liar.ask(SUBSCRIBE, topics=["u"], credit=1)
    local = Client(broker.endpoint, "producer")
    local.enqueue()
    local.enqueue(topic="u")
    token = liar.deliveries(1)[0]["token"]
    broker.kill()
    broker.start()
    told = liar.hello(held=[["t/0/1", token + 1], ["u/0/1", token]])
    assert told["lost"] == [token + 1]
    assert liar.settle({"token": token + 1}) == [token + 1]
    local = Client(broker.endpoint, "producer")
    assert local.topic("t")["running"] == 0 and local.topic("u")["running"] == 1


def test_the_batches_of_another_key_are_neither_answered_nor_blocked(broker):
    one = KeyClient(broker.tcp, broker.key("a-1", "produce", "t"), "producer")
    liar = KeyClient(broker.tcp, broker.key("x-1", "produce", "t"), "producer")
    producer = os.urandom(16)

    def batch(client, number, epoch=1):
        return client.ask_any(ENQUEUE, topic="t", partition=0, jobs=[{"payload": b"p"}],
                              producer=producer, epoch=epoch, batch=number)[1]
    first = batch(one, 1)
    assert first["duplicate"] is False
    assert batch(liar, 1) == {"first_seq": first["first_seq"] + 1, "count": 1, "duplicate": False}
    # Neither a far batch nor a newer epoch of the other fences the first off.
    assert batch(liar, 1_000)["duplicate"] is False
    assert batch(liar, 1, epoch=9)["duplicate"] is False
    assert batch(one, 2)["duplicate"] is False
    assert batch(one, 1) == dict(first, duplicate=True)


def test_a_routing_id_cannot_be_chosen(broker, worker):
    path = broker.key("x-1", "admin")
    with pytest.raises(AssertionError) as refused:
        KeyClient(broker.tcp, path, "worker", routing_id=b"w-1")
    assert "must not choose its routing id" in str(refused.value)
    assert worker.settle(worker.job) == []


def test_a_client_is_told_only_the_addresses_that_it_can_use(start):
    broker = start(broker='advertise = ["tcp://localhost:7311"]')
    client = KeyClient(broker.tcp, broker.key("a-1", "look", "u"))
    assert client.ask(TOPOLOGY)["shards"] == [["tcp://localhost:7311"]]
    assert client.ask(TOPOLOGY)["topics"] == {}
    assert broker.endpoint in Client(broker.endpoint).ask(TOPOLOGY)["shards"][0]
