#!/usr/bin/python3
"""A producer or a worker under load, one process each. Each event of its history is a line on
standard output, written whole before the next step, so that kill -9 tears none.

load.py producer|worker NAME ENDPOINT SEED [SLOWER]    SLOWER: so many times the pauses of a producer
MILLRACE_KEY_FILE: the key file that it connects with. MILLRACE_PATIENCE_MS: of silence while an answer is due.
"""
import json
import os
import random
import signal
import sys
import time
import tomllib

import msgpack
import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from millrace_wire import DELIVER, ENQUEUE, ERROR, HELLO, OK, REVOKE, SETTLE, SUBSCRIBE  # noqa: E402

HEARTBEAT, CREDIT = 2, 33
TOPIC, PARTITIONS = "t", 8
# Of silence while an answer is due: then a new socket, the same session.
PATIENCE_MS = int(os.environ.get("MILLRACE_PATIENCE_MS", "400"))
BEAT_MS = 100
GIVE_UP_MS = 20_000     # after the word to stop
PAUSES_MS = [0, 10, 30]  # between batches, so that workers keep up
OUTCOMES = ["done", "retry", "discard", "release"]


def now_us():
    return time.monotonic_ns() // 1000


def wall_ms():
    return time.time_ns() // 1_000_000


def record(kind, **fields):
    line = json.dumps({"e": kind, "t": now_us(), **fields}, separators=(",", ":"))
    os.write(1, line.encode() + b"\n")


def partition_of(key):
    h = 0xcbf29ce484222325
    for byte in key.encode():
        h = (h ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return (h ^ h >> 32) % PARTITIONS


def read_key():
    """What MILLRACE_KEY_FILE names: a file of millrace keys new. None: no keys are used."""
    path = os.environ.get("MILLRACE_KEY_FILE")
    if not path:
        return None
    with open(path, "rb") as file:
        return tomllib.load(file)


class Peer:
    """The socket, its session, and what has been said last."""

    def __init__(self, role, endpoint):
        self.role, self.endpoint, self.session = role, endpoint, os.urandom(16)
        self.context, self.socket, self.number = zmq.Context(), None, 0
        self.stopping, self.key = False, read_key()
        signal.signal(signal.SIGTERM, self.stop)

    def stop(self, *_):
        self.stopping = True

    def send(self, verb, **body):
        self.number += 1
        try:
            self.socket.send_multipart(
                [msgpack.packb([1, verb, self.number]), msgpack.packb(body)], zmq.DONTWAIT)
        except zmq.Again:
            pass  # nobody is there: patience ends it
        return self.number

    def receive(self, wait_ms):
        """(verb, correlation, body), or None when nothing came in time."""
        if not self.socket.poll(wait_ms):
            return None
        header, body = self.socket.recv_multipart()
        header = msgpack.unpackb(header)
        return header[1], header[2], msgpack.unpackb(body)

    def connect(self, **more):
        """HELLO on a new socket until it is answered; False once there is no more patience."""
        gives_up = None
        while True:
            if self.socket:
                self.socket.close(0)
            self.socket = self.context.socket(zmq.DEALER)
            self.socket.setsockopt(zmq.RECONNECT_IVL, 10)
            self.socket.setsockopt(zmq.IPV6, 1)
            if self.key:
                self.socket.curve_serverkey = self.key["broker_public_keys"][0].encode()
                self.socket.curve_publickey = self.key["public_key"].encode()
                self.socket.curve_secretkey = self.key["secret_key"].encode()
            self.socket.connect(self.endpoint)
            number = self.send(HELLO, role=self.role, session=self.session, name=sys.argv[2],
                               pid=os.getpid(), **more)
            until = now_us() + PATIENCE_MS * 1000
            while now_us() < until:
                got = self.receive(PATIENCE_MS // 4)
                if got and got[0] == OK and got[1] == number:
                    return got[2]
            if self.stopping:
                gives_up = gives_up or now_us() + GIVE_UP_MS * 1000
                if now_us() > gives_up:
                    return None


class Producer:
    """Numbered batches, one open at a time; a resend carries the number of the first try."""

    def __init__(self, name, peer, rng, slower):
        self.name, self.peer, self.rng, self.slower = name, peer, rng, slower
        self.made, self.batch = 0, 1

    def make_batch(self):
        rng, jobs, tags = self.rng, [], []
        key = f"k{rng.randrange(20)}" if rng.random() < 0.3 else None
        partition = partition_of(key) if key else rng.randrange(PARTITIONS)
        for _ in range(rng.choice([1, 1, 2, 4, 16])):
            self.made += 1
            tag = f"{self.name}-{self.made}"
            size = rng.choice([8, 64, 300, 300, 5_000])
            job = {"payload": (tag + " ").encode() + b"x" * size, "priority": rng.randrange(10)}
            if key:
                job["key"] = key
            if rng.random() < 0.1:
                job["run_at_ms"] = wall_ms() + rng.randrange(400)
            jobs.append(job)
            tags.append(tag)
            noted = {name: job[name] for name in ("key", "run_at_ms") if name in job}
            record("enqueue", tag=tag, by=self.name, topic=TOPIC, **noted)
        return partition, jobs, tags

    def ask(self, partition, jobs):
        """The answer to one try, or None."""
        number = self.peer.send(ENQUEUE, topic=TOPIC, partition=partition, jobs=jobs,
                                producer=self.peer.session, epoch=1, batch=self.batch,
                                answered=self.batch - 1)
        until = now_us() + PATIENCE_MS * 1000
        while now_us() < until:
            got = self.peer.receive(PATIENCE_MS // 4)
            if got and got[1] == number:
                return got
        return None

    def send_batch(self):
        partition, jobs, tags = self.make_batch()
        tries, gives_up = 0, None
        while True:
            tries += 1
            got = self.ask(partition, jobs)
            if got and got[0] == OK:
                self.batch += 1
                for at, tag in enumerate(tags):
                    seq = got[2]["first_seq"] + at
                    record("enqueued", tag=tag, job=f"{TOPIC}/{partition}/{seq}")
                return True
            code = got[2]["code"] if got else "silence"
            # An earlier try may have been stored: only the first can be refused for certain.
            if tries == 1 and code in ("disk_full", "overloaded", "shutting_down"):
                for tag in tags:
                    record("refused", tag=tag, code=code)
                self.peer.receive(20)  # others first
                return True
            if self.peer.stopping:
                gives_up = gives_up or now_us() + GIVE_UP_MS * 1000
            if (gives_up and now_us() > gives_up) or self.peer.connect() is None:
                for tag in tags:
                    record("unknown", tag=tag)
                return False

    def run(self):
        well = self.peer.connect() is not None
        while well and not self.peer.stopping:
            well = self.send_batch()
            # Nothing comes: the pace of a producer.
            self.peer.receive(self.rng.choice(PAUSES_MS) * self.slower)


class Worker:
    """Keeps each job for a while, settles it in one of the four ways, resends what is unanswered."""

    def __init__(self, name, peer, rng, credit):
        self.name, self.peer, self.rng, self.credit = name, peer, rng, credit
        self.held = {}     # token -> (job, when to settle, attempts left)
        self.settles = {}  # token -> (job, outcome), unanswered
        self.asked = {}    # correlation -> tokens
        self.heard_us = self.beat_us = 0

    @staticmethod
    def split(token):
        return [token >> 40, token & (1 << 40) - 1]

    def connect(self):
        held = [[job, token] for token, (job, *_) in self.held.items()]
        held += [[job, token] for token, (job, _) in self.settles.items()]
        opened = self.peer.connect(held=held)
        if opened is None:
            return False
        for token in opened.get("lost", []):
            self.held.pop(token, None)
        self.asked = {}
        self.heard_us = self.beat_us = now_us()
        free = self.credit - len(self.held)
        self.peer.send(SUBSCRIBE, topics=[TOPIC], credit=max(free, 0))
        self.settle(list(self.settles), 0)
        return True

    def settle(self, tokens, credit):
        if not tokens:
            return
        outcomes = []
        for token in tokens:
            outcome = OUTCOMES.index(self.settles[token][1])
            outcomes.append({"token": token, "outcome": outcome, "error": "as it was told",
                             "retry_after_ms": 20})
        self.asked[self.peer.send(SETTLE, outcomes=outcomes, credit=credit)] = tokens

    def answered(self, tokens, stale):
        for token in tokens:
            job, outcome = self.settles.pop(token)
            if token in stale:
                record("stale", job=job, token=self.split(token))
            else:
                record("settled", job=job, token=self.split(token), outcome=outcome)

    def take(self, verb, correlation, body):
        if verb == DELIVER:
            for job in body["jobs"]:
                name = f"{body['topic']}/{body['partition']}/{job['seq']}"
                tag = job["payload"].split(b" ", 1)[0].decode()
                record("deliver", job=name, tag=tag, token=self.split(job["token"]),
                       attempt=job["attempt"], by=self.name, wall_ms=wall_ms())
                ready_us = now_us() + self.rng.choice([0, 0, 1_000, 5_000, 20_000])
                left = job["attempts_max"] - job["attempt"]
                self.held[job["token"]] = (name, ready_us, left)
        elif verb == OK and correlation in self.asked:
            self.answered(self.asked.pop(correlation), set(body.get("stale", [])))
        elif verb == REVOKE:
            for token in body["tokens"]:
                self.held.pop(token, None)
                self.peer.send(CREDIT, credit=1)
        elif verb == ERROR and body["code"] == "no_session":
            return self.connect()
        return True

    def settle_what_is_ready(self):
        ready = [token for token, (_, at_us, _) in self.held.items() if at_us <= now_us()]
        for token in ready:
            job, _, left = self.held.pop(token)
            draw = self.rng.random()
            outcome = "done" if draw < 0.9 or left < 5 else self.rng.choice(OUTCOMES[1:])
            self.settles[token] = (job, outcome)
            record("settle", job=job, token=self.split(token), outcome=outcome, by=self.name)
        self.settle(ready, len(ready))

    def run(self):
        well = self.connect()
        while well and not self.peer.stopping:
            got = self.peer.receive(5)
            if got:
                self.heard_us = now_us()
                well = self.take(*got)
                continue
            if now_us() - self.beat_us > BEAT_MS * 1000:
                self.beat_us = now_us()
                self.peer.send(HEARTBEAT)
            self.settle_what_is_ready()
            if now_us() - self.heard_us > PATIENCE_MS * 1000:
                well = self.connect()


def main():
    if len(sys.argv) not in (5, 6) or sys.argv[1] not in ("producer", "worker"):
        print(__doc__, file=sys.stderr)
        return 64
    role, name, endpoint, seed = sys.argv[1:5]
    slower = int(sys.argv[5]) if len(sys.argv) == 6 else 1
    rng = random.Random(f"{name}:{seed}")
    peer = Peer(role, endpoint)
    if role == "producer":
        Producer(name, peer, rng, slower).run()
    else:
        Worker(name, peer, rng, 8).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
