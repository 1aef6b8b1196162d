"""One life of a broker in which one call of the file system fails: 200 operations (jobs enqueued and
jobs settled), a start without faults after it, and the history of both."""
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import judge
from load import now_us
from millrace_wire import BIN, DELIVER, ENQUEUE, ERROR, JOBS, OK, SETTLE, SUBSCRIBE, Client
from testbed import LIVE, TOPIC, note_rows

LIBRARY = os.path.abspath(os.path.join(BIN, "..", "lib", "libfail_io.so"))
PATIENCE_S = 20
REFUSED = 74


class Gone(Exception):
    """The broker has ended."""


class Hangs(AssertionError):
    """It lives, and does not answer."""


class Talker(Client):
    """A client that notices the end of its broker."""

    def __init__(self, trial, role):
        self.trial = trial
        super().__init__(trial.endpoint, role)

    def receive(self):
        ends = time.monotonic() + PATIENCE_S
        while not self.socket.poll(20):
            if self.trial.process.poll() is not None:
                raise Gone
            if time.monotonic() > ends:
                raise Hangs(f"no answer for {PATIENCE_S} s")
        return super().receive()


class Trial:
    def __init__(self, seed):
        memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
        self.folder = tempfile.mkdtemp(prefix="mr-io-", dir=memory)
        self.data, self.endpoint = f"{self.folder}/data", f"ipc://{self.folder}/s"
        os.mkdir(self.data)
        self.rng = random.Random(seed)
        self.config, self.path = f"{self.folder}/c.toml", f"{self.folder}/history.jsonl"
        with open(self.config, "w") as file:
            file.write(f'[broker]\ndata_dir = "{self.data}"\nlisten = ["{self.endpoint}"]\n'
                       f"grace_ms_max = 0\n{TOPIC}")
        self.history, self.said = open(self.path, "w"), ""
        self.process, self.batch, self.made, self.sockets = None, 0, 0, []
        self.outcome = ""

    def record(self, kind, **fields):
        self.history.write(json.dumps({"e": kind, "t": now_us(), **fields}) + "\n")

    def start(self, environment):
        """True once it is ready; False if it ended instead."""
        self.record("start", of="broker")
        self.process = subprocess.Popen([f"{BIN}/millraced", "--config", self.config],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        env={**os.environ, **environment})
        self.said = ""
        return self.listen_until("is ready")

    def listen_until(self, word):
        pipe, ends = self.process.stdout, time.monotonic() + PATIENCE_S
        while word not in self.said:
            if not select.select([pipe], [], [], ends - time.monotonic())[0]:
                raise Hangs(f"no word for {PATIENCE_S} s; the last: {self.said[-300:]}")
            data = os.read(pipe.fileno(), 65_536)
            if not data:
                self.process.wait(PATIENCE_S)
                return False
            self.said += data.decode()
        return True

    def end(self):
        """Its exit code after SIGTERM, or of its own end."""
        self.process.send_signal(signal.SIGTERM)
        self.listen_until("\0never")
        self.process.stdout.close()
        return self.process.wait(PATIENCE_S)

    # Talk.

    def client(self, role):
        talker = Talker(self, role)
        self.sockets.append(talker.socket)
        return talker

    def enqueue(self, producer, count):
        self.batch += 1
        jobs, tags = [], []
        for _ in range(count):
            self.made += 1
            tags.append(f"j{self.made}")
            size = self.rng.choice([10, 60, 100, 900])
            jobs.append({"payload": tags[-1].encode() + b" " + b"x" * size})
            self.record("enqueue", tag=tags[-1], by="p", topic="t")
        try:
            kind, answer = producer.ask_any(ENQUEUE, topic="t", partition=0, jobs=jobs, epoch=1,
                                            producer=producer.session, batch=self.batch,
                                            answered=self.batch - 1)
        except Gone:
            for tag in tags:
                self.record("unknown", tag=tag)
            raise
        for at, tag in enumerate(tags):
            if kind == OK:
                self.record("enqueued", tag=tag, job=f"t/0/{answer['first_seq'] + at}")
            else:
                self.record("refused", tag=tag, code=answer["code"])
        return len(tags) if kind == OK else 0

    def work(self, worker, count):
        """Takes so many jobs and settles them in one message."""
        worker.ask(SUBSCRIBE, topics=["t"], credit=count)
        taken = []
        while len(taken) < count:
            kind, body = worker.unasked.pop(0) if worker.unasked else (None, None)
            if kind is None:
                header, body = worker.receive()
                kind = header[1]
            if kind == ERROR:
                raise Hangs(f"refused: {body}")
            for job in body["jobs"] if kind == DELIVER else []:
                split = [job["token"] >> 40, job["token"] & (1 << 40) - 1]
                taken.append((f"t/{body['partition']}/{job['seq']}", job["token"], split))
                self.record("deliver", job=taken[-1][0], token=split, attempt=job["attempt"],
                            tag=job["payload"].split(b" ", 1)[0].decode(), by="w")
        outcomes = []
        for job, token, split in taken:
            outcome = self.rng.choice([0, 0, 0, 2])
            outcomes.append({"token": token, "outcome": outcome, "error": "so"})
            self.record("settle", job=job, token=split, by="w",
                        outcome="discard" if outcome else "done")
        stale = worker.ask(SETTLE, outcomes=outcomes)["stale"]
        for (job, token, split), outcome in zip(taken, outcomes):
            if token in stale:
                self.record("stale", job=job, token=split)
            else:
                self.record("settled", job=job, token=split,
                            outcome="discard" if outcome["outcome"] else "done")

    def operations(self, total):
        """So many, half of them jobs enqueued, half of them jobs settled, some fifteen a turn."""
        producer, worker = self.client("producer"), self.client("worker")
        while self.made < total // 2:
            count = self.rng.randrange(12, 22)
            stored = self.enqueue(producer, min(count, total // 2 - self.made))
            producer.ask_any(JOBS, topic="t", limit=5)  # an answer, or an error: it only looks
            self.work(worker, stored)

    # The whole.

    def play(self, operations, environment):
        """A sentence for each error; none when the run was correct."""
        try:
            yield from self.with_fault(operations, environment)
            yield from self.without_fault()
        except Hangs as why:
            yield str(why)
        finally:
            self.close()

    def with_fault(self, operations, environment):
        self.outcome = "stopped at its start"
        if self.start({"LD_PRELOAD": LIBRARY, "FAIL_IO_UNDER": self.data, **environment}):
            self.outcome = "stopped later"
            try:
                self.operations(operations)
            except Gone:
                pass
        code = self.end()
        if code == 0:
            self.outcome = "went on"
        if code not in (0, REFUSED):
            yield f"it ended with {code}: {self.said[-400:]}"
        if code == REFUSED:
            self.record("crash", of="broker")
            if '"critical"' not in self.said:
                yield f"it stopped without a word: {self.said[-400:]}"

    def without_fault(self):
        if not self.start({}):
            yield f"it does not start again: {self.said[-400:]}"
            return
        self.record("faults_over")
        worker = self.client("worker")
        topic = worker.topic()
        waiting = sum(topic[state] for state in LIVE)
        if waiting:
            self.work(worker, waiting)
        counts = worker.topic()
        fields = [*LIVE, "dead", "enqueued", "completed", "cancelled"]
        self.record("counts", topic="t", **{name: counts[name] for name in fields})
        if (code := self.end()) != 0:
            yield f"it ended with {code} without a fault: {self.said[-400:]}"
        note_rows(f"{self.data}/shard-0.db", self.record)
        self.history.flush()
        yield from judge.violations(self.path, enqueued_min=0)

    def close(self):
        for socket in self.sockets:
            socket.close(0)
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        self.history.close()

    def remove(self):
        shutil.rmtree(self.folder)


def calls(seed, operations):
    """A letter for each call that one life without a fault makes; stops if that is not well."""
    trial = Trial(seed)
    log = f"{trial.folder}/calls"
    wrong = list(trial.play(operations, {"FAIL_IO_LOG": log}))
    with open(log) as file:
        letters = file.read()
    trial.remove()
    if wrong:
        sys.exit(f"without a fault: {wrong[0]}")
    return letters
