"""Commit before reply: while the broker's sync of the disk is held back, no client gets an answer."""
import mmap
import struct

from millrace_wire import BIN, ENQUEUE, SUBSCRIBE, Broker, Client

HELD_MS = 60_000      # longer than the test
QUIET_MS = 500        # in which an early message would have come
LOOKS_MAX, LOOK_MS = 500, 20


def test_neither_answer_nor_delivery_leaves_while_the_sync_is_held(tmp_path):
    path = tmp_path / "syncs"  # what tests/bench/sync_counter.cc shares: calls, delay in ms
    path.write_bytes(bytes(16))
    broker = Broker().start(LD_PRELOAD=f"{BIN}/tests/bench_syncs.so", MILLRACE_BENCH_SYNCS=str(path))
    try:
        worker, producer = Client(broker.endpoint, "worker"), Client(broker.endpoint, "producer")
        worker.ask(SUBSCRIBE, topics=["t"], credit=1)
        with open(path, "r+b") as file, mmap.mmap(file.fileno(), 16) as shared:
            before, = struct.unpack_from("Q", shared)
            struct.pack_into("Q", shared, 8, HELD_MS)
            producer.send(ENQUEUE, topic="t", partition=0, jobs=[{"payload": b"p"}])
            looks = 0
            while struct.unpack_from("Q", shared)[0] == before:
                assert not worker.socket.poll(LOOK_MS), "a delivery came before the sync began"
                looks += 1
                assert looks < LOOKS_MAX, "the broker did not sync"
            assert not worker.socket.poll(QUIET_MS), "a delivery came before its commit"
            assert not producer.socket.poll(QUIET_MS), "an answer came before its commit"
            struct.pack_into("Q", shared, 8, 0)
    finally:
        broker.close()
