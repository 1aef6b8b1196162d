"""More connections than the broker has file descriptors for: it keeps the open ones, refuses others,
and its store has enough. The floods are plain sockets that send nothing."""
import http.client
import os
import resource
import socket
import subprocess

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from millrace_wire import BIN, STATUS, SUBSCRIBE, Client
from test_admin import HTTP, Watched, until

BACKUP, BACKUP_STATUS = 90, 91
FLOOD = 300  # more than any limit here leaves room for
PATIENCE_S = 20


class Limited(Watched):
    """A broker that may open so many files; it listens on ipc:// and on tcp://."""

    def __init__(self, limit, shards=1, soft=None):
        super().__init__(shards=shards)
        self.limits = (soft or limit, limit)
        self.port = free_ports(shards)
        self.tcp = f"tcp://127.0.0.1:{self.port}"
        os.mkdir(f"{self.folder}/data", 0o700)
        with open(self.config, "w") as file:
            file.write(f'[broker]\ndata_dir = "{self.folder}/data"\n'
                       f'backup_dir = "{self.folder}/backups"\nshards = {shards}\n'
                       f'listen = ["{self.endpoint}", "{self.tcp}"]\n{HTTP}')

    def run(self, **more):
        return subprocess.Popen(
            [f"{BIN}/millraced", "--config", self.config], text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, self.limits), **more)

    def start(self):
        with open(self.log, "w") as log:
            self.process = self.run(stderr=log)
        self.logged("is ready")
        return self

    def lines(self, text):
        with open(self.log) as log:
            return sum(text in line for line in log)

    def connect(self, kind, source="127.0.0.1"):
        """A socket that is connected, or on its way there, and silent."""
        if kind == "ipc":  # waits while the queue of the listener is full
            made = socket.socket(socket.AF_UNIX)
            made.connect(f"{self.folder}/s")
            return made
        made = socket.socket()
        made.bind((source, 0))
        made.setblocking(False)
        try:
            made.connect(("127.0.0.1", self.port))
        except BlockingIOError:
            pass
        return made


def free_ports(count):
    """The first of so many neighbours that nobody has."""
    while True:
        taken = [socket.socket() for _ in range(count)]
        try:
            taken[0].bind(("127.0.0.1", 0))
            first = taken[0].getsockname()[1]
            for at, each in enumerate(taken[1:], 1):
                each.bind(("127.0.0.1", first + at))
            return first
        except (OSError, OverflowError):
            continue
        finally:
            for each in taken:
                each.close()


@pytest.fixture
def start():
    brokers = []

    def make(*arguments, **options):
        brokers.append(Limited(*arguments, **options))
        return brokers[-1].start()
    yield make
    for broker in brokers:
        broker.close()


def end_of(connection):
    """Reads up to the end, whatever the broker says before it."""
    connection.setblocking(True)
    connection.settimeout(PATIENCE_S)
    try:
        while connection.recv(4_096):
            pass
    except ConnectionResetError:
        pass


@pytest.mark.parametrize("kind", ["ipc", "tcp"])
@pytest.mark.parametrize("limit, shards", [(96, 1), (128, 2), (256, 1), (256, 2)])
def test_a_flood_is_refused_and_those_at_work_stay(start, kind, limit, shards):
    broker = start(limit, shards)
    at_work = Client(broker.endpoint if kind == "ipc" else broker.tcp, "producer")
    assert at_work.enqueue(3)["count"] == 3
    flood = [broker.connect(kind) for _ in range(FLOOD)]
    broker.logged("new connections are refused")
    assert at_work.enqueue(3)["count"] == 3
    status, said = broker.get("/readyz")
    assert status == 503 and "new connections are refused" in said
    assert broker.get("/healthz")[0] == 200
    seen = broker.metrics()
    assert float(seen["millrace_connections_refused_total"]) > 0
    assert 0 < float(seen["millrace_connections"]) <= float(seen["millrace_connections_max"]) < limit
    at_work.ask(BACKUP, name="b-1")
    until(lambda: at_work.ask(BACKUP_STATUS)["state"] != "running", lambda: "the backup goes on")
    assert at_work.ask(BACKUP_STATUS)["state"] == "done"
    for each in flood:
        each.close()
    later = Client(broker.endpoint, "producer")
    assert later.enqueue(1)["count"] == 1
    until(lambda: broker.get("/readyz")[0] == 200, lambda: "it does not say that there is room")
    broker.logged("new connections are accepted again")
    assert broker.lines("new connections are refused") == 1
    assert at_work.topic()["available"] == 7 and broker.stop() == 0


def test_twenty_thousand_half_open_connections(start):
    broker = start(256)
    at_work = Client(broker.tcp, "producer")
    worker = Client(broker.endpoint, "worker")
    worker.ask(SUBSCRIBE, topics=["t"], credit=100)
    before = []
    for batch in range(20):
        kind = "tcp" if batch % 5 else "ipc"
        flood = [broker.connect(kind, f"127.0.{batch}.2") for _ in range(1_000)]
        at_work.enqueue(1)
        assert worker.settle(worker.deliveries(1)[0]) == []
        for each in before:
            each.close()
        before = flood
    for each in before:
        each.close()
    assert at_work.topic()["completed"] == 20
    assert Client(broker.tcp, "producer").enqueue()["count"] == 1
    assert broker.stop() == 0


@pytest.mark.parametrize("kind", ["ipc", "tcp"])
def test_who_does_not_say_hello_goes_and_who_did_stays(start, kind):
    broker = start(256)
    address = broker.endpoint if kind == "ipc" else broker.tcp
    greeted = Client(address)
    half_open = broker.connect(kind)
    silent = Client.context.socket(zmq.DEALER)
    watch = silent.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
    silent.connect(address)
    for event in (zmq.EVENT_HANDSHAKE_SUCCEEDED, zmq.EVENT_DISCONNECTED):
        assert watch.poll(PATIENCE_S * 1_000)
        assert recv_monitor_message(watch)["event"] == event
    end_of(half_open)
    half_open.close()
    silent.disable_monitor()
    silent.close(0)
    assert greeted.ask(STATUS)["accepting"]  # over the same connection, else it were no_session
    assert float(broker.metrics()["millrace_connections_silent_total"]) > 0


def test_the_limit_is_raised_to_the_hard_one(start):
    broker = start(400, soft=64)
    assert 250 < float(broker.metrics()["millrace_connections_max"]) < 400


@pytest.mark.parametrize("limit, shards", [(24, 1), (70, 1), (96, 2)])
def test_a_limit_that_is_too_low_to_serve_is_refused_with_what_it_needs(limit, shards):
    broker = Limited(limit, shards)
    try:
        run = broker.run(stderr=subprocess.PIPE)
        said = run.communicate(timeout=PATIENCE_S)[1]
    finally:
        broker.close()
    assert run.returncode == 78
    assert f"the limit of {limit} open files" in said and "LimitNOFILE=" in said


def test_a_crowd_that_never_asks_does_not_lock_a_scraper_out(start):
    broker = start(256)
    port = int(broker.logged("http port")["message"].rsplit(" ", 1)[1])
    crowd = []
    for _ in range(500):
        crowd.append(socket.create_connection(("127.0.0.1", port), PATIENCE_S))
        crowd[-1].sendall(b"GET /healthz HTTP/1.1\r\n")  # and no end of it
    assert broker.get("/healthz") == (200, "ok\n")
    assert float(broker.metrics()["millrace_connections_refused_total"]) == 0
    for each in crowd:
        each.close()


def test_at_the_bound_of_the_http_port_idle_connections_give_way(start):
    broker = start(256)  # 16 of which are for HTTP
    port = int(broker.logged("http port")["message"].rsplit(" ", 1)[1])
    there = [http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S) for _ in range(16)]
    for connection in there:
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
    assert broker.get("/healthz") == (200, "ok\n")
    assert there[0].sock.recv(1) == b""  # the one that was silent for the longest time
    there[-1].request("GET", "/healthz")
    assert there[-1].getresponse().read() == b"ok\n"
    for connection in there:
        connection.close()
