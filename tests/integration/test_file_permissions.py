"""Permissions of the files that the broker creates, and error messages for missing files."""
import os
import shutil
import stat
import subprocess

import pytest

from millrace_wire import BIN, ENQUEUE, Broker, Client
from test_admin import HTTP, Watched, until

BACKUP, BACKUP_STATUS = 90, 91


class Open(Watched):
    """A broker that is started with a umask of the test's."""

    def __init__(self, umask=0o022):
        super().__init__()
        self.umask = umask
        self.data = f"{self.folder}/the data"
        with open(self.config, "w") as file:
            file.write(f'[broker]\ndata_dir = "{self.data}"\nbackup_dir = "{self.folder}/b"\n'
                       f'listen = ["{self.endpoint}"]\n{HTTP}')

    def start(self):
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([f"{BIN}/millraced", "--config", self.config],
                                            stderr=log, umask=self.umask)
        self.logged("is ready")
        return self

    def warned(self):
        with open(self.log) as log:
            return "is accessible to every user" in log.read()


@pytest.fixture
def make():
    brokers = []

    def one(*arguments):
        brokers.append(Open(*arguments))
        return brokers[-1]
    yield one
    for broker in brokers:
        broker.close()


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.parametrize("umask, group", [(0o000, True), (0o022, True), (0o077, False)])
def test_what_the_broker_makes_is_closed_to_others(make, umask, group):
    broker = make(umask)
    os.mkdir(broker.data, 0o750)
    broker.start()
    client = Client(broker.endpoint, "producer")
    client.enqueue(3)
    client.ask(BACKUP, name="b-1")
    until(lambda: client.ask(BACKUP_STATUS)["state"] == "done", lambda: "no backup")
    made = [os.path.join(at, name) for root in (broker.data, f"{broker.folder}/b")
            for at, folders, files in os.walk(root) for name in folders + files]
    assert len(made) >= 8
    assert [path for path in made if mode(path) & 0o007] == []
    assert mode(f"{broker.folder}/s") == (0o770 if group else 0o700)
    assert bool(mode(f"{broker.data}/shard-0.db") & 0o040) is group
    assert not broker.warned()


def test_a_folder_that_is_open_is_a_warning_with_the_command_that_closes_it(make):
    broker = make()
    os.mkdir(broker.data, 0o755)
    os.chmod(broker.data, 0o755)
    broker.start()
    assert broker.stop() == 0
    os.chmod(f"{broker.data}/shard-0.db", 0o644)
    broker.start()
    said = broker.logged("is accessible to every user")["message"]
    command = said.split("restrict it with ")[1]
    subprocess.run(["/bin/sh", "-c", command], check=True, timeout=20)
    assert mode(broker.data) == 0o750 and mode(f"{broker.data}/shard-0.db") == 0o640
    assert broker.stop() == 0
    broker.start()
    assert not broker.warned()


def test_a_data_folder_that_is_gone_is_not_a_full_disk(make):
    broker = make()
    os.mkdir(broker.data, 0o750)
    broker.start()
    client = Client(broker.endpoint, "producer")
    client.enqueue(1)
    shutil.rmtree(broker.data)
    said = broker.logged("is not there any more")
    assert said["level"] == "error" and f"the folder {broker.data}" in said["message"]
    _, answer = client.ask_any(ENQUEUE, topic="t", partition=0, jobs=[{"payload": b"p"}])
    assert "is not there any more" in answer["message"]
    until(lambda: "is not there any more" in broker.get("/readyz")[1], lambda: "it is ready")
    with open(broker.log) as log:
        assert "bytes of disk space are free" not in log.read()


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_two_names_of_one_file_are_one_file_for_the_lock(make, link):
    broker, other = make(), Broker()
    os.mkdir(broker.data, 0o750)
    broker.start()
    try:
        link(f"{broker.data}/shard-0.db", f"{other.folder}/shard-0.db")
        run = subprocess.run([f"{BIN}/millraced", "--config", other.config], capture_output=True,
                             text=True, timeout=20, check=False)
    finally:
        other.close()
    assert run.returncode == 74 and "is in use by another broker" in run.stderr
