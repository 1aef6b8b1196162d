"""Scenarios of a producer: batches and their numbers, resends, refusals, routing, unknown outcomes."""
import time

import msgpack

from messages import BATCH_MAX
from millrace_wire import ENQUEUE, HELLO
from scenarios import must, same, scenario

BATCHES_OPEN_MAX = 64
STAMP = ("topic", "partition", "producer", "epoch", "batch", "jobs")


def enqueue(stage, number=1, topic="t", payloads=("p",), **job):
    stage.ask("enqueue", id=number, topic=topic, jobs=[dict({"payload": p}, **job) for p in payloads])


def outcomes(stage, number=1):
    return stage.event("enqueued", id=number)["outcomes"]


def stored_at(stage, job, number=1):
    same(outcomes(stage, number), [{"outcome": "stored", "job": job}], "the outcome")


def same_batch(again, first):
    for key in STAMP:
        same(again.body.get(key), first.body.get(key), f"'{key}' of the resent batch")


def same_session(stage):
    must(len(set(stage.sessions)) == 1, "the session of HELLO is another one after a reconnect")


def job_name(message, seq):
    return f"{message.body['topic']}/{message.body['partition']}/{seq}"


@scenario("producer")
def hello_first(stage):
    """the first message is HELLO of version 1, with the role and a session of 16 bytes"""
    stage.start("producer")
    enqueue(stage)
    batch = stage.expect(ENQUEUE)
    same(stage.first.name, "HELLO", "the first message")
    same(stage.first.body["role"], "producer", "the role in HELLO")
    stage.stored(batch, 1)
    stored_at(stage, job_name(batch, 1))


@scenario("producer")
def job_fields(stage):
    """each field of a job is on the wire as the protocol names and types it"""
    stage.start("producer")
    enqueue(stage, payloads=["é"], key="k", priority=2, delay_ms=30_000, max_attempts=7,
            headers={"trace": "1", "who": "é"})
    batch = stage.expect(ENQUEUE)
    job = batch.body["jobs"][0]
    same(job["payload"], "é".encode(), "the payload")
    for key, value in (("key", "k"), ("priority", 2), ("delay_ms", 30_000), ("attempts_max", 7)):
        same(job.get(key), value, f"'{key}'")
    same(unpacked(job.get("headers")), {"trace": "1", "who": "é"}, "the map in 'headers'")
    stage.stored(batch, 1)
    stored_at(stage, job_name(batch, 1))


def unpacked(headers):
    try:
        return msgpack.unpackb(headers)
    except Exception:  # pylint: disable=broad-except
        return headers


@scenario("producer")
def correlation(stage):
    """an answer belongs to the request with its correlation, in whatever order answers come"""
    stage.start("producer")
    enqueue(stage, 1, "a")
    a = stage.expect(ENQUEUE)
    enqueue(stage, 2, "b")
    b = stage.expect(ENQUEUE)
    stage.send(a.peer, 128, max(a.correlation, b.correlation) + 1_000_000, {"first_seq": 9, "count": 1, "duplicate": False})
    stage.stored(b, 22)
    stored_at(stage, job_name(b, 22), 2)
    stage.stored(a, 11)
    stored_at(stage, job_name(a, 11), 1)


@scenario("producer")
def batches(stage):
    """many jobs go in batches of at most 1,024, at most 64 open, and each job gets its own id"""
    stage.start("producer")
    payloads, ids, taken = [str(n) for n in range(3_000)], {}, 0
    enqueue(stage, payloads=payloads)
    while taken < len(payloads):
        batch = stage.expect(ENQUEUE)
        must(len(stage.open) <= BATCHES_OPEN_MAX + 4, f"{len(stage.open)} requests are open")
        must(len(batch.body["jobs"]) <= BATCH_MAX, "a batch is too large")
        for n, job in enumerate(batch.body["jobs"]):
            ids[bytes(job["payload"]).decode()] = job_name(batch, 1 + taken + n)
        stage.stored(batch, 1 + taken)
        taken += len(batch.body["jobs"])
    same([o.get("job") for o in outcomes(stage)], [ids.get(p) for p in payloads], "the list of ids")


@scenario("producer")
def batch_numbers(stage):
    """batches of a producer have its id and epoch, rise by one from 1, and say which are answered"""
    stage.start("producer")
    sent = []
    for number in range(1, 5):
        enqueue(stage, number, topic=f"t{number}")
        sent.append(stage.expect(ENQUEUE))
        if number >= 3:  # the first two stay open until the end
            stage.stored(sent[-1], number)
            outcomes(stage, number)
    for number, batch in enumerate(sent, 1):
        must(batch.body.get("producer"), "a batch has no 'producer': a resend would make its jobs twice")
        same(batch.body["producer"], sent[0].body["producer"], "the producer's id")
        same(batch.body.get("epoch", 0), sent[0].body.get("epoch", 0), "the epoch")
        same(batch.body.get("batch"), number, "the number of the batch")
        same(batch.body.get("answered", 0), 0, "'answered' while the first batch has no answer")
    for number in (1, 2):
        stage.stored(sent[number - 1], number)
        outcomes(stage, number)
    enqueue(stage, 5)
    last = stage.expect(ENQUEUE)
    same(last.body.get("batch"), 5, "the number of the batch")
    must(last.body.get("answered", 0) < 5, "'answered' names a batch that has no answer yet")
    stage.stored(last, 5)
    stored_at(stage, job_name(last, 5), 5)


@scenario("producer")
def resend(stage):
    """without an answer the same batches are sent again, in order and unchanged, after a new HELLO"""
    stage.start("producer")
    enqueue(stage, 1, "a")
    a = stage.expect(ENQUEUE)
    enqueue(stage, 2, "b")
    b = stage.expect(ENQUEUE)
    stage.came.clear()
    stage.expect(HELLO)
    same_session(stage)
    same_batch(stage.expect(ENQUEUE), a)
    again = stage.expect(ENQUEUE)
    same_batch(again, b)
    stage.stored(again, 5, duplicate=True)
    stored_at(stage, job_name(b, 5), 2)
    while True:  # whichever copy of the first is the newest
        copy = next((m for m in stage.open.values() if m.verb == ENQUEUE), None)
        if copy is None:
            break
        stage.stored(copy, 7, duplicate=True)
    stored_at(stage, job_name(a, 7), 1)


@scenario("producer")
def reconnect(stage):
    """after a lost connection HELLO comes with the same session, then what had no answer"""
    stage.start("producer", patience_ms=30_000)
    enqueue(stage, 1, "a")
    a = stage.expect(ENQUEUE)
    enqueue(stage, 2, "b")
    b = stage.expect(ENQUEUE)
    stage.came.clear()
    stage.cut()
    stage.expect(HELLO)
    same_session(stage)
    for first, number in ((a, 1), (b, 2)):
        again = stage.expect(ENQUEUE)
        same_batch(again, first)
        stage.stored(again, number)
        stored_at(stage, job_name(again, number), number)


@scenario("producer")
def closing(stage):
    """after CLOSING the client comes back with HELLO and the same session"""
    stage.start("producer")
    hello = stage.expect(HELLO)
    stage.closing(hello.peer)
    stage.greeted.pop(hello.peer)
    enqueue(stage)
    stage.expect(HELLO)
    same_session(stage)
    batch = stage.expect(ENQUEUE)
    stage.stored(batch, 3)
    stored_at(stage, job_name(batch, 3))


@scenario("producer")
def no_session(stage):
    """no_session is answered with HELLO, and the same batch comes again"""
    stage.start("producer")
    stage.expect(HELLO)
    enqueue(stage, 1)
    first = stage.expect(ENQUEUE)
    stage.greeted.pop(first.peer)
    stage.refuse(first, "no_session")
    stage.expect(HELLO)
    again = stage.expect(ENQUEUE)
    same_batch(again, first)
    stage.stored(again, 2)
    stored_at(stage, job_name(again, 2))


@scenario("producer")
def unknown_fields(stage):
    """keys, header elements and verbs that the client does not know are ignored"""
    stage.extra, stage.header_extra = {"of_tomorrow": {"a": [1, None, b"x"]}}, [7, "more"]
    stage.start("producer")
    enqueue(stage)
    batch = stage.expect(ENQUEUE)
    stage.send(batch.peer, 199, 0, {})
    stage.stored(batch, 4)
    stored_at(stage, job_name(batch, 4))


@scenario("producer")
def overloaded(stage):
    """overloaded: the same batch again after retry_after_ms and no earlier, or the code to the caller"""
    stage.start("producer")
    enqueue(stage)
    first, at = stage.expect(ENQUEUE), time.monotonic()
    stage.refuse(first, "overloaded", retry_after_ms=300)

    def next_thing():
        return next((m for m in stage.came if m.verb == ENQUEUE), None) or next(
            (e for e in stage.events if e["event"] == "enqueued"), None)
    told = stage.until(next_thing, "the client tries again or tells its caller")
    if isinstance(told, dict):
        return same(told["outcomes"], [{"outcome": "rejected", "code": "overloaded"}], "the outcome")
    # Waiting at least so long is what is promised; a slow machine only waits longer.
    must(time.monotonic() - at >= 0.3, "the batch came again before retry_after_ms had passed")
    same_batch(told, first)
    stage.stored(told, 1)
    return stored_at(stage, job_name(told, 1))


@scenario("producer", shards=2, partitions=1)
def not_owner(stage):
    """not_owner: the topology is asked for again, and the jobs go to the shard that it names"""
    stage.start("producer")
    enqueue(stage)
    first = stage.expect(ENQUEUE, shard=0)
    stage.owners = [1]
    stage.refuse(first, "not_owner")
    moved = stage.expect(ENQUEUE, shard=1)
    same(moved.body["jobs"], first.body["jobs"], "the batch at the other shard")
    same(moved.body.get("batch", 1), 1, "the number of the first batch at the other shard")
    stage.stored(moved, 6)
    stored_at(stage, job_name(moved, 6))


def partition_of(key, partitions):
    h = 0xcbf29ce484222325
    for byte in key.encode():
        h = ((h ^ byte) * 0x100000001b3) & ((1 << 64) - 1)
    return (h ^ (h >> 32)) % partitions


@scenario("producer", shards=2)
def keys(stage):
    """a job with a key goes to the partition of its key, at the shard that the topology names"""
    stage.start("producer")
    left = [f"key-{n}" for n in range(12)]
    for number, key in enumerate(left):
        enqueue(stage, number, key=key)
    while left:
        batch = stage.expect(ENQUEUE)
        same(batch.shard, stage.owners[batch.body["partition"]], "the shard of the batch")
        for job in batch.body["jobs"]:
            key = job["key"] if isinstance(job["key"], str) else job["key"].decode()
            same(batch.body["partition"], partition_of(key, len(stage.owners)), f"the partition of '{key}'")
            left.remove(key)
        stage.stored(batch, 1)


@scenario("producer")
def rejected(stage):
    """any other code means that nothing was stored: rejected, with that code"""
    stage.start("producer")
    for number, code in enumerate(("invalid", "too_large", "unknown_topic", "forbidden")):
        enqueue(stage, number)
        stage.refuse(stage.expect(ENQUEUE), code)
        same(outcomes(stage, number), [{"outcome": "rejected", "code": code}], "the outcome")


@scenario("producer")
def unknown_outcome(stage):
    """what was sent and is not answered within the deadline is unknown, never rejected"""
    stage.start("producer", deadline_ms=1_500)
    enqueue(stage)
    stage.expect(ENQUEUE)
    same([o.get("outcome") for o in outcomes(stage)], ["unknown"], "the outcome")


@scenario("producer")
def never_sent(stage):
    """what was never sent by its deadline is rejected as unavailable, for nothing can have happened"""
    stage.on_hello = lambda message: True  # and no answer
    stage.start("producer", deadline_ms=1_500)
    enqueue(stage)
    told = outcomes(stage)
    if any(message.verb == ENQUEUE for message in [*stage.came, *stage.open.values()]):
        return same([o.get("outcome") for o in told], ["unknown"], "the outcome of a job that was sent")
    return same(told, [{"outcome": "rejected", "code": "unavailable"}], "the outcome")


