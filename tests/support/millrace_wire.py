"""A small client of the protocol, written from docs/protocol.md alone, and a scripted broker."""
import os
import shutil
import signal
import subprocess
import tempfile

import msgpack
import zmq

OK, ERROR, DELIVER, REVOKE, CLOSING = 128, 129, 130, 131, 132
HELLO, ENQUEUE, SUBSCRIBE, SETTLE, DRAIN = 1, 16, 32, 34, 36
TOPOLOGY, TOPICS, CREATE, PAUSE, RESUME, CANCEL, STATUS = 64, 65, 66, 67, 68, 75, 88
REQUEUE, PURGE = 80, 81
JOB, JOBS, EXPLAIN, WAIT = 72, 73, 74, 76
PATIENCE_MS = 10_000
BIN = os.environ.get(
    "MILLRACE_BIN", os.path.join(os.path.dirname(__file__), "..", "..", "build", "bin"))


class Broker:
    """millraced on a folder of its own; ends only what it started."""

    def __init__(self, shards=1, settings="", topics='[[topic]]\nname = "t"\nhistory = true\n'):
        self.folder = tempfile.mkdtemp(prefix="mr-")
        self.endpoint = f"ipc://{self.folder}/s"
        self.config = f"{self.folder}/c.toml"
        with open(self.config, "w") as file:
            file.write(f'[broker]\ndata_dir = "{self.folder}"\nlisten = ["{self.endpoint}"]\n'
                       f"shards = {shards}\n{settings}\n{topics}")
        self.process = None

    def start(self, **environment):
        self.process = subprocess.Popen([f"{BIN}/millraced", "--config", self.config],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        env=dict(os.environ, **environment))
        if self.says("is ready"):
            return self
        raise AssertionError(f"millraced ended with {self.process.wait(10)}")

    def says(self, words):
        """Waits for a line of its log with these words; the line, or None at its end."""
        return next((line for line in self.process.stdout if words in line), None)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder)


class Client:
    context = zmq.Context()

    def __init__(self, endpoint, role="client"):
        self.endpoint, self.role, self.session = endpoint, role, os.urandom(16)
        self.number, self.unasked, self.socket = 0, [], None
        self.patience_ms = PATIENCE_MS
        self.hello()

    def hello(self, held=()):
        """A new socket, the same session: what a client does after it lost its broker."""
        if self.socket:
            self.socket.close(0)
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.connect(self.endpoint)
        return self.ask(HELLO, role=self.role, session=self.session, name="test", held=list(held))

    def send(self, verb, **body):
        self.number += 1
        self.socket.send_multipart([msgpack.packb([1, verb, self.number]), msgpack.packb(body)])
        return self.number

    def receive(self):
        assert self.socket.poll(self.patience_ms), "no message came"
        header, body = self.socket.recv_multipart()
        return msgpack.unpackb(header), msgpack.unpackb(body)

    def ask_any(self, verb, **body):
        number = self.send(verb, **body)
        while True:
            header, answer = self.receive()
            if header[2] == number:
                return header[1], answer
            self.unasked.append((header[1], answer))

    def ask(self, verb, **body):
        kind, answer = self.ask_any(verb, **body)
        assert kind == OK, answer
        return answer

    def refused(self, verb, **body):
        kind, answer = self.ask_any(verb, **body)
        assert kind == ERROR, answer
        return answer["code"]

    def deliveries(self, count):
        jobs = []
        while len(jobs) < count:
            kind, body = self.unasked.pop(0) if self.unasked else (None, None)
            if kind is None:
                header, body = self.receive()
                kind = header[1]
            if kind == DELIVER:
                jobs += [dict(j, partition=body["partition"]) for j in body["jobs"]]
        return jobs

    def enqueue(self, count=1, partition=0, batch=None, topic="t", **job):
        jobs = [dict({"payload": b"p"}, **job)] * count
        stamp = dict(producer=self.session, epoch=1, batch=batch) if batch else {}
        return self.ask(ENQUEUE, topic=topic, partition=partition, jobs=jobs, **stamp)

    def settle(self, job, outcome=0, **more):
        return self.ask(SETTLE, outcomes=[dict(token=job["token"], outcome=outcome, **more)])["stale"]

    def topic(self, name="t"):
        return self.ask(TOPICS, topic=name)["topics"][0]
