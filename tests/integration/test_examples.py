"""The small programs of examples/programs, run for real, and built against the installed SDK."""
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from millrace_wire import BIN, Broker

HERE = os.path.dirname(__file__)
ROOT = os.path.join(HERE, "..", "..")


@pytest.fixture(params=[1, 2], ids=["one-shard", "two-shards"])
def empty(request):
    broker = Broker(shards=request.param, topics="").start()
    yield broker
    broker.close()


def run(broker, program, *arguments):
    return subprocess.run([f"{BIN}/examples/{program}", *arguments], capture_output=True, text=True,
                          timeout=90, check=False,
                          env=dict(os.environ, MILLRACE_BROKER=broker.endpoint))


def test_producer_and_worker(empty):
    stored = run(empty, "producer")
    assert stored.stdout.startswith("stored as greetings/")
    job = stored.stdout.split()[-1]
    worker = subprocess.Popen([f"{BIN}/examples/worker"], stdout=subprocess.PIPE, text=True,
                              env=dict(os.environ, MILLRACE_BROKER=empty.endpoint))
    assert worker.stdout.readline() == f"{job} says hello\n"
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0


@pytest.mark.parametrize("program, arguments, output", [
    ("bulk", ["5000"], "stored 5000, failed 0\n"),
    ("retry", [], "attempt 1\nattempt 2\nattempt 3\ncompleted: worked at last\n"),
    ("dead_letter", [], "dead: the customer has no address\nrequeued 1\ncompleted: sent\n"),
    ("typed", [], "cat.jpg at 320\n"),
])
def test_program(empty, program, arguments, output):
    ended = run(empty, program, *arguments)
    assert (ended.stdout, ended.returncode) == (output, 0), ended.stderr


def test_encrypted(empty, tmp_path):
    keys = str(tmp_path / "mail.payload-keys")
    subprocess.run([f"{BIN}/millrace", "payload-keys", "new", keys], check=True, timeout=30,
                   stdout=subprocess.DEVNULL)
    ended = run(empty, "encrypted", keys)
    assert (ended.stdout, ended.returncode) == ("encrypted with a key: 1\nread: Dear Ada\n", 0)
    missing = run(empty, "encrypted", keys + ".missing")
    assert missing.returncode == 1 and "cannot be read" in missing.stderr


def test_delayed(empty):
    ended = run(empty, "delayed")
    assert ended.stdout.startswith("scheduled: ") and ended.stdout.endswith("now cancelled\n")


def test_a_program_without_a_broker_says_where_it_looked(tmp_path):
    endpoint = f"ipc://{tmp_path}/none"
    ended = subprocess.run([f"{BIN}/examples/delayed"], timeout=90, check=False, text=True,
                           capture_output=True, env=dict(os.environ, MILLRACE_BROKER=endpoint))
    assert ended.returncode == 1 and f"no broker could be reached at {endpoint}" in ended.stderr


def test_none_is_longer_than_a_screen():
    programs = [path for path in pathlib.Path(ROOT, "examples/programs").glob("*.cc")]
    assert len(programs) >= 7
    long = {path.name: len(path.read_text().splitlines()) for path in programs}
    assert {name: lines for name, lines in long.items() if lines > 25} == {}


def test_they_build_against_the_installed_sdk(tmp_path):
    build = os.path.dirname(BIN)
    commands = [["cmake", "--install", build, "--prefix", str(tmp_path / "to")],
                ["cmake", "-S", f"{ROOT}/examples/programs", "-B", str(tmp_path / "b"), "-G", "Ninja",
                 f"-DCMAKE_PREFIX_PATH={tmp_path}/to"],
                ["cmake", "--build", str(tmp_path / "b"), "--target", "example_producer"]]
    for command in commands:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "millrace"], text=True,
                           capture_output=True, check=True,
                           env=dict(os.environ, PKG_CONFIG_PATH=":".join(
                               str(p.parent) for p in tmp_path.rglob("millrace.pc")))).stdout.split()
    compiler = shutil.which("g++")
    subprocess.run([compiler, "-std=c++20", f"{ROOT}/examples/programs/producer.cc", *flags, "-o",
                    str(tmp_path / "producer")], check=True, timeout=300)
