"""What the SDK sends again: a broker of a few lines that forgets its peer before it answers."""
import os
import subprocess

import msgpack
import zmq

from millrace_wire import BIN, ENQUEUE, ERROR, HELLO, OK, TOPOLOGY

PATIENCE_MS = 20_000


def test_a_batch_that_was_not_answered_is_sent_again_under_its_number(tmp_path):
    endpoint = f"ipc://{tmp_path}/broker.sock"
    router = zmq.Context.instance().socket(zmq.ROUTER)
    router.bind(endpoint)
    told = {HELLO: {"broker": "test", "shard": 0, "lease_ms": 30_000, "heartbeat_ms": 10_000,
                    "payload_bytes_max": 1 << 20},
            TOPOLOGY: {"shards": [[endpoint]], "default_partitions": [0], "topics": {}}}
    client = subprocess.Popen([f"{BIN}/millrace", "enqueue", "t", "payload"],
                              stdout=subprocess.PIPE, text=True,
                              env=dict(os.environ, MILLRACE_BROKER=endpoint))
    batches = []
    try:
        while len(batches) < 2:
            assert router.poll(PATIENCE_MS), "no message came"
            peer, header, body = router.recv_multipart()
            _, verb, correlation = msgpack.unpackb(header)
            answer = OK, told.get(verb, {})
            if verb == ENQUEUE:
                sent = msgpack.unpackb(body)
                batches.append((sent["producer"], sent["epoch"], sent["batch"]))
                answer = OK, {"first_seq": 1, "count": 1, "duplicate": True}
                if len(batches) == 1:
                    answer = ERROR, {"code": "no_session", "message": "say HELLO again"}
            router.send_multipart([peer, msgpack.packb([1, answer[0], correlation]),
                                   msgpack.packb(answer[1])])
        assert client.communicate(timeout=30)[0] == "t/0/1\n"
        assert batches[0] == batches[1]
    finally:
        client.kill()
        client.wait()
        router.close(0)
