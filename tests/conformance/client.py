"""A client of the protocol in one thread: links to the shards, and a producer, worker or query client on them.

Written from docs/protocol.md. With a fault it is wrong in one way, so that a test of clients can be
tested: a fault has the name of the scenario that has to see it (tests/conformance).
"""
import os
import time

import msgpack
import zmq

from messages import CREDIT, GOODBYE, HEARTBEAT
from millrace_wire import (CANCEL, CLOSING, DELIVER, DRAIN, ENQUEUE, ERROR, HELLO, JOB, OK, REVOKE, SETTLE, SUBSCRIBE,
                           TOPOLOGY)


class Shard:
    """What is known of one shard, and the socket to it."""

    def __init__(self, number, endpoint):
        self.number, self.endpoint, self.socket = number, endpoint, None
        self.ready, self.hello, self.beaten = False, 0, 0.0
        self.asked = {}  # correlation -> (when, what takes the answer)


class Link:
    """HELLO, heartbeats, the topology, reconnects; what is done with it is its subclass's."""

    role = "client"

    def __init__(self, options, say, fault):
        self.say, self.fault = say, fault
        self.patience, self.deadline = options["patience_ms"] / 1000, options["deadline_ms"] / 1000
        self.session, self.correlation, self.heartbeat = os.urandom(16), 0, 10.0
        self.context, self.poller = zmq.Context(), zmq.Poller()
        self.shards, self.owners, self.topology_asked = [], {}, False
        self.grow([[os.environ["MILLRACE_BROKER"]]])
        self.shards[0].ready = False

    def wrong(self, scenario):
        return self.fault == scenario

    def grow(self, endpoints):
        for number in range(len(self.shards), len(endpoints)):
            self.shards.append(Shard(number, endpoints[number][0]))
            self.connect(self.shards[number])

    def connect(self, shard):
        if shard.socket:
            self.poller.unregister(shard.socket)
            shard.socket.close(0)
        shard.socket = self.context.socket(zmq.DEALER)
        shard.socket.connect(shard.endpoint)
        self.poller.register(shard.socket, zmq.POLLIN)
        if self.wrong("hello-first") and shard.hello == 0:
            self.send(shard, HEARTBEAT, {})
        self.greet(shard)

    def greet(self, shard):
        shard.ready, shard.asked = False, {}
        if shard.hello and self.wrong("reconnect"):
            self.session = os.urandom(16)
        if shard.number == 0:
            self.topology_asked = False
        shard.hello = self.ask(shard, HELLO, lambda ok, body: self.greeted(shard, ok, body), role=self.role,
                               session=self.session, name="conformance", pid=os.getpid(), held=self.held(shard))

    def greeted(self, shard, ok, body):
        if ok:
            shard.ready, self.heartbeat = True, body["heartbeat_ms"] / 1000
            self.on_ready(shard, body.get("lost", []))

    def send(self, shard, verb, body):
        self.correlation += 1
        shard.beaten = time.monotonic()
        shard.socket.send_multipart([msgpack.packb([1, verb, self.correlation]), msgpack.packb(body)])
        return self.correlation

    def ask(self, shard, verb, then, **body):
        number = self.send(shard, verb, body)
        shard.asked[number] = (time.monotonic(), then)
        return number

    def learn(self, *topics):
        """Asks for the owners of these topics, once at a time."""
        if self.shards[0].ready and not self.topology_asked:
            self.topology_asked = True
            self.ask(self.shards[0], TOPOLOGY, self.learned, topics=list(topics))

    def learned(self, ok, body):
        self.topology_asked = False
        if ok:
            self.grow(body["shards"])
            self.owners.update(body["topics"])

    def turn(self):
        now = time.monotonic()
        for shard in list(self.shards):
            while shard.socket.poll(0):
                self.take(shard, *shard.socket.recv_multipart())
            if any(now - since > self.patience for since, _ in shard.asked.values()):
                self.connect(shard)  # an answer was lost
            elif shard.ready and now - shard.beaten > self.heartbeat / 2 and not self.wrong("heartbeat"):
                self.ask(shard, HEARTBEAT, lambda ok, body: None)
        self.on_turn(now)

    def take(self, shard, header, body):
        header, body = msgpack.unpackb(header), msgpack.unpackb(body)
        if self.wrong("unknown-fields"):
            assert len(header) == 3, "a header of more than three"
        _, verb, number = header[:3]
        if self.wrong("unknown-fields-of-work"):
            assert verb <= CLOSING, "an unknown verb"
        if verb == CLOSING:
            if self.wrong("closing"):
                raise SystemExit(3)
            return self.connect(shard)
        if verb == ERROR and body["code"] == "no_session" and not self.wrong("no-session"):
            return self.greet(shard)
        if verb in (OK, ERROR):
            if self.wrong("correlation") and "first_seq" in body:
                number = min(shard.asked)
            _, then = shard.asked.pop(number, (0, None))
            return then(verb == OK, body) if then else None
        if verb in (DELIVER, REVOKE) and (shard.ready or self.wrong("early-delivery")):
            self.on_push(shard, verb, body)
        return None

    def held(self, _):
        return []

    def on_ready(self, shard, lost):
        pass

    def on_turn(self, now):
        pass

    def on_push(self, shard, verb, body):
        pass


def partition_of(key, partitions):
    h = 0xcbf29ce484222325
    for byte in key.encode():
        h = ((h ^ byte) * 0x100000001b3) & ((1 << 64) - 1)
    return (h ^ (h >> 32)) % partitions


class Batch:
    def __init__(self, topic, partition, number, entries):
        self.topic, self.partition, self.number, self.entries = topic, partition, number, entries
        self.not_before = 0.0


class Producer(Link):
    role = "producer"

    def __init__(self, options, say, fault):
        self.id, self.waiting, self.orders, self.open, self.numbers, self.turns = os.urandom(16), [], {}, {}, {}, 0
        super().__init__(options, say, fault)

    def enqueue(self, order):
        until = time.monotonic() + self.deadline
        self.orders[order["id"]] = [None] * len(order["jobs"])
        self.waiting += [(order["id"], n, order["topic"], job, until) for n, job in enumerate(order["jobs"])]

    def tell(self, entry, **outcome):
        told = self.orders[entry[0]]
        told[entry[1]] = outcome
        if all(told):
            self.say("enqueued", id=entry[0], outcomes=self.orders.pop(entry[0]))

    def on_turn(self, now):
        for entry in [e for e in self.waiting if e[4] <= now]:
            self.waiting.remove(entry)
            self.tell(entry, outcome="unknown" if self.wrong("never-sent") else "rejected", code="unavailable")
        for key, batch in list(self.open.items()):
            if batch.entries[0][4] <= now:
                del self.open[key]
                for entry in batch.entries:
                    outcome = {"outcome": "unknown"}
                    if self.wrong("unknown-outcome"):
                        outcome = {"outcome": "rejected", "code": "unavailable"}
                    self.tell(entry, **outcome)
            elif batch.not_before and batch.not_before <= now:
                self.send_batch(self.shards[key[0]], batch)
        missing = {entry[2] for entry in self.waiting} - set(self.owners)
        if missing:
            self.learn(*missing)
        self.gather()

    def gather(self):
        lanes = {}
        for entry in self.waiting:
            owners = self.owners.get(entry[2])
            if owners is None:
                continue
            key = None if self.wrong("keys") else entry[3].get("key")
            partition = partition_of(key, len(owners)) if key else self.turns % len(owners)
            lanes.setdefault((entry[2], partition, owners[partition]), []).append(entry)
        self.turns += 1
        for (topic, partition, number), entries in lanes.items():
            shard, most = self.shards[number], 2_000 if self.wrong("batches") else 512
            while entries and shard.ready and sum(key[0] == number for key in self.open) < 64:
                some, entries = entries[:most], entries[most:]
                for entry in some:
                    self.waiting.remove(entry)
                step = 2 if self.wrong("batch-numbers") else 1
                self.numbers[number] = self.numbers.get(number, 0) + step
                batch = self.open[number, self.numbers[number]] = Batch(topic, partition, self.numbers[number], some)
                self.send_batch(shard, batch)

    def send_batch(self, shard, batch):
        jobs = []
        for _, _, _, job, _ in batch.entries:
            made = {"payload": job["payload"].encode()}
            for here, there in (("key", "key"), ("priority", "priority"), ("delay_ms", "delay_ms"),
                                ("max_attempts", "attempts_max")):
                if here in job:
                    made["delay" if here == "delay_ms" and self.wrong("job-fields") else there] = job[here]
            if job.get("headers"):
                made["headers"] = msgpack.packb(job["headers"])
            jobs.append(made)
        batch.not_before = 0.0
        answered = min(number for at, number in self.open if at == shard.number) - 1
        self.ask(shard, ENQUEUE, lambda ok, body: self.answered(shard, batch, ok, body), topic=batch.topic,
                 partition=batch.partition, producer=self.id, epoch=1, batch=batch.number, answered=answered, jobs=jobs)

    def on_ready(self, shard, lost):
        for key in sorted(key for key in self.open if key[0] == shard.number):
            batch = self.open[key]
            if self.wrong("resend"):
                batch.number += 100
            self.send_batch(shard, batch)

    def answered(self, shard, batch, ok, body):
        key = (shard.number, batch.number)
        if self.open.get(key) is not batch:
            return
        code = body.get("code")
        if code == "overloaded":
            wait = 0 if self.wrong("overloaded") else body.get("retry_after_ms", 0) / 1000
            batch.not_before = time.monotonic() + wait
            return
        del self.open[key]
        if code == "not_owner" and not self.wrong("not-owner"):
            self.owners.pop(batch.topic, None)
            self.waiting = batch.entries + self.waiting
            return
        for n, entry in enumerate(batch.entries):
            if ok or self.wrong("rejected"):
                seq = body.get("first_seq", 1) + n
                self.tell(entry, outcome="stored", job=f"{batch.topic}/{batch.partition}/{seq}")
            else:
                self.tell(entry, outcome="rejected", code=code)


class Worker(Link):
    role = "worker"

    def __init__(self, options, say, fault):
        self.topics, self.concurrency = options["topics"], options["concurrency"]
        self.jobs, self.ready_jobs, self.running, self.finished = {}, [], {}, {}
        self.draining = self.goodbye = False
        super().__init__(options, say, fault)
        self.learn()

    def held(self, shard):
        if self.wrong("held"):
            return []
        return [[d["job"], token] for token, d in self.jobs.items() if d["shard"] is shard and not d["gone"]]

    def on_ready(self, shard, lost):
        if not self.owners and shard.number == 0 and len(self.shards) == 1:
            self.learn()
        for token in [] if self.wrong("lost") else lost:
            self.stop(token, "lease_lost")
        for token, outcome in self.finished.items():
            outcome["sent"] = False
            if self.wrong("settle-again"):
                self.jobs.pop(token, None)
        if self.wrong("settle-again"):
            self.finished = {}
        if not self.draining:
            self.subscribe(shard)

    def subscribe(self, shard):
        def told(ok, body):
            if not ok and not self.wrong("subscribe-again"):
                self.again = (time.monotonic() + body.get("retry_after_ms", 0) / 1000, shard)
        self.again = None
        credit = 2 * self.concurrency - len(self.jobs)
        self.ask(shard, SUBSCRIBE, told, topics=self.topics, credit=credit)

    again = None

    def on_push(self, shard, verb, body):
        if verb == REVOKE:
            for token in [] if self.wrong("revoke") else body["tokens"]:
                self.stop(token, body["reason"])
            return
        for job in body["jobs"]:
            name = f"{body['topic']}/{body['partition']}/{job['seq']}"
            self.jobs[job["token"]] = {"job": name, "shard": shard, "gone": False, "running": False, **job}
            self.ready_jobs.append(job["token"])

    def stop(self, token, reason):
        job = self.jobs.get(token)
        if job is None or token in self.finished:
            return
        job["gone"] = True
        if job["running"]:
            self.say("stop", job=job["job"], reason=reason)
        else:
            self.ready_jobs.remove(token)
            self.give_back(token)

    def give_back(self, token):
        shard = self.jobs.pop(token)["shard"]
        if not self.draining:
            self.send(shard, CREDIT, {"credit": 1})

    def finish(self, order):
        token = self.running.pop(order["job"])
        if self.jobs[token]["gone"]:
            return self.give_back(token)
        text = order.get("text")
        outcome = {"outcome": ["done", "retry", "discard", "release"].index(order["outcome"])}
        if text and order["outcome"] == "done":
            outcome["result"] = text.encode()[:3 if self.wrong("work") else None]
        elif text:
            outcome["error"] = text
        if "retry_after_ms" in order:
            outcome["retry_after_ms"] = order["retry_after_ms"]
        self.finished[token] = {"sent": False, "outcome": outcome}
        return None

    def drain(self):
        self.draining = True
        for shard in self.shards:
            self.ask(shard, DRAIN, lambda ok, body: None)

    def on_turn(self, now):
        if self.again and self.again[0] <= now:
            self.subscribe(self.again[1])
        if self.draining and self.ready_jobs:
            for token in self.ready_jobs:
                self.finished[token] = {"sent": False, "outcome": {"outcome": 0 if self.wrong("drain") else 3}}
            self.ready_jobs = []
        while self.ready_jobs and len(self.running) < self.concurrency:
            token = self.ready_jobs.pop(0)
            job = self.jobs[token]
            job["running"], self.running[job["job"]] = True, token
            headers = msgpack.unpackb(job["headers"]) if job.get("headers") else {}
            self.say("job", job=job["job"], payload=job["payload"].decode(), attempt=job["attempt"],
                     key=job.get("key", ""), headers=headers)
        for token, each in self.finished.items():
            if not each["sent"] and self.jobs[token]["shard"].ready:
                each["sent"] = True
                self.settle(token, each["outcome"])
        if self.draining and not self.jobs and not self.goodbye:
            self.goodbye = True
            for shard in self.shards:
                self.ask(shard, GOODBYE, lambda ok, body: self.say("drained", clean=ok))

    def settle(self, token, outcome):
        def told(ok, _):
            if ok:
                self.finished.pop(token, None)
                self.jobs.pop(token, None)
        credit = 0 if self.draining else 2 if self.wrong("credit") else 1
        named = self.jobs[token]["seq"] if self.wrong("settle-outcomes") else token
        self.ask(self.jobs[token]["shard"], SETTLE, told, outcomes=[dict(outcome, token=named)], credit=credit)


class QueryClient(Link):
    def __init__(self, options, say, fault):
        self.questions = {}
        super().__init__(options, say, fault)

    def question(self, number, verb, **body):
        if verb == CANCEL:
            body["request"] = os.urandom(16)
        self.questions[number] = (verb, body, time.monotonic() + self.deadline)
        if self.shards[0].ready:
            self.put(number)

    def put(self, number):
        verb, body, _ = self.questions[number]
        if verb == CANCEL and self.wrong("request-again"):
            body["request"] = os.urandom(16)
        self.ask(self.shards[0], verb, lambda ok, answer: self.answered(number, ok, answer), **body)

    def on_ready(self, shard, lost):
        for number in self.questions:
            self.put(number)

    def on_turn(self, now):
        for number, (verb, _, until) in list(self.questions.items()):
            if until <= now:
                del self.questions[number]
                if self.wrong("question-timeout"):
                    self.say("answered", id=number, state="available")
                else:
                    sure = verb == JOB or self.wrong("change-unknown")
                    self.say("answered", id=number, error="timeout" if sure else "outcome_unknown")

    def answered(self, number, ok, body):
        if self.questions.pop(number, None) is None:
            return
        if ok:
            self.say("answered", id=number, state=body["state"])
        else:
            self.say("answered", id=number, error="invalid" if self.wrong("questions") else body["code"])
