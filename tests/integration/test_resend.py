"""What the SDK sends again, and what it calls answered: to a broker of a few lines that forgets its
peer, or answers late and in another order."""
import contextlib
import os
import subprocess

import msgpack
import zmq

from millrace_wire import BIN, ENQUEUE, ERROR, HELLO, OK, TOPOLOGY

PATIENCE_MS = 20_000


@contextlib.contextmanager
def told_by(tmp_path, *words, text=None):
    """A function that waits for a batch of `millrace enqueue` as (peer, correlation, body), one that
    answers, and the process."""
    endpoint = f"ipc://{tmp_path}/broker.sock"
    router = zmq.Context.instance().socket(zmq.ROUTER)
    router.bind(endpoint)
    told = {HELLO: {"broker": "test", "shard": 0, "lease_ms": 30_000, "heartbeat_ms": 10_000,
                    "payload_bytes_max": 1 << 20},
            TOPOLOGY: {"shards": [[endpoint]], "default_partitions": [0] * 8, "topics": {}}}
    client = subprocess.Popen([f"{BIN}/millrace", "enqueue", "t", *words], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=dict(os.environ, MILLRACE_BROKER=endpoint))

    def answer(peer, correlation, verb, **body):
        router.send_multipart([peer, msgpack.packb([1, verb, correlation]), msgpack.packb(body)])

    def next_batch():
        while True:
            assert router.poll(PATIENCE_MS), "no message came"
            peer, header, body = router.recv_multipart()
            _, verb, correlation = msgpack.unpackb(header)
            if verb == ENQUEUE:
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
