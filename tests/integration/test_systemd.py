"""Notifications of a worker instance to systemd, without systemd; those of the broker: test_admin.py."""
import os
import socket
import subprocess

import pytest

from millrace_wire import BIN, WAIT, Client

INSTANCE = os.path.join(os.path.dirname(__file__), "..", "..", "systemd", "worker-instance")


@pytest.fixture
def words(tmp_path, monkeypatch):
    """The next word that a service says to systemd."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.bind(str(tmp_path / "n"))
    listening.settimeout(20)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
    yield lambda: listening.recv(256).decode()
    listening.close()


def instance(folder, name):
    environment = dict(os.environ, MILLRACE_WORKERS_DIR=str(folder),
                       MILLRACE_WORKER=f"{BIN}/millrace-worker")
    return subprocess.Popen([INSTANCE, name], env=environment, stderr=subprocess.PIPE, text=True)


def test_an_instance_serves_the_topic_before_its_number(broker, tmp_path, words):
    (tmp_path / "a-b.env").write_text(
        "MILLRACE_EXEC='tr a-z A-Z'\n"
        f"MILLRACE_OPTIONS='--concurrency 2 --broker {broker.endpoint}'\n")
    worker = instance(tmp_path, "a-b-12")
    try:
        said = words()
        while said != "READY=1":
            said = words()
        client = Client(broker.endpoint)
        first = client.enqueue(1, topic="a-b", payload=b"x")["first_seq"]
        client.ask_any(WAIT, job=f"a-b/0/{first}", timeout_ms=20_000)
        assert client.topic("a-b")["completed"] == 1
    finally:
        worker.terminate()
        assert worker.wait(40) == 0
        worker.stderr.close()


@pytest.mark.parametrize("name, code", [
    ("a-b", 64), ("a", 64), ("", 64), ("../a-1", 64), ("none-1", 78), ("empty-1", 78), ("quote-1", 78)])
def test_an_instance_that_cannot_work_says_why(tmp_path, name, code):
    (tmp_path / "empty.env").write_text("# nothing\n")
    (tmp_path / "quote.env").write_text("MILLRACE_EXEC='cat\n")
    worker = instance(tmp_path, name)
    assert "worker-instance: " in worker.stderr.read()
    assert worker.wait(10) == code
    worker.stderr.close()
