"""Workers that the broker reaches over TCP, as on another machine: their death shows by the end of
their connection. The lease is an hour, so that nothing here happens because of it."""
import os
import selectors
import signal
import socket
import struct
import threading

import pytest

from millrace_wire import EXPLAIN, JOB, SUBSCRIBE, Broker, Client
from test_descriptors import free_ports
from test_worker import COMPLETED, DEAD, TOPICS, Host, enqueue, wait_for

PATIENCE_S = 30
GONE = "is gone: its connection closed and it did not come back within 3 s"
NO_LINGER = struct.pack("ii", 1, 0)  # close() sends a reset


class Remote(Broker):
    """A broker on tcp:// (endpoint) and ipc:// (local)."""

    def __init__(self, shards):
        self.port = free_ports(shards)
        tcp = f"tcp://127.0.0.1:{self.port}"
        super().__init__(shards=shards, settings="lease_ms = 3600000", topics=TOPICS)
        self.local, self.endpoint = self.endpoint, tcp
        with open(self.config) as file:
            text = file.read()
        with open(self.config, "w") as file:
            file.write(text.replace(f'["{self.local}"]', f'["{tcp}", "{self.local}"]'))


class Gate:
    """Passes connections on to a port. Its orders: c and r end all that there are, by a close or a
    reset, and no new one passes until o; e ends it."""

    def __init__(self, port):
        self.port, self.ways = port, {}
        self.wake, self.told = socket.socketpair()
        self.closed_by_broker = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.selector = selectors.DefaultSelector()
        for each in (self.listener, self.told):
            self.selector.register(each, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def order(self, word):
        self.wake.sendall(word)
        self.wake.settimeout(PATIENCE_S)
        assert self.wake.recv(1) == word

    def close(self):
        self.order(b"e")
        self.thread.join(PATIENCE_S)

    def run(self):
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.told:
                    word = self.told.recv(1)
                    self.obey(word)
                    self.told.sendall(word)
                    if word == b"e":
                        return self.listener.close()
                elif key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj in self.ways:
                    self.pass_on(key.fileobj)

    def obey(self, word):
        if word == b"o":
            return self.selector.register(self.listener, selectors.EVENT_READ)
        if self.listener in self.selector.get_map():
            self.selector.unregister(self.listener)
        while self.ways:
            self.end(next(iter(self.ways)), reset=word == b"r")
        return None

    def accept(self):
        client = self.listener.accept()[0]
        broker = socket.create_connection(("127.0.0.1", self.port))
        self.ways.update({client: broker, broker: client})
        for each in (client, broker):
            self.selector.register(each, selectors.EVENT_READ)

    def pass_on(self, source):
        try:
            data = source.recv(65_536)
        except ConnectionResetError:
            data = b""
        if data:
            return self.ways[source].sendall(data)
        if source.getpeername()[1] == self.port:
            self.closed_by_broker.set()
        return self.end(source)

    def end(self, source, reset=False):
        for each in (source, self.ways[source]):
            del self.ways[each]
            self.selector.unregister(each)
            if reset:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            each.close()


class Crew:
    """Workers, each on its own connection, that run a job until they are told to end it."""

    def __init__(self, broker, folder):
        self.broker, self.folder, self.hosts = broker, folder, []

    def holding(self, via=None, **options):
        """A worker that runs a job now, the job, and what ends it."""
        at = f"{self.folder}/{len(self.hosts)}"
        for each in ("started", "go"):
            os.mkfifo(f"{at}.{each}")
        host = self.add(f"echo started > {at}.started; exec cat {at}.go", via)
        job = enqueue(self.broker, **options)
        with open(f"{at}.started", "rb") as reader:
            assert reader.readline() == b"started\n"

        def go():
            with open(f"{at}.go", "w") as gate:
                gate.write("kept")
        return host, job, go

    def add(self, command, via=None):
        self.hosts.append(Host(via or self.broker, command, "--concurrency", "1"))
        return self.hosts[-1]

    def close(self):
        for host in self.hosts:
            if host.process.poll() is None:
                host.process.send_signal(signal.SIGCONT)
            host.kill()


@pytest.fixture(name="broker", params=[1, 2], ids=["one-shard", "two-shards"])
def remote_broker(request):
    broker = Remote(request.param).start()
    yield broker
    broker.close()


@pytest.fixture(name="one")
def remote_broker_of_one_shard():
    broker = Remote(1).start()
    yield broker
    broker.close()


@pytest.fixture
def crew(request, tmp_path):
    name = "one" if "one" in request.fixturenames else "broker"
    made = Crew(request.getfixturevalue(name), tmp_path)
    yield made
    made.close()


@pytest.fixture
def gate(one):
    made = Gate(one.port)
    yield made
    made.close()


def kept(broker, job):
    view = Client(broker.endpoint).ask(JOB, job=job)
    return (view["state"], view["attempt"], view["deaths"]) == ("running", 1, 0)


def test_the_job_of_a_killed_worker_goes_to_another(broker, crew):
    first, job, _ = crew.holding()
    crew.add("printf done")
    first.kill()
    view = wait_for(broker, job)
    assert (view["state"], view["attempt"], view["deaths"]) == (COMPLETED, 2, 1)
    assert broker.says(GONE)


def test_what_happened_stands_at_the_dead_job(broker, crew):
    first, job, _ = crew.holding(attempts_max=1)
    first.kill()
    view = wait_for(broker, job)
    assert (view["state"], view["reason"]) == (DEAD, "exhausted")
    assert view["error"].startswith("worker ") and view["error"].endswith(GONE)
    assert GONE in Client(broker.endpoint).ask(EXPLAIN, job=job)["text"]


def two_ticks(broker, job):
    """The answer to a WAIT that ends without the job comes with a tick of the broker."""
    for _ in range(2):
        assert wait_for(broker, job, timeout_ms=1)["state"] == "running"


@pytest.mark.parametrize("how", [b"c", b"r"], ids=["closed", "reset"])
@pytest.mark.parametrize("ticks", [False, True], ids=["at-once", "after-it-was-seen"])
def test_a_worker_that_connects_again_keeps_its_job(one, crew, gate, how, ticks):
    _, job, go = crew.holding(via=gate)
    other, others_job, _ = crew.holding()
    gate.order(how)
    if ticks:
        two_ticks(one, job)
    gate.order(b"o")
    # The other one is killed later: when it is given up, so is whoever was waited for before it.
    other.kill()
    crew.add("printf done")
    assert wait_for(one, others_job)["deaths"] == 1
    assert kept(one, job)
    go()
    view = wait_for(one, job)
    assert (view["state"], view["attempt"], view["result"]) == (COMPLETED, 1, b"kept")


def test_a_stopped_worker_is_not_a_dead_one(one, crew, gate):
    stopped, job, go = crew.holding(via=gate)
    other, others_job, _ = crew.holding()
    stopped.process.send_signal(signal.SIGSTOP)
    assert gate.closed_by_broker.wait(PATIENCE_S)  # which has heard no heartbeat of the connection
    other.kill()
    crew.add("printf done")
    assert wait_for(one, others_job)["deaths"] == 1
    assert kept(one, job)
    stopped.process.send_signal(signal.SIGCONT)
    go()
    view = wait_for(one, job)
    assert (view["state"], view["attempt"], view["result"]) == (COMPLETED, 1, b"kept")


# Over ipc:// this is a worker whose process the broker cannot see, as in another container.
@pytest.mark.parametrize("kind", ["tcp", "ipc"])
def test_a_worker_that_comes_back_too_late_settles_nothing(one, crew, kind):
    worker = Client(one.endpoint if kind == "tcp" else one.local, "worker")
    worker.ask(SUBSCRIBE, topics=["t"], credit=1)
    job = enqueue(one)
    delivered = worker.deliveries(1)[0]
    worker.socket.close(0)
    crew.add("printf done")
    assert wait_for(one, job)["result"] == b"done"
    token = delivered["token"]
    assert worker.hello(held=[(job, token)])["lost"] == [token]
    assert worker.settle(delivered, result=b"late") == [token]
    view = Client(one.endpoint).ask(JOB, job=job)
    assert (view["state"], view["attempt"], view["result"]) == (COMPLETED, 2, b"done")
