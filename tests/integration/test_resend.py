"""Resends of the SDK, and its field "answered": against a small scripted broker that forgets its peer,
or answers late and in another order."""
import contextlib
import os
import subprocess

import msgpack
import pytest
import zmq

from millrace_wire import (BIN, CANCEL, DRAIN, ENQUEUE, ERROR, HELLO, OK, PAUSE, PURGE, REQUEUE,
                           RESUME, SUBSCRIBE, TOPOLOGY, Broker, Client)

PATIENCE_MS = 20_000


@contextlib.contextmanager
def told_by(tmp_path, *words, text=None, command=("enqueue", "t"), awaited=ENQUEUE):
    """A function that waits for a batch of `millrace enqueue` as (peer, correlation, body), one that
    answers, and the process. Or for another verb of another command."""
    endpoint = f"ipc://{tmp_path}/broker.sock"
    router = zmq.Context.instance().socket(zmq.ROUTER)
    router.bind(endpoint)
    told = {HELLO: {"broker": "test", "shard": 0, "lease_ms": 30_000, "heartbeat_ms": 10_000,
                    "payload_bytes_max": 1 << 20},
            TOPOLOGY: {"shards": [[endpoint]], "default_partitions": [0] * 8,
                       "topics": {"t": [0] * 8}}}
    client = subprocess.Popen([f"{BIN}/millrace", *command, *words], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=dict(os.environ, MILLRACE_BROKER=endpoint))

    def answer(peer, correlation, verb, **body):
        router.send_multipart([peer, msgpack.packb([1, verb, correlation]), msgpack.packb(body)])

    def next_batch():
        while True:
            assert router.poll(PATIENCE_MS), "no message came"
            peer, header, body = router.recv_multipart()
            _, verb, correlation = msgpack.unpackb(header)
            if verb == awaited:
                return peer, correlation, msgpack.unpackb(body)
            answer(peer, correlation, OK, **told.get(verb, {}))

    try:
        if text:
            client.stdin.write(text)
            client.stdin.close()
            client.stdin = None
        yield next_batch, answer, client
    finally:
        client.kill()
        client.wait()
        router.close(0)


def test_a_batch_that_was_not_answered_is_sent_again_under_its_number(tmp_path):
    with told_by(tmp_path, "payload") as (next_batch, answer, client):
        peer, correlation, first = next_batch()
        answer(peer, correlation, ERROR, code="no_session", message="say HELLO again")
        peer, correlation, again = next_batch()
        answer(peer, correlation, OK, first_seq=1, count=1, duplicate=True)
        assert client.communicate(timeout=30)[0] == "t/0/1\n"
        for name in ("producer", "epoch", "batch"):
            assert first[name] == again[name]


def test_what_is_open_is_not_called_answered(tmp_path):
    jobs = "".join(f'{{"payload": "p", "key": "k{at}"}}\n' for at in range(8))
    with told_by(tmp_path, "--jsonl", "-", text=jobs) as (next_batch, answer, client):
        batches = [next_batch() for _ in range(3)]
        for _, _, body in batches:
            assert body.get("answered", 0) == 0
        # The first is forgotten, the third has its answer: the second is open, and so is the first.
        peer, correlation, body = batches[2]
        answer(peer, correlation, OK, first_seq=1, count=len(body["jobs"]), duplicate=False)
        peer, correlation, _ = batches[0]
        answer(peer, correlation, ERROR, code="no_session", message="say HELLO again")
        again = next_batch()
        while again[2]["batch"] != 1:
            again = next_batch()
        assert again[2].get("answered", 0) == 0
        client.kill()


@pytest.mark.parametrize("words, verb, answer_of", [
    (["cancel", "t/0/7"], CANCEL, {"state": "cancelled"}),
    (["pause", "t"], PAUSE, {"changed": True}),
    (["resume", "t"], RESUME, {"changed": True}),
    (["dead", "requeue", "t", "--all"], REQUEUE, {"count": 3, "more": False}),
    (["dead", "purge", "t", "--all", "--yes"], PURGE, {"count": 3, "more": False}),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_what_changes_something_is_sent_again_under_its_id(tmp_path, words, verb, answer_of):
    with told_by(tmp_path, command=words, awaited=verb) as (next_one, answer, client):
        peer, correlation, first = next_one()
        answer(peer, correlation, ERROR, code="no_session", message="say HELLO again")
        peer, correlation, again = next_one()
        assert again == first and len(first["request"]) == 16
        answer(peer, correlation, OK, **answer_of)
        assert client.wait(30) == 0


def dead_jobs(broker, count):
    """So many dead jobs of topic t, on one shard."""
    worker = Client(broker.endpoint, "worker")
    worker.ask(SUBSCRIBE, topics=["t"], credit=count)
    worker.enqueue(count)
    for job in worker.deliveries(count):
        worker.settle(job, 2)
    return worker


@pytest.mark.parametrize("verb", [REQUEUE, PURGE])
def test_a_lost_answer_does_not_make_the_next_ones_follow(verb):
    broker = Broker().start()
    try:
        client, request = dead_jobs(broker, 6), os.urandom(16)
        client.ask(DRAIN)
        assert client.ask(verb, topic="t", limit=2, request=request)["count"] == 2
        client.hello()
        assert client.ask(verb, topic="t", limit=2, request=request) == {"count": 2, "more": True}
        broker.kill()  # the answer is in the same commit as what it tells of
        broker.start()
        client.hello()
        assert client.ask(verb, topic="t", limit=2, request=request) == {"count": 2, "more": True}
        assert client.topic()["dead"] == 4
        assert client.ask(verb, topic="t", limit=2)["count"] == 2  # an older client has no id
        assert client.topic()["dead"] == 2
    finally:
        broker.close()


def test_a_cancel_that_is_sent_again_is_no_conflict():
    broker = Broker().start()
    try:
        client, request = Client(broker.endpoint), os.urandom(16)
        job = f"t/0/{client.enqueue(1)['first_seq']}"
        for _ in range(2):
            assert client.ask(CANCEL, job=job, request=request)["state"] == "cancelled"
            broker.kill()
            broker.start()
            client.hello()
        assert client.refused(CANCEL, job=job, request=os.urandom(16)) == "conflict"
        assert client.ask(PAUSE, topic="t", request=b"p" * 16)["changed"]
        assert client.ask(RESUME, topic="t", request=b"r" * 16)["changed"]
        assert client.ask(PAUSE, topic="t", request=b"p" * 16)["changed"]  # as the first time
        assert not client.topic()["paused"]
        assert client.refused(RESUME, topic="t", request=b"p" * 16) == "invalid"
        assert client.refused(PAUSE, topic="t", request=b"short") == "invalid"
    finally:
        broker.close()


@pytest.mark.parametrize("verb", [REQUEUE, PURGE])
def test_dead_jobs_are_selected_by_name_or_number_and_never_all_by_mistake(verb):
    broker = Broker().start()
    try:
        client = dead_jobs(broker, 3)
        for wrong in ({}, {"limit": 0}, {"jobs": []}, {"jobs": ["u/0/1"]}, {"jobs": ["u/0/1"], "limit": 9},
                      {"jobs": ["t/0/1", "u/0/1"]}):
            kind, told = client.ask_any(verb, topic="t", **wrong)
            assert kind == ERROR and told["code"] == "invalid", wrong
            assert "no dead jobs are selected" in told["message"] or "u/0/1" in told["message"]
        assert client.topic()["dead"] == 3
        # As older clients send it.
        assert client.ask(verb, topic="t", jobs=["t/0/1"], limit=1024)["count"] == 1
    finally:
        broker.close()
