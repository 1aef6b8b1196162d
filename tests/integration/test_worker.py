"""millrace-worker as an operator uses it: a command per job, drain, kill -9, limits."""
import os
import signal
import subprocess

import pytest

from millrace_wire import BIN, CANCEL, ENQUEUE, JOB, TOPOLOGY, WAIT, Broker, Client

COMPLETED, DEAD = "completed", "dead"
# What a worker's death leaves waits a second, and not the quarter of a minute of the default.
TOPICS = '[[topic]]\nname = "t"\nhistory = true\nbackoff_ms_min = 100\n'


@pytest.fixture(name="broker", params=[1, 2], ids=["one-shard", "two-shards"])
def broker_of_short_waits(request):
    broker = Broker(shards=request.param, topics=TOPICS).start()
    yield broker
    broker.close()


class Host:
    """A millrace-worker; ends only what it started."""

    def __init__(self, broker, command, *options, topic="t"):
        self.process = subprocess.Popen(
            [f"{BIN}/millrace-worker", "--topic", topic, "--exec", command, "--broker",
             broker.endpoint, *options], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "connected" in line:
                return
        raise AssertionError(f"the worker ended with {self.process.wait(10)}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(40)
        return code, self.process.stderr.read()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)


@pytest.fixture
def host(broker):
    hosts = []

    def start(command, *options, **more):
        hosts.append(Host(broker, command, *options, **more))
        return hosts[-1]
    yield start
    for h in hosts:
        h.kill()


def enqueue(broker, payload=b"p", **job):
    first = Client(broker.endpoint, "producer").enqueue(1, payload=payload, **job)["first_seq"]
    return f"t/0/{first}"


def wait_for(broker, job, timeout_ms=20_000):
    client = Client(broker.endpoint)
    client.patience_ms = timeout_ms + 5_000
    return client.ask(WAIT, job=job, timeout_ms=timeout_ms)


def test_stdin_is_the_payload_stdout_the_result_and_the_environment_tells_the_job(broker, host):
    host("tr a-z A-Z; printf ' %s %s' $MILLRACE_JOB $MILLRACE_ATTEMPT")
    job = enqueue(broker, b"hello")
    view = wait_for(broker, job)
    assert view["state"] == COMPLETED
    assert view["result"].decode() == f"HELLO {job} 1"


def test_a_command_can_enqueue_jobs_whatever_the_key_of_its_own_job(broker, host):
    """MILLRACE_KEY is the job's partition key, which producers choose: never the name of a file."""
    host(f"{BIN}/millrace --broker {broker.endpoint} enqueue u next")
    done = wait_for(broker, enqueue(broker, key="/etc/shadow"))
    assert done["state"] == COMPLETED, done
    assert done["result"].startswith(b"u/")


def test_the_payload_can_come_as_a_file(broker, host):
    host('cat "$MILLRACE_PAYLOAD_FILE"', "--payload-file")
    assert wait_for(broker, enqueue(broker, b"x" * 50_000))["result"] == b"x" * 50_000


def test_a_result_is_bounded_and_a_megabyte_of_input_flows(broker, host):
    host("cat")
    view = wait_for(broker, enqueue(broker, b"z" * (1 << 20)))
    assert view["state"] == COMPLETED and len(view["result"]) == 64 << 10


def test_exit_65_discards_with_the_tail_of_stderr(broker, host):
    host("echo this is no picture >&2; exit 65")
    view = wait_for(broker, enqueue(broker))
    assert (view["state"], view["reason"]) == (DEAD, "discarded")
    assert "this is no picture" in view["error"]


def test_exit_75_retries_and_the_last_attempt_is_dead(broker, host):
    host("exit 75")
    view = wait_for(broker, enqueue(broker, attempts_max=1))
    assert (view["state"], view["reason"], view["attempt"]) == (DEAD, "exhausted", 1)


def test_a_command_that_is_killed_counts_an_attempt_and_a_death(broker, host):
    host("kill -SEGV $$")
    view = wait_for(broker, enqueue(broker, attempts_max=1))
    assert (view["state"], view["reason"], view["deaths"]) == (DEAD, "exhausted", 1)
    assert "signal 11" in view["error"]


def test_a_bad_minute_of_a_machine_sends_no_queue_to_the_dead(broker, host):
    jobs = [enqueue(broker) for _ in range(20)]
    last = enqueue(broker, priority=9, attempts_max=1)  # the others have been run when it is dead
    host("kill -KILL $$", "--concurrency", "10")
    assert wait_for(broker, last, 60_000)["reason"] == "exhausted"
    client = Client(broker.endpoint)
    for job in jobs:
        view = client.ask(JOB, job=job)
        assert view["state"] in ("available", "running", "retryable") and view["deaths"] <= 1, view
    assert client.topic()["dead"] == 1


def test_a_run_time_limit_ends_the_whole_group(broker, host, tmp_path):
    # The grandchild keeps the pipe open: its end of file proves that it ended too.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    host(f"tail -f /dev/null > {pipe} & wait", "--run-max", "300ms")
    view = wait_for(broker, enqueue(broker, attempts_max=1))
    assert view["state"] == DEAD and "run-time limit" in view["error"]
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_cancel_ends_a_running_command(broker, host, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    host(f"echo started > {pipe}; exec tail -f /dev/null > {pipe}")
    job = enqueue(broker)
    with open(pipe, "rb") as reader:
        assert reader.readline() == b"started\n"
        assert Client(broker.endpoint).ask(CANCEL, job=job)["state"] == "cancelled"
        assert reader.read() == b""


def test_drain_finishes_what_runs_and_hands_back_what_waits(broker, host, tmp_path):
    pipe, go = tmp_path / "pipe", tmp_path / "go"
    os.mkfifo(pipe)
    os.mkfifo(go)
    w = host(f"echo started > {pipe}; cat {go}", "--concurrency", "1", "--prefetch", "3")
    jobs = [enqueue(broker) for _ in range(4)]
    with open(pipe, "rb") as reader:
        assert reader.readline() == b"started\n"
    w.process.send_signal(signal.SIGTERM)
    for line in w.process.stderr:
        if "draining" in line:
            break
    with open(go, "w") as gate:
        gate.write("result")
    assert w.process.wait(40) == 0
    states = [Client(broker.endpoint).ask(JOB, job=job)["state"] for job in jobs]
    assert states.count(COMPLETED) == 1 and states.count("available") == 3


def test_a_killed_worker_loses_nothing_and_its_commands_end(broker, host, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    first = host(f"echo started > {pipe}; exec tail -f /dev/null > {pipe}")
    job = enqueue(broker)
    with open(pipe, "rb") as reader:
        assert reader.readline() == b"started\n"
        first.kill()
        assert reader.read() == b""
    host("printf done")
    view = wait_for(broker, job, 60_000)
    assert (view["state"], view["attempt"], view["deaths"]) == (COMPLETED, 2, 1)


def test_a_death_is_seen_long_before_the_lease(tmp_path):
    broker = Broker(settings="lease_ms = 3600000", topics=TOPICS)
    broker.start()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    first = Host(broker, f"echo started > {pipe}; exec tail -f /dev/null > {pipe}")
    second = None
    try:
        job = enqueue(broker)
        with open(pipe, "rb") as reader:
            assert reader.readline() == b"started\n"
        second = Host(broker, "printf done")
        first.kill()
        assert wait_for(broker, job)["state"] == COMPLETED
    finally:
        for h in filter(None, (first, second)):
            h.kill()
        broker.close()


def test_a_worker_keeps_its_job_over_a_broker_killed_and_restarted(broker, host, tmp_path):
    pipe, go = tmp_path / "pipe", tmp_path / "go"
    os.mkfifo(pipe)
    os.mkfifo(go)
    host(f"echo started > {pipe}; cat {go}")
    job = enqueue(broker)
    with open(pipe, "rb") as reader:
        assert reader.readline() == b"started\n"
    broker.kill()
    broker.start()
    with open(go, "w") as gate:
        gate.write("kept")
    view = wait_for(broker, job)
    assert (view["state"], view["attempt"], view["result"]) == (COMPLETED, 1, b"kept")


def test_under_load_with_kills_each_job_ends_once(broker, host):
    hosts = [host("cat", "--concurrency", "4") for _ in range(2)]
    topology = Client(broker.endpoint).ask(TOPOLOGY, topics=["t"])
    jobs = []
    for round_number in range(6):
        for partition in range(4):
            shard = topology["topics"]["t"][partition]
            producer = Client(topology["shards"][shard][0], "producer")
            first = producer.ask(ENQUEUE, topic="t", partition=partition,
                                 jobs=[{"payload": b"%d" % n} for n in range(25)])["first_seq"]
            jobs += [(shard, f"t/{partition}/{first + n}") for n in range(25)]
        hosts[round_number % 2].kill()
        hosts[round_number % 2] = host("cat", "--concurrency", "4")
        if round_number == 3:
            broker.kill()
            broker.start()
    clients = [Client(endpoints[0]) for endpoints in topology["shards"]]
    for client in clients:
        client.patience_ms = 65_000
    for shard, job in jobs:
        view = clients[shard].ask(WAIT, job=job, timeout_ms=60_000)
        assert view["state"] == COMPLETED, view
    completed = sum(c.topic()["completed"] for c in clients)
    assert completed == len(jobs)


@pytest.mark.parametrize("arguments, sentence", [
    ([], "no topic is given"),
    (["--topic", "t"], "--exec"),
    (["--topic", "t", "--exec", "cat", "--concurrency", "many"], "a number from 1 to 1024"),
    (["--topic", "t", "--exec", "cat", "--drain", "soon"], "is not a duration"),
    (["--topic", "t", "--exec", "cat", "--drain", "25"], "with a unit"),
    (["--topic", "t", "--exec", "cat", "--exec", "true"], "--exec is given more than once"),
    (["--topic", "t", "--exec", "cat", "--what"], "unknown option '--what'"),
    (["--topic", "t", "--exec", "cat", "--drain", "9000h"], "at most one year"),
    (["--topic", "t", "--exec", "cat", "extra"], "unexpected argument 'extra'"),
])
def test_a_wrong_command_line_says_what_to_do(arguments, sentence):
    ended = subprocess.run([f"{BIN}/millrace-worker", *arguments], capture_output=True, text=True,
                           timeout=10, check=False)
    assert ended.returncode == 64 and sentence in ended.stderr
