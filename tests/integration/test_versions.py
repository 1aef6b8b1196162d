"""The versions of the loaded libraries: named in the log, and a version with known damage is refused."""
import os
import sqlite3  # the library that the broker loads too
import subprocess

import pytest
import zmq

from millrace_wire import BIN, Broker

# Stand in front of the real libraries, which are new enough, and change only what they say of themselves.
SQLITE = "int sqlite3_libversion_number(void) { return 3037001; }"
ZMQ = "void zmq_version(int* a, int* b, int* c) { *a = 4; *b = 3; *c = 2; }"


def test_the_log_names_them():
    broker = Broker()
    try:
        broker.process = subprocess.Popen([f"{BIN}/millraced", "--config", broker.config],
                                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        line = broker.says("libzmq") or ""
        assert f"SQLite {sqlite3.sqlite_version}" in line
        assert f"libzmq {zmq.zmq_version()}" in line
        assert broker.says("is ready")
    finally:
        broker.close()


@pytest.mark.parametrize("source, words", [
    (SQLITE, ["the loaded SQLite is version 3.37.1", "install 3.38.0 or newer"]),
    (ZMQ, ["the loaded libzmq is version 4.3.2", "install 4.3.3 or newer"]),
    (SQLITE + ZMQ, ["the loaded SQLite is version 3.37.1", "the loaded libzmq is version 4.3.2"]),
], ids=["sqlite", "libzmq", "both"])
def test_an_old_library_is_refused_before_a_file_is_opened(tmp_path, source, words):
    library = tmp_path / "older.so"
    subprocess.run(["g++", "-shared", "-fPIC", "-x", "c++", "-", "-o", str(library)], check=True,
                   input=f'extern "C" {{ {source} }}', text=True, timeout=60)
    broker = Broker()
    try:
        before = sorted(os.listdir(broker.folder))
        ended = subprocess.run([f"{BIN}/millraced", "--config", broker.config], text=True, timeout=60,
                               capture_output=True, check=False, env=dict(os.environ, LD_PRELOAD=str(library)))
        assert ended.returncode == 78
        for each in words:
            assert each in ended.stderr, ended.stderr
        assert "is ready" not in ended.stderr
        assert sorted(os.listdir(broker.folder)) == before
    finally:
        broker.close()
