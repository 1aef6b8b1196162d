"""The broker as a black box: real processes, the protocol, kill -9."""
import os
import subprocess
import time

import msgpack
import pytest

from millrace_wire import (BIN, CANCEL, ENQUEUE, ERROR, REQUEUE, SETTLE, STATUS, SUBSCRIBE, TOPOLOGY,
                           Broker, Client)


def worker(broker, credit, endpoint=None):
    client = Client(endpoint or broker.endpoint, "worker")
    client.ask(SUBSCRIBE, topics=["t"], credit=credit)
    return client


def test_a_job_goes_from_producer_to_worker_and_is_done_once(broker):
    Client(broker.endpoint, "producer").enqueue(3)
    w = worker(broker, 3)
    for job in w.deliveries(3):
        assert w.settle(job) == []
        assert w.settle(job) == [job["token"]]
    topic = w.topic()
    assert (topic["enqueued"], topic["completed"], topic["running"]) == (3, 3, 0)


def test_the_topology_names_the_shard_of_each_partition(broker):
    client = Client(broker.endpoint)
    topology = client.ask(TOPOLOGY, topics=["t"])
    owners = topology["topics"]["t"]
    for partition, shard in enumerate(owners):
        producer = Client(topology["shards"][shard][0], "producer")
        assert producer.enqueue(1, partition)["count"] == 1
    if len(topology["shards"]) == 2:
        jobs = [{"payload": b"p"}]
        assert client.refused(ENQUEUE, topic="t", partition=1, jobs=jobs) == "not_owner"


def test_acknowledged_jobs_survive_kill_9_and_a_resend_is_one_job(broker):
    producer = Client(broker.endpoint, "producer")
    acknowledged = 0
    for batch in range(1, 11, 2):
        first = producer.enqueue(20, batch=batch)
        acknowledged += 20
        producer.send(ENQUEUE, topic="t", partition=0, producer=producer.session, epoch=1,
                      batch=batch + 1, jobs=[{"payload": b"q"}])
        broker.kill()
        broker.start()
        producer.hello()
        again = producer.enqueue(20, batch=batch)
        assert again["duplicate"] and again["first_seq"] == first["first_seq"]
        producer.enqueue(1, batch=batch + 1)  # unanswered before: sent again, stored once
        acknowledged += 1
    assert producer.topic()["enqueued"] == acknowledged
    w = worker(broker, 8_000)
    seen = set()
    for job in w.deliveries(acknowledged):
        seen.add(job["seq"])
        assert w.settle(job) == []
    assert len(seen) == acknowledged
    assert w.topic()["completed"] == acknowledged


def test_a_live_worker_keeps_its_job_over_a_restart_of_the_broker(broker):
    Client(broker.endpoint, "producer").enqueue()
    w = worker(broker, 1)
    job = w.deliveries(1)[0]
    broker.kill()
    broker.start()
    opened = w.hello([[f"t/{job['partition']}/{job['seq']}", job["token"]]])
    assert not opened.get("lost")
    assert w.settle(job) == []
    assert w.topic()["completed"] == 1


def test_what_arrives_at_once_is_read_at_once(broker):
    client = Client(broker.endpoint)
    asked = {client.send(STATUS) for _ in range(400)}
    given_up = time.monotonic() + 30  # a broker that reads one a tick takes longer
    while asked and time.monotonic() < given_up:
        asked.discard(client.receive()[0][2])
    assert not asked


def test_a_liar_settles_nothing(broker):
    Client(broker.endpoint, "producer").enqueue()
    holder, other = worker(broker, 1), worker(broker, 0)
    job = holder.deliveries(1)[0]
    assert other.settle(job) == [job["token"]]
    assert holder.settle(job) == []


def test_a_job_for_a_peer_that_is_gone_waits_for_another(broker):
    gone, producer = worker(broker, 1_000), Client(broker.endpoint, "producer")
    gone.socket.close(0)
    # What is sent before the broker's socket has seen the end is lost until the lease is over.
    for _ in range(500):
        producer.enqueue()
        if producer.topic()["available"] > 0:
            break
    waiting = producer.topic()["available"]
    assert waiting > 0
    assert len(worker(broker, 1_000).deliveries(waiting)) == waiting


def test_a_discarded_job_is_dead_until_it_is_requeued(broker):
    Client(broker.endpoint, "producer").enqueue()
    w = worker(broker, 2)
    assert w.settle(w.deliveries(1)[0], 2, error="bad picture") == []
    assert w.topic()["dead"] == 1
    assert w.ask(REQUEUE, topic="t", limit=10)["count"] == 1
    assert w.settle(w.deliveries(1)[0]) == []
    assert w.topic()["dead"] == 0


def test_a_cancelled_job_does_not_run(broker):
    producer = Client(broker.endpoint, "producer")
    seq = producer.enqueue()["first_seq"]
    assert producer.ask(CANCEL, job=f"t/0/{seq}")["state"] == "cancelled"
    assert producer.refused(CANCEL, job=f"t/0/{seq}") == "conflict"
    assert producer.refused(CANCEL, job="t/0/999") == "not_found"


@pytest.mark.parametrize("parts", [
    [b"x"], [b"x", b"y"], [b"a", b"b", b"c"], [b""] * 50,
    [msgpack.packb([1, 16, 7]), b"\xdd\xff\0\0\0"],
    [msgpack.packb([1, 16, 7]), b"\x91" * 100_000],
    [msgpack.packb([1, 16, 7]), msgpack.packb({"topic": "t"})[:-1]],
    [msgpack.packb([9, 16, 7]), b"\x80"], [msgpack.packb([1, 99, 7]), b"\x80"],
    [msgpack.packb([1, 16, 7]), msgpack.packb({"topic": "t", "partition": 0, "jobs": [
        {"payload": b"x" * (2 << 20)}]})],
], ids=["one-part", "garbage", "three-parts", "fifty-parts", "four-billion", "deep", "truncated",
        "version", "verb", "two-mebibytes"])
def test_bad_input_gets_an_error_and_the_broker_lives(broker, parts):
    client = Client(broker.endpoint)
    client.socket.send_multipart(parts)
    header, body = client.receive()
    assert header[1] == ERROR and body["code"] and body["message"]
    assert Client(broker.endpoint, "producer").enqueue()["count"] == 1


def test_a_message_before_hello_is_answered_no_session(broker):
    client = Client(broker.endpoint)
    client.socket.close(0)
    client.socket = client.context.socket(5)
    client.socket.connect(broker.endpoint)
    assert client.refused(SETTLE, outcomes=[]) == "no_session"
    assert client.refused(STATUS) == "no_session"


def test_a_second_broker_on_the_same_files_is_refused(broker):
    second = subprocess.run([f"{BIN}/millraced", "--config", broker.config], capture_output=True,
                            text=True, timeout=20)
    assert second.returncode == 74
    assert "in use by another broker" in second.stderr


def test_a_clean_stop_keeps_every_job(broker):
    producer = Client(broker.endpoint, "producer")
    producer.enqueue(10)
    assert broker.stop() == 0
    broker.start()
    producer.hello()
    assert producer.topic()["available"] == 10


@pytest.mark.parametrize("text, place", [
    ("[broker]\ndata_dir = 5\n", ":2:"), ("[broker]\ndata_dir='d'\nshard = 1\n", "unknown key 'shard'"),
    ("[broker]\ndata_dir='d'\nlisten = ['tcp://0.0.0.0:7300']\n", "no keys are configured"),
    ("[broker\n", ":1:"), ("[broker]\ndata_dir='d'\n[[topic]]\nname = 'a b'\n", "a topic name"),
    ("", "[broker] is missing"),
    ("[broker]\ndata_dir='d'\nlease_ms = 99\n", "lease_ms must be a whole number from 100"),
    ("[broker]\ndata_dir='d'\nlease_ms = 5000\n", "at least twice heartbeat_ms (10000)"),
])
def test_a_wrong_configuration_is_refused_with_its_place(tmp_path, text, place):
    path = tmp_path / "c.toml"
    path.write_text(text)
    run = subprocess.run([f"{BIN}/millraced", "--config", str(path), "--check-config"],
                         capture_output=True, text=True, timeout=20)
    assert run.returncode == 78
    assert place in run.stderr and str(path) in run.stderr


def test_a_damaged_file_is_refused_with_what_to_do():
    broker = Broker()
    try:
        with open(os.path.join(broker.folder, "shard-0.db"), "wb") as file:
            file.write(b"z" * 8192)
        run = subprocess.run([f"{BIN}/millraced", "--config", broker.config], capture_output=True,
                             text=True, timeout=20)
        assert run.returncode == 74
        assert "restore the latest backup" in run.stderr
    finally:
        broker.close()
