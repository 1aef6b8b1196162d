"""A broker under load, and one recorder of all that its producers and workers saw.

The load's lines come over pipes, which outlive a killed writer. All waiting is done here: pump()
reads lines until a condition holds, and every wait has a time limit.
"""
import json
import os
import random
import selectors
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from millrace_wire import BIN, Client  # noqa: E402

from load import now_us  # noqa: E402

STATES = {0: "scheduled", 2: "available", 4: "retryable", 5: "completed", 6: "cancelled", 7: "dead"}
REASONS = {1: "exhausted", 2: "discarded", 3: "expired", 4: "quarantined"}
LIVE = ("scheduled", "available", "running", "retryable")
PATIENCE_S = 30
SETTINGS = "lease_ms = 800\nheartbeat_ms = 100\ngrace_ms_max = 500\n"
# Every dead job is kept, for the judge to see.
TOPIC = ('[[topic]]\nname = "t"\nhistory = true\nbackoff_ms_min = 20\nbackoff_ms_max = 100\n'
         'dead_max = 1_000_000_000\n')


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Stuck(AssertionError):
    """What was waited for did not come."""


def note_rows(path, record):
    """Every row of a broker that has stopped, and what SQLite says of the whole."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    verdict = db.execute("PRAGMA integrity_check").fetchone()[0]
    names = "t.name || '/' || p.partition || '/' || (j.id & 0x7fffffffff)"
    joins = "JOIN partitions p ON p.slot=j.id>>43 JOIN topics t ON t.id=p.topic_id"
    live = db.execute(f"SELECT {names}, payload, attempt, deaths, key, state, 0, j.id IN "
                      f"(SELECT id FROM leases) FROM live_jobs j {joins}").fetchall()
    ended = db.execute(f"SELECT {names}, payload, attempt, deaths, key, j.state, reason, 0 "
                       f"FROM finished j {joins}").fetchall()
    db.close()
    for job, payload, attempt, deaths, key, state, reason, leased in live + ended:
        more = {"key": key} if key else {}
        if reason:
            more["reason"] = REASONS[reason]
        record("final", job=job, tag=payload.split(b" ", 1)[0].decode(),
                    state="running" if leased else STATES[state], attempts=attempt,
                    deaths=deaths, **more)
    record("end", integrity=verdict)


class Child:
    """A process whose standard output is read by the bed."""

    def __init__(self, bed, name, command, take_line, **more):
        self.name, self.take_line, self.rest = name, take_line, b""
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, **more)
        os.set_blocking(self.process.stdout.fileno(), False)
        bed.selector.register(self.process.stdout, selectors.EVENT_READ, self)

    def read(self, selector):
        """Takes whole lines; at the end of the pipe it is forgotten."""
        data = self.process.stdout.read(1 << 20)
        if data is None:
            return
        if not data:
            selector.unregister(self.process.stdout)
            self.process.stdout.close()
            return
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        for line in lines:
            self.take_line(line.decode(errors="replace"))

    def alive(self):
        return self.process.poll() is None


class Testbed:
    def __init__(self, seed, settings=SETTINGS, tcp=False, listen=()):
        self.folder = tempfile.mkdtemp(prefix="mr-faults-")
        self.rng, self.seed = random.Random(seed), seed
        self.endpoint = f"ipc://{self.folder}/s"
        self.data = f"{self.folder}/data"
        os.makedirs(self.data, exist_ok=True)
        self.port = free_port() if tcp else 0
        listen = [self.endpoint, *listen, *([f"tcp://127.0.0.1:{self.port}"] if tcp else [])]
        self.proxy, self.bad_endpoint, self.network = None, "", {}
        self.config = f"{self.folder}/c.toml"
        with open(self.config, "w") as file:
            file.write(f'[broker]\ndata_dir = "{self.data}"\nlisten = {json.dumps(listen)}\n'
                       f"{settings}\n{TOPIC}")
        self.path = f"{self.folder}/history.jsonl"
        self.file = open(self.path, "w")
        self.log = open(f"{self.folder}/broker.log", "w")
        self.selector, self.children, self.broker, self.ready = (
            selectors.DefaultSelector(), {}, None, False)
        self.broker_within = []  # a command that runs the broker, on another machine for example
        self.open_tags, self.held, self.started = {}, {}, 0
        self.events, self.counted, self.newest = 0, {}, {}

    # What is recorded.

    def record(self, kind, **fields):
        event = {"e": kind, "t": now_us(), **fields}
        self.file.write(json.dumps(event, separators=(",", ":")) + "\n")
        return event

    def take_event(self, line):
        self.file.write(line + "\n")
        self.note(json.loads(line))

    def note(self, event):
        kind = event["e"]
        self.events += 1
        self.counted[kind] = self.counted.get(kind, 0) + 1
        if kind == "enqueue":
            self.open_tags[event["tag"]] = event["by"]
        elif kind in ("enqueued", "refused", "unknown"):
            self.open_tags.pop(event["tag"], None)
        elif kind == "deliver":
            job, token = event["job"], event["token"]
            if token < self.newest.get(job, token):
                return  # it came late: another worker has it by now
            self.newest[job] = token
            self.held.setdefault(event["by"], {})[job] = (token, event["attempt"])
        elif kind == "settle":
            self.held.get(event["by"], {}).pop(event["job"], None)

    def fresh(self, name):
        """What a worker holds in a first attempt, by its tokens: if that worker goes, others get it. (A
        job that has met deaths before may be quarantined instead.)"""
        held = self.held.get(name, {})
        return {job: token for job, (token, attempt) in held.items() if attempt == 1}

    def stop_one_with_jobs(self):
        """Stops a worker that holds a job, as far as it has said; its name."""
        chosen = []

        def stopped():
            for name in self.rng.sample(sorted(self.children), len(self.children)):
                if name[0] == "w" and self.fresh(name):
                    child = self.children[name]
                    child.process.send_signal(signal.SIGSTOP)
                    self.drain(child)
                    if self.fresh(name):
                        chosen.append(name)
                        return True
                    child.process.send_signal(signal.SIGCONT)
            return False
        self.pump(stopped, "a worker holds a job", lambda: not self.broker.alive())
        return chosen[0]

    def others_have(self, jobs):
        """How many of these jobs (job: token) have been delivered again."""
        return sum(self.newest[job] > token for job, token in jobs.items())

    def take_log(self, line):
        self.log.write(line + "\n")
        self.ready |= "is ready" in line

    # Processes.

    def start_broker(self, wait=True, **more):
        self.ready = False
        self.record("start", of="broker")
        self.broker = Child(self, "broker",
                            [*self.broker_within, f"{BIN}/millraced", "--config", self.config],
                            self.take_log, stderr=subprocess.STDOUT, **more)
        if wait:
            self.pump(lambda: self.ready, "the broker is ready", lambda: not self.broker.alive())

    def kill_broker(self):
        self.broker.process.send_signal(signal.SIGKILL)
        self.broker.process.wait(PATIENCE_S)
        self.record("crash", of="broker")

    def start_proxy(self):
        """A bad network in front of the broker: who connects to bad_endpoint goes through it."""
        self.proxy = Child(self, "proxy", [sys.executable, f"{HERE}/proxy.py", str(self.port),
                                           str(self.seed)], self.take_fault)
        self.pump(lambda: self.bad_endpoint, "the proxy listens", lambda: not self.proxy.alive())

    def take_fault(self, line):
        if line.startswith("port "):
            self.bad_endpoint = f"tcp://127.0.0.1:{line[5:]}"
        else:
            self.network[line] = self.network.get(line, 0) + 1

    def calm_network(self):
        self.proxy.process.send_signal(signal.SIGUSR1)

    def start(self, role, endpoint=None, slower=1, within=(), **more):
        """within: a command that runs another, which it becomes."""
        self.started += 1
        name = f"{role[0]}{self.started}"
        command = [*within, sys.executable, f"{HERE}/load.py", role, name, endpoint or self.endpoint,
                   str(self.seed), str(slower)]
        self.record("start", of=role, name=name)
        self.children[name] = Child(self, name, command, self.take_event, **more)
        return name

    def kill(self, name):
        child = self.children.pop(name)
        child.process.send_signal(signal.SIGKILL)
        child.process.wait(PATIENCE_S)
        self.drain(child)
        self.gone(name)
        self.record("crash", of="producer" if name[0] == "p" else "worker", name=name)

    def drain(self, child):
        """What a dead or stopped child has written so far."""
        while child.process.stdout and not child.process.stdout.closed:
            if not any(key.data is child for key, _ in self.selector.select(0)):
                return
            child.read(self.selector)

    def gone(self, name):
        for tag in [tag for tag, by in self.open_tags.items() if by == name]:
            self.record("unknown", tag=tag)
            del self.open_tags[tag]
        self.held.pop(name, None)

    def finish(self, role):
        """Asks every process of a role to end, and waits until all have."""
        names = [name for name in self.children if name[0] == role[0]]
        for name in names:
            self.children[name].process.send_signal(signal.SIGTERM)
        self.pump(lambda: not any(self.children[name].alive() for name in names), f"{role}s end")
        for name in names:
            child = self.children.pop(name)
            self.drain(child)
            self.gone(name)

    def pump(self, until, what, dead=lambda: False, seconds=PATIENCE_S):
        """Takes lines until it holds; Stuck when it does not, or cannot any more."""
        ends = time.monotonic() + seconds
        while not until():
            if dead() or time.monotonic() > ends:
                raise Stuck(f"waited for: {what}; the last words of the broker: {self.last_words()}")
            for key, _ in self.selector.select(0.05):
                key.data.read(self.selector)

    def pump_for(self, seconds):
        """Takes lines for so long: a moment for a fault that no event announces."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            for key, _ in self.selector.select(left):
                key.data.read(self.selector)

    def last_words(self):
        self.log.flush()
        with open(self.log.name) as file:
            return " | ".join(file.read().splitlines()[-4:])

    # The end of a run.

    def topic(self):
        client = Client(self.endpoint)
        try:
            return client.topic()
        finally:
            client.socket.close(0)

    def settle_down(self):
        """Faults are over: producers end, every job ends, the broker stops, its rows are noted."""
        self.record("faults_over")
        self.finish("producer")
        counts = self.wait_idle()
        self.finish("worker")
        fields = [*LIVE, "dead", "enqueued", "completed", "cancelled"]
        self.record("counts", topic="t", **{name: counts[name] for name in fields})
        self.broker.process.send_signal(signal.SIGTERM)
        code = self.broker.process.wait(PATIENCE_S)
        if code != 0:
            raise Stuck(f"the broker ended with {code}: {self.last_words()}")
        note_rows(f"{self.data}/shard-0.db", self.record)
        self.file.flush()

    def wait_idle(self):
        """Until no job is left, however many there were: patience is for the next that ends."""
        client = Client(self.endpoint)
        counts = {}

        def left():
            counts.update(client.topic())
            return sum(counts[state] for state in LIVE)
        while (before := left()) > 0:
            self.pump(lambda: left() < before, "every job ends")
        client.socket.close(0)
        return counts

    def close(self, keep=False):
        for child in [*self.children.values(), self.broker, self.proxy]:
            if child and child.alive():
                child.process.send_signal(signal.SIGKILL)
                child.process.wait(PATIENCE_S)
        self.file.close()
        self.log.close()
        if not keep:
            shutil.rmtree(self.folder)
