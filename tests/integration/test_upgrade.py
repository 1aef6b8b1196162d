"""A data folder of an older version is upgraded, a folder of a newer version is refused."""
import os
import sqlite3
import subprocess

import pytest

from millrace_wire import BIN, Broker

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIRST = f"{ROOT}/tests/contract/schemas/1.sql"


@pytest.fixture
def idle():
    broker = Broker()
    yield broker
    broker.close()


def make(broker, version):
    path = f"{broker.folder}/shard-0.db"
    with open(FIRST) as script:
        db = sqlite3.connect(path, isolation_level=None)
        db.executescript(script.read())
        db.execute(f"PRAGMA user_version={version}")
        db.close()
    return path


def test_a_file_of_the_first_version_is_brought_up_to_date_and_served(idle):
    path = make(idle, 1)
    idle.start()
    assert idle.stop() == 0
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert db.execute("SELECT value FROM meta WHERE key='epoch'").fetchone() == (2,)
    payloads = [bytes(row[0]) for row in db.execute("SELECT payload FROM jobs ORDER BY id")]
    assert payloads == [b"payload 0/1", b"payload 0/2", b"payload 1/1"]
    assert db.execute("SELECT count(*) FROM finished").fetchone() == (2,)
    db.close()


def test_a_file_of_a_newer_version_is_refused_and_left_as_it_was(idle):
    path = make(idle, 99)
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    db.close()
    with open(path, "rb") as file:
        before = file.read()
    run = subprocess.run([f"{BIN}/millraced", "--config", idle.config], capture_output=True,
                         text=True, timeout=20, check=False)
    said = run.stdout + run.stderr
    assert run.returncode == 74
    assert "has schema 99" in said and "run the newer millraced" in said
    with open(path, "rb") as file:
        assert file.read() == before
