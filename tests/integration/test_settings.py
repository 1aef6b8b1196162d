"""Invalid settings: --check-config reports each with its line, and the broker does not start."""
import subprocess

import pytest

from millrace_wire import BIN, Broker, Client


def check(path, text):
    path.write_text(text)
    run = subprocess.run([f"{BIN}/millraced", "--config", str(path), "--check-config"],
                         capture_output=True, text=True, timeout=20, check=False)
    return run.returncode, run.stdout, run.stderr


@pytest.mark.parametrize("text, place", [
    ('listen = ["tcp://127.0.0.1:99999"]', ":3:11: a port must be a number from 1 to 65535"),
    ('listen = ["tcp://127.0.0.1:7x"]', ":3:11: a port must be a number"),
    ('listen = ["tcp://127.0.0.1:"]', ":3:11: a port must be a number"),
    ('listen = ["tcp://127.0.0.1:0"]', ":3:11: port 0 is not allowed"),
    ('listen = ["tcp://127.evil.example:9"]', ":3:11: no keys are configured"),
    ('shards = 4\nlisten = ["tcp://127.0.0.1:65533"]', ":4:11: each shard needs a port of its own"),
    ('listen = ["ipc://s"]', ":3:11: an ipc:// address must have an absolute path"),
    ('listen = ["ipc:///etc/hostname"]', ":3:11: /etc/hostname exists and is not a socket"),
    ('listen = ["ipc:///no-such-folder/s", "ipc:///no-such-folder/s"]', ":3:38: ipc:///no-such-folder/s and ipc:///no-such-folder/s (line 3)"),
    ('listen = ["ipc:///no-such-folder/s", "ipc:///no-such-folder//./s"]', ":3:38: "),
    ('listen = ["tcp://localhost:7001", "tcp://127.0.0.1:07001"]', ":3:35: "),
    ('shards = 2\nlisten = ["ipc:///no-such-folder/s", "ipc:///no-such-folder/s.1"]', ":4:38: "),
    ('shards = 3\nlisten = ["tcp://127.0.0.1:7001", "tcp://127.0.0.1:7003"]', ":4:35: "),
    ('listen = ["tcp://127.0.0.1:7001"]\n[http]\nlisten = "127.0.0.1:7001"', ":5:10: "),
    ('[[topic]]\nname = "a"\n[[topic]]\nname = "a"\nmax_attempts = 2', ":6:8: topic 'a' is defined twice"),
    ('[[topic]]\nname = "a"\nattempts_max = 2\nmax_attempts = 3', ":5:16: attempts_max is the older name"),
])
def test_settings_that_cannot_work_are_refused_with_their_place(tmp_path, text, place):
    path = tmp_path / "c.toml"
    code, _, said = check(path, f'[broker]\ndata_dir = "{tmp_path}"\n{text}\n')
    assert code == 78 and f"{path}{place}" in said and len(said.splitlines()) == 1


def test_settings_that_are_well_are_called_valid(tmp_path):
    path = tmp_path / "c.toml"
    code, said, wrong = check(path, f'[broker]\ndata_dir = "{tmp_path}"\nshards = 2\n'
                              f'listen = ["ipc://{tmp_path}/s", "tcp://127.0.0.1:7001"]\n'
                              '[http]\nlisten = "127.0.0.1:0"\n')
    assert (code, said, wrong) == (0, f"{path}: the configuration is valid\n", "")


@pytest.mark.parametrize("key", ["max_attempts", "attempts_max"])
def test_attempts_of_a_topic_are_read_by_their_name_and_the_one_of_0_1(key):
    broker = Broker(topics=f'[[topic]]\nname = "t"\n{key} = 7\n').start()
    try:
        assert Client(broker.endpoint).topic()["attempts_max"] == 7  # as the wire calls it
    finally:
        broker.close()


@pytest.mark.parametrize("name, text, said_of_it", [
    ("shards", "2\n", "was created with shards = 2, but the configuration says 1"),
    ("restoring", "", "was interrupted"),
])
def test_a_data_folder_that_the_start_refuses_is_named(tmp_path, name, text, said_of_it):
    data = tmp_path / "data"
    data.mkdir()
    (data / name).write_text(text)
    code, _, said = check(tmp_path / "c.toml", f'[broker]\ndata_dir = "{data}"\nlisten = ["ipc://{tmp_path}/s"]\n')
    assert code == 78 and str(data) in said and said_of_it in said and len(said.splitlines()) == 1


@pytest.mark.parametrize("place", ["data_dir", "backup_dir", "listen"])
def test_a_file_where_a_folder_has_to_be_is_named(tmp_path, place):
    folders = {name: tmp_path / name for name in ("data_dir", "backup_dir", "listen")}
    for name, folder in folders.items():
        folder.write_text("") if name == place else folder.mkdir()
    code, _, said = check(tmp_path / "c.toml", f'[broker]\ndata_dir = "{folders["data_dir"]}"\n'
                          f'backup_dir = "{folders["backup_dir"]}"\n'
                          f'listen = ["ipc://{folders["listen"]}/s"]\n')
    assert code == 78 and f"{folders[place]} is a file" in said and len(said.splitlines()) == 1


# systemd makes them at the start, so that they are no fault of the file.
def test_a_folder_that_does_not_exist_is_a_note(tmp_path):
    path, gone = tmp_path / "c.toml", tmp_path / "gone"
    code, said, noted = check(path, f'[broker]\ndata_dir = "{gone}"\nlisten = ["ipc://{gone}/s"]\n')
    assert (code, said) == (0, f"{path}: the configuration is valid\n")
    assert noted == f"note: the folder {gone} does not exist: create it before you start the broker\n"
