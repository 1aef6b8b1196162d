"""Observability of a broker: metrics, health, the log, the service manager, SIGHUP."""
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from millrace_wire import BIN, SUBSCRIBE, TOPICS, Broker, Client

PATIENCE_S = 10
HTTP = '[http]\nlisten = "127.0.0.1:0"\n'  # port 0: a free one, and the log names it
TOPIC = '[[topic]]\nname = "t"\nhistory = true\n'


class Watched(Broker):
    """A broker whose log is a file, read line by line as it grows."""

    def __init__(self, shards=1, extra=HTTP, **environment):
        super().__init__(shards=shards, topics=f"{extra}{TOPIC}")
        self.environment = dict(os.environ, **environment)
        self.log = f"{self.folder}/log"

    def start(self):
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([f"{BIN}/millraced", "--config", self.config],
                                            stderr=log, env=self.environment)
        self.logged("is ready")
        return self

    def logged(self, text):
        """The first line that holds the text, as soon as there is one."""
        def look():
            with open(self.log) as log:
                return next((json.loads(line) for line in log
                             if line.endswith("\n") and text in line), None)
        return until(look, lambda: f"{text!r} is not in the log:\n{open(self.log).read()}")

    def get(self, path, method="GET"):
        port = int(self.logged("http port")["message"].rsplit(" ", 1)[1])
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self):
        status, body = self.get("/metrics")
        assert status == 200
        return dict(re.fullmatch(r"(\S+) (\S+)", line).groups() for line in body.splitlines()
                    if not line.startswith("#"))

    def metric(self, name, value):
        """Waits for the value: a gauge is as old as the last snapshot."""
        seen = {}

        def look():
            seen.clear()
            seen.update(self.metrics())
            return float(seen.get(name, "nan")) == value
        until(look, lambda: f"{name} is {seen.get(name)} and not {value}")

    def rewrite(self, *changes):
        with open(self.config) as file:
            text = file.read()
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        with open(self.config, "w") as file:
            file.write(text)
        self.process.send_signal(signal.SIGHUP)


def until(look, why):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        os.sched_yield()
    raise AssertionError(why())


@pytest.fixture
def start():
    brokers = []

    def make(*arguments, **options):
        brokers.append(Watched(*arguments, **options))
        return brokers[-1].start()
    yield make
    for broker in brokers:
        broker.close()


def worker(broker, credit):
    client = Client(broker.endpoint, "worker")
    client.ask(SUBSCRIBE, topics=["t"], credit=credit)
    return client


@pytest.mark.parametrize("shards", [1, 2])
def test_metrics_count_what_happened(start, shards):
    broker = start(shards)
    producer = Client(broker.endpoint, "producer")
    producer.enqueue(5)
    producer.enqueue(1, delay_ms=600_000)
    w = worker(broker, 3)
    first, second, _ = w.deliveries(3)
    w.settle(first)
    w.settle(second, 2, error="bad picture")
    for outcome, count in [("enqueued", 6), ("completed", 1), ("died", 1), ("retried", 0)]:
        broker.metric(f'millrace_jobs_total{{outcome="{outcome}",topic="t"}}', count)
    for state, count in [("running", 1), ("available", 2), ("scheduled", 1), ("dead", 1),
                         ("retryable", 0)]:
        broker.metric(f'millrace_jobs{{topic="t",state="{state}"}}', count)
    broker.metric('millrace_run_seconds_count{topic="t"}', 2)
    broker.metric('millrace_workers{shard="0"}', 1)
    broker.metric('millrace_credit_free{shard="0"}', 0)
    seen = broker.metrics()
    assert float(seen['millrace_oldest_available_seconds{topic="t"}']) > 0
    assert float(seen['millrace_wal_bytes{shard="0"}']) > 0
    assert float(seen['millrace_commit_jobs_sum{shard="0"}']) == 8
    assert float(seen['millrace_commit_seconds_sum{shard="0"}']) > 0
    assert f'millrace_workers{{shard="{shards - 1}"}}' in seen


def test_topics_beyond_the_bound_share_one_label(start):
    broker = start()
    broker.metric('millrace_jobs{topic="t",state="available"}', 0)  # so t has a label of its own
    producer = Client(broker.endpoint, "producer")
    for number in range(1_030):
        producer.enqueue(topic=f"n{number}")
    broker.metric('millrace_jobs_total{outcome="enqueued",topic="n0"}', 1)
    broker.metric('millrace_jobs{topic="other",state="available"}', 7)
    broker.metric('millrace_jobs_total{outcome="enqueued",topic="other"}', 7)
    names = {re.search(r'topic="([^"]*)"', key)[1] for key in broker.metrics() if "topic=" in key}
    assert len(names) == 1_024 + 1 and "n1029" not in names


def test_health_is_shown_and_other_requests_are_refused(start):
    broker = start(2)
    assert broker.get("/healthz") == (200, "ok\n")
    assert broker.get("/readyz") == (200, "ok\n")
    assert broker.get("/healthz", "HEAD") == (200, "")
    assert broker.get("/")[0] == 404
    assert broker.get("/metrics", "POST")[0] == 405
    assert broker.stop() == 0


def test_a_broker_that_refuses_enqueues_is_alive_and_not_ready():
    broker = Watched()
    with open(broker.config) as file:
        text = file.read()
    with open(broker.config, "w") as file:
        file.write(text.replace("[http]", f"disk_free_bytes_min = {2 ** 62}\n[http]"))
    try:
        broker.start()
        assert broker.get("/healthz")[0] == 200
        until(lambda: broker.get("/readyz")[0] == 503, lambda: "it says that it is ready")
        assert "shard 0: free disk space is below disk_free_bytes_min" in broker.get("/readyz")[1]
    finally:
        broker.close()


def test_a_port_that_is_taken_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        broker = Watched(extra=HTTP.replace(":0", f":{port}"))
        try:
            run = subprocess.run([f"{BIN}/millraced", "--config", broker.config],
                                 capture_output=True, text=True, timeout=20)
        finally:
            broker.close()
    assert run.returncode == 74
    assert f"cannot listen on http://127.0.0.1:{port}" in run.stderr


@pytest.mark.parametrize("text, place", [
    ("[http]\nlisten = '0.0.0.0:9100'\n", ":4:10: metrics show every topic, so this address needs keys"),
    ("[access]\nkeys_dir = 'k'\nbroker_key_file = 'b'\n[http]\nlisten = '0.0.0.0:9100'\n",
     ":7:10: tokens must not be sent to this address unencrypted"),
    ("[access]\nkeys_dir = 'k'\nbroker_key_file = 'b'\n[http]\nlisten = '0.0.0.0:9100'\ntokens = false\n",
     ":7:10: metrics show every topic: tokens = false needs a loopback address"),
    ("[http]\nlisten = '127.0.0.1:9100'\ntokens = true\n", ":4:10: metrics show every topic, so tokens"),
    ("[http]\nlisten = '127.evil.example:9100'\n", ":4:10: listen must be"),
    ("[http]\nlisten = '127.0.0.1:70000'\n", ":4:10: listen must be"),
    ("[http]\nlisten = '127.0.0.1'\n", ":4:10: listen must be"),
    ("[http]\nlisten = 9100\n", ":4:10: listen must be"),
    ("[http]\n", ":3:1: listen is missing"),
    ("[http]\nport = 1\n", "unknown key 'port'"),
    ("[log]\nlevel = 'loud'\n", ":4:9: level must be debug, info, warn or error"),
])
def test_a_wrong_http_or_log_section_is_refused_with_its_place(tmp_path, text, place):
    path = tmp_path / "c.toml"
    path.write_text("[broker]\ndata_dir='d'\n" + text)
    run = subprocess.run([f"{BIN}/millraced", "--config", str(path), "--check-config"],
                         capture_output=True, text=True, timeout=20)
    assert run.returncode == 78
    assert place in run.stderr and str(path) in run.stderr


def test_sighup_adds_a_topic_and_says_what_needs_a_restart(start):
    broker = start(2)
    broker.rewrite((TOPIC, '[log]\nlevel = "debug"\n[[topic]]\nname = "new"\npartitions = 3\n'),
                   ("shards = 2", "shards = 3"))
    assert "broker.shards" in broker.logged("need a restart")["message"]
    assert broker.logged("missing from the file")["message"].endswith(": t")
    broker.logged("was reloaded")
    client = Client(broker.endpoint, "producer")
    until(lambda: client.ask(TOPICS, topic="new")["topics"], lambda: "the topic did not come")
    assert client.topic("new")["partitions"] == 3
    assert client.topic("t")["history"]
    client.enqueue(topic="new")
    assert broker.logged("event=enqueued job=new/0/1")["level"] == "debug"


def test_sighup_with_a_mistake_changes_nothing(start):
    broker = start()
    broker.rewrite(("shards = 1", "shards = 0"), (TOPIC, '[[topic]]\nname = "new"\n'))
    assert ":4:" in broker.logged("shards must be a whole number")["message"]
    broker.logged("was not applied")
    assert not Client(broker.endpoint).ask(TOPICS, topic="new")["topics"]


def test_a_topic_keeps_its_number_of_partitions_and_the_log_says_so(start):
    broker = start()
    broker.rewrite((TOPIC, TOPIC + "partitions = 3\n"))
    assert broker.logged("topic t has 8 partitions, not 3")["level"] == "warning"


def test_the_log_has_every_event_of_a_job_and_never_a_payload(start):
    broker = start(extra=HTTP + '[log]\nlevel = "debug"\n')
    Client(broker.endpoint, "producer").enqueue(payload=b"secret-payload", headers=b"secret-head")
    w = worker(broker, 1)
    job = w.deliveries(1)[0]
    w.settle(job, 0, result=b"secret-result")
    for kind in ("enqueued", "delivered", "completed"):
        assert broker.logged(f"event={kind} job=t/0/1")["level"] == "debug"
    assert broker.logged(f"session={w.session.hex()}")
    assert broker.stop() == 0
    with open(broker.log) as log:
        lines = log.read().splitlines()
    assert all(set(json.loads(line)) == {"time", "level", "message"} for line in lines)
    assert not [line for line in lines if "secret" in line]


def test_hostile_bytes_in_a_line_stay_one_json_object(tmp_path):
    path = tmp_path / "c.toml"
    name = 'a\\"b\\\\c\\nd'  # as TOML spells a quote, a backslash and a new line
    path.write_text(f'[broker]\ndata_dir = "{tmp_path}/{name}"\nlisten = ["ipc://{tmp_path}/s"]\n')
    run = subprocess.run([f"{BIN}/millraced", "--config", str(path)], capture_output=True,
                         text=True, timeout=20)
    assert run.returncode == 74
    lines = [json.loads(line) for line in run.stderr.splitlines()]
    assert any('a"b\\c\nd' in line["message"] for line in lines)


def test_the_service_manager_hears_ready_watchdog_and_stopping(start, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE_S)
        broker = start(2, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="200000")
        assert manager.recv(100) == b"READY=1"
        assert manager.recv(100) == b"WATCHDOG=1"
        assert broker.stop() == 0
        while (message := manager.recv(100)) == b"WATCHDOG=1":
            pass
        assert message == b"STOPPING=1"
