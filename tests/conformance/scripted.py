"""A scripted broker that a scenario controls, and the client program under test, in one loop.

A scenario waits for messages of the client; everything else that a broker does meanwhile is
done here: HELLO, HEARTBEAT and TOPOLOGY are answered, a peer that has not said HELLO hears
no_session, and each message is checked as it comes.
"""
import collections
import json
import os
import shutil
import subprocess
import tempfile
import time

import msgpack
import zmq

from messages import HEARTBEAT, NAMES, UNANSWERED, Failure, Message
from millrace_wire import CLOSING, DELIVER, ERROR, HELLO, OK, REVOKE, TOPOLOGY


class Skipped(Exception):
    """The client says that it has no such role."""


class Stage:
    """A broker of some shards, and one run of the client program."""

    def __init__(self, program, patience_s, shards=1, partitions=8, show=None):
        self.folder = tempfile.mkdtemp(prefix="mr-")
        self.context, self.poller = zmq.Context(), zmq.Poller()
        self.patience_s, self.show = patience_s, show or (lambda words: None)
        self.endpoints = [f"ipc://{self.folder}/s{n}" for n in range(shards)]
        self.routers = [None] * shards
        self.owners = [n % shards for n in range(partitions)]
        self.greeted, self.open = {}, {}  # peer -> its HELLO; (peer, correlation) of unanswered requests
        self.came, self.first, self.events = collections.deque(), None, collections.deque()
        self.beats, self.sessions = 0, []
        self.hello_ok = {}  # what a scenario adds to the answer
        self.extra, self.header_extra = {}, []  # fields of tomorrow, in every answer
        self.lost = []
        self.over = False  # the scenario is: each request gets an OK, so that the client can end
        for shard in range(shards):
            self.bind(shard)
        self.errors = tempfile.TemporaryFile(dir=self.folder)
        environment = dict(os.environ, MILLRACE_BROKER=self.endpoints[0])
        self.process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, env=environment)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.poller.register(self.process.stdout, zmq.POLLIN)
        self.unread = b""

    def bind(self, shard):
        self.routers[shard] = self.context.socket(zmq.ROUTER)
        self.routers[shard].setsockopt(zmq.LINGER, 1000)
        self.routers[shard].bind(self.endpoints[shard])
        self.poller.register(self.routers[shard], zmq.POLLIN)

    def cut(self, shard=0):
        """Every connection of the shard is lost, and what was known of its peers with it."""
        self.unbind(shard)
        self.bind(shard)

    def unbind(self, shard):
        self.show("the broker cuts the connection")
        self.poller.unregister(self.routers[shard])
        self.routers[shard].close(0)
        self.routers[shard] = None
        self.greeted = {peer: hello for peer, hello in self.greeted.items() if peer[0] != shard}
        self.open = {key: m for key, m in self.open.items() if key[0] != shard}

    def close(self):
        """Ends the client program, by its own end if it has one; its exit status."""
        self.over, status = True, None
        self.on_hello = self.on_topology = lambda message: False
        for message in list(self.open.values()):
            if message.peer in self.greeted:
                self.answer(message, **dict(self.hello_body(message), stale=[], **self.topology([])))
        try:
            self.process.stdin.close()
        except OSError:
            pass
        try:
            status = self.until(self.process.poll, "the client ends when its stdin has ended", refuse_end=False)
        except Failure:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        for router in self.routers:
            if router is not None:
                router.close(0)
        self.context.term()
        self.errors.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return status

    def complaints(self):
        # Not by seeking: the client writes at the same offset.
        size = os.fstat(self.errors.fileno()).st_size
        return os.pread(self.errors.fileno(), 2000, max(0, size - 2000)).decode(errors="replace")

    # The client program's side.

    def ask(self, do, **order):
        self.show(f"runner > {do} {json.dumps(order)[:300]}")
        try:
            self.process.stdin.write((json.dumps(dict(order, do=do)) + "\n").encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failure(f"the client has ended before it was asked to {do}: {self.complaints()}") from None

    def start(self, role, **options):
        self.ask("start", role=role, **dict({"patience_ms": 400, "deadline_ms": 120_000}, **options))
        if self.event("started", "unsupported")["event"] == "unsupported":
            raise Skipped

    def event(self, *names, **fields):
        """The next line of the client with one of these names and these values."""
        def found():
            for event in self.events:
                if event.get("event") in names and all(event.get(k) == v for k, v in fields.items()):
                    self.events.remove(event)
                    return event
            return None
        return self.until(found, f"the client says {' or '.join(names)} {fields or ''}")

    # The broker's side.

    def expect(self, *verbs, shard=None):
        """The client's next message of these verbs, and at that shard."""
        def found():
            for message in self.came:
                if message.verb in verbs and shard in (None, message.shard):
                    self.came.remove(message)
                    return message
            return None
        where = "" if shard is None else f" at shard {shard}"
        return self.until(found, f"the client sends {' or '.join(NAMES[v] for v in verbs)}{where}")

    def beats_on(self, count=3):
        """Waits for heartbeats: the client has had its turns, and what it wanted to send has come."""
        until = self.beats + count
        self.until(lambda: self.beats >= until or None, "the client sends HEARTBEAT")

    def send(self, peer, verb, correlation, body):
        self.show(f"broker > {verb} {correlation} {str(body)[:300]}")
        header = [1, verb, correlation] + self.header_extra
        self.routers[peer[0]].send_multipart([peer[1], msgpack.packb(header), msgpack.packb(dict(body, **self.extra))])

    def answer(self, message, verb=OK, /, **body):
        self.open.pop((*message.peer, message.correlation), None)
        self.send(message.peer, verb, message.correlation, body)

    def refuse(self, message, code, /, **more):
        self.answer(message, ERROR, code=code, message=f"refused by the scenario: {code}", **more)

    def stored(self, message, first_seq, duplicate=False):
        self.answer(message, first_seq=first_seq, count=len(message.body["jobs"]), duplicate=duplicate)

    def deliver(self, peer, *jobs, topic="t", partition=0):
        whole = [dict({"attempt": 1, "attempts_max": 25, "payload": b"p", "enqueued_ms": 1_700_000_000_000}, **job)
                 for job in jobs]
        self.send(peer, DELIVER, 0, {"topic": topic, "partition": partition, "jobs": whole})

    def revoke(self, peer, *tokens, reason="cancelled"):
        self.send(peer, REVOKE, 0, {"tokens": list(tokens), "reason": reason})

    def closing(self, peer):
        self.send(peer, CLOSING, 0, {"reason": "the scenario closes"})

    def raw(self, peer, vector):
        self.show(f"broker > the vector '{vector['name']}'")
        self.routers[peer[0]].send_multipart(
            [peer[1], bytes.fromhex(vector["header"]), bytes.fromhex(vector["body"])])

    # The loop.

    def until(self, found, words, refuse_end=True):
        end = time.monotonic() + self.patience_s
        while True:
            result = found()
            if result is not None:
                return result
            if refuse_end and self.process.poll() is not None and not self.unread and not self.poll(0):
                raise Failure(f"the client ended with {self.process.returncode} while this was awaited: {words}. "
                              f"{self.complaints()}")
            left = end - time.monotonic()
            if left <= 0:
                raise Failure(f"this did not happen: {words}{self.seen()}")
            self.poll(min(left, 0.2))

    def seen(self):
        messages = "; ".join(str(m) for m in list(self.came)[:4])
        events = "; ".join(json.dumps(e)[:200] for e in list(self.events)[:4])
        return (f". It sent: {messages}" if messages else "") + (f". It said: {events}" if events else "")

    def poll(self, seconds):
        """Takes what has come; whether something had."""
        any_came = False
        for what, _ in self.poller.poll(seconds * 1000):
            if what == self.process.stdout.fileno():
                any_came |= self.read_lines()
            else:
                shard = self.routers.index(what)
                while what.poll(0):
                    peer, *parts = what.recv_multipart()
                    any_came = True
                    self.take(Message(shard, (shard, peer), parts))
        return any_came

    def read_lines(self):
        data = self.process.stdout.read()
        if not data:
            self.poller.unregister(self.process.stdout)
            return False
        *lines, self.unread = (self.unread + data).split(b"\n")
        for line in lines:
            self.show(f"client < {line.decode(errors='replace')[:300]}")
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if not isinstance(event, dict) or not isinstance(event.get("event"), str):
                raise Failure(f"a line of the client is no event (docs/conformance.md): {line[:200]!r}")
            self.events.append(event)
        return True

    def take(self, message):
        self.show(f"client > {message}")
        self.first = self.first or message
        if message.verb not in UNANSWERED:
            key = (*message.peer, message.correlation)
            if key in self.open:
                raise Failure(f"the correlation {message.correlation} of {message.name} is that of an unanswered "
                              f"{self.open[key].name}")
            self.open[key] = message
        if message.verb == HELLO:
            self.sessions.append(message.body["session"])
            self.greeted[message.peer] = message
            if not self.on_hello(message):
                self.answer(message, **self.hello_body(message))
            self.came.append(message)
        elif message.peer not in self.greeted:
            if message.verb not in UNANSWERED:
                self.refuse(message, "no_session")
        elif message.verb == HEARTBEAT:
            self.beats += 1
            self.answer(message)
        elif message.verb == TOPOLOGY and not self.on_topology(message):
            self.answer(message, **self.topology(message.body.get("topics") or []))
        elif self.over and message.verb not in UNANSWERED:
            self.answer(message, stale=[])
        else:
            self.came.append(message)

    # A scenario may put its own in these places; true: it has answered, or will.
    @staticmethod
    def on_hello(message):
        return False

    @staticmethod
    def on_topology(message):
        return False

    def hello_body(self, message):
        return dict({"broker": "scripted", "shard": message.shard, "lease_ms": 30_000, "heartbeat_ms": 200,
                     "payload_bytes_max": 1 << 20, "lost": self.lost}, **self.hello_ok)

    def topology(self, topics):
        return {"shards": [[endpoint] for endpoint in self.endpoints], "default_partitions": self.owners,
                "topics": {topic: self.owners for topic in topics}}


